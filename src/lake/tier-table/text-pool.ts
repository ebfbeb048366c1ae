/**
 * A pool of texts: each distinct text once, as UTF-8 bytes, known by a small number (its code).
 *
 * Terms and invariants:
 * - code 0 is null; texts have the codes 1, 2, ... in the order in which they were first seen;
 * - a code, once given, keeps its meaning for the life of the pool;
 * - the rank of a code is its place among all the pool's texts in order of their bytes (which for UTF-8
 *   is the order of code points, and the order in which Polars, DuckDB and Spark sort text). Null has
 *   rank 0. Ranks change when texts are added; `rank()` says whether those of old codes have moved.
 *
 * Interning works on bytes and creates no strings: columns are compared, sorted and written by code.
 */

import { HASH_SECRET } from '../../common/hash-secret.ts';

const NULL_CODE = 0;
const decoder = new TextDecoder();
const encoder = new TextEncoder();

export interface TextRanks {
  /** The rank of each code. Valid until the next text is added. */
  readonly ranks: Int32Array;
  /** How many ranks there are, null's included: the pool's size. */
  readonly count: number;
  /** Whether a code that had a rank before has another one now. */
  readonly moved: boolean;
}

export class TextPool {
  #bytes = new Uint8Array(4_096);
  #view = new DataView(this.#bytes.buffer);
  /** Text `code` lies at bytes[offsets[code]] to bytes[offsets[code + 1]]. */
  #offsets = new Int32Array(258);
  #hashes = new Int32Array(257);
  /** The text that last came after this one: sorted columns repeat their order, so it is a good guess. */
  #followers = new Int32Array(257);
  /** Open addressing: a code, or 0 for a free place. At most half full. */
  #places = new Int32Array(512);
  #size = 1;
  #ranks = new Int32Array(1);
  #ranked = 1;
  /** The ranked codes in order of their texts. */
  #order = new Int32Array([NULL_CODE]);

  /** Codes in use, null's included: one more than there are texts. */
  get size(): number {
    return this.#size;
  }

  /** The bytes of all texts together. */
  get byteLength(): number {
    return this.#offsets[this.#size]!;
  }

  /** The code of the text source[start, end), added when it is new. */
  intern(source: Uint8Array, start: number, end: number): number {
    return this.internAt(viewOf(source), source.byteOffset + start, end - start);
  }

