/**
 * Just enough of Thrift's compact protocol to take a Parquet footer apart and put one together: a struct
 * as the raw bytes of its fields, so that what is not understood passes through unchanged.
 */

export const I32 = 5;
export const I64 = 6;
export const BINARY = 8;
export const LIST = 9;
export const STRUCT = 12;

export interface ThriftField {
  readonly id: number;
  readonly type: number;
  /** The field's value as it is encoded, without the field's header. */
  readonly bytes: Uint8Array;
}

/** Fields by id. Of a repeated id the last counts. */
export type ThriftStruct = ReadonlyMap<number, ThriftField>;

const STOP = 0;
const TRUE = 1;
const FALSE = 2;
const BYTE = 3;
const I16 = 4;
const DOUBLE = 7;
const SET = 10;
const MAP = 11;
const UUID = 13;
const MAX_DEPTH = 32;

class Cursor {
  readonly bytes: Uint8Array;
  at: number;

  constructor(bytes: Uint8Array, at = 0) {
    this.bytes = bytes;
    this.at = at;
  }

  byte(): number {
    const byte = this.bytes[this.at++];
    if (byte === undefined) throw new RangeError('thrift ends too early');
    return byte;
  }

  /** An unsigned number of up to 53 bits. */
  varint(): number {
    let value = 0;
    for (let weight = 1; ; weight *= 128) {
      const byte = this.byte();
      value += (byte & 0x7f) * weight;
      if (byte < 0x80) break;
      if (weight > 2 ** 56) throw new RangeError('thrift has a number too long');
    }
    if (!Number.isSafeInteger(value)) throw new RangeError('thrift has a number too large');
    return value;
  }

  skip(length: number): void {
    this.at += length;
    if (this.at > this.bytes.length) throw new RangeError('thrift ends too early');
  }

  listHeader(): { type: number; size: number } {
    const header = this.byte();
    const size = header >> 4;
    return { type: header & 0x0f, size: size === 15 ? this.varint() : size };
  }

  skipValue(type: number, depth: number): void {
    if (depth > MAX_DEPTH) throw new RangeError('thrift is nested too deeply');
    if (type === BYTE) this.skip(1);
    else if (type === I16 || type === I32 || type === I64) while (this.byte() >= 0x80);
    else if (type === DOUBLE) this.skip(8);
    else if (type === UUID) this.skip(16);
    else if (type === BINARY) this.skip(this.varint());
    else if (type === STRUCT) this.fields(depth + 1, () => {});
    else if (type === LIST || type === SET) {
      const { type: element, size } = this.listHeader();
      for (let i = 0; i < size; i++) this.skipElement(element, depth + 1);
    } else if (type === MAP) {
      const size = this.varint();
      const types = size === 0 ? 0 : this.byte();
      for (let i = 0; i < size; i++) {
        this.skipElement(types >> 4, depth + 1);
        this.skipElement(types & 0x0f, depth + 1);
      }
    } else if (type !== TRUE && type !== FALSE) throw new RangeError(`thrift has no type ${type}`);
  }

  /** An element of a collection: booleans take a byte there. */
  skipElement(type: number, depth: number): void {
    if (type === TRUE || type === FALSE) this.skip(1);
    else this.skipValue(type, depth);
  }

  fields(depth: number, each: (field: ThriftField) => void): void {
    let id = 0;
    for (;;) {
      const header = this.byte();
      if (header === STOP) return;
      const type = header & 0x0f;
      id = header >> 4 === 0 ? unzigzag(this.varint()) : id + (header >> 4);
      const start = this.at;
      this.skipValue(type, depth);
      each({ id, type, bytes: this.bytes.subarray(start, this.at) });
    }
  }
}

const unzigzag = (value: number): number => (value % 2 === 0 ? value / 2 : -(value + 1) / 2);

/** The fields of the struct that begins at `bytes[0]`; RangeError where they make no sense. */
export function structOf(bytes: Uint8Array): ThriftStruct {
  const fields = new Map<number, ThriftField>();
  new Cursor(bytes).fields(0, (field) => fields.set(field.id, field));
  return fields;
}

/** The elements of a list of structs, each as its bytes. */
export function structsOf(list: ThriftField | undefined): Uint8Array[] {
  if (list === undefined || list.type !== LIST) throw new RangeError('thrift has no list where one must be');
  const cursor = new Cursor(list.bytes);
  const { type, size } = cursor.listHeader();
  if (type !== STRUCT && size > 0) throw new RangeError('thrift has a list of something else');
  const elements: Uint8Array[] = [];
  for (let i = 0; i < size; i++) {
    const start = cursor.at;
    cursor.skipValue(STRUCT, 0);
    elements.push(list.bytes.subarray(start, cursor.at));
  }
  return elements;
}

/** The only element of a list of texts, or undefined where it has more or fewer. */
export function onlyTextOf(list: ThriftField | undefined): string | undefined {
  if (list === undefined || list.type !== LIST) return undefined;
  const cursor = new Cursor(list.bytes);
  const { type, size } = cursor.listHeader();
  return type === BINARY && size === 1
    ? textOf({ ...list, bytes: list.bytes.subarray(cursor.at) })
    : undefined;
}

export function integerOf(field: ThriftField | undefined): number | undefined {
  if (field === undefined || (field.type !== I32 && field.type !== I64)) return undefined;
  return unzigzag(new Cursor(field.bytes).varint());
}

export function textOf(field: ThriftField | undefined): string | undefined {
  if (field === undefined) return undefined;
  const cursor = new Cursor(field.bytes);
  const length = cursor.varint();
  return Buffer.from(field.bytes.subarray(cursor.at, cursor.at + length)).toString();
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  bytes.push(rest);
  return bytes;
}

const zigzag = (value: number): number => (value < 0 ? -2 * value - 1 : 2 * value);

export function integerField(id: number, type: typeof I32 | typeof I64, value: number): ThriftField {
  return { id, type, bytes: Uint8Array.from(varint(zigzag(value))) };
}

export function textField(id: number, text: string): ThriftField {
  const bytes = Buffer.from(text);
  return { id, type: BINARY, bytes: Buffer.concat([Uint8Array.from(varint(bytes.length)), bytes]) };
}

export function structField(id: number, struct: Uint8Array): ThriftField {
  return { id, type: STRUCT, bytes: struct };
}

export function structsField(id: number, structs: readonly Uint8Array[]): ThriftField {
  const { length } = structs;
  const header = length < 15 ? [(length << 4) | STRUCT] : [0xf0 | STRUCT, ...varint(length)];
  return { id, type: LIST, bytes: Buffer.concat([Uint8Array.from(header), ...structs]) };
}

/** A struct of these fields, in the order of their ids. */
export function encodeStruct(fields: Iterable<ThriftField>): Uint8Array {
  const parts: Uint8Array[] = [];
  let last = 0;
  for (const { id, type, bytes } of [...fields].sort((a, b) => a.id - b.id)) {
    const delta = id - last;
    parts.push(
      Uint8Array.from(delta > 0 && delta < 16 ? [(delta << 4) | type] : [type, ...varint(zigzag(id))]),
    );
    parts.push(bytes);
    last = id;
  }
  parts.push(Uint8Array.of(STOP));
  return Buffer.concat(parts);
}
