/**
 * Finding the bytes that shape a CSV: delimiters, quotes and control characters, sixteen bytes at a time.
 *
 * A loop over every byte was two fifths of an ingest run, and JavaScript has no vectors; WebAssembly has.
 * The function below is small enough to be written down by hand, instruction by instruction:
 *
 *   out = OUT
 *   for (i = 0; i < length; i += 16)
 *     for (mask = bytes[i..i+16] that are the delimiter, a quote or below a blank; mask; mask &= mask - 1)
 *       *out++ = i + trailing zeros of mask
 *   return how many
 */

/** Bytes that are looked at in one call: small, so that they and what was found stay in the cache. */
export const BLOCK_BYTES = 65_536;

export interface ByteScanner {
  /**
   * The offsets from `start` of the bytes in `start` to `end` (at most a block) that are `delimiter`, a
   * quote or a control character, ascending; the first `count` of `offsets`, until the next call.
   */
  scan(bytes: Uint8Array, start: number, end: number, delimiter: number): number;
  readonly offsets: Int32Array;
}

/** A byte that is none of those looked for: what fills the last sixteen. */
const FILLER = 0x61;
/** Where in memory the offsets begin, as a signed LEB128: 131,072. */
const OUT = 131_072;
const OUT_LEB = [0x80, 0x80, 0x08];
const PAGES = 6;

// Locals: the parameters, then those of the function.
const LENGTH = 0;
const DELIMITER = 1;
const I = 2;
const MASK = 3;
const AT = 4;
const V = 5;
const WANTED = 6;

const I32 = 0x7f;
const V128 = 0x7b;
const END = 0x0b;
const VECTOR = 0xfd;
const get = (local: number) => [0x20, local];
const set = (local: number) => [0x21, local];
const i32 = (leb: readonly number[]) => [0x41, ...leb];
const vectorOf = (byte: number) => [VECTOR, 0x0c, ...Array<number>(16).fill(byte)];
const BLOCK = [0x02, 0x40];
const LOOP = [0x03, 0x40];
const brIf = (depth: number) => [0x0d, depth];
const br = (depth: number) => [0x0c, depth];
const ADD = 0x6a;
const SUB = 0x6b;
const AND = 0x71;
const SHR_U = 0x76;
const EQZ = 0x45;
const GE_U = 0x4f;
const CTZ = 0x68;
const EQ_BYTES = [VECTOR, 0x23];
const LT_U_BYTES = [VECTOR, 0x26];
const OR_BITS = [VECTOR, 0x50];
const BITMASK = [VECTOR, 0x64];

const BODY: readonly (number | readonly number[])[] = [
  // wanted = the delimiter, sixteen times; at = OUT
  ...[get(DELIMITER), [VECTOR, 0x0f], set(WANTED), i32(OUT_LEB), set(AT)],
  ...[BLOCK, LOOP],
  // until i >= length
  ...[get(I), get(LENGTH), GE_U, brIf(1)],
  // v = bytes[i..i+16]
  ...[get(I), [VECTOR, 0x00, 0x00, 0x00], set(V)],
  // mask = v == wanted | v == quote | v < blank
  ...[get(V), get(WANTED), EQ_BYTES],
  ...[get(V), vectorOf(0x22), EQ_BYTES, OR_BITS],
  ...[get(V), vectorOf(0x20), LT_U_BYTES, OR_BITS],
  ...[BITMASK, set(MASK)],
  ...[BLOCK, LOOP],
  // until mask == 0
  ...[get(MASK), EQZ, brIf(1)],
  // *at = i + ctz(mask); at += 4
  ...[get(AT), get(I), get(MASK), CTZ, ADD, [0x36, 0x02, 0x00]],
  ...[get(AT), i32([4]), ADD, set(AT)],
  // mask &= mask - 1
  ...[get(MASK), get(MASK), i32([1]), SUB, AND, set(MASK)],
  ...[br(0), END, END],
  // i += 16
  ...[get(I), i32([16]), ADD, set(I)],
  ...[br(0), END, END],
  // (at - OUT) >> 2
  ...[get(AT), i32(OUT_LEB), SUB, i32([2]), SHR_U, END],
];

const sized = (bytes: readonly number[]): number[] => {
  const leb: number[] = [];
  for (let rest = bytes.length; ; rest >>= 7) {
    leb.push(rest < 0x80 ? rest : (rest & 0x7f) | 0x80);
    if (rest < 0x80) return [...leb, ...bytes];
  }
};

function moduleBytes(): Uint8Array<ArrayBuffer> {
  const name = (text: string) => sized([...Buffer.from(text)]);
  const locals = [2, 3, I32, 2, V128];
  const section = (id: number, contents: readonly number[]) => [id, ...sized(contents)];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 2, I32, I32, 1, I32]), // one type: (i32, i32) -> i32
    ...section(3, [1, 0]), // one function, of it
    ...section(5, [1, 0, PAGES]), // one memory
    ...section(7, [2, ...name('scan'), 0, 0, ...name('memory'), 2, 0]),
    ...section(10, [1, ...sized([...locals, ...BODY.flat()])]),
  ]);
}

interface ScanExports {
  scan(length: number, delimiter: number): number;
  readonly memory: { readonly buffer: ArrayBuffer };
}

/** What is used of it; TypeScript knows it only as a part of the DOM. */
interface WebAssemblyGlobal {
  readonly WebAssembly: {
    readonly Module: new (bytes: Uint8Array) => object;
    readonly Instance: new (module: object) => { readonly exports: unknown };
  };
}

export function createByteScanner(): ByteScanner {
  const { WebAssembly } = globalThis as unknown as WebAssemblyGlobal;
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(moduleBytes()));
  const { scan, memory } = exports as ScanExports;
  const input = new Uint8Array(memory.buffer, 0, BLOCK_BYTES + 16);
  return {
    offsets: new Int32Array(memory.buffer, OUT, BLOCK_BYTES),
    scan(bytes, start, end, delimiter) {
      const length = end - start;
      input.set(bytes.subarray(start, end));
      input.fill(FILLER, length, length + 16);
      return scan(length, delimiter);
    },
  };
}
