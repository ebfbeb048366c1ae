/**
 * A column of a row group as the Arrow stream that an encoder is given: a copy, so the table may be filled
 * anew, in one buffer, so that it can be transferred. Numbers are taken from the table's memory as they
 * are; texts go as a dictionary of those that come up.
 */

import {
  Bool,
  type Data,
  type DataType,
  Dictionary,
  Field,
  Float64,
  Int32,
  Int64,
  makeData,
  makeVector,
  RecordBatch,
  Schema,
  Struct,
  Table,
  TimestampMicrosecond,
  tableToIPC,
  Utf8,
} from 'apache-arrow';
import type { ColumnKind } from '../../contract/column-spec.ts';
import { type BooleanColumn, type Column, NULL_FLAG, type TextColumn, type WideColumn } from './table.ts';

export interface ColumnMessage {
  readonly name: string;
  readonly kind: ColumnKind;
  readonly rows: number;
  /** An Arrow IPC stream of one batch with the column alone. */
  readonly stream: Uint8Array;
  /** Whether a dictionary is worth trying. */
  readonly dictionary: boolean;
}

/**
 * Doubles that stay the same for as many rows on average are stored plainly: zstd then finds them, in a
 * quarter of the time that a dictionary takes, and in no more bytes. (Small integers are full of zero bytes,
 * which misleads it.)
 */
const ROWS_OF_RUN = 4;

const TEXT = new Dictionary(new Utf8(), new Int32(), 0);
const TIMESTAMP = new TimestampMicrosecond('UTC');
const INT64 = new Int64();
const FLOAT64 = new Float64();
const BOOLEAN = new Bool();

/** The first `rows` rows of a column. */
export function columnMessage(column: Column, rows: number): ColumnMessage {
  const { name, kind } = column;
  const data = arrayOf(column, rows);
  const stream = streamOf(name, data, rows);
  return { name, kind, rows, stream, dictionary: isWorthDictionary(column, rows) };
}

function streamOf(name: string, data: Data<DataType>, rows: number): Uint8Array {
  const schema = new Schema([new Field(name, data.type, true)]);
  const struct = makeData({ type: new Struct(schema.fields), length: rows, nullCount: 0, children: [data] });
  return tableToIPC(new Table(schema, [new RecordBatch(schema, struct)]), 'stream');
}

function isWorthDictionary(column: Column, rows: number): boolean {
  if (column.kind === 'boolean') return false;
  return column.kind !== 'float64' || countRuns(column.words, rows) * ROWS_OF_RUN > rows;
}

function arrayOf(column: Column, rows: number): Data<DataType> {
  if (column.kind === 'text') return textArray(column, rows);
  return column.kind === 'boolean' ? booleanArray(column, rows) : wideArray(column, rows);
}

function validity(nulls: number, marks: Uint8Array | Int32Array, rows: number) {
  return nulls === 0 ? { nullCount: 0 } : { nullCount: nulls, nullBitmap: bitmapOf(marks, rows) };
}

function wideArray({ kind, words, valid }: WideColumn, rows: number): Data<DataType> {
  const common = { length: rows, ...validity(rows - countOnes(valid, rows), valid, rows) };
  const { buffer, byteOffset } = words;
  if (kind === 'float64')
    return makeData({ ...common, type: FLOAT64, data: new Float64Array(buffer, byteOffset, rows) });
  const data = new BigInt64Array(buffer, byteOffset, rows);
  return kind === 'int64'
    ? makeData({ ...common, type: INT64, data })
    : makeData({ ...common, type: TIMESTAMP, data });
}

function booleanArray({ flags }: BooleanColumn, rows: number): Data<DataType> {
  const bits = new Uint8Array(Math.ceil(rows / 8));
  const valid = new Uint8Array(rows);
  let nulls = 0;
  for (let row = 0; row < rows; row++) {
    const flag = flags[row]!;
    bits[row >> 3]! |= (flag & 1) << (row & 7);
    if (flag === NULL_FLAG) nulls++;
    else valid[row] = 1;
  }
  return makeData({ type: BOOLEAN, length: rows, ...validity(nulls, valid, rows), data: bits });
}

function textArray({ pool, codes }: TextColumn, rows: number): Data<DataType> {
  const indices = new Int32Array(rows);
  /** For each code: its index plus 1, 0 for one that has not come up. */
  const known = new Int32Array(pool.size);
  const distinct: number[] = [];
  let nulls = 0;
  let length = 0;
  for (let row = 0; row < rows; row++) {
    const code = codes[row]!;
    let index = known[code]!;
    if (code === 0) {
      nulls++;
      index = 1;
    } else if (index === 0) {
      index = distinct.push(code);
      known[code] = index;
      length += pool.lengthOf(code);
    }
    indices[row] = index - 1;
  }
  const valueOffsets = new Int32Array(distinct.length + 1);
  const bytes = new Uint8Array(length);
  distinct.forEach((code, i) => {
    valueOffsets[i + 1] = pool.copyTo(code, bytes, valueOffsets[i]!);
  });
  const texts = makeData({
    type: new Utf8(),
    length: distinct.length,
    nullCount: 0,
    valueOffsets,
    data: bytes,
  });
  const common = { length: rows, ...validity(nulls, codes, rows) };
  return makeData({ ...common, type: TEXT, data: indices, dictionary: makeVector(texts) });
}

function countOnes(flags: Uint8Array, rows: number): number {
  let ones = 0;
  for (let row = 0; row < rows; row++) ones += flags[row]!;
  return ones;
}

function countRuns(words: Int32Array, rows: number): number {
  let runs = 1;
  for (let at = 2; at < rows * 2; at += 2) {
    if (words[at] !== words[at - 2] || words[at + 1] !== words[at - 1]) runs++;
  }
  return runs;
}

/** A bit for each row, 1 where the array is not 0. */
function bitmapOf(array: Uint8Array | Int32Array, rows: number): Uint8Array {
  const bits = new Uint8Array(Math.ceil(rows / 8));
  for (let row = 0; row < rows; row++) if (array[row] !== 0) bits[row >> 3]! |= 1 << (row & 7);
  return bits;
}
