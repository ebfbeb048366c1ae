/**
 * Reads a Parquet file's columns as one run of rows, row group by row group.
 *
 * Memory: one row group's pages, decompressed, and the next one's bytes as they are stored, which are
 * fetched while the rows of the first are used. A file of at most SMALL_FILE_BYTES is fetched at once.
 */

import { promisify } from 'node:util';
import { brotliDecompress, gunzip, zstdDecompress } from 'node:zlib';
import { InvalidRequestError } from '../../common/errors.ts';
import { cellError } from '../../lake/tier-table/cell.ts';
import { type Column, clearRows } from '../../lake/tier-table/table.ts';
import type { ColumnKind } from '../column-spec.ts';
import { type ChunkReader, type Decompress, openChunk, unreadable } from './chunk-reader.ts';
import { type FileChunk, type Footer, footerLength, parseFooter, TAIL_BYTES } from './footer.ts';

/** A file of which parts can be read. */
export interface RandomAccess {
  /** For errors: the object's key. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** The bytes [start, end), all of them; throws when they cannot be had. */
  read(start: number, end: number): Promise<Uint8Array>;
}

const SMALL_FILE_BYTES = 1 << 20;
const FIRST_READ_BYTES = 1 << 16;
/** Greater pages are taken for damage. */
const MAX_PAGE_BYTES = 1 << 28;

const decompressZstd = promisify(zstdDecompress);
const decompressGzip = promisify(gunzip);
const decompressBrotli = promisify(brotliDecompress);

/** By Parquet's number of the codec. More can be given to `openFile`. */
export type Codecs = ReadonlyMap<number, Decompress>;

/** What node:zlib can do. */
export const NODE_CODECS: Codecs = new Map<number, Decompress>([
  [0, (body) => Promise.resolve(body)],
  [2, (body, length) => decompressGzip(body, { maxOutputLength: Math.max(1, length) })],
  [4, (body, length) => decompressBrotli(body, { maxOutputLength: Math.max(1, length) })],
  [
    6,
    (body, length) =>
      decompressZstd(body, { chunkSize: Math.max(1_024, length), maxOutputLength: Math.max(1, length) }),
  ],
]);

/**
 * Opens a file by its footer. Throws INPUT_READ_ERROR when it is no Parquet file.
 *
 * @param codecs the codecs beside those of NODE_CODECS
 */
export async function openFile(file: RandomAccess, codecs: Codecs = new Map()): Promise<TierFile> {
  const tailStart = file.size <= SMALL_FILE_BYTES ? 0 : file.size - FIRST_READ_BYTES;
  let tail = await file.read(tailStart, file.size);
  const length = footerLength(tail);
  if (length === undefined || length > file.size - TAIL_BYTES)
    throw broken(file.name, 'is not a Parquet file');
  const footerStart = file.size - TAIL_BYTES - length;
  if (footerStart < tailStart) tail = await file.read(footerStart, file.size);
  const footer = decoded(file.name, () =>
    parseFooter(tail.subarray(tail.length - TAIL_BYTES - length, tail.length - TAIL_BYTES)),
  );
  const whole = tailStart === 0 ? tail : undefined;
  return new TierFile(file, footer, whole, new Map([...NODE_CODECS, ...codecs]));
}

interface RowGroupBytes {
  readonly index: number;
  readonly bytes: Promise<Uint8Array>;
  readonly start: number;
}

export class TierFile {
  readonly name: string;
  readonly footer: Footer;
  readonly #file: RandomAccess;
  readonly #whole: Uint8Array | undefined;
  readonly #codecs: Codecs;
  /** The columns that are read, as indices into the footer's. */
  #wanted: readonly number[] = [];
  #nextGroup = 0;
  #coming: RowGroupBytes | undefined;
  #readers = new Map<string, ChunkReader>();
  #left = 0;
  #rowsBefore = 0;

  constructor(file: RandomAccess, footer: Footer, whole: Uint8Array | undefined, codecs: Codecs) {
    this.name = file.name;
    this.footer = footer;
    this.#file = file;
    this.#whole = whole;
    this.#codecs = codecs;
  }

  /** The kind of a column, undefined when the file has none of that name or its type is not read. */
  kindOf(name: string): ColumnKind | undefined {
    return this.footer.columns.find((column) => column.name === name)?.kind;
  }

  has(name: string): boolean {
    return this.footer.columns.some((column) => column.name === name);
  }

