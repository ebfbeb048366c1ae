/**
 * Reads a Parquet file's columns as one run of rows, as the tiers' typed columns, whoever wrote the file.
 *
 * A column that is stored as the tiers' writers do it is read from its pages as its rows are wanted
 * (chunk-reader.ts), the others are decoded by parquet-wasm in pieces (tier-pieces.ts). Either way a text is
 * interned once, not row by row. The next row group's bytes are fetched while one is used.
 *
 * Memory: the stored bytes of two row groups, and of each column a page and its dictionary, or a piece. Thread-only (parquet-wasm).
 */

import type { SchemaElement } from 'hyparquet';
import { InvalidRequestError } from '../common/errors.ts';
import type { ColumnKind } from '../contract/column-spec.ts';
import { ChunkReader, type ColumnSource } from './chunk-reader.ts';
import { createFetcher, type FetchedGroup, type GroupFetcher } from './parquet-fetch.ts';
import { type ParquetFooter, type RowGroup, readFooter } from './parquet-footer.ts';
import { leavesOf } from './parquet-schema.ts';
import type { RandomAccess } from './random-access.ts';
import type { TierPieces } from './tier-pieces.ts';
import { castRow } from './tier-table/cast-row.ts';
import { cellError } from './tier-table/cell.ts';
import { kindOfElement, typeName } from './tier-table/parquet-kinds.ts';
import {
  type AnyColumn,
  allocateColumn,
  type Column,
  clearRows,
  pool,
  type WideColumn,
} from './tier-table/table.ts';
import { TextPool } from './tier-table/text-pool.ts';

export interface TierFileColumn {
  readonly name: string;
  /** The kind its values become; undefined when the tiers do not read its type. */
  readonly kind: ColumnKind | undefined;
}

export interface TierFooter {
  readonly rows: number;
  /** The flat columns, in the file's order: what is nested is left out. */
  readonly columns: readonly TierFileColumn[];
  readonly rowGroups: readonly { readonly rows: number }[];
}

/**
 * Opens a file by its footer. Throws INPUT_READ_ERROR when it is no Parquet file, or claims other rows than it
 * has. The file is not closed here.
 */
export async function openFile(file: RandomAccess): Promise<TierFile> {
  const footer = await readFooter(file);
  const rows = footer.rowGroups.reduce((sum, group) => sum + group.rows, 0);
  if (rows !== footer.rows) {
    throw broken(file.name, `it claims ${footer.rows} rows, and its row groups have ${rows}`);
  }
  return new TierFile(file, footer);
}

/** A row group that is being read. */
interface OpenGroup {
  readonly index: number;
  /** Rows that were not read yet. */
  left: number;
  readonly fetched: FetchedGroup | undefined;
  /** Columns that are read from their pages. */
  readonly chunks: ReadonlyMap<string, ChunkReader>;
  /** The other columns, if there are any. */
  readonly pieces: TierPieces | undefined;
}

export class TierFile {
  readonly name: string;
  readonly footer: TierFooter;
  readonly #elements: ReadonlyMap<string, SchemaElement>;
  readonly #groups: readonly RowGroup[];
  readonly #footer: ParquetFooter;
  readonly #fetcher: GroupFetcher;
  /** The columns that are read, all of them in the file. */
  #wanted: readonly string[] = [];
  #nextGroup = 0;
  #open: OpenGroup | undefined;
  #rowsBefore = 0;
  #closed = false;
  /** Of texts that are read as another kind: their pools, of this row group. */
  readonly #pools = new Map<string, TextPool>();

