/**
 * The dictionary of a column chunk: its distinct values in order of first appearance, and for each
 * value that is not null its index among them.
 */

import type { TextColumn, WideColumn } from '../../lake/tier-table/table.ts';

/** Working memory for the chunks of one writer, used again and again. */
export interface DictionaryScratch {
  /** The index of each non-null value. */
  indices: Int32Array;
  /** The distinct values: two words each (wide), or codes (text). */
  distinct: Int32Array;
  /** Open addressing for wide values: an index + 1, or 0 for a free place. */
  readonly places: Int32Array;
  /** For text: the index + 1 of each code, or 0; all 0 between chunks. */
  seen: Int32Array;
}

const PLACES = 1 << 18;

/** A wide column with more distinct values than this in a row group is stored without a dictionary. */
const MAX_WIDE_DISTINCT = 1 << 16;
const MIN_WIDE_LIMIT = 256;

export function dictionaryScratch(): DictionaryScratch {
  return {
    indices: new Int32Array(0),
    distinct: new Int32Array(0),
    places: new Int32Array(PLACES),
    seen: new Int32Array(0),
  };
}

/** How many distinct values there are and how many values are not null, or undefined: too many to be worth it. */
export interface DictionarySize {
  readonly distinct: number;
  readonly values: number;
}

/** Fills `scratch.indices` and `scratch.distinct` (codes) for the first `rows` rows of a text column. */
export function textDictionary(column: TextColumn, rows: number, scratch: DictionaryScratch): DictionarySize {
  const { codes, pool } = column;
  if (scratch.indices.length < rows) scratch.indices = new Int32Array(rows);
  if (scratch.distinct.length < rows) scratch.distinct = new Int32Array(rows);
  if (scratch.seen.length < pool.size) scratch.seen = new Int32Array(pool.size * 2);
  const { indices, distinct, seen } = scratch;
  let values = 0;
  let count = 0;
  for (let row = 0; row < rows; row++) {
    const code = codes[row]!;
    if (code === 0) continue;
    let index = seen[code]!;
    if (index === 0) {
      distinct[count++] = code;
      index = count;
      seen[code] = index;
    }
    indices[values++] = index - 1;
  }
  for (let i = 0; i < count; i++) seen[distinct[i]!] = 0;
  return { distinct: count, values };
}

/** As `textDictionary`, for a wide column; undefined when its values differ too much for a dictionary to pay. */
export function wideDictionary(
  column: WideColumn,
  rows: number,
  scratch: DictionaryScratch,
): DictionarySize | undefined {
  const limit = Math.min(MAX_WIDE_DISTINCT, Math.max(MIN_WIDE_LIMIT, rows >>> 1));
  if (scratch.indices.length < rows) scratch.indices = new Int32Array(rows);
  if (scratch.distinct.length < limit * 2 + 2) scratch.distinct = new Int32Array(limit * 2 + 2);
  return hasSmallValues(column, rows)
    ? smallDictionary(column, rows, limit, scratch)
    : hashDictionary(column, rows, limit, scratch);
}

/** Whether every value is 0 to 65,535, so that a value can stand for its own place. */
function hasSmallValues({ words }: WideColumn, rows: number): boolean {
  for (let at = 0; at < rows * 2; at += 2) if (words[at]! >>> 16 !== 0 || words[at + 1] !== 0) return false;
  return true;
}

function smallDictionary(
  { words, valid }: WideColumn,
  rows: number,
  limit: number,
  { indices, distinct, places }: DictionaryScratch,
): DictionarySize | undefined {
  places.fill(0, 0, 1 << 16);
  let values = 0;
  let count = 0;
  for (let row = 0; row < rows; row++) {
    if (valid[row] === 0) continue;
    const value = words[row * 2]!;
    let index = places[value]!;
    if (index === 0) {
      if (count === limit) return undefined;
      distinct[count * 2] = value;
      distinct[count * 2 + 1] = 0;
      count++;
      index = count;
      places[value] = index;
    }
    indices[values++] = index - 1;
  }
  return { distinct: count, values };
}

function hashDictionary(
  { words, valid }: WideColumn,
  rows: number,
  limit: number,
  { indices, distinct, places }: DictionaryScratch,
): DictionarySize | undefined {
  const mask = PLACES - 1;
  places.fill(0);
  let values = 0;
  let count = 0;
  for (let row = 0; row < rows; row++) {
    if (valid[row] === 0) continue;
    const low = words[row * 2]!;
    const high = words[row * 2 + 1]!;
    let place = Math.imul(low ^ Math.imul(high, 0x9e3779b1), 0x85ebca6b);
    place = (place ^ (place >>> 14)) & mask;
    let index = places[place]!;
    while (index !== 0 && (distinct[index * 2 - 2] !== low || distinct[index * 2 - 1] !== high)) {
      place = (place + 1) & mask;
      index = places[place]!;
    }
    if (index === 0) {
      if (count === limit) return undefined;
      distinct[count * 2] = low;
      distinct[count * 2 + 1] = high;
      count++;
      index = count;
      places[place] = index;
    }
    indices[values++] = index - 1;
  }
  return { distinct: count, values };
}
