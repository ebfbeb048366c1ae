/** Thrift's compact protocol, as far as writing a Parquet footer by hand takes it. */

export const I32 = 5;
export const I64 = 6;
const BINARY = 8;
const LIST = 9;
const STRUCT = 12;

export interface ThriftField {
  readonly id: number;
  readonly type: number;
  /** The field's value as it is encoded, without the field's header. */
  readonly bytes: Uint8Array;
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

export function bytesField(id: number, bytes: Uint8Array): ThriftField {
  return { id, type: BINARY, bytes: Buffer.concat([Uint8Array.from(varint(bytes.length)), bytes]) };
}

export const textField = (id: number, text: string): ThriftField => bytesField(id, Buffer.from(text));

export function flagField(id: number, value: boolean): ThriftField {
  return { id, type: value ? 1 : 2, bytes: new Uint8Array(0) };
}

export function structField(id: number, fields: readonly ThriftField[]): ThriftField {
  return { id, type: STRUCT, bytes: encodeStruct(fields) };
}

function listField(id: number, type: number, elements: readonly Uint8Array[]): ThriftField {
  const { length } = elements;
  const header = length < 15 ? [(length << 4) | type] : [0xf0 | type, ...varint(length)];
  return { id, type: LIST, bytes: Buffer.concat([Uint8Array.from(header), ...elements]) };
}

export function structsField(id: number, structs: readonly (readonly ThriftField[])[]): ThriftField {
  return listField(id, STRUCT, structs.map(encodeStruct));
}

export function integersField(id: number, values: readonly number[]): ThriftField {
  return listField(
    id,
    I32,
    values.map((value) => integerField(0, I32, value).bytes),
  );
}

export function textsField(id: number, texts: readonly string[]): ThriftField {
  return listField(
    id,
    BINARY,
    texts.map((text) => textField(0, text).bytes),
  );
}

/** A struct of these fields, in the order of their ids. */
export function encodeStruct(fields: readonly ThriftField[]): Uint8Array {
  const parts: Uint8Array[] = [];
  let last = 0;
  for (const { id, type, bytes } of fields.toSorted((a, b) => a.id - b.id)) {
    const delta = id - last;
    const short = delta > 0 && delta < 16;
    parts.push(Uint8Array.from(short ? [(delta << 4) | type] : [type, ...varint(zigzag(id))]), bytes);
    last = id;
  }
  return Buffer.concat([...parts, Uint8Array.of(0)]);
}
