/**
 * Reads a column of one row group, straight from its pages into a table's column: what the tiers' own writers
 * (tier-file-writer.ts, and the originals') make of nearly every column, dictionaries and plain numbers in
 * zstd. Its rows are decoded as they are wanted, so that a merge can begin at once and its inputs take no more
 * memory than their pages do. Everything else is for parquet-wasm.
 */

import { isUtf8 } from 'node:buffer';
import { zstdDecompressSync } from 'node:zlib';
import type { CompressionCodec, PageHeader, SchemaElement } from 'hyparquet';
import { discardBuffer } from '../common/discard.ts';
import { messageOf } from '../common/errors.ts';
import type { ColumnKind } from '../contract/column-spec.ts';
import { BitRuns, MAX_BITS } from './bit-runs.ts';
import { nextHeader } from './page-headers.ts';
import { DICTIONARIES } from './parquet-footer.ts';
import { kindOfElement } from './tier-table/parquet-kinds.ts';
import { spreadValues, spreadWords } from './tier-table/spread.ts';
import {
  type AnyColumn,
  type Column,
  NULL_FLAG,
  type PooledColumn,
  type TextColumn,
} from './tier-table/table.ts';
import type { TextPool } from './tier-table/text-pool.ts';
import type { WordPool } from './tier-table/word-pool.ts';

/** A column of a row group, row by row. */
export interface ColumnSource {
  readonly kind: ColumnKind;
  /** Reads the next rows into rows [at, at + rows) of a column of its kind. Throws a RangeError where it is damaged. */
  read(target: Column, at: number, rows: number): void;
}

/** A page as it is stored: where it lies in the chunk, and what its header says. */
interface Page {
  readonly start: number;
  readonly end: number;
  readonly rawBytes: number;
  readonly values: number;
  readonly coded: boolean;
}

/** A data page that is being read. */
interface OpenPage {
  readonly bytes: Uint8Array;
  /** 1 for each row with a value, 0 for null; undefined where there is no null. */
  readonly levels: BitRuns | undefined;
  /** The indices of a coded page. */
  readonly indices: BitRuns | undefined;
  /** Where the next value of a plain page lies: the byte, for booleans the bit. */
  next: number;
  rows: number;
}

/** Larger pages are no one's that we know: a header may claim any size. */
const MAX_PAGE_BYTES = 16 * 1024 * 1024;
const CODECS: readonly CompressionCodec[] = ['ZSTD', 'UNCOMPRESSED'];

export class ChunkReader implements ColumnSource {
  readonly kind: ColumnKind;
  readonly #bytes: Uint8Array;
  readonly #codec: CompressionCodec;
  readonly #optional: boolean;
  readonly #pages: readonly Page[];
  readonly #dictionary: Page | undefined;
  #nextPage = 0;
  #page: OpenPage | undefined;
  /** The dictionary's words, of numbers. */
  #words: Int32Array | undefined;
  /** The codes of the dictionary in a pool, the one that was read into. */
  #codes: Int32Array = new Int32Array(0);
  #pool: TextPool | WordPool | undefined;
  #scratch = new Int32Array(0);

  private constructor(
    bytes: Uint8Array,
    { repetition_type }: SchemaElement,
    kind: ColumnKind,
    codec: CompressionCodec,
    pages: readonly Page[],
    dictionary: Page | undefined,
  ) {
    this.kind = kind;
    this.#bytes = bytes;
    this.#codec = codec;
    this.#optional = repetition_type === 'OPTIONAL';
    this.#pages = pages;
    this.#dictionary = dictionary;
  }

  /**
   * Opens a chunk of `rows` rows; undefined for one that is not of the form that is read here, or whose page
   * headers do not agree. The bytes are read until the last row was.
   */
  static open(
    bytes: Uint8Array,
    element: SchemaElement,
    codec: CompressionCodec,
    rows: number,
  ): ChunkReader | undefined {
    const kind = kindOfElement(element);
    if (kind === undefined || !isAsInMemory(element, kind) || !CODECS.includes(codec)) return undefined;
    if (element.repetition_type === undefined) return undefined;
    const pages = pagesOf(bytes);
    if (pages === undefined) return undefined;
    const { dictionary, data } = pages;
    if (data.some(({ coded }) => coded && (dictionary === undefined || kind === 'boolean'))) return undefined;
    if (data.some(({ coded }) => !coded && kind === 'text')) return undefined;
    if (data.reduce((sum, { values }) => sum + values, 0) !== rows) return undefined;
    // No writer's, but one that would be looked up for no use.
    if (dictionary !== undefined && dictionary.values > rows) return undefined;
    return new ChunkReader(bytes, element, kind, codec, data, dictionary);
  }

