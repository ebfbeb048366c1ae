/**
 * What readers of file formats hand on, and what goes wrong with a file.
 *
 * Terms: a *row* is one record, numbered as people count: the header of a CSV or sheet is row 1. A *bad
 * row* is one that can not be taken; a file may hold `maxBadRows` of them, and fails with the next.
 */

import { InvalidRequestError } from '../common/errors.ts';

/** A moment that the format itself knows: microseconds since the epoch. */
export interface Moment {
  readonly micros: number;
}

export type Cell = string | number | boolean | Moment | null | undefined;

export function isMoment(cell: Cell): cell is Moment {
  return typeof cell === 'object' && cell !== null;
}

/** Why a row is bad: a bounded set, for metrics. */
export const BAD_ROW_REASONS = ['time', 'number', 'series', 'columns'] as const;
export type BadRowReason = (typeof BAD_ROW_REASONS)[number];

export interface BadRow {
  readonly row: number;
  readonly column: string;
  readonly reason: BadRowReason;
  readonly message: string;
}

/** Fields of a row of CSV as they lie in the file's bytes (UTF-8), one in quotes with its quotes. */
export interface ByteRow {
  readonly bytes: Uint8Array;
  /** Where each column's field begins; one more for the end of the last: `starts[n + 1] - 1` ends field n. */
  readonly starts: Int32Array;
  fields: number;
}

/** Takes the rows of one file. */
export interface RowSink {
  /** The file's columns, once, before any row; throws a fault of the file where it can not do with them. */
  header(columns: readonly string[]): void;
  row(cells: readonly Cell[], row: number): void;
  /** The same for fields that are still bytes. */
  byteRow(fields: ByteRow, row: number): void;
  /** A row that is no row: its fields are not as many as the columns. */
  misshapen(row: number, fields: number): void;
  /** To be awaited every now and then: makes room. */
  relieve(): Promise<void>;
}

/** Takes the rows of a file whose rows name their columns, and so may bring ones that none before had. */
export interface GrowingSink extends RowSink {
  /**
   * Further columns, behind those that there are, before `row`, which is the first with them. Only where the
   * mapping takes all columns.
   */
  moreColumns(names: readonly string[], row: number): void;
}

const DECODER = new TextDecoder('utf-8', { ignoreBOM: true });
export const QUOTE = 0x22;

/** The text of a field of a `ByteRow`, out of its quotes. */
export function fieldText(bytes: Uint8Array, start: number, end: number): string {
  if (bytes[start] !== QUOTE) return DECODER.decode(bytes.subarray(start, end));
  return DECODER.decode(bytes.subarray(start + 1, end - 1)).replaceAll('""', '"');
}

/** Columns that a file may have. */
const MAX_COLUMNS = 16_384;

/** Throws a fault of the file where it has too many columns; to be asked before anything is made of each. */
export function checkColumns(count: number): void {
  if (count > MAX_COLUMNS) throw fileFault(`it has ${count} columns; at most ${MAX_COLUMNS} can be read`);
}

/** A fault of the file itself: it fails alone. `where` is row and column, where they are known. */
export function fileFault(message: string, cause?: unknown): InvalidRequestError {
  return new InvalidRequestError('INPUT_READ_ERROR', message, cause === undefined ? {} : { cause });
}

/** A text of a file as messages show it: quoted, cut, nothing unescaped. */
export function shown(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}
