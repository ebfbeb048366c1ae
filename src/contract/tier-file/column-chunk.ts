/**
 * One column of one row group as Parquet pages: a dictionary page where it pays, and one data page
 * (version 1). Nulls are definition levels of one bit. Statistics come from the dictionary when there
 * is one, so they cost nothing.
 */

import { type BooleanColumn, type Column, NULL_FLAG, type TextColumn, type WideColumn } from '../../lake/tier-table/table.ts';
import { ByteSink } from './byte-sink.ts';
import { type DictionaryScratch, type DictionarySize, textDictionary, wideDictionary } from './dictionary.ts';
import { bitWidth, writeHybrid } from './hybrid.ts';

/** Numbers of the Parquet format (parquet.thrift). */
export const ENCODING = { plain: 0, rle: 3, rleDictionary: 8 } as const;

/** Longer bounds are left out: they would fill the footer and prune nothing. */
const MAX_BOUND_BYTES = 256;

export interface ChunkStatistics {
  readonly nulls: number;
  /** The least and greatest value in Parquet's plain encoding without lengths; undefined when all are null. */
  readonly min: Uint8Array | undefined;
  readonly max: Uint8Array | undefined;
}

export interface Page {
  readonly type: 'dictionary' | 'data';
  readonly encoding: number;
  /** Values in the page, nulls included in a data page. */
  readonly values: number;
  /** Not yet compressed. */
  readonly body: Uint8Array;
}

export interface ColumnChunk {
  readonly name: string;
  readonly pages: readonly Page[];
  readonly statistics: ChunkStatistics;
}

/** Encodes the first `rows` rows of a column; the column may be changed as soon as this has returned. */
export function encodeChunk(column: Column, rows: number, scratch: DictionaryScratch): ColumnChunk {
  if (column.kind === 'boolean') return booleanChunk(column, rows);
  if (column.kind === 'text') return textChunk(column, rows, scratch);
  return wideChunk(column, rows, scratch);
}

function textChunk(column: TextColumn, rows: number, scratch: DictionaryScratch): ColumnChunk {
  const size = textDictionary(column, rows, scratch);
  const { pool } = column;
  const codes = scratch.distinct;
  let bytes = 0;
  for (let i = 0; i < size.distinct; i++) bytes += 4 + pool.lengthOf(codes[i]!);
  const body = new Uint8Array(bytes);
  let least = 0;
  let greatest = 0;
  for (let i = 0, at = 0; i < size.distinct; i++) {
    const code = codes[i]!;
    const length = pool.lengthOf(code);
    body[at] = length;
    body[at + 1] = length >>> 8;
    body[at + 2] = length >>> 16;
    body[at + 3] = length >>> 24;
    at = pool.copyTo(code, body, at + 4);
    if (least === 0 || pool.compare(code, least) < 0) least = code;
    if (greatest === 0 || pool.compare(code, greatest) > 0) greatest = code;
  }
  const bound = (code: number) =>
    code === 0 || pool.lengthOf(code) > MAX_BOUND_BYTES ? undefined : pool.bytesOf(code).slice();
  const levels = (sink: ByteSink) => writeLevels(sink, rows, size.values, (row) => column.codes[row] !== 0);
  return {
    name: column.name,
    pages: dictionaryPages(size, body, rows, levels, scratch),
    statistics: { nulls: rows - size.values, min: bound(least), max: bound(greatest) },
  };
}

function wideChunk(column: WideColumn, rows: number, scratch: DictionaryScratch): ColumnChunk {
  const { words, valid } = column;
  const size = wideDictionary(column, rows, scratch);
  if (size !== undefined) {
    const levels = (sink: ByteSink) => writeLevels(sink, rows, size.values, (row) => valid[row] !== 0);
    const distinct = scratch.distinct.slice(0, size.distinct * 2);
    return {
      name: column.name,
      pages: dictionaryPages(size, new Uint8Array(distinct.buffer), rows, levels, scratch),
      statistics: { nulls: rows - size.values, ...wideBounds(column.kind, distinct, size.distinct) },
    };
  }
  const packed = new Int32Array(rows * 2);
  let values = 0;
  for (let row = 0; row < rows; row++) {
    if (valid[row] === 0) continue;
    packed[values * 2] = words[row * 2]!;
    packed[values * 2 + 1] = words[row * 2 + 1]!;
    values++;
  }
  const sink = new ByteSink(values * 8 + 64);
  writeLevels(sink, rows, values, (row) => valid[row] !== 0);
  sink.bytes(new Uint8Array(packed.buffer, 0, values * 8));
  return {
    name: column.name,
    pages: [{ type: 'data', encoding: ENCODING.plain, values: rows, body: sink.take() }],
    statistics: { nulls: rows - values, ...wideBounds(column.kind, packed, values) },
  };
}

