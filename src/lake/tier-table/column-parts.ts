/**
 * A column of a row group as plain buffers of its own, in Arrow's layout: what an encoder is given, in
 * this thread or, by transfer, in another.
 */

import type { ColumnKind } from '../../contract/column-spec.ts';
import { type BooleanColumn, type Column, NULL_FLAG, type TextColumn, type WideColumn } from './table.ts';

export interface ColumnParts {
  readonly name: string;
  readonly kind: ColumnKind;
  readonly rows: number;
  readonly nulls: number;
  /** A bit for each row, 1 for a value; undefined where there are no nulls. */
  readonly bitmap: Uint8Array | undefined;
  /** Words of 64-bit values, indices of `texts`, or bits of booleans. */
  readonly values: Int32Array | Uint8Array;
  /** The distinct texts, in the order in which they come up: text i is bytes[offsets[i], offsets[i + 1]). */
  readonly texts: { readonly offsets: Int32Array; readonly bytes: Uint8Array } | undefined;
  /** Whether a dictionary is worth trying. */
  readonly dictionary: boolean;
}

/**
 * Doubles that stay the same for as many rows on average are stored plainly: zstd then finds them, in a
 * quarter of the time that a dictionary takes, and in no more bytes. (Small integers are full of zero bytes,
 * which misleads it.)
 */
const ROWS_OF_RUN = 4;

/** The first `rows` rows of a column, copied. */
export function columnParts(column: Column, rows: number): ColumnParts {
  if (column.kind === 'text') return textParts(column, rows);
  if (column.kind === 'boolean') return booleanParts(column, rows);
  return wideParts(column, rows);
}

/** The buffers of the parts, for transfer. */
export function buffersOf({ bitmap, values, texts }: ColumnParts): ArrayBuffer[] {
  const arrays = [values, bitmap, texts?.offsets, texts?.bytes];
  return arrays.filter((array) => array !== undefined).map(({ buffer }) => buffer as ArrayBuffer);
}

function wideParts({ name, kind, words, valid }: WideColumn, rows: number): ColumnParts {
  const values = words.slice(0, rows * 2);
  const nulls = rows - countOnes(valid, rows);
  const bitmap = nulls === 0 ? undefined : bitmapOf(valid, rows);
  const dictionary = kind !== 'float64' || countRuns(values, rows) * ROWS_OF_RUN > rows;
  return { name, kind, rows, nulls, bitmap, values, texts: undefined, dictionary };
}

function booleanParts({ name, kind, flags }: BooleanColumn, rows: number): ColumnParts {
  const values = new Uint8Array(Math.ceil(rows / 8));
  const valid = new Uint8Array(rows);
  let nulls = 0;
  for (let row = 0; row < rows; row++) {
    const flag = flags[row]!;
    values[row >> 3]! |= (flag & 1) << (row & 7);
    if (flag === NULL_FLAG) nulls++;
    else valid[row] = 1;
  }
  const bitmap = nulls === 0 ? undefined : bitmapOf(valid, rows);
  return { name, kind, rows, nulls, bitmap, values, texts: undefined, dictionary: false };
}

function textParts({ name, kind, pool, codes }: TextColumn, rows: number): ColumnParts {
  const values = new Int32Array(rows);
  /** For each code: its index plus 1, 0 for one that has not come up. */
  const indices = new Int32Array(pool.size);
  const distinct: number[] = [];
  let nulls = 0;
  let length = 0;
  for (let row = 0; row < rows; row++) {
    const code = codes[row]!;
    let index = indices[code]!;
    if (code === 0) {
      nulls++;
      index = 1;
    } else if (index === 0) {
      index = distinct.push(code);
      indices[code] = index;
      length += pool.lengthOf(code);
    }
    values[row] = index - 1;
  }
  const offsets = new Int32Array(distinct.length + 1);
  const bytes = new Uint8Array(length);
  distinct.forEach((code, i) => {
    offsets[i + 1] = pool.copyTo(code, bytes, offsets[i]!);
  });
  const bitmap = nulls === 0 ? undefined : bitmapOf(codes, rows);
  return { name, kind, rows, nulls, bitmap, values, texts: { offsets, bytes }, dictionary: true };
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
