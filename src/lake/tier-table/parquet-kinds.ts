/** Which of the tiers' kinds a Parquet column's values become, whoever wrote it, and how ours are declared. */

import type { SchemaElement } from 'hyparquet';
import type { ColumnKind, ColumnSpec } from '../../contract/column-spec.ts';
import { isText } from '../parquet-schema.ts';

const TIMES = ['DATE', 'TIMESTAMP_MILLIS', 'TIMESTAMP_MICROS'];
/** Numbers of another meaning than their digits have. */
const OTHER = ['DECIMAL', 'TIME_MILLIS', 'TIME_MICROS', 'INTERVAL'];

/** The kind; undefined for a type that the tiers do not read (lists, decimal, time of day, uint64, binary). */
export function kindOfElement(element: SchemaElement): ColumnKind | undefined {
  const { type, converted_type: converted, logical_type: logical } = element;
  if (type === undefined || element.repetition_type === 'REPEATED') return undefined;
  if (type === 'BYTE_ARRAY') return isText(element) ? 'text' : undefined;
  if (type === 'BOOLEAN') return 'boolean';
  if (type === 'FLOAT' || type === 'DOUBLE') return 'float64';
  if (type === 'INT96') return 'timestamp';
  if (type !== 'INT32' && type !== 'INT64') return undefined;
  if (logical?.type === 'TIMESTAMP' || logical?.type === 'DATE') return 'timestamp';
  if (converted !== undefined && TIMES.includes(converted)) return 'timestamp';
  if (logical?.type === 'DECIMAL' || logical?.type === 'TIME') return undefined;
  if (converted !== undefined && OTHER.includes(converted)) return undefined;
  // Half of the unsigned 64-bit numbers are no int64.
  const unsigned = logical?.type === 'INTEGER' ? !logical.isSigned : converted === 'UINT_64';
  return type === 'INT64' && unsigned ? undefined : 'int64';
}

/** The type as people call it, for messages. */
export function typeName({ type, converted_type: converted, logical_type: logical }: SchemaElement): string {
  const more = logical?.type ?? converted;
  return `${type}${more === undefined ? '' : ` (${more})`}`;
}

const TYPES: Readonly<Record<ColumnKind, Partial<SchemaElement>>> = {
  text: { type: 'BYTE_ARRAY', converted_type: 'UTF8', logical_type: { type: 'STRING' } },
  timestamp: {
    type: 'INT64',
    converted_type: 'TIMESTAMP_MICROS',
    logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'MICROS' },
  },
  int64: { type: 'INT64' },
  float64: { type: 'DOUBLE' },
  boolean: { type: 'BOOLEAN' },
};

/** A tier's column in the schema of a file that we write. */
export function elementOf({ name, kind }: ColumnSpec): SchemaElement {
  return { ...TYPES[kind], repetition_type: 'OPTIONAL', name };
}
