/**
 * Rows of an Arrow array into a table's column of the same kind. Arrays are views of WASM memory, whole
 * (offset 0), as parquet-wasm decodes them; texts come as dictionaries with 32-bit indices.
 */

import { type Data, DataType, DateUnit, TimeUnit, type Vector } from 'apache-arrow';
import type { ColumnKind } from '../../contract/column-spec.ts';
import type { BooleanColumn, Column, TextColumn, WideColumn } from './table.ts';
import { FALSE, NULL_FLAG, TRUE } from './table.ts';
import type { TextPool } from './text-pool.ts';

/** The codes of an array's dictionary in a pool, found once for all of its rows. */
export interface DictionaryCodes {
  readonly pool: TextPool;
  readonly codes: Int32Array;
}

type Numbers = Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array | Uint32Array;

const TWO_32 = 4_294_967_296;
const MICROS_A_DAY = 86_400_000_000n;
const INT64_MAX = 2n ** 63n - 1n;

/** The kind that `copyRows` makes of an array; undefined for a type that it does not know. */
export function kindOfArrow({ type }: Data): ColumnKind | undefined {
  if (DataType.isDictionary(type)) return 'text';
  if (DataType.isBool(type)) return 'boolean';
  if (DataType.isTimestamp(type) || DataType.isDate(type)) return 'timestamp';
  if (DataType.isInt(type)) return type.bitWidth === 64 && !type.isSigned ? undefined : 'int64';
  return DataType.isFloat(type) && type.ArrayType.BYTES_PER_ELEMENT >= 4 ? 'float64' : undefined;
}

/** The texts of a dictionary-encoded array, as codes of `pool`. */
export function internDictionary(source: Data, pool: TextPool): DictionaryCodes {
  const texts = (source.dictionary as Vector).data[0];
  const codes = new Int32Array(texts?.length ?? 0);
  if (texts !== undefined && texts.length > 0) {
    const offsets = texts.valueOffsets as Int32Array;
    pool.internColumn(offsets, offsets.subarray(1), texts.values as Uint8Array, texts.length, codes, 0);
  }
  return { pool, codes };
}

/** Copies rows [from, from + count) of the array to rows [at, at + count) of a column of its kind. */
export function copyRows(
  source: Data,
  from: number,
  count: number,
  target: Column,
  at: number,
  codes: DictionaryCodes | undefined,
): void {
  if (source.offset !== 0) throw new RangeError(`an array from row ${source.offset} on`);
  const bitmap = source.nullCount === 0 ? undefined : (source.nullBitmap ?? undefined);
  if (target.kind === 'text') copyTexts(source, from, count, target, at, codes!.codes, bitmap);
  else if (target.kind === 'boolean') copyFlags(source, from, count, target, at, bitmap);
  else copyWide(source, from, count, target, at, bitmap);
}

function isValid(bitmap: Uint8Array, row: number): boolean {
  return ((bitmap[row >> 3]! >> (row & 7)) & 1) === 1;
}

function copyTexts(
  source: Data,
  from: number,
  count: number,
  { codes }: TextColumn,
  at: number,
  byIndex: Int32Array,
  bitmap: Uint8Array | undefined,
): void {
  const indices = source.values as Int32Array;
  if (bitmap === undefined) {
    for (let i = 0; i < count; i++) codes[at + i] = byIndex[indices[from + i]!]!;
  } else {
    for (let i = 0; i < count; i++) {
      codes[at + i] = isValid(bitmap, from + i) ? byIndex[indices[from + i]!]! : 0;
    }
  }
}

function copyFlags(
  source: Data,
  from: number,
  count: number,
  { flags }: BooleanColumn,
  at: number,
  bitmap: Uint8Array | undefined,
): void {
  const bits = source.values as Uint8Array;
  for (let i = 0; i < count; i++) {
    const flag = isValid(bits, from + i) ? TRUE : FALSE;
    flags[at + i] = bitmap === undefined || isValid(bitmap, from + i) ? flag : NULL_FLAG;
  }
}

