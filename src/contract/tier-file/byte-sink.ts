/**
 * A growing run of bytes, and on it Thrift's compact protocol, in which Parquet writes its page headers
 * and footer (https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md).
 */

const encoder = new TextEncoder();

export class ByteSink {
  #bytes: Uint8Array;
  #length = 0;

  constructor(capacity = 256) {
    this.#bytes = new Uint8Array(capacity);
  }

  get length(): number {
    return this.#length;
  }

  /** What was written, as a copy of its own. */
  take(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  /** Makes room for `count` bytes, counts them as written, and hands them out to be filled. */
  reserve(count: number): Uint8Array {
    const start = this.#length;
    if (start + count > this.#bytes.length) {
      const longer = new Uint8Array(Math.max(start + count, this.#bytes.length * 2));
      longer.set(this.#bytes.subarray(0, start));
      this.#bytes = longer;
    }
    this.#length = start + count;
    return this.#bytes.subarray(start, start + count);
  }

  /** Takes back the last `count` bytes. */
  release(count: number): void {
    this.#length -= count;
  }

  byte(value: number): void {
    this.reserve(1)[0] = value;
  }

  bytes(value: Uint8Array): void {
    this.reserve(value.length).set(value);
  }

  /** Four bytes, low first. */
  uint32(value: number): void {
    const room = this.reserve(4);
    room[0] = value;
    room[1] = value >>> 8;
    room[2] = value >>> 16;
    room[3] = value >>> 24;
  }

  /** An unsigned number below 2^53, seven bits a byte, low first. */
  varint(value: number): void {
    while (value >= 0x80) {
      this.byte((value % 0x80) | 0x80);
      value = Math.floor(value / 0x80);
    }
    this.byte(value);
  }

  /** A signed number within 2^52, as an unsigned one. */
  zigzag(value: number): void {
    this.varint(value < 0 ? -value * 2 - 1 : value * 2);
  }
}

const TYPE = { true: 1, false: 2, i8: 3, i16: 4, i32: 5, i64: 6, binary: 8, list: 9, struct: 12 } as const;

export type ThriftList =
  | { readonly of: 'struct'; readonly items: readonly ThriftStruct[] }
  | { readonly of: 'i32'; readonly items: readonly number[] }
  | { readonly of: 'binary'; readonly items: readonly string[] };

/** A field's value by its Thrift type; numbers are within 2^52. */
export type ThriftValue =
  | { readonly i8: number }
  | { readonly i16: number }
  | { readonly i32: number }
  | { readonly i64: number }
  | { readonly bool: boolean }
  | { readonly binary: string | Uint8Array }
  | { readonly struct: ThriftStruct }
  | { readonly list: ThriftList };

/** The fields of a struct by their ids, in ascending order; undefined ones are left out. */
export type ThriftStruct = readonly (readonly [id: number, value: ThriftValue | undefined])[];

export function writeStruct(sink: ByteSink, struct: ThriftStruct): void {
  let last = 0;
  for (const [id, value] of struct) {
    if (value === undefined) continue;
    sink.byte(((id - last) << 4) | typeOf(value));
    last = id;
    writeValue(sink, value);
  }
  sink.byte(0);
}

function typeOf(value: ThriftValue): number {
  if ('bool' in value) return value.bool ? TYPE.true : TYPE.false;
  if ('i8' in value) return TYPE.i8;
  if ('i16' in value) return TYPE.i16;
  if ('i32' in value) return TYPE.i32;
  if ('i64' in value) return TYPE.i64;
  if ('binary' in value) return TYPE.binary;
  return 'struct' in value ? TYPE.struct : TYPE.list;
}

function writeValue(sink: ByteSink, value: ThriftValue): void {
  if ('i8' in value) sink.byte(value.i8);
  else if ('i16' in value) sink.zigzag(value.i16);
  else if ('i32' in value) sink.zigzag(value.i32);
  else if ('i64' in value) sink.zigzag(value.i64);
  else if ('binary' in value) writeBinary(sink, value.binary);
  else if ('struct' in value) writeStruct(sink, value.struct);
  else if ('list' in value) writeList(sink, value.list);
}

function writeBinary(sink: ByteSink, value: string | Uint8Array): void {
  const bytes = typeof value === 'string' ? encoder.encode(value) : value;
  sink.varint(bytes.length);
  sink.bytes(bytes);
}

function writeList(sink: ByteSink, list: ThriftList): void {
  const count = list.items.length;
  if (count < 15) sink.byte((count << 4) | TYPE[list.of]);
  else {
    sink.byte(0xf0 | TYPE[list.of]);
    sink.varint(count);
  }
  if (list.of === 'struct') for (const item of list.items) writeStruct(sink, item);
  else if (list.of === 'i32') for (const item of list.items) sink.zigzag(item);
  else for (const item of list.items) writeBinary(sink, item);
}
