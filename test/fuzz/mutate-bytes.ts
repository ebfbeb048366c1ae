/** Mutations of bytes: flips, overwrites, insertions, cuts, copies, repeats and splices. */

import type { Random } from './random-choice.ts';
import { below, oneOf } from './random-choice.ts';

/** No input is longer. */
export const MAX_INPUT_BYTES = 1 << 20;

/** What readers of text and of Parquet look at twice. */
const TOKENS = [
  ...['"', '""', '\n', '\r\n', '\r', ',', ';', '\t', '\\', '\0', '{', '}', '[', ']', ':', '<', '>', '&', "'"],
  ...['null', 'true', 'NaN', '-Infinity', '1e999', '-0', '9223372036854775808', '0x10', '1_000', '1.5.2'],
  ...[
    '\ufeff',
    '\u2028',
    '\ud83d\ude00',
    'é',
    '\u202e',
    '%00',
    '../',
    's3://',
    '__proto__',
    'PAR1',
    'PK\u0003\u0004',
  ],
  ...[
    '2026-02-30',
    '0000-00-00',
    '+275760-09-13T00:00:00Z',
    '9999-12-31T23:59:60Z',
    '1969-12-31',
    '24:00:00',
  ],
].map((text) => Buffer.from(text));
/** Halves of characters, and what is never part of one. */
const BAD_UTF8 = [
  [0xff],
  [0xc0, 0x80],
  [0xed, 0xa0, 0x80],
  [0xf4, 0x90, 0x80, 0x80],
  [0xe2, 0x82],
  [0x80],
].map((bytes) => Buffer.from(bytes));
const EDGES = [0, 1, -1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, -0x80000000, 0x10000, 0x01000000];

type Mutation = (bytes: Buffer, random: Random, others: readonly Uint8Array[]) => Buffer;

const put = (bytes: Buffer, at: number, gone: number, come: Uint8Array) =>
  Buffer.concat([bytes.subarray(0, at), come, bytes.subarray(at + gone)]);

/** A range of at most `most` bytes, short ones more often. */
function range(bytes: Buffer, random: Random, most = bytes.length): [start: number, end: number] {
  const start = below(random, bytes.length + 1);
  const length = Math.floor(random() ** 3 * (Math.min(most, bytes.length - start) + 1));
  return [start, start + length];
}

/** Small ones: what a reader may take for a good file. */
const LOCAL: readonly Mutation[] = [
  function flip(bytes, random) {
    for (let n = 1 + below(random, 3); n > 0 && bytes.length > 0; n--) {
      bytes[below(random, bytes.length)]! ^= 1 << below(random, 8);
    }
    return bytes;
  },
  // Where formats keep their directories and footers: at the end.
  function flipNearEnd(bytes, random) {
    if (bytes.length === 0) return bytes;
    const at = bytes.length - 1 - below(random, Math.min(bytes.length, 400));
    bytes[at]! ^= 1 << below(random, 8);
    return bytes;
  },
  function overwrite(bytes, random) {
    const [start, end] = range(bytes, random, 64);
    for (let at = start; at < end; at++) bytes[at] = below(random, 256);
    return bytes;
  },
  function edgeNumber(bytes, random) {
    if (bytes.length < 8) return bytes;
    const at = below(random, bytes.length - 7);
    const value = oneOf(random, EDGES);
    const width = oneOf(random, [1, 2, 4, 8]);
    if (width === 1) bytes.writeUInt8(value & 0xff, at);
    else if (width === 2) bytes.writeUInt16LE(value & 0xffff, at);
    else if (width === 4) bytes.writeInt32LE(value | 0, at);
    else bytes.writeBigInt64LE(BigInt(value) << (random() < 0.5 ? 0n : 31n), at);
    return bytes;
  },
  function insert(bytes, random) {
    const come = Buffer.from(Array.from({ length: 1 + below(random, 16) }, () => below(random, 256)));
    return put(bytes, below(random, bytes.length + 1), 0, come);
  },
  (bytes, random) => put(bytes, below(random, bytes.length + 1), 0, oneOf(random, TOKENS)),
  (bytes, random) => put(bytes, below(random, bytes.length + 1), 0, oneOf(random, BAD_UTF8)),
  function replaceByToken(bytes, random) {
    const [start, end] = range(bytes, random, 12);
    return put(bytes, start, end - start, oneOf(random, TOKENS));
  },
  function removeSome(bytes, random) {
    const [start, end] = range(bytes, random, 8);
    return put(bytes, start, end - start, Buffer.alloc(0));
  },
];

/** Such as change what the file is as a whole. */
const WIDE: readonly Mutation[] = [
  function remove(bytes, random) {
    const [start, end] = range(bytes, random);
    return put(bytes, start, end - start, Buffer.alloc(0));
  },
  (bytes, random) => bytes.subarray(0, below(random, bytes.length + 1)),
  (bytes, random) => bytes.subarray(below(random, bytes.length + 1)),
  function repeat(bytes, random) {
    const [start, end] = range(bytes, random);
    if (start === end) return bytes;
    const room = Math.floor((MAX_INPUT_BYTES - bytes.length) / (end - start));
    const times = Math.max(0, Math.min(room, Math.floor(2 ** (random() * 14))));
    const part = Buffer.alloc((end - start) * times, bytes.subarray(start, end));
    return put(bytes, end, 0, part);
  },
  // Deeper than a stack, now and then.
  function nest(bytes, random) {
    const [start, end] = range(bytes, random, 12);
    const levels = Math.floor(2 ** (random() * 17));
    const [open, close] = oneOf(random, [
      ['[', ']'],
      ['{"a":', '}'],
      ['<a>', '</a>'],
    ] as const);
    return put(bytes, start, end - start, Buffer.from(`${open.repeat(levels)}1${close.repeat(levels)}`));
  },
  function swap(bytes, random) {
    const [start, end] = range(bytes, random, 256);
    const part = Buffer.from(bytes.subarray(start, end));
    const without = put(bytes, start, end - start, Buffer.alloc(0));
    return put(without, below(random, without.length + 1), 0, part);
  },
  function splice(bytes, random, others) {
    if (others.length === 0) return bytes;
    const other = Buffer.from(oneOf(random, others));
    const [start, end] = range(other, random);
    const [from, to] = range(bytes, random);
    return put(bytes, from, to - from, other.subarray(start, end));
  },
  function tailOfAnother(bytes, random, others) {
    if (others.length === 0) return bytes;
    const other = Buffer.from(oneOf(random, others));
    return Buffer.concat([
      bytes.subarray(0, below(random, bytes.length + 1)),
      other.subarray(below(random, other.length + 1)),
    ]);
  },
];

const LOCAL_SHARE = 0.7;

/** `input` with one to four mutations; `others` are what it may be spliced with. */
export function mutateBytes(input: Uint8Array, random: Random, others: readonly Uint8Array[]): Buffer {
  let bytes: Buffer = Buffer.from(input);
  for (let n = 1 + Math.floor(random() ** 4 * 4); n > 0; n--) {
    bytes = oneOf(random, random() < LOCAL_SHARE ? LOCAL : WIDE)(bytes, random, others).subarray(
      0,
      MAX_INPUT_BYTES,
    );
  }
  return Buffer.from(bytes);
}