function copyWide(
  source: Data,
  from: number,
  count: number,
  target: WideColumn,
  at: number,
  bitmap: Uint8Array | undefined,
): void {
  copyWords(source, from, count, target.words, at);
  target.valid.fill(1, at, at + count);
  if (bitmap === undefined) return;
  const { words, valid } = target;
  for (let i = 0, to = at * 2; i < count; i++, to += 2) {
    if (isValid(bitmap, from + i)) continue;
    valid[at + i] = 0;
    words[to] = 0;
    words[to + 1] = 0;
  }
}

function copyWords(source: Data, from: number, count: number, words: Int32Array, at: number): void {
  const { type, values } = source;
  if (DataType.isTimestamp(type)) {
    copyTimes(values as BigInt64Array, from, count, words, at, type.unit);
  } else if (DataType.isDate(type)) {
    if (type.unit === DateUnit.DAY)
      scaleTimes((row) => BigInt((values as Int32Array)[row]!), MICROS_A_DAY, from, count, words, at);
    else copyTimes(values as BigInt64Array, from, count, words, at, TimeUnit.MILLISECOND);
  } else if (values.BYTES_PER_ELEMENT === 8) {
    words.set(wordsOf(values as BigInt64Array, from, count), at * 2);
  } else if (DataType.isFloat(type)) {
    const doubles = new Float64Array(words.buffer, words.byteOffset + at * 8, count);
    doubles.set((values as Float32Array).subarray(from, from + count));
  } else {
    widen(values as Numbers, from, count, words, at);
  }
}

/** The 64-bit values of an array as pairs of words, low word first. */
function wordsOf(values: BigInt64Array | Float64Array, from: number, count: number): Int32Array {
  return new Int32Array(values.buffer, values.byteOffset + from * 8, count * 2);
}

function widen(values: Numbers, from: number, count: number, words: Int32Array, at: number): void {
  for (let i = 0, to = at * 2; i < count; i++, to += 2) {
    const value = values[from + i]!;
    words[to] = value;
    words[to + 1] = value < 0 ? -1 : 0;
  }
}

function copyTimes(
  values: BigInt64Array,
  from: number,
  count: number,
  words: Int32Array,
  at: number,
  unit: TimeUnit,
): void {
  if (unit === TimeUnit.MICROSECOND) words.set(wordsOf(values, from, count), at * 2);
  else if (unit === TimeUnit.NANOSECOND) copyNanos(wordsOf(values, from, count), count, words, at);
  else {
    const scale = unit === TimeUnit.MILLISECOND ? 1_000n : 1_000_000n;
    scaleTimes((row) => values[row]!, scale, from, count, words, at);
  }
}

/** Nanoseconds as microseconds, rounded down: long division by words, without a BigInt. */
function copyNanos(nanos: Int32Array, count: number, words: Int32Array, at: number): void {
  for (let i = 0, to = at * 2; i < count; i++, to += 2) {
    const high = nanos[i * 2 + 1]!;
    const quotient = Math.floor(high / 1_000);
    const rest = high - quotient * 1_000;
    words[to] = Math.floor((rest * TWO_32 + (nanos[i * 2]! >>> 0)) / 1_000);
    words[to + 1] = quotient;
  }
}

/** Coarser units as microseconds. A RangeError for a time that microseconds can not tell. */
function scaleTimes(
  valueAt: (row: number) => bigint,
  scale: bigint,
  from: number,
  count: number,
  words: Int32Array,
  at: number,
): void {
  const out = new BigInt64Array(words.buffer, words.byteOffset + at * 8, count);
  for (let i = 0; i < count; i++) {
    const micros = valueAt(from + i) * scale;
    if (micros > INT64_MAX || micros < -INT64_MAX) throw new RangeError(`a time beyond int64`);
    out[i] = micros;
  }
}
