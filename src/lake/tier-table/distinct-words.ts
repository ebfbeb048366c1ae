/** The distinct values of 64 bits in a column, found by hashing: the dictionary of its chunk. */

import { WordPool } from './word-pool.ts';

export interface DistinctWords {
  /** For each value its place among the distinct ones. */
  readonly indices: Int32Array;
  /** The distinct values, two words each, in the order in which they first come up. */
  readonly words: Int32Array;
}

/**
 * @param words two for each value, low word first
 * @param most give up, and return undefined, when there are more distinct values than this
 */
export function distinctWords(words: Int32Array, most: number): DistinctWords | undefined {
  const pool = new WordPool();
  const values = words.length / 2;
  const indices = new Int32Array(values);
  if (!pool.intern(words, values, indices, 0, most)) return undefined;
  // Codes begin after null's.
  for (let i = 0; i < values; i++) indices[i]!--;
  return { indices, words: pool.words.subarray(2) };
}

/**
 * The same of values that have codes already: only those that come up, in that order.
 *
 * @param codes of each value, none of them null; their memory is the indices' from then on
 * @param words of all codes, two each, null's first
 */
export function distinctOfCodes(codes: Int32Array, words: Int32Array): DistinctWords {
  /** For each code its index plus 1, 0 for one that has not come up. */
  const known = new Int32Array(words.length / 2);
  const distinct = new Int32Array(Math.min(words.length, codes.length * 2));
  let count = 0;
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i]!;
    if (known[code] === 0) {
      distinct[count * 2] = words[code * 2]!;
      distinct[count * 2 + 1] = words[code * 2 + 1]!;
      known[code] = ++count;
    }
    codes[i] = known[code]! - 1;
  }
  return { indices: codes, words: distinct.subarray(0, count * 2) };
}