  /** Why these columns cannot be read here, or undefined when they can. Columns it lacks are no reason. */
  unreadable(names: Iterable<string>): string | undefined {
    for (const name of names) {
      const index = this.footer.columns.findIndex((column) => column.name === name);
      if (index < 0) continue;
      for (const group of this.footer.rowGroups) {
        const chunk = group.chunks[index]!;
        const reason = this.#codecs.has(chunk.codec)
          ? unreadable(this.footer.columns[index]!, chunk)
          : `column ${name} is compressed with codec ${chunk.codec}`;
        if (reason !== undefined) return reason;
      }
    }
    return undefined;
  }

  /** Chooses the columns to be read, and begins. Those that the file lacks will be null. */
  select(names: Iterable<string>): void {
    const wanted = new Set(names);
    this.#wanted = this.footer.columns.flatMap(({ name }, i) => (wanted.has(name) ? [i] : []));
    this.#fetchNext();
  }

  /** How many rows can be read at once now; 0 when the file is at its end. */
  async available(): Promise<number> {
    while (this.#left === 0 && this.#coming !== undefined) await this.#openGroup(this.#coming);
    return this.#left;
  }

  /**
   * Reads the next `rows` rows, of those that are available, into rows [at, at + rows) of the columns.
   * Throws INPUT_READ_ERROR, naming row and column, for a value that cannot be cast.
   */
  read(columns: readonly Column[], at: number, rows: number): void {
    for (const target of columns) {
      const reader = this.#readers.get(target.name);
      if (reader === undefined) {
        clearRows(target, at, rows);
        continue;
      }
      const failure = decoded(this.name, () => reader.read(target, at, rows));
      if (failure !== undefined) {
        throw cellError(this.name, this.#rowsBefore + failure.row, target.name, failure.problem);
      }
    }
    this.#left -= rows;
    this.#rowsBefore += rows;
  }

  /** Begins to fetch the next row group that has rows. */
  #fetchNext(): void {
    this.#coming = undefined;
    const { rowGroups } = this.footer;
    while (this.#nextGroup < rowGroups.length && rowGroups[this.#nextGroup]!.rows === 0) this.#nextGroup++;
    const group = rowGroups[this.#nextGroup];
    if (group === undefined) return;
    const chunks = this.#wanted.map((i) => group.chunks[i]!);
    const start = Math.min(...chunks.map((chunk) => chunk.start));
    const end = Math.max(...chunks.map((chunk) => chunk.end));
    const bytes = chunks.length === 0 ? Promise.resolve(new Uint8Array(0)) : this.#fetch(start, end);
    bytes.catch(() => {});
    this.#coming = { index: this.#nextGroup++, bytes, start };
  }

  async #fetch(start: number, end: number): Promise<Uint8Array> {
    if (end > this.#file.size) throw broken(this.name, 'is shorter than its footer says');
    return this.#whole?.subarray(start, end) ?? (await this.#file.read(start, end));
  }

  async #openGroup(coming: RowGroupBytes): Promise<void> {
    const bytes = await coming.bytes;
    const group = this.footer.rowGroups[coming.index]!;
    this.#fetchNext();
    const opened = this.#wanted.map(async (i): Promise<[string, ChunkReader]> => {
      const column = this.footer.columns[i]!;
      const chunk = group.chunks[i]!;
      const part = bytes.subarray(chunk.start - coming.start, chunk.end - coming.start);
      return [column.name, await openChunk(part, column, chunk, this.#decompress(chunk))];
    });
    try {
      this.#readers = new Map(await Promise.all(opened));
    } catch (error) {
      throw broken(this.name, 'is damaged', error);
    }
    this.#left = group.rows;
  }

  #decompress(chunk: FileChunk): Decompress {
    const codec = this.#codecs.get(chunk.codec);
    if (codec === undefined) throw broken(this.name, `is compressed with codec ${chunk.codec}`);
    return async (body, length) => {
      if (length > MAX_PAGE_BYTES) throw new RangeError(`a page of ${length} bytes`);
      const bytes = await codec(body, length);
      if (bytes.length !== length) throw new RangeError('a page is not as long as it says');
      return bytes;
    };
  }
}

/** Runs a decoder; what it finds broken becomes INPUT_READ_ERROR. */
function decoded<T>(name: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof RangeError) throw broken(name, 'is damaged', error);
    throw error;
  }
}

function broken(name: string, what: string, cause?: unknown): InvalidRequestError {
  const options = cause === undefined ? {} : { cause };
  return new InvalidRequestError('INPUT_READ_ERROR', `${name} ${what}`, {
    ...options,
    fields: { key: name },
  });
}
