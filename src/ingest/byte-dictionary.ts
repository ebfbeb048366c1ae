/** Looking up short byte texts without making a string of each: an open-addressed hash table. */

const FIRST_SLOTS = 256;
/** What is kept at most, so that a file of texts that never come again fills no memory. */
const MAX_KEYS = 65_536;
const MAX_KEY_BYTES = 256;

export interface ByteDictionary<T> {
  /**
   * What was made for these bytes, by `make` when they come for the first time, or when they are too long
   * or too many to be kept. The bytes are the caller's again afterwards.
   */
  get(bytes: Uint8Array, start: number, end: number): T;
}

export function createByteDictionary<T>(make: (bytes: Uint8Array) => T): ByteDictionary<T> {
  let slots = new Int32Array(FIRST_SLOTS).fill(-1);
  const keys: Uint8Array[] = [];
  const hashes: number[] = [];
  const values: T[] = [];

  function rehash(): void {
    slots = new Int32Array(slots.length * 2).fill(-1);
    hashes.forEach((hash, entry) => {
      let at = hash & (slots.length - 1);
      while (slots[at] !== -1) at = (at + 1) & (slots.length - 1);
      slots[at] = entry;
    });
  }

  return {
    get(bytes, start, end) {
      let hash = 0x811c9dc5;
      for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
      hash ^= hash >>> 15;
      let at = hash & (slots.length - 1);
      for (let entry = slots[at]!; entry !== -1; entry = slots[at]!) {
        if (hashes[entry] === hash) {
          const key = keys[entry]!;
          if (key.length === end - start) {
            let i = 0;
            while (i < key.length && key[i] === bytes[start + i]) i++;
            if (i === key.length) return values[entry]!;
          }
        }
        at = (at + 1) & (slots.length - 1);
      }
      // A copy: the `slice` of a Buffer would be a view of memory that is given back.
      const key = new Uint8Array(bytes.subarray(start, end));
      const value = make(key);
      if (key.length > MAX_KEY_BYTES || values.length >= MAX_KEYS) return value;
      slots[at] = values.length;
      keys.push(key);
      hashes.push(hash);
      values.push(value);
      if (values.length * 2 > slots.length) rehash();
      return value;
    },
  };
}