  read(target: AnyColumn, at: number, rows: number): void {
    for (const end = at + rows; at < end; ) {
      this.#page ??= this.#openNext();
      const some = Math.min(end - at, this.#page.rows);
      this.#readOf(this.#page, target, at, some);
      this.#page.rows -= some;
      if (this.#page.rows === 0) this.#closePage(this.#page);
      at += some;
    }
  }

  #openNext(): OpenPage {
    const page = this.#pages[this.#nextPage++];
    if (page === undefined) throw new RangeError('a column has fewer rows than its row group');
    const bytes = this.#decompress(page);
    const open = { bytes, rows: page.values, next: 0 };
    let start = 0;
    let levels: BitRuns | undefined;
    if (this.#optional) {
      if (bytes.length < 4) throw new RangeError('a page has no levels');
      start = 4 + new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
      if (start > bytes.length) throw new RangeError('the levels of a page are longer than it');
      levels = new BitRuns(bytes, 4, start, 1);
    }
    if (!page.coded) {
      return { ...open, levels, indices: undefined, next: this.kind === 'boolean' ? start * 8 : start };
    }
    // A page of nulls may have none; of no bits there would be values without end.
    const width = bytes[start] ?? 1;
    if (width > MAX_BITS) throw new RangeError(`indices of ${width} bits`);
    return { ...open, levels, indices: new BitRuns(bytes, start + 1, bytes.length, width) };
  }

  #closePage({ bytes }: OpenPage): void {
    this.#page = undefined;
    this.#discard(bytes);
  }

  /** Gives back what was decompressed; what was not is the chunk's. */
  #discard(bytes: Uint8Array): void {
    if (this.#codec !== 'UNCOMPRESSED') discardBuffer(bytes);
  }

  #decompress({ start, end, rawBytes }: Page): Uint8Array {
    // A dictionary of no values, which some writers compress all the same.
    if (rawBytes === 0) return new Uint8Array(0);
    const stored = this.#bytes.subarray(start, end);
    const bytes = this.#codec === 'UNCOMPRESSED' ? stored : unpacked(stored, rawBytes);
    if (bytes.length !== rawBytes) throw new RangeError('a page is not as long as its header says');
    return bytes;
  }

  #readOf(page: OpenPage, target: AnyColumn, at: number, rows: number): void {
    const level = page.levels === undefined ? 1 : page.levels.constant(rows);
    let values = level === 0 ? 0 : rows;
    let levels: Int32Array | undefined;
    if (level === undefined) {
      if (this.#scratch.length < rows) this.#scratch = new Int32Array(rows);
      levels = this.#scratch;
      page.levels!.read(levels, 0, rows);
      values = countOnes(levels, rows);
    }
    if ('codes' in target) {
      this.#readCodes(page, target, at, values);
      spreadValues(target.codes, at, rows, values, levels, 0);
    } else if (target.kind === 'boolean') {
      readFlags(page, target.flags, at, values);
      spreadValues(target.flags, at, rows, values, levels, NULL_FLAG);
    } else {
      this.#readWords(page, target.words, at, values);
      target.valid.fill(1, at, at + values);
      spreadWords(target.words, target.valid, at, rows, values, levels);
    }
  }

  #readCodes(page: OpenPage, target: TextColumn | PooledColumn, at: number, values: number): void {
    const { codes, pool } = target;
    const { indices } = page;
    if (indices === undefined) {
      const words = new Int32Array(values * 2);
      this.#readWords(page, words, 0, values);
      (pool as WordPool).intern(words, values, codes, at);
      return;
    }
    if (this.#pool !== pool) {
      this.#codes = target.kind === 'text' ? this.#dictionaryTexts(target.pool) : this.#pooled(target.pool);
      this.#pool = pool;
    }
    const byIndex = this.#codes;
    indices.read(codes, at, values);
    for (let i = at; i < at + values; i++) {
      const index = codes[i]!;
      if (index >= byIndex.length) throw beyond(index);
      codes[i] = byIndex[index]!;
    }
  }

  #readWords(page: OpenPage, words: Int32Array, at: number, values: number): void {
    const { bytes, indices, next } = page;
    if (indices === undefined) {
      page.next += values * 8;
      if (page.next > bytes.length) throw new RangeError('a page ends before its values');
      new Uint8Array(words.buffer, words.byteOffset + at * 8, values * 8).set(
        bytes.subarray(next, page.next),
      );
      return;
    }
    this.#words ??= this.#dictionaryWords();
    const byIndex = this.#words;
    const count = byIndex.length / 2;
    // The indices lie where the last words will, and are overtaken by no word before they are read.
    indices.read(words, at * 2 + values, values);
    for (let i = 0, from = at * 2 + values, to = at * 2; i < values; i++, from++, to += 2) {
      const index = words[from]!;
      if (index >= count) throw beyond(index);
      words[to] = byIndex[index * 2]!;
      words[to + 1] = byIndex[index * 2 + 1]!;
    }
  }

  /** The codes of the dictionary's numbers. */
  #pooled(pool: WordPool): Int32Array {
    const words = this.#dictionaryWords();
    const codes = new Int32Array(words.length / 2);
    pool.intern(words, codes.length, codes);
    return codes;
  }

  #dictionaryWords(): Int32Array {
    const { values } = this.#dictionary!;
    const bytes = this.#decompress(this.#dictionary!);
    if (bytes.length < values * 8) throw new RangeError('a dictionary ends before its values');
    const words = new Int32Array(values * 2);
    new Uint8Array(words.buffer).set(bytes.subarray(0, values * 8));
    this.#discard(bytes);
    return words;
  }

  #dictionaryTexts(pool: TextPool): Int32Array {
    const { values } = this.#dictionary!;
    const bytes = this.#decompress(this.#dictionary!);
    if (bytes.length < values * 4) throw new RangeError('a dictionary ends before its values');
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const starts = new Int32Array(values);
    const ends = new Int32Array(values);
    let at = 0;
    for (let i = 0; i < values; i++) {
      const start = at + 4;
      if (start > bytes.length) throw new RangeError('a dictionary ends before its values');
      at = start + view.getUint32(at, true);
      if (at > bytes.length) throw new RangeError('a dictionary ends before its values');
      if (!isUtf8(bytes.subarray(start, at))) throw new RangeError('a text is not UTF-8');
      starts[i] = start;
      ends[i] = at;
    }
    const codes = new Int32Array(values);
    pool.internColumn(starts, ends, bytes, values, codes, 0);
    this.#discard(bytes);
    return codes;
  }
}

