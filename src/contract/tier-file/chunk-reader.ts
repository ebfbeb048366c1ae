/**
 * Reads one column chunk's pages into typed columns, any number of rows at a time.
 *
 * A dictionary is taken in once, as words or as codes of the target's pool; a row then costs an index.
 * Handles version 1 and 2 data pages, encodings PLAIN, (RLE_)DICTIONARY and RLE booleans, and the types
 * of footer.ts; what a file has beyond that is told by `unreadable` before any reading.
 */

import {
  type Problem,
  putBigInt,
  putDouble,
  putNull,
  putText,
  putValue,
} from '../../lake/tier-table/cell.ts';
import { allocateColumn, type Column, type TextColumn, valueAt, type WideColumn } from '../../lake/tier-table/table.ts';
import { TextPool } from '../../lake/tier-table/text-pool.ts';
import { type FileChunk, type FileColumn, PHYSICAL } from './footer.ts';
import { HybridReader } from './hybrid-reader.ts';
import { flagAt, numberAt, structAt, type ThriftFields, ThriftReader } from './thrift-reader.ts';

const ENCODING = { plain: 0, plainDictionary: 2, rle: 3, bitPacked: 4, rleDictionary: 8 } as const;
const READABLE: readonly number[] = Object.values(ENCODING);
const PAGE = { data: 0, index: 1, dictionary: 2, dataV2: 3 } as const;

/** Turns a compressed body into one of the given length. */
export type Decompress = (body: Uint8Array, length: number) => Promise<Uint8Array>;

/** Why a chunk cannot be read here, or undefined when it can. */
export function unreadable(column: FileColumn, chunk: FileChunk): string | undefined {
  if (column.kind === undefined) return `column ${column.name} is of a type that is not read`;
  const odd = chunk.encodings.find((encoding) => !READABLE.includes(encoding));
  return odd === undefined ? undefined : `column ${column.name} has the encoding ${odd}`;
}

interface Page {
  readonly kind: 'dictionary' | 'data';
  readonly values: number;
  readonly encoding: number;
  /** Definition levels, of an optional column: from `levelsAt` on; undefined when no value is null. */
  readonly levels: HybridReader | undefined;
  /** Decompressed; the values start at `valuesAt`. */
  readonly body: Uint8Array;
  readonly valuesAt: number;
}

/** Decompresses all pages of a chunk. Throws a RangeError when its bytes are broken. */
export async function openChunk(
  bytes: Uint8Array,
  column: FileColumn,
  chunk: FileChunk,
  decompress: Decompress,
): Promise<ChunkReader> {
  // All headers first: what is broken there is found before any page is begun.
  const stored: { readonly header: ThriftFields; readonly body: Uint8Array }[] = [];
  const reader = new ThriftReader(bytes);
  let values = 0;
  while (values < chunk.values) {
    const header = reader.struct();
    const size = numberAt(header, 3) ?? 0;
    const body = bytes.subarray(reader.at, reader.at + size);
    if (body.length < size) throw new RangeError(`column ${column.name} ends within a page`);
    reader.at += size;
    const type = numberAt(header, 1);
    if (type === PAGE.data) values += numberAt(structAt(header, 5), 1) ?? 0;
    if (type === PAGE.dataV2) values += numberAt(structAt(header, 8), 1) ?? 0;
    stored.push({ header, body });
  }
  const pages = await Promise.all(
    stored.map(({ header, body }) => openPage(header, body, column, decompress)),
  );
  return new ChunkReader(
    column,
    pages.filter((page) => page !== undefined),
  );
}

