/**
 * Rows as lines of JSON, read from bytes as they come.
 *
 * The fast way makes no objects and no strings: it expects the members of a line in the order of the line
 * before, compares their names as bytes, and puts numbers and texts straight into columns. Whatever it
 * does not expect (an escape, a nested value, an odd number, a wrong type, broken JSON) it leaves to
 * JSON.parse, which then reads the whole line anew and says what is wrong. So the two ways must agree on every line that
 * both can read; a property test holds them to it.
 */

import { isUtf8 } from 'node:buffer';
import { putNumberText, putText, putValue } from '../contract/tier-file/cell.ts';
import type { Column } from '../contract/tier-file/table.ts';
import { parseJson, putObject } from './json-rows.ts';
import type { RowBuilder } from './row-builder.ts';

const NEWLINE = 0x0a;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const COMMA = 0x2c;
const OPEN = 0x7b;
const CLOSE = 0x7d;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const SPACE = 0x20;
const TAB = 0x09;
const RETURN = 0x0d;
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];

/** A longer line is no row. */
const MAX_LINE_BYTES = 16 << 20;
/** Room is made ahead for no more rows than this, whatever the first line promises. */
const MAX_FORESEEN_ROWS = 1 << 18;
/** Whole numbers of as many digits are the same text again. */
const MAX_EXACT_DIGITS = 15;

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

interface Member {
  /** The name with its quotes, as it stands in the line. */
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** The builder's column, or -1. */
  readonly index: number;
}

export class JsonLines {
  readonly #builder: RowBuilder;
  /** The members of the last line, in their order. */
  readonly #members: Member[] = [];
  #rest: Uint8Array[] = [];
  #restBytes = 0;
  #first = true;
  /** The lines at hand, and a view of all the memory beneath them. */
  #bytes: Uint8Array = new Uint8Array(0);
  #view: DataView = new DataView(this.#bytes.buffer);
  /** How many bytes there are in all, if that is known; rows are foreseen from the first lines then. */
  #totalBytes: number | undefined;

  /** @param totalBytes how many bytes will come, if that is known */
  constructor(builder: RowBuilder, totalBytes?: number) {
    this.#builder = builder;
    this.#totalBytes = totalBytes;
  }

  /** Takes the next bytes. Throws INPUT_READ_ERROR, naming row and column. */
  push(chunk: Uint8Array): void {
    const last = chunk.lastIndexOf(NEWLINE);
    if (last < 0) {
      this.#keep(chunk);
      return;
    }
    if (this.#restBytes > 0) {
      const first = chunk.indexOf(NEWLINE);
      this.#keep(chunk.subarray(0, first + 1));
      this.#readKept();
      this.#read(chunk.subarray(first + 1, last + 1));
    } else this.#read(chunk.subarray(0, last + 1));
    this.#keep(chunk.subarray(last + 1));
  }

  /** Reads the last line, which need not end with a newline. */
  end(): void {
    this.#readKept();
  }

