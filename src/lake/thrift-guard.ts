/**
 * Looking over what is said in Thrift's compact protocol, before hyparquet reads it: footers and page headers.
 * The library takes them for what they claim to be: it makes room for as long a list as one says, an object's
 * field for each byte that tells of one, and reads a number of any length in the square of the time. A file is
 * anyone's bytes; a few hundred could end the process.
 */

interface ThriftLimits {
  /** Structs within structs, the outermost counted. */
  readonly maxDepth: number;
  /** Structs in all lists together: each becomes an object. Other elements take no more room than bytes. */
  readonly maxStructs: number;
}

/** Of 64 bits. */
const MAX_VARINT_BYTES = 10;
/** Parquet's own structs have eighteen at most. */
const MAX_FIELDS = 64;
const BOOLEANS = [1, 2];
const STRUCT = 12;

/** Where the struct at `start` ends. Throws a RangeError where there is none, or one beyond the limits. */
export function passStruct(view: DataView, start: number, limits: ThriftLimits): number {
  return new Guard(view, limits).struct(start, 1);
}

/** Each method returns where what lies at `at` ends; the view throws where it is read beyond its end. */
class Guard {
  readonly #view: DataView;
  readonly #maxDepth: number;
  #structs: number;

  constructor(view: DataView, { maxDepth, maxStructs }: ThriftLimits) {
    this.#view = view;
    this.#maxDepth = maxDepth;
    this.#structs = maxStructs;
  }

  struct(at: number, depth: number): number {
    if (depth > this.#maxDepth) throw new RangeError('it has too many levels');
    let next = at;
    for (let fields = 0; ; fields++) {
      const byte = this.#view.getUint8(next++);
      const type = byte & 0x0f;
      if (type === 0) return next;
      if (fields === MAX_FIELDS) throw new RangeError('a part of it has too many fields');
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
      case STRUCT:
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
    let next = isLong ? this.#varint(at + 1) : at + 1;
    // Each element takes a byte at least.
    if (count > this.#view.byteLength - next) throw new RangeError('a list in it is longer than it');
    if (type === STRUCT) this.#structs -= count;
    if (this.#structs < 0) throw new RangeError('it has more parts than can be in it');
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
