/**
 * A Parquet file's footer, as far as reading a tier's columns needs it: which columns of which kinds
 * there are, and where each row group's chunks lie.
 */

import type { ColumnKind } from '../column-spec.ts';
import {
  flagAt,
  numberAt,
  numbersAt,
  structAt,
  structsAt,
  type ThriftFields,
  ThriftReader,
  textAt,
  textsAt,
} from './thrift-reader.ts';

/** Numbers of the Parquet format (parquet.thrift). */
export const PHYSICAL = { boolean: 0, int32: 1, int64: 2, float: 4, double: 5, byteArray: 6 } as const;

/** The file's last bytes: the footer's length and the magic word. */
export const TAIL_BYTES = 8;

export interface FileColumn {
  readonly name: string;
  readonly physical: number;
  readonly optional: boolean;
  /** The kind its values become; undefined when this reader does not know the type. */
  readonly kind: ColumnKind | undefined;
  /** Microseconds in one stored unit of a time: 0.001 for nanoseconds. 1 for what is no time. */
  readonly scale: number;
  /** Whether stored 32-bit numbers are unsigned. */
  readonly unsigned: boolean;
}

export interface FileChunk {
  readonly codec: number;
  readonly encodings: readonly number[];
  readonly values: number;
  /** The chunk's bytes in the file: [start, end). */
  readonly start: number;
  readonly end: number;
}

export interface FileRowGroup {
  readonly rows: number;
  /** By the index of the column in `columns`. */
  readonly chunks: readonly FileChunk[];
}

export interface Footer {
  readonly rows: number;
  /** The file's flat columns. */
  readonly columns: readonly FileColumn[];
  readonly rowGroups: readonly FileRowGroup[];
}

/** The footer's length, from the last TAIL_BYTES bytes; undefined when they are not those of a Parquet file. */
export function footerLength(tail: Uint8Array): number | undefined {
  const at = tail.length - TAIL_BYTES;
  if (at < 0 || textOf(tail.subarray(at + 4)) !== 'PAR1') return undefined;
  return new DataView(tail.buffer, tail.byteOffset + at, 4).getUint32(0, true);
}

function textOf(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

/** Reads a footer's bytes. Throws a RangeError when they are broken. Nested columns are left out. */
export function parseFooter(bytes: Uint8Array): Footer {
  const file = new ThriftReader(bytes).struct();
  const elements = structsAt(file, 2);
  const columns: FileColumn[] = [];
  const leaves: number[] = [];
  // The schema is a tree in preorder: a child of the root that has no children itself is a flat column.
  let leaf = 0;
  for (let i = 1; i < elements.length; ) {
    const element = elements[i]!;
    if ((numberAt(element, 5) ?? 0) > 0) {
      const end = skipGroup(elements, i);
      for (; i < end; i++) if (!((numberAt(elements[i], 5) ?? 0) > 0)) leaf++;
      continue;
    }
    if (numberAt(element, 3) !== 2) {
      columns.push(fileColumn(element));
      leaves.push(leaf);
    }
    leaf++;
    i++;
  }
  const rowGroups = structsAt(file, 4).map((group): FileRowGroup => {
    const chunks = structsAt(group, 1).map(fileChunk);
    return { rows: numberAt(group, 3) ?? 0, chunks: leaves.map((index) => chunkAt(chunks, index)) };
  });
  return { rows: numberAt(file, 3) ?? 0, columns, rowGroups };
}

function chunkAt(chunks: readonly FileChunk[], index: number): FileChunk {
  const chunk = chunks[index];
  if (chunk === undefined) throw new RangeError('a row group without all of its columns');
  return chunk;
}

/** The index after a group and all that is in it. */
function skipGroup(elements: readonly ThriftFields[], at: number): number {
  let open = 1;
  let i = at;
  for (; open > 0 && i < elements.length; i++) open += (numberAt(elements[i], 5) ?? 0) - 1;
  return i;
}

function fileColumn(element: ThriftFields): FileColumn {
  const name = textAt(element, 4) ?? '';
  const physical = numberAt(element, 1) ?? -1;
  const optional = numberAt(element, 3) === 1;
  const logical = structAt(element, 10);
  const converted = numberAt(element, 6);
  const column = { name, physical, optional, scale: 1, unsigned: false };
  const time = timeScale(logical, converted);
  if (time !== undefined) return { ...column, kind: 'timestamp', scale: time };
  if (physical === PHYSICAL.byteArray)
    return { ...column, kind: isText(logical, converted) ? 'text' : undefined };
  if (physical === PHYSICAL.boolean) return { ...column, kind: 'boolean' };
  if (physical === PHYSICAL.float || physical === PHYSICAL.double) return { ...column, kind: 'float64' };
  const isInteger = physical === PHYSICAL.int32 || physical === PHYSICAL.int64;
  if (!isInteger || isDecimalOrTime(logical, converted)) return { ...column, kind: undefined };
  const unsigned =
    flagAt(structAt(logical, 10), 2) === false ||
    (converted !== undefined && converted >= 11 && converted <= 14);
  // Half of the unsigned 64-bit numbers are no int64.
  return { ...column, kind: unsigned && physical === PHYSICAL.int64 ? undefined : 'int64', unsigned };
}

/** Strings; enums and JSON are text as well, and so is a byte array that says nothing of itself. */
function isText(logical: ThriftFields | undefined, converted: number | undefined): boolean {
  if (logical !== undefined) return logical.has(1) || logical.has(4) || logical.has(12);
  return converted === undefined || converted === 0 || converted === 4 || converted === 19;
}

/** Microseconds in one stored unit, of a timestamp or a date. */
function timeScale(logical: ThriftFields | undefined, converted: number | undefined): number | undefined {
  const unit = structAt(structAt(logical, 8), 2);
  if (unit !== undefined) return unit.has(1) ? 1_000 : unit.has(2) ? 1 : 0.001;
  if (logical?.has(6) || converted === 6) return 86_400e6;
  if (converted === 9) return 1_000;
  return converted === 10 ? 1 : undefined;
}

/** Decimals and times of day are numbers of another meaning. */
function isDecimalOrTime(logical: ThriftFields | undefined, converted: number | undefined): boolean {
  return logical?.has(5) === true || logical?.has(7) === true || [5, 7, 8].includes(converted ?? -1);
}

function fileChunk(chunk: ThriftFields): FileChunk {
  const metadata = structAt(chunk, 3);
  const data = numberAt(metadata, 9);
  const bytes = numberAt(metadata, 7);
  if (metadata === undefined || data === undefined || bytes === undefined) {
    throw new RangeError(`column ${textsAt(metadata, 3).join('.')} has no place in the file`);
  }
  // Some writers leave 0 as the dictionary's offset when there is none.
  const dictionary = numberAt(metadata, 11) ?? 0;
  const start = dictionary > 0 && dictionary < data ? dictionary : data;
  return {
    codec: numberAt(metadata, 4) ?? 0,
    encodings: numbersAt(metadata, 2),
    values: numberAt(metadata, 5) ?? 0,
    start,
    end: start + bytes,
  };
}
