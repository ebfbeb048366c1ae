/**
 * Batches of columns as a Parquet reader yields them, and their way into typed columns, with casts.
 *
 * Terms and invariants:
 * - arrays are laid out as in Apache Arrow: text i is bytes[offsets[i]] to bytes[offsets[i + 1]]; a bitmap
 *   holds a bit for each row, low bits first, from bit `first` on, 1 for a value (or for true);
 * - `nulls` undefined: the column has none;
 * - a name that a batch lacks is a column of nulls.
 */

import { InvalidRequestError } from '../../common/errors.ts';
import { type Problem, putBigInt, putDouble, putNull, putText, putValue } from './cell.ts';
import { type Column, FALSE, NULL_FLAG, type TextColumn, TRUE, type WideColumn } from './table.ts';
import type { TextPool } from './text-pool.ts';

export interface Bitmap {
  readonly bits: Uint8Array;
  readonly first: number;
}

export interface SourceTexts {
  readonly offsets: Int32Array;
  readonly bytes: Uint8Array;
}

export type IntegerArray =
  | Int8Array
  | Int16Array
  | Int32Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

export type SourceColumn = { readonly nulls: Bitmap | undefined } & (
  | ({ readonly kind: 'text' } & SourceTexts)
  | { readonly kind: 'dictionary'; readonly indices: IntegerArray; readonly texts: SourceTexts }
  | { readonly kind: 'integers'; readonly values: IntegerArray }
  | { readonly kind: 'floats'; readonly values: Float32Array | Float64Array }
  | { readonly kind: 'booleans'; readonly values: Bitmap }
  /** Since the epoch, UTC. */
  | { readonly kind: 'times'; readonly unit: TimeUnit; readonly values: BigInt64Array }
);

export type TimeUnit = 's' | 'ms' | 'us' | 'ns' | 'days';

export interface SourceBatch {
  readonly rows: number;
  /** Rows of the source before this batch, for messages. */
  readonly firstRow: number;
  /** Views, perhaps of memory that moves: ask anew after every wait. */
  readonly columns: ReadonlyMap<string, SourceColumn>;
  /** Gives the batch's memory back; its columns must not be used after it. */
  release?(): void;
}

/** Where rows come from, for messages: `parquet_cp_hot/…` or `changed`. */
export function cellError(where: string, row: number, column: string, problem: string): InvalidRequestError {
  return new InvalidRequestError(
    'INPUT_READ_ERROR',
    `${where}: row ${row + 1}, column ${column}: ${problem}`,
    {
      fields: { row: row + 1, column },
    },
  );
}

/**
 * Copies rows [from, from + rows) of a batch into rows [at, at + rows) of the column of the same name.
 * Throws INPUT_READ_ERROR, naming row and column, for a value that cannot be cast.
 */
export function copyInto(
  target: Column,
  at: number,
  batch: SourceBatch,
  from: number,
  rows: number,
  where: string,
): void {
  const source = batch.columns.get(target.name);
  if (source === undefined) {
    clear(target, at, rows);
    return;
  }
  if (copyPlainly(target, at, source, from, rows)) return;
  for (let i = 0; i < rows; i++) {
    const row = from + i;
    const problem = isNull(source, row) ? putNull(target, at + i) : castOne(target, at + i, source, row);
    if (problem !== undefined) throw cellError(where, batch.firstRow + row, target.name, problem);
  }
}

/** The copies that need no look at each value; false when there is none for these kinds. */
function copyPlainly(target: Column, at: number, source: SourceColumn, from: number, rows: number): boolean {
  if (target.kind === 'text') return copyTexts(target, at, source, from, rows);
  if (target.kind === 'boolean') {
    if (source.kind !== 'booleans') return false;
    const { bits, first } = source.values;
    for (let i = 0; i < rows; i++) {
      const bit = first + from + i;
      target.flags[at + i] = (bits[bit >>> 3]! >>> (bit & 7)) & 1 ? TRUE : FALSE;
    }
    if (source.nulls !== undefined) {
      for (let i = 0; i < rows; i++) if (isNull(source, from + i)) target.flags[at + i] = NULL_FLAG;
    }
    return true;
  }
  const words = wordsOf(target, source);
  if (words === undefined) return false;
  target.words.set(words.subarray(from * 2, (from + rows) * 2), at * 2);
  target.valid.fill(1, at, at + rows);
  if (source.nulls !== undefined) {
    for (let i = 0; i < rows; i++) if (isNull(source, from + i)) putNull(target, at + i);
  }
  return true;
}