  #keep(bytes: Uint8Array): void {
    this.#restBytes += bytes.length;
    if (this.#restBytes > MAX_LINE_BYTES) {
      throw this.#builder.rowError(this.#builder.startRow(), `is longer than ${MAX_LINE_BYTES} bytes`);
    }
    if (bytes.length > 0) this.#rest.push(bytes);
  }

  #readKept(): void {
    const line = this.#rest.length === 1 ? this.#rest[0]! : Buffer.concat(this.#rest);
    this.#rest = [];
    this.#restBytes = 0;
    this.#read(line);
  }

  /** Reads whole lines. */
  #read(bytes: Uint8Array): void {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
    const allUtf8 = isUtf8(bytes);
    let at =
      this.#first && BYTE_ORDER_MARK.every((byte, i) => bytes[i] === byte) ? BYTE_ORDER_MARK.length : 0;
    if (bytes.length > 0) this.#first = false;
    while (at < bytes.length) {
      const newline = bytes.indexOf(NEWLINE, at);
      const end = newline < 0 ? bytes.length : newline;
      if (skipSpace(bytes, at, end) < end) this.#readLine(at, end, allUtf8);
      at = end + 1;
      if (this.#totalBytes !== undefined) this.#foresee(this.#totalBytes / at);
    }
  }

  #foresee(rows: number): void {
    this.#totalBytes = undefined;
    // A little more than the first line makes one expect.
    this.#builder.expect(Math.min(MAX_FORESEEN_ROWS, Math.ceil(rows * 1.1)));
  }

  #readLine(start: number, end: number, isText: boolean): void {
    const builder = this.#builder;
    const row = builder.startRow();
    if (isText && this.#readFast(row, start, end)) return;
    builder.clearRow(row);
    let value: unknown;
    try {
      value = parseJson(decoder.decode(this.#bytes.subarray(start, end)));
    } catch (error) {
      throw builder.rowError(
        row,
        `is not JSON: ${error instanceof Error ? error.message : String(error)}`,
        error,
      );
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw builder.rowError(row, 'is JSON but no object');
    }
    putObject(builder, row, value as Record<string, unknown>);
  }

  /**
   * Reads the line from `at` on; false when it holds anything that is not expected. One long loop on
   * purpose: it is run for every byte of every upload, and keeps its place in a local variable.
   */
  #readFast(row: number, start: number, end: number): boolean {
    const bytes = this.#bytes;
    const view = this.#view;
    const base = bytes.byteOffset;
    const members = this.#members;
    const columns = this.#builder.columns;
    let at = skipSpace(bytes, start, end);
    if (bytes[at] !== OPEN) return false;
    at = skipSpace(bytes, at + 1, end);
    for (let place = 0; ; place++) {
      // The name, mostly the one that stood here in the line before.
      let member = members[place];
      if (member === undefined || !isNameAt(view, at + base, end + base, member)) {
        member = this.#learn(place, at, end);
        if (member === undefined) return false;
      }
      at = skipSpace(bytes, at + member.bytes.length, end);
      if (bytes[at] !== COLON) return false;
      at = skipSpace(bytes, at + 1, end);
      if (at >= end) return false;
      // The value.
      const { index } = member;
      const column = columns[index];
      const first = bytes[at]!;
      if (first === QUOTE) {
        const close = endOfText(bytes, at + 1, end);
        if (close < 0) return false;
        if (column !== undefined && !this.#putText(column, row, at + 1, close)) return false;
        at = close + 1;
      } else if (first === MINUS || (first >= ZERO && first <= NINE)) {
        const next = endOfNumber(bytes, at, end);
        if (next < 0 || (column !== undefined && !this.#putNumber(column, row, at, next))) return false;
        at = next;
      } else {
        const word = WORDS.get(first);
        if (word === undefined || !isAt(bytes, at, end, word.bytes)) return false;
        if (column !== undefined && putValue(column, row, word.value) !== undefined) return false;
        at += word.bytes.length;
      }
      // What follows it.
      at = skipSpace(bytes, at, end);
      const byte = bytes[at++];
      if (byte === CLOSE && at <= end) return skipSpace(bytes, at, end) === end;
      if (byte !== COMMA) return false;
      at = skipSpace(bytes, at, end);
    }
  }

  /** Takes in the name of the member at a place; undefined when there is none. */
  #learn(place: number, at: number, end: number): Member | undefined {
    const close = this.#bytes[at] === QUOTE ? endOfText(this.#bytes, at + 1, end) : -1;
    if (close < 0) return undefined;
    const bytes = this.#bytes.slice(at, close + 1);
    const index = this.#builder.columnIndex(decoder.decode(bytes.subarray(1, -1)));
    const member = { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length), index };
    this.#members[place] = member;
    return member;
  }

  /** Puts a text; false when it cannot be: the long way then says why. */
  #putText(column: Column, row: number, start: number, end: number): boolean {
    if (column.kind !== 'text') return putText(column, row, this.#bytes, start, end) === undefined;
    column.codes[row] = column.pool.internAt(this.#view, this.#bytes.byteOffset + start, end - start);
    return true;
  }

  /** Puts a number without exponent; false when it cannot be, or needs a closer look. */
  #putNumber(column: Column, row: number, start: number, end: number): boolean {
    const bytes = this.#bytes;
    if (column.kind === 'int64' || column.kind === 'float64') {
      return putNumberText(column, row, bytes, start, end) === undefined;
    }
    // As text a number is what JavaScript makes of it, which for these is what stands there.
    const isPlain = end - start <= MAX_EXACT_DIGITS && !bytes.subarray(start, end).includes(POINT);
    return (
      column.kind === 'text' && isPlain && bytes[start] !== MINUS && this.#putText(column, row, start, end)
    );
  }
}

/** Space, tab and carriage return; a newline ends the line. */
function skipSpace(bytes: Uint8Array, at: number, end: number): number {
  while (at < end && (bytes[at] === SPACE || bytes[at] === TAB || bytes[at] === RETURN)) at++;
  return at;
}

function isAt(bytes: Uint8Array, at: number, end: number, word: Uint8Array): boolean {
  const { length } = word;
  if (at + length > end) return false;
  for (let i = 0; i < length; i++) if (bytes[at + i] !== word[i]) return false;
  return true;
}

/** Whether a member's name is there: four bytes at a time, the last first. Quoted names have two or more. */
function isNameAt(view: DataView, at: number, end: number, { bytes, view: name }: Member): boolean {
  const { length } = bytes;
  if (at + length > end) return false;
  if (length < 4) {
    for (let i = 0; i < length; i++) if (view.getUint8(at + i) !== bytes[i]) return false;
    return true;
  }
  const last = length - 4;
  if (view.getInt32(at + last) !== name.getInt32(last)) return false;
  for (let i = 0; i < last; i += 4) if (view.getInt32(at + i) !== name.getInt32(i)) return false;
  return true;
}

/** Where a text's closing quote is; -1 when the text has an escape, a control character or no end. */
function endOfText(bytes: Uint8Array, at: number, end: number): number {
  for (; at < end; at++) {
    const byte = bytes[at]!;
    if (byte === QUOTE) return at;
    if (byte === BACKSLASH || byte < SPACE) return -1;
  }
  return -1;
}

/** Where digits with at most a sign and a point end; -1 when they have an exponent or are no JSON. */
function endOfNumber(bytes: Uint8Array, start: number, end: number): number {
  let at = bytes[start] === MINUS ? start + 1 : start;
  const whole = at;
  while (at < end && isDigit(bytes[at]!)) at++;
  if (at === whole || (at > whole + 1 && bytes[whole] === ZERO)) return -1;
  if (at < end && bytes[at] === POINT) {
    const fraction = ++at;
    while (at < end && isDigit(bytes[at]!)) at++;
    if (at === fraction) return -1;
  }
  const isOver = at === end || bytes[at]! <= COMMA || bytes[at] === CLOSE;
  return isOver ? at : -1;
}

const WORDS = new Map(
  [true, false, null].map((value) => {
    const bytes = encoder.encode(String(value));
    return [bytes[0]!, { bytes, value }];
  }),
);

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= NINE;
}
