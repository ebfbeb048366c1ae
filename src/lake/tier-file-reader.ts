/**
 * Reads a Parquet file's columns as one run of rows, as the tiers' typed columns, whoever wrote the file.
 *
 * Terms: a piece is what is decoded at once, a row group or PIECE_ROWS of a larger one. It stays in WASM
 * memory, its texts as a dictionary, and rows are copied straight from there; so a text is interned once a
 * piece. The next row group's bytes are fetched while the rows of one are used.
 *
 * Memory: one piece, decoded, and the stored bytes of two row groups. Thread-only (parquet-wasm).
 */

import type { Data } from 'apache-arrow';
import type { SchemaElement } from 'hyparquet';
import { InvalidRequestError } from '../common/errors.ts';
import type { ColumnKind } from '../contract/column-spec.ts';
import type { HeldBatch } from './arrow-bridge.ts';
import { leavesOf } from './parquet-extract.ts';
import { openParquetReader, type ParquetReader } from './parquet-file.ts';
import { type ParquetFooter, type RowGroup, readFooter } from './parquet-footer.ts';
import type { RandomAccess } from './random-access.ts';
import { castRow } from './tier-table/cast-row.ts';
import { cellError } from './tier-table/cell.ts';
import { copyRows, type DictionaryCodes, internDictionary, kindOfArrow } from './tier-table/from-arrow.ts';
import { kindOfElement, typeName } from './tier-table/parquet-kinds.ts';
import { allocateColumn, type Column, clearRows } from './tier-table/table.ts';
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
 * Rows that are decoded at once, at most: some 5 MB, of eight files that are merged 40 MB. Of a larger row
 * group each piece is decoded anew from the group's start, past what came before, which costs little as
 * long as pieces are pages (measured: a third of decoding for pieces of a quarter).
 */
const PIECE_ROWS = 65_536;

/** Opens a file by its footer. Throws INPUT_READ_ERROR when it is no Parquet file. The file is not closed here. */
export async function openFile(file: RandomAccess): Promise<TierFile> {
  return new TierFile(file, await readFooter(file));
}

/** A decoded piece, and how far it has been read. */
interface Piece {
  readonly batch: HeldBatch;
  readonly group: number;
  next: number;
}

export class TierFile {
  readonly name: string;
  readonly footer: TierFooter;
  readonly #elements: ReadonlyMap<string, SchemaElement>;
  readonly #groups: readonly RowGroup[];
  readonly #reader: ParquetReader;
  /** The columns that are read, all of them in the file. */
  #wanted: readonly string[] = [];
  #nextGroup = 0;
  #pieces: AsyncGenerator<HeldBatch> | undefined;
  #piece: Piece | undefined;
  /** Rows of a row group of which no column is wanted. */
  #bareRows = 0;
  #codes = new Map<string, DictionaryCodes>();
  #rowsBefore = 0;

  constructor(file: RandomAccess, footer: ParquetFooter) {
    this.name = file.name;
    this.#elements = leavesOf(footer.metadata.schema);
    this.#groups = footer.rowGroups.filter(({ rows }) => rows > 0);
    this.#reader = openParquetReader(file, footer, { dictionaryText: true });
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
    if (reason !== undefined) throw this.#broken(reason);
    this.#wanted = [...this.#elements.keys()].filter((name) => wanted.has(name));
    this.#prefetch();
  }

  /** How many rows can be read at once now; waits for them; 0 when the file is at its end. */
  async available(): Promise<number> {
    while (this.#left() === 0 && (await this.#open())) {}
    return this.#left();
  }

  /**
   * Reads the next `rows` rows, of those that are available, into rows [at, at + rows) of the columns.
   * Throws INPUT_READ_ERROR, naming row and column, for a value that cannot be cast.
   */
  read(columns: readonly Column[], at: number, rows: number): void {
    for (const target of columns) {
      const source = this.#source(target.name);
      if (source === undefined) clearRows(target, at, rows);
      else this.#readColumn(source, target, at, rows);
    }
    if (this.#piece === undefined) this.#bareRows -= rows;
    else this.#piece.next += rows;
    this.#rowsBefore += rows;
  }

  /** Frees what is decoded. For a file that is not read to its end. */
  close(): void {
    this.#release();
    this.#reader.close();
  }

  #left(): number {
    return this.#piece === undefined ? this.#bareRows : this.#piece.batch.rows - this.#piece.next;
  }

  #release(): void {
    this.#piece?.batch.release();
    this.#piece = undefined;
    this.#codes.clear();
  }

  #prefetch(): void {
    const group = this.#groups[this.#nextGroup];
    if (group !== undefined && this.#wanted.length > 0) this.#reader.prefetch(group, this.#wanted);
  }

  /** Decodes the next piece; false at the file's end. */
  async #open(): Promise<boolean> {
    this.#release();
    const piece = await this.#pieces?.next();
    if (piece !== undefined && !piece.done) {
      this.#piece = { batch: piece.value, group: this.#nextGroup - 1, next: 0 };
      return true;
    }
    const group = this.#groups[this.#nextGroup];
    if (group === undefined) return false;
    this.#nextGroup++;
    if (this.#wanted.length === 0) this.#bareRows = group.rows;
    else {
      this.#pieces = this.#reader.held(group, this.#wanted, PIECE_ROWS);
      const first = await this.#pieces.next();
      if (!first.done) this.#piece = { batch: first.value, group: this.#nextGroup - 1, next: 0 };
      this.#prefetch();
    }
    return true;
  }

  /** The column's values in this piece; undefined when it is not read. */
  #source(name: string): Data | undefined {
    const index = this.#wanted.indexOf(name);
    if (index < 0 || this.#piece === undefined) return undefined;
    try {
      return this.#piece.batch.view().data.children[index];
    } catch (error) {
      throw this.#broken(this.#placeOf(name, error), error);
    }
  }

  #readColumn(source: Data, target: Column, at: number, rows: number): void {
    const from = this.#piece!.next;
    const kind = kindOfArrow(source);
    if (kind === undefined) throw this.#broken(this.#placeOf(target.name, `it came as ${source.type}`));
    try {
      if (target.kind === kind) {
        copyRows(source, from, rows, target, at, this.#codesOf(source, target));
        return;
      }
      const native = allocateColumn({ name: target.name, kind }, rows, () => new TextPool());
      const codes = native.kind === 'text' ? internDictionary(source, native.pool) : undefined;
      copyRows(source, from, rows, native, 0, codes);
      for (let row = 0; row < rows; row++) {
        const problem = castRow(native, row, target, at + row);
        if (problem !== undefined) {
          throw cellError(this.name, this.#rowsBefore + row, target.name, problem);
        }
      }
    } catch (error) {
      if (error instanceof RangeError) throw this.#broken(this.#placeOf(target.name, error.message), error);
      throw error;
    }
  }

  #codesOf(source: Data, target: Column): DictionaryCodes | undefined {
    if (target.kind !== 'text') return undefined;
    let codes = this.#codes.get(target.name);
    if (codes?.pool !== target.pool) {
      codes = internDictionary(source, target.pool);
      this.#codes.set(target.name, codes);
    }
    return codes;
  }

  #placeOf(name: string, why: unknown): string {
    const { index } = this.#groups[this.#piece!.group]!;
    return `row group ${index}, column ${name}: ${why instanceof Error ? why.message : String(why)}`;
  }

  #broken(why: string, cause?: unknown): InvalidRequestError {
    return new InvalidRequestError('INPUT_READ_ERROR', `${this.name} can not be read: ${why}`, {
      ...(cause === undefined ? {} : { cause }),
      fields: { key: this.name },
    });
  }
}
