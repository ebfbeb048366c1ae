/** The distinct values of 64 bits in a column, found by hashing: the dictionary of its chunk. */

export interface DistinctWords {
  /** For each value its place among the distinct ones. */
  readonly indices: Int32Array;
  /** The distinct values, two words each, in the order in which they first come up. */
  readonly words: Int32Array;
}

const FIRST_PLACES = 1_024;

/**
 * @param words two for each value, low word first
 * @param most give up, and return undefined, when there are more distinct values than this
 */
export function distinctWords(words: Int32Array, most: number): DistinctWords | undefined {
  const values = words.length / 2;
  const indices = new Int32Array(values);
  /** Open addressing: an index plus 1, or 0 for a free place. At most half full. */
  let places = new Int32Array(FIRST_PLACES);
  let mask = places.length - 1;
  let found = new Int32Array(FIRST_PLACES);
  let count = 0;
  let lastLow = 0;
  let lastHigh = 0;
  let last = -1;
  for (let i = 0; i < values; i++) {
    const low = words[i * 2]!;
    const high = words[i * 2 + 1]!;
    // Sorted rows repeat many of their values.
    if (low !== lastLow || high !== lastHigh || last < 0) {
      let place = hashOf(low, high) & mask;
      let index = places[place]! - 1;
      while (index >= 0 && (found[index * 2] !== low || found[index * 2 + 1] !== high)) {
        place = (place + 1) & mask;
        index = places[place]! - 1;
      }
      if (index < 0) {
        if (count === most) return undefined;
        index = count++;
        places[place] = count;
        found[index * 2] = low;
        found[index * 2 + 1] = high;
        if (count * 2 === places.length) {
          const wider = new Int32Array(count * 4);
          wider.set(found);
          found = wider;
          places = placesOf(found, count);
          mask = places.length - 1;
        }
      }
      last = index;
      lastLow = low;
      lastHigh = high;
    }
    indices[i] = last;
  }
  return { indices, words: found.subarray(0, count * 2) };
}

/** Twice the places, with the values found so far. */
function placesOf(found: Int32Array, count: number): Int32Array<ArrayBuffer> {
  const places = new Int32Array(count * 4);
  const mask = places.length - 1;
  for (let index = 0; index < count; index++) {
    let place = hashOf(found[index * 2]!, found[index * 2 + 1]!) & mask;
    while (places[place] !== 0) place = (place + 1) & mask;
    places[place] = index + 1;
  }
  return places;
}

function hashOf(low: number, high: number): number {
  let hash = Math.imul(low ^ Math.imul(high, 0x85ebca6b), 0xcc9e2d51);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return hash ^ (hash >>> 13);
}
