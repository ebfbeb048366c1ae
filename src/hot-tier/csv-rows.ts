/**
 * Rows as CSV (RFC 4180), read from bytes as they come: a header, commas, double quotes, lines that end
 * with LF or CRLF, UTF-8 with or without a byte-order mark. Blank lines are passed over.
 *
 * An empty cell is null; an empty one in quotes is an empty text in a text column. Every row must have as
 * many cells as the header.
 */

import { isUtf8 } from 'node:buffer';
import { putText } from '../lake/tier-table/cell.ts';
import type { RowBuilder } from './row-builder.ts';

const QUOTE = 0x22;
const COMMA = 0x2c;
const NEWLINE = 0x0a;
const RETURN = 0x0d;
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];

/** A longer row is none. */
const MAX_ROW_BYTES = 16 << 20;

const decoder = new TextDecoder();

/** Where a cell's text stands, within its quotes if it has any. */
interface Cell {
  readonly start: number;
  readonly end: number;
  readonly quoted: boolean;
  /** Whether there are quotes in it, which stand doubled. */
  readonly doubled: boolean;
}

export class CsvRows {
  readonly #builder: RowBuilder;
  /** The builder's column of each cell, -1 for one that is dropped; undefined before the header. */
  #columns: readonly number[] | undefined;
  /** What has come since the last row that was read. */
  #rest: Uint8Array[] = [];
  #restBytes = 0;
  /** So many bytes are waited for before the rest is looked at again. */
  #enough = 0;
  #begun = false;

  constructor(builder: RowBuilder) {
    this.#builder = builder;
  }