  /** As `intern`, for a reader that has a view of the memory at hand. */
  internAt(view: DataView, start: number, length: number): number {
    const hash = hashOf(view, start, length);
    const places = this.#places;
    const mask = places.length - 1;
    let place = hash & mask;
    for (let code = places[place]!; code !== 0; code = places[place]!) {
      if (this.#hashes[code] === hash && this.#is(code, view, start, length)) return code;
      place = (place + 1) & mask;
    }
    return this.#add(hash, view, start, length);
  }

  /** The code of a string; for single values, not for columns. */
  internString(text: string): number {
    const bytes = encoder.encode(text);
    return this.intern(bytes, 0, bytes.length);
  }

  /** Interns `count` texts bytes[starts[i], ends[i]); writes their codes to codes[at] and on. */
  internColumn(
    starts: Int32Array,
    ends: Int32Array,
    bytes: Uint8Array,
    count: number,
    codes: Int32Array,
    at: number,
  ): void {
    const view = viewOf(bytes);
    const base = bytes.byteOffset;
    let previous = NULL_CODE;
    for (let i = 0; i < count; i++) {
      const start = starts[i]!;
      const length = ends[i]! - start;
      let code = previous;
      if (code === NULL_CODE || !this.#is(code, view, base + start, length)) {
        code = this.#followers[previous]!;
        if (code === NULL_CODE || !this.#is(code, view, base + start, length)) {
          code = this.internAt(view, base + start, length);
          this.#followers[previous] = code;
        }
      }
      codes[at + i] = code;
      previous = code;
    }
  }

  /** The text's bytes: a view, valid until the next text is added. Null's are empty. */
  bytesOf(code: number): Uint8Array {
    return this.#bytes.subarray(this.#offsets[code], this.#offsets[code + 1]);
  }

  /** The text's length in bytes. */
  lengthOf(code: number): number {
    return this.#offsets[code + 1]! - this.#offsets[code]!;
  }

  /** The text, or null for code 0. */
  textOf(code: number): string | null {
    return code === NULL_CODE ? null : decoder.decode(this.bytesOf(code));
  }

  /** Copies the text's bytes into `target` at `at`; returns where they end there. */
  copyTo(code: number, target: Uint8Array, at: number): number {
    const end = this.#offsets[code + 1]!;
    for (let i = this.#offsets[code]!; i < end; i++) target[at++] = this.#bytes[i]!;
    return at;
  }

  /** Less than, equal to or greater than 0, as text `a` comes before, is, or comes after text `b`. */
  compare(a: number, b: number): number {
    if (a === b) return 0;
    const bytes = this.#bytes;
    let i = this.#offsets[a]!;
    let j = this.#offsets[b]!;
    const lengthA = this.#offsets[a + 1]! - i;
    const lengthB = this.#offsets[b + 1]! - j;
    const end = i + Math.min(lengthA, lengthB);
    for (; i < end; i++, j++) {
      const difference = bytes[i]! - bytes[j]!;
      if (difference !== 0) return difference;
    }
    // Only null and the empty text are of one length and yet two codes.
    return lengthA === lengthB ? a - b : lengthA - lengthB;
  }

  /** The rank of every code. Costs a sort of the texts added since it was last asked, and a pass over all. */
  rank(): TextRanks {
    if (this.#ranked === this.#size) return { ranks: this.#ranks, count: this.#size, moved: false };
    const old = this.#order;
    const added = new Int32Array(this.#size - this.#ranked);
    for (let i = 0; i < added.length; i++) added[i] = this.#ranked + i;
    added.sort((a, b) => this.compare(a, b));
    const order = new Int32Array(this.#size);
    const ranks = new Int32Array(this.#size);
    let moved = false;
    for (let rank = 0, i = 0, j = 0; rank < order.length; rank++) {
      const takesOld = j === added.length || (i < old.length && this.compare(old[i]!, added[j]!) < 0);
      if (takesOld && rank !== i) moved = true;
      const code = takesOld ? old[i++]! : added[j++]!;
      order[rank] = code;
      ranks[code] = rank;
    }
    this.#order = order;
    this.#ranks = ranks;
    this.#ranked = this.#size;
    return { ranks, count: this.#size, moved };
  }

  /** Whether the text of `code` is that of view[start, start + length): four bytes at a time, the last first. */
  #is(code: number, view: DataView, start: number, length: number): boolean {
    const offset = this.#offsets[code]!;
    if (this.#offsets[code + 1]! - offset !== length) return false;
    const own = this.#view;
    if (length < 4) {
      for (let i = 0; i < length; i++)
        if (own.getUint8(offset + i) !== view.getUint8(start + i)) return false;
      return true;
    }
    const last = length - 4;
    if (own.getInt32(offset + last, true) !== view.getInt32(start + last, true)) return false;
    for (let i = 0; i < last; i += 4) {
      if (own.getInt32(offset + i, true) !== view.getInt32(start + i, true)) return false;
    }
    return true;
  }

  #add(hash: number, view: DataView, start: number, length: number): number {
    const code = this.#size;
    const offset = this.#offsets[code]!;
    const needed = offset + length;
    if (needed > this.#bytes.length) {
      this.#bytes = grown(this.#bytes, Uint8Array, needed);
      this.#view = new DataView(this.#bytes.buffer);
    }
    if (code + 2 > this.#offsets.length) {
      this.#offsets = grown(this.#offsets, Int32Array, code + 2);
      // As long as the offsets, so that they are outgrown together.
      this.#hashes = grown(this.#hashes, Int32Array, this.#offsets.length);
      this.#followers = grown(this.#followers, Int32Array, this.#offsets.length);
    }
    this.#bytes.set(new Uint8Array(view.buffer, start, length), offset);
    this.#offsets[code + 1] = needed;
    this.#hashes[code] = hash;
    this.#size = code + 1;
    if (this.#size * 2 > this.#places.length) this.#rehash();
    else this.#place(code, hash);
    return code;
  }

  #place(code: number, hash: number): void {
    const places = this.#places;
    const mask = places.length - 1;
    let place = hash & mask;
    while (places[place] !== 0) place = (place + 1) & mask;
    places[place] = code;
  }

  #rehash(): void {
    this.#places = new Int32Array(this.#places.length * 2);
    for (let code = 1; code < this.#size; code++) this.#place(code, this.#hashes[code]!);
  }
}

/** Mixes four bytes at a time; the last four may overlap those before them. */
function hashOf(view: DataView, start: number, length: number): number {
  let hash = HASH_SECRET ^ length;
  if (length < 4) {
    for (let i = 0; i < length; i++) hash = Math.imul(hash ^ view.getUint8(start + i), 0x01000193);
  } else {
    const last = length - 4;
    for (let i = 0; i < last; i += 4) hash = mix(hash, view.getInt32(start + i, true));
    hash = mix(hash, view.getInt32(start + last, true));
  }
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return hash ^ (hash >>> 13);
}

function mix(hash: number, word: number): number {
  const mixed = Math.imul(hash ^ word, 0x85ebca6b);
  return mixed ^ (mixed >>> 15);
}

let lastView: DataView = new DataView(new ArrayBuffer(0));

/** A view of all the memory beneath `bytes`; the same one for arrays on the same memory in succession. */
function viewOf(bytes: Uint8Array): DataView {
  if (lastView.buffer !== bytes.buffer) lastView = new DataView(bytes.buffer);
  return lastView;
}

interface GrowableConstructor<A> {
  new (length: number): A;
}

/** A longer copy of a typed array: at least `needed` long, and at least twice what it was. */
function grown<A extends Uint8Array | Int32Array>(
  array: A,
  Longer: GrowableConstructor<A>,
  needed: number,
): A {
  const copy = new Longer(Math.max(needed, array.length * 2));
  copy.set(array);
  return copy;
}