async function openPage(
  header: ThriftFields,
  stored: Uint8Array,
  column: FileColumn,
  decompress: Decompress,
): Promise<Page | undefined> {
  const type = numberAt(header, 1);
  const length = numberAt(header, 2) ?? 0;
  if (type === PAGE.dictionary) {
    const body = await decompress(stored, length);
    const values = numberAt(structAt(header, 7), 1) ?? 0;
    return { kind: 'dictionary', values, encoding: ENCODING.plain, levels: undefined, body, valuesAt: 0 };
  }
  if (type === PAGE.data) {
    const data = structAt(header, 5);
    const body = await decompress(stored, length);
    const values = numberAt(data, 1) ?? 0;
    const encoding = numberAt(data, 2) ?? -1;
    if (!column.optional) return { kind: 'data', values, encoding, levels: undefined, body, valuesAt: 0 };
    const levelBytes = new DataView(body.buffer, body.byteOffset, 4).getUint32(0, true);
    return { kind: 'data', values, encoding, ...levelsOf(body, 4, 4 + levelBytes, values) };
  }
  if (type === PAGE.dataV2) {
    const data = structAt(header, 8);
    const levelBytes = (numberAt(data, 5) ?? 0) + (numberAt(data, 6) ?? 0);
    const compressed = flagAt(data, 7) !== false && stored.length > levelBytes;
    const rest = stored.subarray(levelBytes);
    const valueBytes = compressed ? await decompress(rest, length - levelBytes) : rest;
    const values = numberAt(data, 1) ?? 0;
    const encoding = numberAt(data, 4) ?? -1;
    const levels = levelBytes === 0 ? undefined : levelsOf(stored, 0, levelBytes, values).levels;
    return { kind: 'data', values, encoding, levels, body: valueBytes, valuesAt: 0 };
  }
  return undefined;
}

function levelsOf(body: Uint8Array, start: number, end: number, values: number) {
  const levels = new HybridReader(body.subarray(0, end), start, 1);
  return { levels: values > 0 && levels.isRunOf(1, values) ? undefined : levels, body, valuesAt: end };
}

export class ChunkReader {
  readonly #column: FileColumn;
  readonly #pages: readonly Page[];
  #next = 0;
  #page: Page | undefined;
  #left = 0;
  #indices: HybridReader | undefined;
  /** Where the next plain value starts, in bytes of the page's body; of booleans, in bits. */
  #at = 0;
  #dictionaryPage: Page | undefined;
  #words: Int32Array | undefined;
  #codes: { readonly pool: TextPool; readonly codes: Int32Array } | undefined;
  #scratch = new Int32Array(0);
  #present = new Uint8Array(0);

  constructor(column: FileColumn, pages: readonly Page[]) {
    this.#column = column;
    this.#pages = pages;
  }

  /**
   * Reads the next `rows` rows into rows [at, at + rows) of `target`, casting where kinds differ.
   * Returns the first row that cannot be cast, with what is wrong with it.
   */
  read(target: Column, at: number, rows: number): { row: number; problem: string } | undefined {
    const kind = this.#column.kind!;
    if (target.kind === kind) {
      this.#readRows(target, at, rows);
      return undefined;
    }
    const native = allocateColumn({ name: target.name, kind }, rows, () => new TextPool());
    this.#readRows(native, 0, rows);
    for (let row = 0; row < rows; row++) {
      const problem = castValue(native, row, target, at + row);
      if (problem !== undefined) return { row, problem };
    }
    return undefined;
  }

  #readRows(target: Column, at: number, rows: number): void {
    const end = at + rows;
    while (at < end) {
      const page = this.#currentPage();
      const take = Math.min(this.#left, end - at);
      if (page.levels === undefined) this.#readValues(page, target, at, take);
      else this.#readNullable(page, page.levels, target, at, take);
      this.#left -= take;
      at += take;
    }
  }

