/**
 * Parquet files put together by hand, byte by byte: for what no writer at hand makes (INT96, half floats,
 * statistics of the old form, statistics that lie, fields without a meaning).
 *
 * All columns are required, plain and uncompressed, in one page for each row group.
 */

import {
  bytesField,
  encodeStruct,
  flagField,
  I32,
  I64,
  integerField,
  integersField,
  structField,
  structsField,
  type ThriftField,
  textField,
  textsField,
} from './thrift.ts';

export type PhysicalType = 'INT32' | 'INT64' | 'INT96' | 'DOUBLE' | 'BYTE_ARRAY' | 'FIXED_LEN_BYTE_ARRAY';

const TYPES: Readonly<Record<PhysicalType, number>> = {
  INT32: 1,
  INT64: 2,
  INT96: 3,
  DOUBLE: 5,
  BYTE_ARRAY: 6,
  FIXED_LEN_BYTE_ARRAY: 7,
};

/** Logical types, as the one field of their union. */
const LOGICAL = {
  utf8: structField(1, []),
  timestampMicros: structField(8, [flagField(1, true), structField(2, [structField(2, [])])]),
  timestampNanos: structField(8, [flagField(1, true), structField(2, [structField(3, [])])]),
  float16: structField(15, []),
} as const satisfies Record<string, ThriftField>;

export interface HandmadeColumn {
  readonly name: string;
  readonly type: PhysicalType;
  readonly logical?: keyof typeof LOGICAL;
  /** Bytes of a value, for FIXED_LEN_BYTE_ARRAY. */
  readonly length?: number;
}

export interface HandmadeStatistics {
  readonly min?: Uint8Array;
  readonly max?: Uint8Array;
  /** Whether they stand in the deprecated fields. */
  readonly deprecated?: boolean;
}

export interface HandmadeChunk {
  /** The values, PLAIN-encoded. */
  readonly data: Uint8Array;
  readonly statistics?: HandmadeStatistics;
}

export interface HandmadeGroup {
  readonly rows: number;
  /** By column name. */
  readonly chunks: Readonly<Record<string, HandmadeChunk>>;
}

function statisticsOf({ min, max, deprecated = false }: HandmadeStatistics): ThriftField {
  const fields = [];
  if (max !== undefined) fields.push(bytesField(deprecated ? 1 : 5, max));
  if (min !== undefined) fields.push(bytesField(deprecated ? 2 : 6, min));
  return structField(12, fields);
}

function elementOf({ name, type, logical, length }: HandmadeColumn): ThriftField[] {
  const fields = [integerField(1, I32, TYPES[type]), integerField(3, I32, 0), textField(4, name)];
  if (length !== undefined) fields.push(integerField(2, I32, length));
  if (logical !== undefined) fields.push(structField(10, [LOGICAL[logical]]));
  return fields;
}

/** The header of a plain page of `rows` required values. */
function pageHeader(rows: number, size: number): Uint8Array {
  const values = [
    integerField(1, I32, rows),
    integerField(2, I32, 0),
    integerField(3, I32, 3),
    integerField(4, I32, 3),
  ];
  return encodeStruct([
    integerField(1, I32, 0),
    integerField(2, I32, size),
    integerField(3, I32, size),
    structField(5, values),
  ]);
}

export interface HandmadeOptions {
  /** Keys and values of the footer. */
  readonly keyValues?: Readonly<Record<string, string>>;
  /** How many rows the footer claims, where it lies. */
  readonly claimedRows?: number;
}

export function handmadeParquet(
  columns: readonly HandmadeColumn[],
  groups: readonly HandmadeGroup[],
  { keyValues = {}, claimedRows }: HandmadeOptions = {},
): Uint8Array {
  const body: Uint8Array[] = [Buffer.from('PAR1')];
  let size = 4;
  const rowGroups = groups.map(({ rows, chunks }) => {
    const encoded = columns.map(({ name, type }) => {
      const { data, statistics } = chunks[name]!;
      const header = pageHeader(rows, data.length);
      const start = size;
      body.push(header, data);
      size += header.length + data.length;
      const meta = [
        integerField(1, I32, TYPES[type]),
        integersField(2, [0]),
        textsField(3, [name]),
        integerField(4, I32, 0),
        integerField(5, I64, rows),
        integerField(6, I64, size - start),
        integerField(7, I64, size - start),
        integerField(9, I64, start),
      ];
      if (statistics !== undefined) meta.push(statisticsOf(statistics));
      return [integerField(2, I64, start), structField(3, meta)];
    });
    return [structsField(1, encoded), integerField(2, I64, size), integerField(3, I64, rows)];
  });
  const rows = groups.reduce((sum, group) => sum + group.rows, 0);
  const root = [textField(4, 'root'), integerField(5, I32, columns.length)];
  const pairs = Object.entries(keyValues).map(([key, value]) => [textField(1, key), textField(2, value)]);
  const footer = encodeStruct([
    integerField(1, I32, 2),
    structsField(2, [root, ...columns.map(elementOf)]),
    integerField(3, I64, claimedRows ?? rows),
    structsField(4, rowGroups),
    ...(pairs.length === 0 ? [] : [structsField(5, pairs)]),
  ]);
  const end = Buffer.alloc(8);
  end.writeUInt32LE(footer.length);
  end.write('PAR1', 4);
  return Buffer.concat([...body, footer, end]);
}

/** PLAIN: doubles. */
export const doubles = (...values: number[]): Uint8Array => new Uint8Array(Float64Array.from(values).buffer);
/** PLAIN: signed 64-bit integers. */
export const longs = (...values: (number | bigint)[]): Uint8Array =>
  new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
/** PLAIN: byte arrays, each after its length. */
export function byteArrays(...values: (string | Uint8Array)[]): Uint8Array {
  return Buffer.concat(
    values.flatMap((value) => {
      const bytes = Buffer.from(value);
      const length = Buffer.alloc(4);
      length.writeUInt32LE(bytes.length);
      return [length, bytes];
    }),
  );
}

export const TIME: HandmadeColumn = { name: 'obs_time', type: 'INT64', logical: 'timestampMicros' };
export const VALUE: HandmadeColumn = { name: 'value', type: 'DOUBLE' };
export const CODE: HandmadeColumn = { name: 'internal_series_code', type: 'BYTE_ARRAY', logical: 'utf8' };