  constructor(file: RandomAccess, footer: ParquetFooter) {
    this.name = file.name;
    this.#elements = leavesOf(footer.metadata.schema);
    this.#groups = footer.rowGroups.filter(({ rows }) => rows > 0);
    this.#footer = footer;
    this.#fetcher = createFetcher(file);
    const columns = [...this.#elements].map(([name, element]) => ({ name, kind: kindOfElement(element) }));
    this.footer = { rows: footer.rows, columns, rowGroups: footer.rowGroups };
  }

  /** The kind of a column, undefined when the file has none of that name or its type is not read. */
  kindOf(name: string): ColumnKind | undefined {
    const element = this.#elements.get(name);
    return element && kindOfElement(element);
  }

  has(name: string): boolean {
    return this.#elements.has(name);
  }

  /** Whether all of a column's values have dictionaries, as far as the footer tells. */
  hasDictionaries(name: string): boolean {
    return this.#groups.every(({ columns }) => columns.get(name)?.coded === true);
  }

  /** Why these columns cannot be read here, or undefined when they can. Columns it lacks are no reason. */
  unreadable(names: Iterable<string>): string | undefined {
    for (const name of names) {
      const element = this.#elements.get(name);
      if (element === undefined) continue;
      if (kindOfElement(element) === undefined) return `column ${name} is ${typeName(element)}`;
      const group = this.#groups.find(({ columns }) => !columns.has(name));
      if (group !== undefined) return `row group ${group.index} has no column ${name}`;
    }
    return undefined;
  }

  /**
   * Chooses the columns to be read, and begins. Those that the file lacks will be null. Throws
   * INPUT_READ_ERROR for one that is not readable.
   */
  select(names: Iterable<string>): void {
    const wanted = new Set(names);
    const reason = this.unreadable(wanted);
    if (reason !== undefined) throw broken(this.name, reason);
    this.#wanted = [...this.#elements.keys()].filter((name) => wanted.has(name));
    this.#prefetch();
  }

  /** How many rows can be read at once now; waits for them; 0 when the file is at its end. */
  async available(): Promise<number> {
    while (this.#left() === 0) {
      if (this.#open !== undefined && this.#open.left > 0) this.#open.pieces?.next();
      else if (!(await this.#openNext())) break;
    }
    return this.#left();
  }

  /**
   * Reads the next `rows` rows, of those that are available, into rows [at, at + rows) of the columns: each time
   * into all that were selected, each once. Columns that the file lacks become null.
   * Throws INPUT_READ_ERROR, naming row and column, for a value that cannot be cast.
   */
  read(columns: readonly AnyColumn[], at: number, rows: number): void {
    for (const target of columns) this.#readColumn(target, at, rows);
    if (this.#open !== undefined) this.#open.left -= rows;
    this.#open?.pieces?.advance(rows);
    this.#rowsBefore += rows;
  }

  /** Frees what is decoded: for a file that is not read to its end. What waits for rows fails. */
  close(): void {
    this.#closed = true;
    this.#release();
    this.#fetcher.close();
  }

  #left(): number {
    return this.#open?.pieces?.left ?? this.#open?.left ?? 0;
  }

  #release(): void {
    this.#open?.pieces?.close();
    this.#open?.fetched?.release();
    this.#open = undefined;
    this.#pools.clear();
  }

  #prefetch(): void {
    const group = this.#groups[this.#nextGroup];
    if (group !== undefined && this.#wanted.length > 0) this.#fetcher.prefetch(group, this.#wanted);
  }

  /** Opens the next row group; false at the file's end. */
  async #openNext(): Promise<boolean> {
    this.#release();
    const group = this.#groups[this.#nextGroup];
    if (group === undefined) return false;
    this.#nextGroup++;
    const wanted = this.#wanted;
    const fetched = wanted.length === 0 ? undefined : await this.#fetcher.fetch(group, wanted);
    const chunks = fetched === undefined ? new Map<string, ChunkReader>() : this.#chunksOf(group, fetched);
    const others = wanted.filter((name) => !chunks.has(name));
    let pieces: TierPieces | undefined;
    if (fetched !== undefined && others.length > 0) {
      const { TierPieces: Pieces } = await import('./tier-pieces.ts');
      if (this.#closed) throw new Error(`${this.name} was closed while it was read`);
      pieces = new Pieces(this.name, this.#footer, group, others, fetched);
      // They have a copy.
      if (chunks.size === 0) fetched.release();
    }
    this.#open = { index: group.index, left: group.rows, fetched, chunks, pieces };
    this.#prefetch();
    return true;
  }

  /** The wanted columns that are read from their pages. */
  #chunksOf(group: RowGroup, { bytesOf }: FetchedGroup): Map<string, ChunkReader> {
    const chunks = new Map<string, ChunkReader>();
    for (const name of this.#wanted) {
      const { start, end, codec } = group.columns.get(name)!;
      const chunk = ChunkReader.open(bytesOf(start, end), this.#elements.get(name)!, codec, group.rows);
      if (chunk !== undefined) chunks.set(name, chunk);
    }
    return chunks;
  }

  #readColumn(target: AnyColumn, at: number, rows: number): void {
    try {
      const chunk = this.#open?.chunks.get(target.name);
      const source = chunk ?? this.#open?.pieces?.source(target.name);
      if (source === undefined) clearRows(target, at, rows);
      else if (target.kind !== 'pooled') this.#readFrom(source, target, at, rows);
      else if (chunk?.kind === target.of) chunk.read(target, at, rows);
      else {
        const { name, of: kind } = target;
        const wide = allocateColumn({ name, kind }, rows, () => new TextPool()) as WideColumn;
        this.#readFrom(source, wide, 0, rows);
        pool(wide, rows, target, at);
      }
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw broken(
        this.name,
        `row group ${this.#open!.index}, column ${target.name}: ${error.message}`,
        error,
      );
    }
  }

  /** Reads rows of a column that may be of another kind. */
  #readFrom(source: ColumnSource, target: Column, at: number, rows: number): void {
    if (source.kind === target.kind) {
      source.read(target, at, rows);
      return;
    }
    const { name } = target;
    const known = this.#pools.get(name) ?? new TextPool();
    this.#pools.set(name, known);
    const native = allocateColumn({ name, kind: source.kind }, rows, () => known);
    source.read(native, 0, rows);
    for (let row = 0; row < rows; row++) {
      const problem = castRow(native, row, target, at + row);
      if (problem !== undefined) throw cellError(this.name, this.#rowsBefore + row, name, problem);
    }
  }
}

function broken(fileName: string, why: string, cause?: unknown): InvalidRequestError {
  return new InvalidRequestError('INPUT_READ_ERROR', `${fileName} can not be read: ${why}`, {
    ...(cause === undefined ? {} : { cause }),
    fields: { key: fileName },
  });
}
