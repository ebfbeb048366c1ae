/**
 * The order of rows by primary key and time, as numbers.
 *
 * Terms:
 * - a key word packs the ranks of one or more key columns' texts into a double, first column highest,
 *   as digits whose sizes are powers of two. As long as all digits fit into 53 bits one word holds the
 *   whole key; further columns go into further words;
 * - a row's order is its key words, then its time. Nulls come first.
 *
 * Texts that appear later can move the ranks of earlier ones or outgrow a digit: `refresh` says so, and
 * then the words of every row still in use must be made anew with `fill`. The last row is no row: it
 * comes after all others, as the next row of a run at its end.
 */

import type { TextColumn, WideColumn } from '../lake/tier-table/table.ts';

const WORD_BITS = 53;

interface Digit {
  readonly column: TextColumn;
  readonly word: number;
  /** What a rank is multiplied with: a power of two. */
  readonly weight: number;
  ranks: Int32Array;
  /** Ranks are below this. */
  readonly limit: number;
}

export class RowOrder {
  #keys: readonly TextColumn[];
  readonly #time: WideColumn;
  readonly #capacity: number;
  #digits: Digit[] = [];
  /** words[w][row]: the key words of each row. */
  readonly words: Float64Array[] = [];
  #first: Float64Array = new Float64Array(0);
  /** The time of each row in microseconds, null as -Infinity. Times beyond 2^53 are rounded here. */
  readonly times: Float64Array;

  constructor(keys: readonly TextColumn[], time: WideColumn, capacity: number) {
    this.#keys = keys;
    this.#time = time;
    this.#capacity = capacity;
    this.times = new Float64Array(capacity);
    this.times[capacity - 1] = Number.POSITIVE_INFINITY;
  }

  /** Takes other key columns in place of the old, of the same rows but with codes of other pools. */
  replaceKeys(keys: readonly TextColumn[]): void {
    this.#keys = keys;
    this.#digits = [];
  }

  /** Takes in the texts added to the pools; true when all words must be made anew. */
  refresh(): boolean {
    let stale = this.#digits.length === 0;
    this.#keys.forEach((column, i) => {
      const { ranks, count, moved } = column.pool.rank();
      const digit = this.#digits[i];
      if (digit === undefined || moved || count > digit.limit) stale = true;
      else digit.ranks = ranks;
    });
    if (stale) this.#layOut();
    return stale;
  }

  /** Makes the words and times of rows [from, to). */
  fill(from: number, to: number): void {
    for (const words of this.words) words.fill(0, from, to);
    for (const { column, word, weight, ranks } of this.#digits) {
      addDigit(this.words[word]!, column.codes, ranks, weight, from, to);
    }
    fillTimes(this.times, this.#time, from, to);
  }

  /** Less than, equal to or greater than 0, as row `a` comes before, with or after row `b`. */
  compare(a: number, b: number): number {
    const wordA = this.#first[a]!;
    const wordB = this.#first[b]!;
    if (wordA !== wordB) return wordA < wordB ? -1 : 1;
    if (this.words.length > 1) {
      const further = this.#compareFurther(a, b);
      if (further !== 0) return further;
    }
    const timeA = this.times[a]!;
    const timeB = this.times[b]!;
    if (timeA !== timeB) return timeA < timeB ? -1 : 1;
    return this.#compareLongTimes(a, b);
  }

  /** The first row of [from, to) that comes after row `limit`, or `to`; the rows ascend. */
  endOfRun(from: number, to: number, limit: number): number {
    let row = from;
    while (row < to && this.compare(row, limit) <= 0) row++;
    return row;
  }

  #compareFurther(a: number, b: number): number {
    for (let i = 1; i < this.words.length; i++) {
      const words = this.words[i]!;
      if (words[a] !== words[b]) return words[a]! < words[b]! ? -1 : 1;
    }
    return 0;
  }

  /** Times beyond 2^53 are equal doubles before they are equal. */
  #compareLongTimes(a: number, b: number): number {
    const time = this.times[a]!;
    if (Math.abs(time) < Number.MAX_SAFE_INTEGER || !Number.isFinite(time)) return 0;
    const { words } = this.#time;
    return words[a * 2 + 1]! - words[b * 2 + 1]! || (words[a * 2]! >>> 0) - (words[b * 2]! >>> 0);
  }

  /** Gives each key column a digit with room for twice the texts there are. */
  #layOut(): void {
    let word = 0;
    let bits = 0;
    this.#digits = [];
    for (const column of this.#keys.toReversed()) {
      const { ranks, count } = column.pool.rank();
      const width = Math.ceil(Math.log2(count)) + 1;
      if (bits + width > WORD_BITS) {
        word++;
        bits = 0;
      }
      this.#digits.unshift({ column, word, weight: 2 ** bits, ranks, limit: 2 ** width });
      bits += width;
    }
    // Digits were laid out from the last column on, so the words stand in reverse.
    for (const [i, digit] of this.#digits.entries()) this.#digits[i] = { ...digit, word: word - digit.word };
    while (this.words.length <= word) this.words.push(new Float64Array(this.#capacity));
    this.words.length = word + 1;
    for (const words of this.words) words[this.#capacity - 1] = Number.POSITIVE_INFINITY;
    this.#first = this.words[0]!;
  }
}

function addDigit(
  words: Float64Array,
  codes: Int32Array,
  ranks: Int32Array,
  weight: number,
  from: number,
  to: number,
): void {
  for (let row = from; row < to; row++) words[row]! += ranks[codes[row]!]! * weight;
}

function fillTimes(times: Float64Array, column: WideColumn, from: number, to: number): void {
  const { words, valid } = column;
  for (let row = from; row < to; row++) {
    const time = words[row * 2 + 1]! * 4_294_967_296 + (words[row * 2]! >>> 0);
    times[row] = valid[row] === 0 ? Number.NEGATIVE_INFINITY : time;
  }
}
