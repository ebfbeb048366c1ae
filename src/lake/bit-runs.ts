/**
 * Parquet's hybrid of run lengths and bit packing, in which a page has its indices and levels. It is most of what
 * reading and writing a tier's file comes to, and the merge wants it read a few values at a time, not a page at
 * once in an array of its own; so it is ours, where the rest of the format is hyparquet's.
 */

/** Wider values are neither read nor written here: wherever in a byte one begins, four bytes hold it. */
export const MAX_BITS = 24;

/** A run of equal values is as long at least; others are packed by as many. */
const GROUP = 8;
/** Room for a run's length and for its value, if it has but one. */
const HEAD_BYTES = 8;

export class BitRuns {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #endBit: number;
  readonly #width: number;
  /** The position: a multiple of 8 but within a packed run. */
  #bit: number;
  /** Values that are left of the run. */
  #left = 0;
  #packed = false;
  /** The value of a run that is not packed. */
  #value = 0;

  /**
   * @param bytes of which the runs are those from `start` to `end`: less than 2^28
   * @param width bits of a value, 0 to MAX_BITS; of none all values are 0, and there are as many as one likes
   */
  constructor(bytes: Uint8Array, start: number, end: number, width: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#bit = start * 8;
    this.#endBit = end * 8;
    this.#width = width;
  }

  /** The value that the next `count` values have, one run of them, which is passed; undefined where it is not one. */
  constant(count: number): number | undefined {
    if (this.#width === 0) return 0;
    if (this.#left === 0) this.#begin();
    if (this.#packed || this.#left < count) return undefined;
    this.#left -= count;
    return this.#value;
  }

  /** Reads the next `count` values into out[at] and on. Throws a RangeError where there are fewer. */
  read(out: Int32Array, at: number, count: number): void {
    if (this.#width === 0) {
      out.fill(0, at, at + count);
      return;
    }
    const end = at + count;
    while (at < end) {
      if (this.#left === 0) this.#begin();
      const some = Math.min(end - at, this.#left);
      if (this.#packed) this.#unpack(out, at, at + some);
      else out.fill(this.#value, at, at + some);
      this.#left -= some;
      at += some;
    }
  }

  #begin(): void {
    while (this.#left === 0) {
      const header = this.#varint();
      this.#packed = (header & 1) === 1;
      this.#left = this.#packed ? (header >>> 1) * GROUP : header >>> 1;
      if (this.#packed) continue;
      this.#value = 0;
      for (let shift = 0; shift < this.#width; shift += 8) this.#value |= this.#byte() << shift;
      if (this.#value >>> this.#width !== 0) throw new RangeError(`a run of more than ${this.#width} bits`);
    }
  }

  #unpack(out: Int32Array, from: number, to: number): void {
    const view = this.#view;
    const width = this.#width;
    const mask = (1 << width) - 1;
    let bit = this.#bit;
    if (bit + (to - from) * width > this.#endBit) throw cut();
    // At the very end of the bytes there are no four.
    const lastWord = (view.byteLength - 4) * 8;
    let i = from;
    for (; i < to && bit <= lastWord; i++, bit += width) {
      out[i] = (view.getInt32(bit >>> 3, true) >>> (bit & 7)) & mask;
    }
    for (; i < to; i++, bit += width) out[i] = (this.#lastWord(bit >>> 3) >>> (bit & 7)) & mask;
    this.#bit = bit;
  }

  /** The bytes from `at` on, zeros after the last. */
  #lastWord(at: number): number {
    let word = 0;
    for (let i = 0; i < 4; i++) word |= (this.#bytes[at + i] ?? 0) << (8 * i);
    return word;
  }

  #varint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#byte();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
    throw new RangeError('a run has a length beyond all values');
  }

  #byte(): number {
    if (this.#bit >= this.#endBit) throw cut();
    const byte = this.#bytes[this.#bit >>> 3]!;
    this.#bit += 8;
    return byte;
  }
}

/** The values as runs, each of `width` bits at most, 0 to MAX_BITS. */
export function bitRunsOf(values: Int32Array, width: number): Uint8Array {
  const groups = Math.ceil(values.length / GROUP);
  const out = new Uint8Array((groups + 1) * (width + HEAD_BYTES));
  let at = 0;
  /** The first value that is in no run yet. */
  let waiting = 0;
  for (let i = 0; i < values.length; ) {
    const value = values[i]!;
    let end = i + 1;
    while (end < values.length && values[end] === value) end++;
    if (end - i < GROUP) {
      i += GROUP;
      continue;
    }
    if (waiting < i) at = putPacked(values, waiting, i, width, out, at);
    at = putVarint((end - i) * 2, out, at);
    for (let shift = 0; shift < width; shift += 8) out[at++] = value >>> shift;
    i = end;
    waiting = end;
  }
  if (waiting < values.length) at = putPacked(values, waiting, values.length, width, out, at);
  return out.subarray(0, at);
}

/** Packs values [from, to), the last group filled with zeros; returns where it ends. */
function putPacked(
  values: Int32Array,
  from: number,
  to: number,
  width: number,
  out: Uint8Array,
  at: number,
): number {
  const groups = Math.ceil((to - from) / GROUP);
  const start = putVarint(groups * 2 + 1, out, at);
  let next = start;
  let buffer = 0;
  let bits = 0;
  for (let i = from; i < to; i++) {
    buffer |= values[i]! << bits;
    bits += width;
    while (bits >= 8) {
      out[next++] = buffer;
      buffer >>>= 8;
      bits -= 8;
    }
  }
  if (bits > 0) out[next] = buffer;
  return start + groups * width;
}

function putVarint(value: number, out: Uint8Array, at: number): number {
  for (; value >= 0x80; value >>>= 7) out[at++] = value | 0x80;
  out[at++] = value;
  return at;
}

function cut(): RangeError {
  return new RangeError('a page ends before its values');
}