function booleanChunk(column: BooleanColumn, rows: number): ColumnChunk {
  const { flags } = column;
  const bits = new Uint8Array(Math.ceil(rows / 8));
  let values = 0;
  let trues = 0;
  for (let row = 0; row < rows; row++) {
    const flag = flags[row]!;
    if (flag === NULL_FLAG) continue;
    if (flag !== 0) bits[values >>> 3]! |= 1 << (values & 7);
    trues += flag;
    values++;
  }
  const sink = new ByteSink(bits.length + 64);
  writeLevels(sink, rows, values, (row) => flags[row] !== NULL_FLAG);
  sink.bytes(bits.subarray(0, Math.ceil(values / 8)));
  const bound = (flag: boolean) => (values === 0 ? undefined : new Uint8Array([flag ? 1 : 0]));
  return {
    name: column.name,
    pages: [{ type: 'data', encoding: ENCODING.plain, values: rows, body: sink.take() }],
    statistics: { nulls: rows - values, min: bound(trues === values), max: bound(trues > 0) },
  };
}

function dictionaryPages(
  size: DictionarySize,
  dictionary: Uint8Array,
  rows: number,
  levels: (sink: ByteSink) => void,
  scratch: DictionaryScratch,
): Page[] {
  const width = bitWidth(Math.max(0, size.distinct - 1));
  const sink = new ByteSink(Math.ceil((size.values * width) / 8) + 256);
  levels(sink);
  sink.byte(width);
  writeHybrid(sink, scratch.indices, size.values, width);
  return [
    { type: 'dictionary', encoding: ENCODING.plain, values: size.distinct, body: dictionary },
    { type: 'data', encoding: ENCODING.rleDictionary, values: rows, body: sink.take() },
  ];
}

/** The definition levels of a page: 1 for a value, 0 for null, after their length in bytes. */
function writeLevels(sink: ByteSink, rows: number, values: number, isValue: (row: number) => boolean): void {
  const levels = new ByteSink(32);
  if (values === rows || values === 0) {
    levels.varint(rows * 2);
    levels.byte(values === 0 ? 0 : 1);
  } else {
    const flags = new Uint8Array(rows);
    for (let row = 0; row < rows; row++) flags[row] = isValue(row) ? 1 : 0;
    writeHybrid(levels, flags, rows, 1);
  }
  const bytes = levels.take();
  sink.uint32(bytes.length);
  sink.bytes(bytes);
}

function wideBounds(
  kind: WideColumn['kind'],
  words: Int32Array,
  count: number,
): Pick<ChunkStatistics, 'min' | 'max'> {
  if (kind === 'float64') return doubleBounds(new Float64Array(words.buffer, words.byteOffset, count));
  if (count === 0) return { min: undefined, max: undefined };
  let least = 0;
  let greatest = 0;
  for (let i = 1; i < count; i++) {
    if (compareInt64(words, i, least) < 0) least = i;
    if (compareInt64(words, i, greatest) > 0) greatest = i;
  }
  const bound = (i: number) => new Uint8Array(words.slice(i * 2, i * 2 + 2).buffer);
  return { min: bound(least), max: bound(greatest) };
}

/** Compares two int64 values among pairs of words. */
export function compareInt64(words: Int32Array, a: number, b: number): number {
  const high = words[a * 2 + 1]! - words[b * 2 + 1]!;
  return high !== 0 ? high : (words[a * 2]! >>> 0) - (words[b * 2]! >>> 0);
}

/** NaN bounds nothing; a zero bound stands for both zeros, as the format wants it. */
function doubleBounds(values: Float64Array): Pick<ChunkStatistics, 'min' | 'max'> {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    if (value < min) min = value;
    if (value > max) max = value;
  }
  if (min > max) return { min: undefined, max: undefined };
  const bound = (value: number) => new Uint8Array(new Float64Array([value]).buffer);
  return { min: bound(min === 0 ? -0 : min), max: bound(max === 0 ? 0 : max) };
}