/** The source's values as words when they are of the target's kind already. */
function wordsOf(target: WideColumn, source: SourceColumn): Int32Array | undefined {
  const same =
    (target.kind === 'int64' && source.kind === 'integers' && source.values instanceof BigInt64Array) ||
    (target.kind === 'float64' && source.kind === 'floats' && source.values instanceof Float64Array) ||
    (target.kind === 'timestamp' && source.kind === 'times' && source.unit === 'us');
  if (!same || !('values' in source) || !('buffer' in source.values)) return undefined;
  const { buffer, byteOffset, length } = source.values;
  return new Int32Array(buffer, byteOffset, length * 2);
}

function copyTexts(
  target: TextColumn,
  at: number,
  source: SourceColumn,
  from: number,
  rows: number,
): boolean {
  const { codes, pool } = target;
  if (source.kind === 'text') {
    const valid = source.nulls === undefined ? null : validBytes(source.nulls, from, rows);
    pool.internColumn(source.offsets.subarray(from), source.bytes, valid, rows, codes, at);
    return true;
  }
  if (source.kind !== 'dictionary') return false;
  const byIndex = dictionaryCodes(source.texts, pool);
  for (let i = 0; i < rows; i++) {
    codes[at + i] = isNull(source, from + i) ? 0 : byIndex[Number(source.indices[from + i])]!;
  }
  return true;
}

const dictionaries = new WeakMap<SourceTexts, { pool: TextPool; codes: Int32Array }>();

/** The codes of a dictionary's texts in a pool; made once for each batch's dictionary. */
function dictionaryCodes(texts: SourceTexts, pool: TextPool): Int32Array {
  const known = dictionaries.get(texts);
  if (known?.pool === pool) return known.codes;
  const count = texts.offsets.length - 1;
  const codes = new Int32Array(count);
  pool.internColumn(texts.offsets, texts.bytes, null, count, codes, 0);
  dictionaries.set(texts, { pool, codes });
  return codes;
}

function validBytes(nulls: Bitmap, from: number, rows: number): Uint8Array {
  const valid = new Uint8Array(rows);
  for (let i = 0; i < rows; i++) {
    const bit = nulls.first + from + i;
    valid[i] = (nulls.bits[bit >>> 3]! >>> (bit & 7)) & 1;
  }
  return valid;
}

function isNull(source: SourceColumn, row: number): boolean {
  if (source.nulls === undefined) return false;
  const bit = source.nulls.first + row;
  return ((source.nulls.bits[bit >>> 3]! >>> (bit & 7)) & 1) === 0;
}

function clear(target: Column, at: number, rows: number): void {
  if (target.kind === 'text') target.codes.fill(0, at, at + rows);
  else if (target.kind === 'boolean') target.flags.fill(NULL_FLAG, at, at + rows);
  else {
    target.words.fill(0, at * 2, (at + rows) * 2);
    target.valid.fill(0, at, at + rows);
  }
}

/** Casts one value that is not null. */
function castOne(target: Column, at: number, source: SourceColumn, row: number): Problem {
  switch (source.kind) {
    case 'text':
      return putText(target, at, source.bytes, source.offsets[row]!, source.offsets[row + 1]!);
    case 'dictionary': {
      const index = Number(source.indices[row]);
      const { offsets, bytes } = source.texts;
      return putText(target, at, bytes, offsets[index]!, offsets[index + 1]!);
    }
    case 'integers':
      return putBigInt(target, at, BigInt(source.values[row]!));
    case 'floats':
      return putFloat(target, at, source.values[row]!);
    case 'booleans': {
      const bit = source.values.first + row;
      return putValue(target, at, ((source.values.bits[bit >>> 3]! >>> (bit & 7)) & 1) === 1);
    }
    case 'times':
      return putTime(target, at, source.values[row]!, source.unit);
  }
}

/** A file's double is what was meant, however great; and a double column keeps its NaN. */
function putFloat(target: Column, at: number, value: number): Problem {
  if (target.kind === 'float64') {
    putDouble(target, at, value);
    return undefined;
  }
  return Number.isFinite(value) && target.kind === 'int64'
    ? putBigInt(target, at, BigInt(Math.trunc(value)))
    : putValue(target, at, value);
}

const DAY_MICROS = 86_400_000_000n;

function putTime(target: Column, at: number, value: bigint, unit: TimeUnit): Problem {
  if (target.kind !== 'timestamp') return 'is a time';
  const micros = {
    s: () => value * 1_000_000n,
    ms: () => value * 1_000n,
    us: () => value,
    ns: () => (value - (((value % 1_000n) + 1_000n) % 1_000n)) / 1_000n,
    days: () => value * DAY_MICROS,
  }[unit]();
  if (BigInt.asIntN(64, micros) !== micros) return `${value} ${unit} is beyond a timestamp in microseconds`;
  target.words[at * 2] = Number(BigInt.asIntN(32, micros));
  target.words[at * 2 + 1] = Number(micros >> 32n);
  target.valid[at] = 1;
  return undefined;
}