  #currentPage(): Page {
    while (this.#page === undefined || this.#left === 0) {
      const page = this.#pages[this.#next++];
      if (page === undefined) throw new RangeError(`column ${this.#column.name} ends too early`);
      if (page.kind === 'dictionary') {
        this.#dictionaryPage = page;
        continue;
      }
      this.#page = page;
      this.#left = page.values;
      this.#at = page.valuesAt;
      this.#indices = undefined;
      if (page.encoding === ENCODING.rleDictionary || page.encoding === ENCODING.plainDictionary) {
        this.#indices = new HybridReader(page.body, page.valuesAt + 1, page.body[page.valuesAt] ?? 0);
      } else if (this.#column.kind === 'boolean') {
        if (page.encoding === ENCODING.rle) this.#indices = new HybridReader(page.body, page.valuesAt + 4, 1);
        else this.#at = page.valuesAt * 8;
      }
    }
    return this.#page;
  }

  /** Reads the values that are there to the front of the rows, then moves them to their places. */
  #readNullable(page: Page, levels: HybridReader, target: Column, at: number, rows: number): void {
    if (this.#present.length < rows) this.#present = new Uint8Array(rows);
    const present = this.#present;
    levels.read(present, 0, rows);
    let values = 0;
    for (let i = 0; i < rows; i++) values += present[i]!;
    this.#readValues(page, target, at, values);
    for (let i = rows - 1, from = at + values - 1; i >= 0; i--) {
      if (present[i] === 0) putNull(target, at + i);
      else moveValue(target, from--, at + i);
    }
  }

  #readValues(page: Page, target: Column, at: number, count: number): void {
    if (count === 0) return;
    if (target.kind === 'boolean') this.#readBooleans(page, target.flags, at, count);
    else if (target.kind === 'text') this.#readTexts(page, target, at, count);
    else this.#readWide(page, target, at, count);
  }

  #readBooleans(page: Page, flags: Uint8Array, at: number, count: number): void {
    if (this.#indices !== undefined) this.#indices.read(flags, at, count);
    else {
      for (let i = 0; i < count; i++, this.#at++) {
        flags[at + i] = (page.body[this.#at >>> 3]! >>> (this.#at & 7)) & 1;
      }
    }
  }

  #readTexts(page: Page, target: TextColumn, at: number, count: number): void {
    const { codes, pool } = target;
    if (this.#indices === undefined) {
      const layout = plainTexts(page.body, this.#at, count);
      pool.internColumn(layout.starts, layout.ends, page.body, count, codes, at);
      this.#at = layout.end;
      return;
    }
    if (this.#codes?.pool !== pool) this.#codes = { pool, codes: this.#dictionaryCodes(pool) };
    this.#indices.read(codes, at, count);
    translate(codes, at, count, this.#codes.codes);
  }

  #dictionaryCodes(pool: TextPool): Int32Array {
    const page = this.#dictionary();
    const codes = new Int32Array(page.values);
    const { starts, ends } = plainTexts(page.body, 0, page.values);
    pool.internColumn(starts, ends, page.body, page.values, codes, 0);
    return codes;
  }

  #readWide(page: Page, target: WideColumn, at: number, count: number): void {
    target.valid.fill(1, at, at + count);
    if (this.#indices === undefined) {
      this.#at = plainWords(this.#column, page.body, this.#at, count, target.words, at * 2);
      return;
    }
    if (this.#words === undefined) {
      const page = this.#dictionary();
      if (page.values * 4 > page.body.length) throw new RangeError('a dictionary ends too early');
      this.#words = new Int32Array(page.values * 2);
      plainWords(this.#column, page.body, 0, page.values, this.#words, 0);
    }
    if (this.#scratch.length < count) this.#scratch = new Int32Array(count);
    this.#indices.read(this.#scratch, 0, count);
    lookUp(this.#words, this.#scratch, count, target.words, at * 2);
  }

  #dictionary(): Page {
    if (this.#dictionaryPage === undefined)
      throw new RangeError(`column ${this.#column.name} has no dictionary`);
    return this.#dictionaryPage;
  }
}

function translate(codes: Int32Array, at: number, count: number, by: Int32Array): void {
  for (let i = at; i < at + count; i++) {
    const code = by[codes[i]!];
    if (code === undefined) throw new RangeError('an index beyond the dictionary');
    codes[i] = code;
  }
}

function lookUp(words: Int32Array, indices: Int32Array, count: number, out: Int32Array, at: number): void {
  const size = words.length / 2;
  for (let i = 0; i < count; i++, at += 2) {
    const index = indices[i]!;
    if (index >= size) throw new RangeError('an index beyond the dictionary');
    out[at] = words[index * 2]!;
    out[at + 1] = words[index * 2 + 1]!;
  }
}

/** Where `count` plain texts, each after its length in four bytes, start and end. */
function plainTexts(body: Uint8Array, at: number, count: number) {
  if (count * 4 > body.length) throw new RangeError('texts end too early');
  const view = new DataView(body.buffer, body.byteOffset, body.length);
  const starts = new Int32Array(count);
  const ends = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    const start = at + 4;
    at = start + view.getUint32(at, true);
    if (at > body.length) throw new RangeError('texts end too early');
    starts[i] = start;
    ends[i] = at;
  }
  return { starts, ends, end: at };
}

/** Copies plain numbers from body[from] on into words; returns where they end in the body. */
function plainWords(
  column: FileColumn,
  body: Uint8Array,
  from: number,
  count: number,
  words: Int32Array,
  at: number,
): number {
  const { physical, scale, unsigned } = column;
  const size = physical === PHYSICAL.int32 || physical === PHYSICAL.float ? 4 : 8;
  const end = from + count * size;
  if (end > body.length) throw new RangeError(`column ${column.name} ends too early`);
  if (size === 8)
    new Uint8Array(words.buffer, words.byteOffset + at * 4, count * 8).set(body.subarray(from, end));
  const view = new DataView(body.buffer, body.byteOffset + from, end - from);
  if (physical === PHYSICAL.float) {
    const doubles = new Float64Array(words.buffer, words.byteOffset + at * 4, count);
    for (let i = 0; i < count; i++) doubles[i] = view.getFloat32(i * 4, true);
  } else if (physical === PHYSICAL.int32) {
    for (let i = 0; i < count; i++) {
      const word = view.getInt32(i * 4, true);
      words[at + i * 2] = word;
      words[at + i * 2 + 1] = unsigned ? 0 : word >> 31;
    }
  }
  if (scale !== 1)
    rescale(new BigInt64Array(words.buffer, words.byteOffset + at * 4, count), scale, column.name);
  return end;
}

/** Turns times of another unit into microseconds, rounding down. */
function rescale(values: BigInt64Array, scale: number, name: string): void {
  for (const [i, value] of values.entries()) {
    const micros = scale >= 1 ? value * BigInt(scale) : floorDivide(value, BigInt(Math.round(1 / scale)));
    if (BigInt.asIntN(64, micros) !== micros) throw new RangeError(`column ${name} has a time beyond int64`);
    values[i] = micros;
  }
}

function floorDivide(value: bigint, by: bigint): bigint {
  return value / by - (value % by < 0n ? 1n : 0n);
}

function moveValue(column: Column, from: number, to: number): void {
  if (from === to) return;
  if (column.kind === 'text') column.codes[to] = column.codes[from]!;
  else if (column.kind === 'boolean') column.flags[to] = column.flags[from]!;
  else {
    column.words[to * 2] = column.words[from * 2]!;
    column.words[to * 2 + 1] = column.words[from * 2 + 1]!;
    column.valid[to] = 1;
  }
}

/** Casts one value between columns of different kinds. */
function castValue(source: Column, row: number, target: Column, at: number): Problem {
  if (source.kind === 'text' && source.codes[row] !== 0) {
    const bytes = source.pool.bytesOf(source.codes[row]!);
    return putText(target, at, bytes, 0, bytes.length);
  }
  const value = valueAt(source, row);
  if (value === null) return putValue(target, at, null);
  if (source.kind === 'timestamp') return 'is a time';
  if (typeof value !== 'number') return putValue(target, at, value);
  // A file's double is what was meant, however great.
  if (target.kind === 'float64') putDouble(target, at, value);
  else if (target.kind === 'int64' && Number.isFinite(value))
    return putBigInt(target, at, BigInt(Math.trunc(value)));
  else return putValue(target, at, value);
  return undefined;
}
