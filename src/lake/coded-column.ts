/**
 * How a column is stored: by a dictionary where that is smaller, else plainly, times and integers then as
 * differences; and its bounds. hyparquet-writer would find that out by looking at each value as a JavaScript
 * value. Here texts have their dictionary already, and values of 64 bits get theirs by their words.
 */

import type { DecodedArray, Encoding, Statistics } from 'hyparquet';
import type { ByteWriter } from 'hyparquet-writer';
import { deltaBinaryPack } from 'hyparquet-writer/src/delta.js';
import { writePlain } from 'hyparquet-writer/src/plain.js';
import { discard, discardBuffer } from '../common/discard.ts';
import type { WideKind } from '../contract/column-spec.ts';
import { bitRunsOf } from './bit-runs.ts';
import type {
  BooleanMessage,
  ColumnMessage,
  PooledMessage,
  TextMessage,
  WideMessage,
} from './tier-table/column-message.ts';
import { type DistinctWords, distinctOfCodes, distinctWords } from './tier-table/distinct-words.ts';

/** Values ready for pages. */
export interface CodedColumn {
  readonly encoding: Encoding;
  readonly dictionary: DecodedArray | undefined;
  readonly bounds: Statistics;
  /** About how many bytes all values take before compression. */
  readonly size: number;
  /** Writes values [from, to), those of a page; nulls are none. */
  readonly write: (page: ByteWriter, from: number, to: number) => void;
  /** Gives back what it holds beside the message. */
  readonly release: () => void;
}

/** A dictionary is not tried to its end where more than this part of all values are distinct. */
const MOST_DISTINCT = 0.5;
/** A dictionary and its indices are this much smaller than the plain values, or not worth it. */
const WORTH = 0.75;
/** Bytes of a value that is no text. */
const WIDE_BYTES = 8;
/** What leads a plain text: its length. */
const LENGTH_BYTES = 4;

/** Decides how a column is stored. The message must live until all is written. */
export function codeColumn(message: ColumnMessage): CodedColumn {
  if (message.kind === 'text') return codedTexts(message);
  if (message.kind === 'pooled') return codedCodes(message);
  return message.kind === 'boolean' ? codedFlags(message) : codedWords(message);
}

function codedFlags({ flags }: BooleanMessage): CodedColumn {
  const hasFalse = flags.includes(0);
  const hasTrue = flags.includes(1);
  return {
    encoding: 'PLAIN',
    dictionary: undefined,
    bounds: flags.length === 0 ? {} : { min_value: !hasFalse, max_value: hasTrue },
    size: flags.length >> 3,
    write(page, from, to) {
      const bits = new Uint8Array(Math.ceil((to - from) / 8));
      for (let i = from; i < to; i++) bits[(i - from) >> 3]! |= flags[i]! << ((i - from) & 7);
      page.appendBytes(bits);
    },
    release() {},
  };
}

function codedTexts({ indices, bytes, offsets }: TextMessage): CodedColumn {
  const texts = Array.from({ length: offsets.length - 1 }, (_, i) =>
    bytes.subarray(offsets[i]!, offsets[i + 1]!),
  );
  const bounds = boundsOfTexts(texts);
  const dictionaryBytes = bytes.length + texts.length * LENGTH_BYTES;
  if (texts.length > 0 && texts.length <= indices.length * MOST_DISTINCT)
    return codedByDictionary(indices, texts, dictionaryBytes, bounds);
  return {
    encoding: 'PLAIN',
    dictionary: undefined,
    bounds,
    size: texts.length === 0 ? 0 : (dictionaryBytes * indices.length) / texts.length,
    write(page, from, to) {
      const values = Array.from(indices.subarray(from, to), (index) => texts[index]!);
      writePlain(page, values, 'BYTE_ARRAY', undefined);
    },
    release() {},
  };
}