/** Whether the file has the values as the table does. */
function isAsInMemory(element: SchemaElement, kind: ColumnKind): boolean {
  const { type, converted_type: converted, logical_type: logical } = element;
  if (kind === 'text') return type === 'BYTE_ARRAY';
  if (kind === 'boolean') return type === 'BOOLEAN';
  if (kind === 'float64') return type === 'DOUBLE';
  if (kind === 'int64') return type === 'INT64';
  if (type !== 'INT64') return false;
  if (logical === undefined) return converted === 'TIMESTAMP_MICROS';
  return logical.type === 'TIMESTAMP' && logical.unit === 'MICROS';
}

/** The pages of a chunk by their headers; undefined where there is one that is not read here. */
function pagesOf(
  bytes: Uint8Array,
): { readonly dictionary: Page | undefined; readonly data: readonly Page[] } | undefined {
  const reader = { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), offset: 0 };
  let dictionary: Page | undefined;
  const data: Page[] = [];
  while (reader.offset < bytes.length) {
    const header = nextHeader(reader);
    const page = header && pageOf(header, reader.offset, bytes.length);
    if (header === undefined || page === undefined) return undefined;
    reader.offset = page.end;
    if (header.type === 'DATA_PAGE') {
      // One without rows says nothing, not even its levels.
      if (page.values > 0) data.push(page);
    } else if (dictionary === undefined && data.length === 0) dictionary = page;
    else return undefined;
  }
  return { dictionary, data };
}

function pageOf(header: PageHeader, start: number, length: number): Page | undefined {
  const { type, compressed_page_size: stored, uncompressed_page_size: rawBytes } = header;
  const data = type === 'DATA_PAGE' ? header.data_page_header : undefined;
  const dictionary = type === 'DICTIONARY_PAGE' ? header.dictionary_page_header : undefined;
  const { num_values: values, encoding } = data ?? dictionary ?? {};
  if (!isCount(stored) || !isCount(rawBytes) || !isCount(values) || encoding === undefined) return undefined;
  const end = start + stored;
  if (end > length || rawBytes > MAX_PAGE_BYTES) return undefined;
  const coded = DICTIONARIES.includes(encoding);
  if (dictionary !== undefined) {
    // A dictionary itself is plain, by whichever name.
    return coded || encoding === 'PLAIN' ? { start, end, rawBytes, values, coded: false } : undefined;
  }
  if (data!.definition_level_encoding !== 'RLE' || !(coded || encoding === 'PLAIN')) return undefined;
  return { start, end, rawBytes, values, coded };
}

/** Headers hold whatever lies in the bytes. */
function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

/** What zstd made of `rawBytes` bytes, and never more than those. */
function unpacked(stored: Uint8Array, rawBytes: number): Uint8Array {
  try {
    // In one piece, which is not quite filled: a full one would ask for a second.
    return zstdDecompressSync(stored, { chunkSize: Math.max(64, rawBytes + 1), maxOutputLength: rawBytes });
  } catch (error) {
    throw new RangeError(`a page can not be decompressed: ${messageOf(error)}`, { cause: error });
  }
}

function readFlags(page: OpenPage, flags: Uint8Array, at: number, values: number): void {
  const { bytes } = page;
  let bit = page.next;
  page.next += values;
  if (page.next > bytes.length * 8) throw new RangeError('a page ends before its values');
  for (let i = at; i < at + values; i++, bit++) flags[i] = (bytes[bit >> 3]! >> (bit & 7)) & 1;
}

function countOnes(levels: Int32Array, rows: number): number {
  let ones = 0;
  for (let row = 0; row < rows; row++) ones += levels[row]!;
  return ones;
}

function beyond(index: number): RangeError {
  return new RangeError(`there is no value ${index} in the dictionary`);
}
