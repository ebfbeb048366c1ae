/**
 * Takes in the rows of an upload, from sources of any form, and makes them a table of the provider's
 * columns.
 *
 * Terms and rules:
 * - the sources are the changed rows, then the removed ones. A row that does not say whether its key has
 *   ceased says what its source says: changed rows have not, removed ones have. A null stays null;
 * - key columns and the time must have a value in every row; values may be null;
 * - a column that is none of the provider's is dropped; a value column that no row names is not there;
 * - a changed row with the sentinel in any value column is left out, if the request names a sentinel: the
 *   writers' outer joins leave it where nothing is known.
 *
 * Readers put cells straight into `columns` at the row that `startRow` gives. Everything that is wrong is
 * INPUT_READ_ERROR and names source, row and column.
 */

import { InvalidRequestError } from '../common/errors.ts';
import type { ColumnSpec } from '../contract/column-spec.ts';
import { CEASED, canonicalColumns, sortColumns, type TierProvider } from '../contract/tier-provider.ts';
import { cellError, type Problem } from '../lake/tier-table/cell.ts';
import {
  allocateColumn,
  type BooleanColumn,
  type Column,
  clearRows,
  FALSE,
  type Table,
  TRUE,
  takeRows,
  type WideColumn,
} from '../lake/tier-table/table.ts';
import { TextPool } from '../lake/tier-table/text-pool.ts';

export interface SourceRules {
  /** What the rows are called in errors: `changed`, `removed`. */
  readonly name: string;
  /** What a row that does not say is: ceased or not. */
  readonly ceased: boolean;
  /** The number that marks a row to be left out; default none. */
  readonly sentinel?: number | undefined;
}

const FIRST_CAPACITY = 1_024;
/** In a column of ceased flags: the row has not said. */
const UNSAID = 3;

export class RowBuilder {
  readonly #specs: readonly ColumnSpec[];
  readonly #required: ReadonlySet<string>;
  readonly #index: ReadonlyMap<string, number>;
  readonly #maxRows: number;
  readonly #present: boolean[];
  #columns: Column[];
  #capacity = FIRST_CAPACITY;
  #rows = 0;
  #source: SourceRules = { name: 'rows', ceased: false };
  #sourceStart = 0;
  readonly #dropped: Uint32Array[] = [];

  /** @param maxRows more rows than this are refused */
  constructor(columns: readonly ColumnSpec[], required: readonly string[], maxRows: number) {
    this.#specs = columns;
    this.#required = new Set(required);
    this.#index = new Map(columns.map(({ name }, i) => [name, i]));
    this.#maxRows = maxRows;
    this.#present = columns.map(({ name }) => name === CEASED);
    this.#columns = columns.map((spec) => this.#allocate(spec, this.#capacity, () => new TextPool()));
  }

  /** For the rows of a provider. */
  static of(provider: TierProvider, maxRows: number): RowBuilder {
    return new RowBuilder(canonicalColumns(provider), sortColumns(provider), maxRows);
  }

  /** The provider's columns. They are others after `startRow` or `startRows`. */
  get columns(): readonly Column[] {
    return this.#columns;
  }

  /** The place of a column in `columns`, or -1 for one that is dropped. Its being named makes it present. */
  columnIndex(name: string): number {
    const index = this.#index.get(name) ?? -1;
    if (index >= 0) this.#present[index] = true;
    return index;
  }

  /** Begins a source; the rows that follow are its. */
  begin(source: SourceRules): void {
    this.#source = source;
    this.#sourceStart = this.#rows;
  }

  /** Adds an empty row; returns its number in `columns`. */
  startRow(): number {
    return this.startRows(1);
  }

