/**
 * Looking over what is said in Thrift's compact protocol, before hyparquet reads it: footers and page headers.
 * The library takes them for what they claim to be: it makes room for as long a list as one says, and reads a
 * number of any length in the square of the time. A file is anyone's bytes; a few hundred could end the process.
 */

export interface ThriftLimits {
  /** Structs within structs, the outermost counted. */
  readonly maxDepth: number;
  /** Elements of all lists together. */
  readonly maxElements: number;
}

/** Of 64 bits. */
const MAX_VARINT_BYTES = 10;
const BOOLEANS = [1, 2];

/** Where the struct at `start` ends. Throws a RangeError where there is none, or one beyond the limits. */
export function passStruct(view: DataView, start: number, limits: ThriftLimits): number {
  return new Guard(view, limits).struct(start, 1);
}

/** Each method returns where what lies at `at` ends; the view throws where it is read beyond its end. */
class Guard {
  readonly #view: DataView;
  readonly #maxDepth: number;
  #elements: number;

  constructor(view: DataView, { maxDepth, maxElements }: ThriftLimits) {
    this.#view = view;
    this.#maxDepth = maxDepth;
    this.#elements = maxElements;
  }

  struct(at: number, depth: number): number {
    if (depth > this.#maxDepth) throw new RangeError('it has too many levels');
    let next = at;
    for (;;) {
      const byte = this.#view.getUint8(next++);
      const type = byte & 0x0f;
      if (type === 0) return next;
      // A field's number, where it is not told by the step from the one before.
      if (byte >> 4 === 0) next = this.#varint(next);
      // The value of a boolean field is its type.
      if (!BOOLEANS.includes(type)) next = this.#value(next, type, depth);
    }
  }

  #value(at: number, type: number, depth: number): number {
    switch (type) {
      case 1: // booleans, of a list
      case 2:
      case 3: // a byte
        return at + 1;
      case 4: // integers
      case 5:
      case 6:
        return this.#varint(at);
      case 7: // a double
        return at + 8;
      case 8: // bytes
        return this.#bytes(at);
      case 9:
        return this.#list(at, depth);
      case 12:
        return this.struct(at, depth + 1);
      default:
        throw new RangeError(`it has a field of type ${type}`);
    }
  }

  #list(at: number, depth: number): number {
    const byte = this.#view.getUint8(at);
    const type = byte & 0x0f;
    const isLong = byte >> 4 === 15;
    const count = isLong ? this.#count(at + 1) : byte >> 4;
    this.#elements -= count;
    if (this.#elements < 0) throw new RangeError('its lists are longer than it can be');
    let next = isLong ? this.#varint(at + 1) : at + 1;
    for (let i = 0; i < count; i++) next = this.#value(next, type, depth);
    return next;
  }

  #bytes(at: number): number {
    const start = this.#varint(at);
    const length = this.#count(at);
    // Nor may the parser, for which a length has 32 bits and a sign, go back.
    if (length > this.#view.byteLength - start) throw new RangeError('a text in it is longer than it');
    return start + length;
  }

  /** The number at `at`: not as the parser has it, 32 bits and a sign. */
  #count(at: number): number {
    let count = 0;
    for (let i = this.#varint(at) - 1; i >= at; i--) count = count * 128 + (this.#view.getUint8(i) & 0x7f);
    return count;
  }

  #varint(at: number): number {
    for (let next = at; next < at + MAX_VARINT_BYTES; ) if (this.#view.getUint8(next++) < 0x80) return next;
    throw new RangeError('it has a number beyond 64 bits');
  }
}
