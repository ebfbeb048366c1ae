/**
 * Reads Thrift's compact protocol into plain maps: a struct is a map from field id to value. Enough for
 * Parquet's page headers and footers. Numbers beyond 2^53 are rounded; Parquet has none that matter.
 */

export type ThriftRead = number | boolean | Uint8Array | ThriftRead[] | ThriftFields;
export type ThriftFields = Map<number, ThriftRead>;

const decoder = new TextDecoder();

export class ThriftReader {
  readonly #bytes: Uint8Array;
  /** Where the next byte is read. */
  at: number;

  constructor(bytes: Uint8Array, at = 0) {
    this.#bytes = bytes;
    this.at = at;
  }

  /** Reads a struct; throws a RangeError when the bytes end too early or are no Thrift. */
  struct(depth = 0): ThriftFields {
    if (depth > 16) throw new RangeError('Thrift structs nested too deeply');
    const fields: ThriftFields = new Map();
    let id = 0;
    for (;;) {
      const head = this.#byte();
      if (head === 0) return fields;
      id = head >>> 4 === 0 ? this.#zigzag() : id + (head >>> 4);
      fields.set(id, this.#value(head & 15, depth));
    }
  }

  #value(type: number, depth: number): ThriftRead {
    switch (type) {
      case 1:
        return true;
      case 2:
        return false;
      case 3:
        return this.#byte();
      case 4:
      case 5:
      case 6:
        return this.#zigzag();
      case 7:
        this.at += 8;
        return 0;
      case 8:
        return this.#binary();
      case 9:
      case 10:
        return this.#list(depth);
      case 12:
        return this.struct(depth + 1);
      default:
        throw new RangeError(`no Thrift type ${type}`);
    }
  }

  #list(depth: number): ThriftRead[] {
    const head = this.#byte();
    const type = head & 15;
    const count = head >>> 4 === 15 ? this.varint() : head >>> 4;
    if (count > this.#bytes.length) throw new RangeError('a Thrift list longer than its bytes');
    const items: ThriftRead[] = [];
    for (let i = 0; i < count; i++) {
      // In a list a boolean is a byte of its own.
      items.push(type === 1 || type === 2 ? this.#byte() === 1 : this.#value(type, depth));
    }
    return items;
  }

  #binary(): Uint8Array {
    const length = this.varint();
    const start = this.at;
    if (start + length > this.#bytes.length) throw new RangeError('Thrift bytes end too early');
    this.at = start + length;
    return this.#bytes.subarray(start, this.at);
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.#byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 0x80;
    }
  }

  #zigzag(): number {
    const value = this.varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  #byte(): number {
    const byte = this.#bytes[this.at++];
    if (byte === undefined) throw new RangeError('Thrift bytes end too early');
    return byte;
  }
}

// Typed looks into a struct; undefined when the field is missing or of another type.

export function numberAt(fields: ThriftFields | undefined, id: number): number | undefined {
  const value = fields?.get(id);
  return typeof value === 'number' ? value : undefined;
}

export function flagAt(fields: ThriftFields | undefined, id: number): boolean | undefined {
  const value = fields?.get(id);
  return typeof value === 'boolean' ? value : undefined;
}

export function textAt(fields: ThriftFields | undefined, id: number): string | undefined {
  const value = fields?.get(id);
  return value instanceof Uint8Array ? decoder.decode(value) : undefined;
}

export function structAt(fields: ThriftFields | undefined, id: number): ThriftFields | undefined {
  const value = fields?.get(id);
  return value instanceof Map ? value : undefined;
}

export function structsAt(fields: ThriftFields | undefined, id: number): ThriftFields[] {
  const value = fields?.get(id);
  return Array.isArray(value) ? value.filter((item) => item instanceof Map) : [];
}

export function numbersAt(fields: ThriftFields | undefined, id: number): number[] {
  const value = fields?.get(id);
  return Array.isArray(value) ? value.filter((item) => typeof item === 'number') : [];
}

export function textsAt(fields: ThriftFields | undefined, id: number): string[] {
  const value = fields?.get(id);
  if (!Array.isArray(value)) return [];
  return value.filter((item) => item instanceof Uint8Array).map((item) => decoder.decode(item));
}