function codedByDictionary(
  indices: Int32Array,
  dictionary: DecodedArray,
  dictionaryBytes: number,
  bounds: Statistics,
): CodedColumn {
  const bits = bitsOf(dictionary.length);
  return {
    encoding: 'RLE_DICTIONARY',
    dictionary,
    bounds,
    size: dictionaryBytes + (indices.length * bits) / 8,
    write(page, from, to) {
      page.appendUint8(bits);
      const runs = bitRunsOf(indices.subarray(from, to), bits);
      page.appendBytes(runs);
      discardBuffer(runs);
    },
    release: () => discard(indices),
  };
}

/** Copies: the texts' memory is given back before the bounds are written. */
function boundsOfTexts(texts: readonly Uint8Array[]): Statistics {
  let [least] = texts;
  let greatest = least;
  for (const text of texts) {
    if (Buffer.compare(text, least!) < 0) least = text;
    else if (Buffer.compare(text, greatest!) > 0) greatest = text;
  }
  return least === undefined ? {} : { min_value: least.slice(), max_value: greatest!.slice() };
}

function codedWords({ kind, words }: WideMessage): CodedColumn {
  const distinct = distinctWords(words, Math.floor((words.length / 2) * MOST_DISTINCT));
  const coded = distinct && codedIfWorth(kind, distinct);
  if (coded !== undefined) return coded;
  if (distinct !== undefined) discard(distinct.indices);
  return codedPlainly(kind, words);
}

function codedCodes({ of, codes, words }: PooledMessage): CodedColumn {
  const distinct = distinctOfCodes(codes, words);
  const isOften = distinct.words.length / 2 <= Math.floor(codes.length * MOST_DISTINCT);
  const coded = isOften ? codedIfWorth(of, distinct) : undefined;
  if (coded !== undefined) return coded;
  const plain = new Int32Array(codes.length * 2);
  distinct.indices.forEach((index, i) => {
    plain[i * 2] = distinct.words[index * 2]!;
    plain[i * 2 + 1] = distinct.words[index * 2 + 1]!;
  });
  return codedPlainly(of, plain);
}

/** By a dictionary, if that is enough smaller. */
function codedIfWorth(kind: WideKind, { indices, words }: DistinctWords): CodedColumn | undefined {
  if (indices.length === 0) return undefined;
  const dictionary = valuesOf(kind, words);
  const coded = codedByDictionary(indices, dictionary, dictionary.byteLength, boundsOf(dictionary));
  return coded.size < indices.length * WIDE_BYTES * WORTH ? coded : undefined;
}

function codedPlainly(kind: WideKind, words: Int32Array): CodedColumn {
  const plain = valuesOf(kind, words);
  const common = { dictionary: undefined, bounds: boundsOf(plain), size: plain.byteLength, release() {} };
  if (kind === 'float64') {
    // Stored as they lie in memory.
    const bytes = new Uint8Array(plain.buffer, plain.byteOffset, plain.byteLength);
    return {
      ...common,
      encoding: 'PLAIN',
      write: (page, from, to) => page.appendBytes(bytes.subarray(from * 8, to * 8)),
    };
  }
  return {
    ...common,
    encoding: 'DELTA_BINARY_PACKED',
    write: (page, from, to) => deltaBinaryPack(page, plain.subarray(from, to), 'INT64'),
  };
}

function valuesOf(kind: WideKind, { buffer, byteOffset, length }: Int32Array) {
  const Values = kind === 'float64' ? Float64Array : BigInt64Array;
  return new Values(buffer as ArrayBuffer, byteOffset, length / 2);
}

/** Not a number is no bound; of the zeros the lesser is the least. */
function boundsOf(values: Float64Array | BigInt64Array): Statistics {
  let least: number | bigint | undefined;
  let greatest: number | bigint | undefined;
  for (const value of values) {
    if (Number.isNaN(value)) continue;
    if (least === undefined || value < least) least = value;
    if (greatest === undefined || value > greatest) greatest = value;
  }
  if (least === undefined || greatest === undefined) return {};
  return { min_value: least === 0 ? -0 : least, max_value: greatest === 0 ? 0 : greatest };
}

/** The bits of an index of as many values. */
function bitsOf(count: number): number {
  return 32 - Math.clz32(Math.max(0, count - 1));
}
