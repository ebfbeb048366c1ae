/**
 * A pool of values of 64 bits: each distinct one once, as two words, low word first, known by a small number (its
 * code). Code 0 is null; values have the codes 1, 2, ... in the order in which they were first seen.
 */

import { HASH_SECRET } from '../../common/hash-secret.ts';

const FIRST_VALUES = 512;

export class WordPool {
  /** The value of a code is words[2 code] and words[2 code + 1]. */
  #words = new Int32Array(2 * FIRST_VALUES);
  /** Open addressing: a code, or 0 for a free place. At most half full. */
  #places = new Int32Array(2 * FIRST_VALUES);
  #size = 1;

  /** Codes in use, null's included: one more than there are values. */
  get size(): number {
    return this.#size;
  }

  /** The words of all codes, null's zeros first: a view, valid until the next value is added. */
  get words(): Int32Array {
    return this.#words.subarray(0, this.#size * 2);
  }

  /**
   * Writes the codes of `count` values, two words each, to codes[at] and on; values that are new are added.
   *
   * @param most give up, and return false, when the pool would have more values than this
   */
  intern(
    values: Int32Array,
    count: number,
    codes: Int32Array,
    at = 0,
    most = Number.POSITIVE_INFINITY,
  ): boolean {
    let words = this.#words;
    let places = this.#places;
    let mask = places.length - 1;
    let lastLow = 0;
    let lastHigh = 0;
    let last = 0;
    for (let i = 0; i < count; i++) {
      const low = values[i * 2]!;
      const high = values[i * 2 + 1]!;
      // Sorted rows repeat many of their values.
      if (last === 0 || low !== lastLow || high !== lastHigh) {
        let place = hashOf(low, high) & mask;
        let code = places[place]!;
        while (code !== 0 && (words[code * 2] !== low || words[code * 2 + 1] !== high)) {
          place = (place + 1) & mask;
          code = places[place]!;
        }
        if (code === 0) {
          if (this.#size > most) return false;
          code = this.#size++;
          places[place] = code;
          words[code * 2] = low;
          words[code * 2 + 1] = high;
          if (code * 2 + 2 === words.length) {
            this.#grow();
            words = this.#words;
            places = this.#places;
            mask = places.length - 1;
          }
        }
        last = code;
        lastLow = low;
        lastHigh = high;
      }
      codes[at + i] = last;
    }
    return true;
  }

  /** Twice the room. */
  #grow(): void {
    const words = new Int32Array(this.#words.length * 2);
    words.set(this.#words);
    const places = new Int32Array(words.length);
    const mask = places.length - 1;
    for (let code = 1; code < this.#size; code++) {
      let place = hashOf(words[code * 2]!, words[code * 2 + 1]!) & mask;
      while (places[place] !== 0) place = (place + 1) & mask;
      places[place] = code;
    }
    this.#words = words;
    this.#places = places;
  }
}

function hashOf(low: number, high: number): number {
  let hash = Math.imul(low ^ Math.imul(high, HASH_SECRET), HASH_SECRET);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return hash ^ (hash >>> 13);
}