  /**
   * Takes the next bytes, and keeps none of their memory. Throws INPUT_READ_ERROR, naming row and column.
   *
   * A row that is not whole is looked at anew from its beginning: each time only when twice as much has come,
   * so that one long row costs no more than many short ones.
   */
  push(chunk: Uint8Array): void {
    this.#restBytes += chunk.length;
    if (this.#restBytes < this.#enough && this.#restBytes <= MAX_ROW_BYTES) {
      this.#rest.push(new Uint8Array(chunk));
      return;
    }
    this.#rest.push(chunk);
    const bytes = Buffer.concat(this.#rest);
    const rest = bytes.subarray(this.#read(bytes, false));
    if (rest.length > MAX_ROW_BYTES) throw this.#error(`is longer than ${MAX_ROW_BYTES} bytes`);
    this.#rest = [rest];
    this.#restBytes = rest.length;
    this.#enough = rest.length * 2;
  }

  /** Reads the last rows, which need not end with a newline. */
  end(): void {
    this.#read(Buffer.concat(this.#rest), true);
  }

  /** Reads whole rows; returns where the first one begins that is not whole. */
  #read(bytes: Uint8Array, isLast: boolean): number {
    let at = 0;
    if (!this.#begun && (bytes.length >= BYTE_ORDER_MARK.length || isLast)) {
      this.#begun = true;
      if (BYTE_ORDER_MARK.every((byte, i) => bytes[i] === byte)) at = BYTE_ORDER_MARK.length;
    }
    if (!this.#begun) return 0;
    while (at < bytes.length) {
      // Blank lines can be many millions, where a packed file is a bomb.
      if (bytes[at] === NEWLINE) {
        at++;
        continue;
      }
      const row = this.#readCells(bytes, at, isLast);
      if (row === undefined) return at;
      const isBlank =
        row.cells.length === 1 && row.cells[0]!.start === row.cells[0]!.end && !row.cells[0]!.quoted;
      if (!isBlank) {
        if (!isUtf8(bytes.subarray(at, row.end))) throw this.#error('is not UTF-8');
        if (this.#columns === undefined) this.#columns = this.#header(bytes, row.cells);
        else this.#putRow(bytes, row.cells, this.#columns);
      }
      at = row.end;
    }
    return at;
  }

  /** The cells of the row that begins at `start`, and where the next one does; undefined when its end is not there yet. */
  #readCells(bytes: Uint8Array, start: number, isLast: boolean): { cells: Cell[]; end: number } | undefined {
    const cells: Cell[] = [];
    let at = start;
    for (;;) {
      const cell = bytes[at] === QUOTE ? this.#quotedCell(bytes, at, isLast) : plainCell(bytes, at);
      if (cell === undefined) return undefined;
      cells.push(cell.cell);
      at = cell.next;
      if (isLineReturn(bytes, at)) at++;
      if (at >= bytes.length) return isLast ? { cells, end: at } : undefined;
      if (bytes[at] === NEWLINE) return { cells, end: at + 1 };
      if (bytes[at] !== COMMA) {
        if (!isLast && at + 1 >= bytes.length) return undefined;
        throw this.#error('has text behind the closing quote of a cell');
      }
      at++;
    }
  }

  #quotedCell(bytes: Uint8Array, start: number, isLast: boolean): { cell: Cell; next: number } | undefined {
    let doubled = false;
    for (let at = start + 1; at < bytes.length; at++) {
      if (bytes[at] !== QUOTE) continue;
      if (bytes[at + 1] !== QUOTE) {
        // The bytes to come may begin with the second of two quotes.
        if (at + 1 === bytes.length && !isLast) return undefined;
        return { cell: { start: start + 1, end: at, quoted: true, doubled }, next: at + 1 };
      }
      doubled = true;
      at++;
    }
    if (!isLast) return undefined;
    throw this.#error('has a cell without its closing quote');
  }

  #header(bytes: Uint8Array, cells: readonly Cell[]): number[] {
    const names = cells.map((cell) => decoder.decode(textOf(bytes, cell)));
    const twice = names.find((name, i) => names.indexOf(name) !== i);
    if (twice !== undefined)
      throw this.#error(`the header names the column ${JSON.stringify(twice)} twice`, true);
    return names.map((name) => this.#builder.columnIndex(name));
  }

  #putRow(bytes: Uint8Array, cells: readonly Cell[], columns: readonly number[]): void {
    const builder = this.#builder;
    const row = builder.startRow();
    if (cells.length !== columns.length) {
      throw builder.rowError(row, `has ${cells.length} cells, the header ${columns.length}`);
    }
    for (let i = 0; i < cells.length; i++) {
      const index = columns[i]!;
      const column = builder.columns[index];
      const cell = cells[i]!;
      const { start, end, quoted } = cell;
      if (column === undefined || (start === end && !(quoted && column.kind === 'text'))) {
        // An empty cell is a null that was said: it is not for the source to say otherwise.
        if (column?.kind === 'boolean') column.flags[row] = 2;
        continue;
      }
      const text = cell.doubled ? textOf(bytes, cell) : undefined;
      const problem =
        text === undefined
          ? putText(column, row, bytes, start, end)
          : putText(column, row, text, 0, text.length);
      builder.check(row, index, problem);
    }
  }

  #error(problem: string, isHeader = false) {
    if (this.#columns === undefined)
      return this.#builder.sourceError(isHeader ? problem : `the header ${problem}`);
    return this.#builder.rowError(this.#builder.startRow(), problem);
  }
}

/** A carriage return before a newline, or at the very end, belongs to the line's end. */
function isLineReturn(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === RETURN && (at + 1 === bytes.length || bytes[at + 1] === NEWLINE);
}

function plainCell(bytes: Uint8Array, start: number): { cell: Cell; next: number } {
  let at = start;
  for (; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === COMMA || byte === NEWLINE) break;
    if (isLineReturn(bytes, at)) break;
  }
  return { cell: { start, end: at, quoted: false, doubled: false }, next: at };
}

/** A cell's text, its doubled quotes made single. */
function textOf(bytes: Uint8Array, { start, end, doubled }: Cell): Uint8Array {
  const text = bytes.slice(start, end);
  if (!doubled) return text;
  let length = 0;
  for (let from = 0; from < text.length; from++) {
    text[length++] = text[from]!;
    if (text[from] === QUOTE) from++;
  }
  return text.subarray(0, length);
}