  /** Adds empty rows; returns the number of the first. */
  startRows(count: number): number {
    const first = this.#rows;
    this.#rows += count;
    if (this.#rows - this.#sourceStart > this.#maxRows) {
      const limit = this.#maxRows.toLocaleString('en');
      throw this.sourceError(`more than ${limit} rows`);
    }
    if (this.#rows > this.#capacity) this.#grow(this.#rows);
    return first;
  }

  /** Makes room for so many more rows, for a reader that can tell how many there will be. */
  expect(rows: number): void {
    const needed = this.#rows + Math.min(rows, this.#maxRows);
    if (needed > this.#capacity) this.#grow(needed);
  }

  /** Empties the last row again, after a reader has given up on it half way. */
  clearRow(row: number): void {
    for (const column of this.#columns) {
      clearRows(column, row, 1);
      if (column.kind === 'boolean' && column.name === CEASED) column.flags[row] = UNSAID;
    }
  }

  /** Throws for what is wrong with a cell of a row; does nothing when nothing is. */
  check(row: number, column: number, problem: Problem): void {
    if (problem !== undefined) throw this.#error(row, this.#specs[column]!.name, problem);
  }

  /** An error about a whole row. */
  rowError(row: number, problem: string, cause?: unknown): InvalidRequestError {
    const number = row - this.#sourceStart + 1;
    const options = cause === undefined ? {} : { cause };
    return new InvalidRequestError('INPUT_READ_ERROR', `${this.#source.name}: row ${number} ${problem}`, {
      ...options,
      fields: { row: number },
    });
  }

  /** An error about a source as a whole. */
  sourceError(problem: string): InvalidRequestError {
    return new InvalidRequestError('INPUT_READ_ERROR', `${this.#source.name}: ${problem}`);
  }

  /** Ends a source: checks what only all of its rows can show, and says what they have left unsaid. */
  end(): void {
    const from = this.#sourceStart;
    const to = this.#rows;
    for (const column of this.#columns) {
      if (this.#required.has(column.name)) this.#checkRequired(column, from, to);
      if (column.kind === 'float64') this.#checkNumbers(column, from, to);
      if (column.kind === 'boolean' && column.name === CEASED) {
        const said = this.#source.ceased ? TRUE : FALSE;
        for (let row = from; row < to; row++) if (column.flags[row] === UNSAID) column.flags[row] = said;
      }
    }
    if (this.#source.sentinel !== undefined)
      this.#dropped.push(this.#rowsWith(this.#source.sentinel, from, to));
  }

  /** The table of all sources, in the order in which rows came, and how many rows were left out for their sentinel. */
  finish(): { readonly table: Table; readonly dropped: number } {
    const columns = this.#rows === 0 ? [] : this.#columns.filter((_, i) => this.#present[i]);
    const all = { rows: this.#rows, columns };
    const dropped = new Set(this.#dropped.flatMap((rows) => [...rows]));
    if (dropped.size === 0) return { table: all, dropped: 0 };
    const kept = Uint32Array.from({ length: this.#rows }, (_, row) => row).filter((row) => !dropped.has(row));
    return { table: takeRows(all, kept), dropped: dropped.size };
  }

  #checkRequired(column: Column, from: number, to: number): void {
    for (let row = from; row < to; row++) {
      const isNull =
        column.kind === 'text'
          ? column.codes[row] === 0
          : column.kind !== 'boolean' && column.valid[row] === 0;
      if (isNull) throw this.#error(row, column.name, 'is missing or null, and every row must have it');
    }
  }

  /** A file's doubles come in as they are. */
  #checkNumbers(column: WideColumn, from: number, to: number): void {
    const values = doublesOf(column);
    for (let row = from; row < to; row++) {
      const value = values[row]!;
      if (!Number.isFinite(value)) throw this.#error(row, column.name, `is ${value}, not a number`);
    }
  }

  #rowsWith(sentinel: number, from: number, to: number): Uint32Array {
    const rows = new Set<number>();
    for (const column of this.#columns) {
      if (!('words' in column) || this.#required.has(column.name)) continue;
      const { words, valid } = column;
      const doubles = column.kind === 'float64' ? doublesOf(column) : undefined;
      for (let row = from; row < to; row++) {
        const value = doubles?.[row] ?? words[row * 2 + 1]! * 2 ** 32 + (words[row * 2]! >>> 0);
        if (valid[row] === 1 && value === sentinel) rows.add(row);
      }
    }
    return Uint32Array.from(rows);
  }

  #error(row: number, column: string, problem: string): InvalidRequestError {
    return cellError(this.#source.name, row - this.#sourceStart, column, problem);
  }

  #allocate(spec: ColumnSpec, capacity: number, pool: () => TextPool): Column {
    const column = allocateColumn(spec, capacity, pool);
    if (spec.name === CEASED) (column as BooleanColumn).flags.fill(UNSAID);
    return column;
  }

  #grow(rows: number): void {
    this.#capacity = Math.max(rows, this.#capacity * 2);
    this.#columns = this.#columns.map((old) => {
      const column = this.#allocate(old, this.#capacity, () =>
        old.kind === 'text' ? old.pool : new TextPool(),
      );
      if (old.kind === 'text' && column.kind === 'text') column.codes.set(old.codes);
      else if (old.kind === 'boolean' && column.kind === 'boolean') column.flags.set(old.flags);
      else if ('words' in old && 'words' in column) {
        column.words.set(old.words);
        column.valid.set(old.valid);
      }
      return column;
    });
  }
}

function doublesOf({ words }: WideColumn): Float64Array {
  return new Float64Array(words.buffer, words.byteOffset, words.length / 2);
}
