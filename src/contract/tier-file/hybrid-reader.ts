/** Reads Parquet's hybrid of run lengths and bit packing; the reverse of `writeHybrid`. */

import { ThriftReader } from './thrift-reader.ts';

export class HybridReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #reader: ThriftReader;
  readonly #width: number;
  /** Values left in the run at hand; of a packed run, where the next value's bits start. */
  #left = 0;
  #packed = false;
  #value = 0;
  #bit = 0;

  /** @param width 0 to 32 bits a value */
  constructor(bytes: Uint8Array, at: number, width: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#reader = new ThriftReader(bytes, at);
    this.#width = width;
  }

  /** Reads `count` values into out[at] and on. Throws a RangeError when there are fewer. */
  read(out: Int32Array | Uint8Array, at: number, count: number): void {
    const end = at + count;
    while (at < end) {
      if (this.#left === 0) this.#nextRun();
      const take = Math.min(this.#left, end - at);
      if (this.#packed) this.#unpack(out, at, take);
      else out.fill(this.#value, at, at + take);
      this.#left -= take;
      at += take;
    }
  }

  /** Whether all the next `count` values are one run of `value`; nothing is consumed. */
  isRunOf(value: number, count: number): boolean {
    if (this.#left === 0) this.#nextRun();
    return !this.#packed && this.#value === value && this.#left >= count;
  }

  #nextRun(): void {
    const reader = this.#reader;
    const head = reader.varint();
    this.#packed = head % 2 === 1;
    if (this.#packed) {
      const groups = (head - 1) / 2;
      this.#left = groups * 8;
      this.#bit = reader.at * 8;
      reader.at += groups * this.#width;
    } else {
      this.#left = head / 2;
      this.#value = 0;
      for (let bits = 0; bits < this.#width; bits += 8) {
        this.#value |= (this.#bytes[reader.at++] ?? 0) << bits;
      }
    }
    if (this.#left === 0) throw new RangeError('an empty run');
  }

  #unpack(out: Int32Array | Uint8Array, at: number, count: number): void {
    const width = this.#width;
    let bit = this.#bit;
    // Up to 25 bits lie within the four bytes from their first one on; those bytes must exist.
    const lastWhole = (this.#bytes.length - 4) * 8;
    const fast =
      width <= 25 ? Math.min(count, Math.max(0, Math.floor((lastWhole - bit) / Math.max(1, width)) + 1)) : 0;
    unpackFast(this.#view, bit, width, out, at, fast);
    bit += fast * width;
    for (let i = fast; i < count; i++, bit += width) out[at + i] = this.#slowly(bit);
    this.#bit = bit;
  }

  #slowly(bit: number): number {
    let value = 0;
    for (let i = 0; i < this.#width; i++) {
      const from = bit + i;
      value |= (((this.#bytes[from >>> 3] ?? 0) >>> (from & 7)) & 1) << i;
    }
    return value;
  }
}

function unpackFast(
  view: DataView,
  bit: number,
  width: number,
  out: Int32Array | Uint8Array,
  at: number,
  count: number,
): void {
  const mask = 2 ** width - 1;
  for (let i = 0; i < count; i++, bit += width) {
    out[at + i] = (view.getInt32(bit >>> 3, true) >>> (bit & 7)) & mask;
  }
}
