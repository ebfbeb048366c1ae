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
import { POWERS, putDouble, putText, putValue, putWhole } from '../lake/tier-table/cell.ts';
import type { Column, WideColumn } from '../lake/tier-table/table.ts';
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
/** A time as text with its quotes is no longer. */
const MAX_TIME_BYTES = 64;
/** Whole numbers of as many digits are the same text again. */
const MAX_EXACT_DIGITS = 15;

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

/** What leads to a value, as it stands in the line: `,"SPS":`, or with a brace for the first. Four bytes or more. */
interface Member {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** The builder's column, or -1. */
  readonly index: number;
}

/** The time that was read last: its text with its quotes, in memory that is used again, and its words. */
class LastTime {
  readonly #bytes = new Uint8Array(MAX_TIME_BYTES);
  readonly #view = new DataView(this.#bytes.buffer);
  /** 0 before the first. */
  length = 0;
  low = 0;
  high = 0;

  isNext(view: DataView, at: number, end: number): boolean {
    return this.length > 0 && isNext(view, at, end, this.#view, this.length);
  }

  /** Remembers bytes[start, end), if they are no more than times have. */
  keep(bytes: Uint8Array, start: number, end: number, low: number, high: number): void {
    this.length = end - start <= MAX_TIME_BYTES ? end - start : 0;
    for (let i = 0; i < this.length; i++) this.#bytes[i] = bytes[start + i]!;
    this.low = low;
    this.high = high;
  }
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
  readonly #lastTime = new LastTime();
  /** How many bytes there are in all, if that is known; rows are foreseen from the first lines then. */
  #totalBytes: number | undefined;

  /** @param totalBytes how many bytes will come, if that is known */
  constructor(builder: RowBuilder, totalBytes?: number) {
    this.#builder = builder;
    this.#totalBytes = totalBytes;
  }

  /** Takes the next bytes, and keeps none of their memory. Throws INPUT_READ_ERROR, naming row and column. */
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
    if (bytes.length > 0) this.#rest.push(new Uint8Array(bytes));
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
      // Blank lines can be many millions, where a packed file is a bomb.
      if (bytes[at] === NEWLINE) {
        at++;
        continue;
      }
      at = this.#readLine(at, allUtf8);
      if (this.#totalBytes !== undefined) this.#foresee(this.#totalBytes / at);
    }
  }

  #foresee(rows: number): void {
    this.#totalBytes = undefined;
    // A little more than the first line makes one expect.
    this.#builder.expect(Math.min(MAX_FORESEEN_ROWS, Math.ceil(rows * 1.1)));
  }

  /** Reads the line from `start` on; returns where the next one begins. */
  #readLine(start: number, isText: boolean): number {
    const bytes = this.#bytes;
    const builder = this.#builder;
    const begin = skipSpace(bytes, start, bytes.length);
    if (begin === bytes.length || bytes[begin] === NEWLINE) return begin + 1;
    const row = builder.startRow();
    const next = isText ? this.#readFast(row, start) : -1;
    if (next >= 0) return next;
    const newline = bytes.indexOf(NEWLINE, start);
    const end = newline < 0 ? bytes.length : newline;
    this.#readSlowly(row, start, end);
    return end + 1;
  }

  /** The long way, by JSON.parse. */
  #readSlowly(row: number, start: number, end: number): void {
    const builder = this.#builder;
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
   * Reads the line from `start` on; returns where the next one begins, or -1 when it holds anything that
   * is not expected. One loop on purpose: it is run for every byte of every upload, and keeps its place in
   * a local variable. No part of it passes a newline, which is neither space nor within a text.
   */
  #readFast(row: number, start: number): number {
    const bytes = this.#bytes;
    const view = this.#view;
    const base = bytes.byteOffset;
    const end = bytes.length;
    const columns = this.#builder.columns;
    let at = start;
    for (let place = 0; ; place++) {
      // What leads to the value: mostly what stood here in the line before.
      let member = this.#members[place];
      if (member === undefined || !isNext(view, at + base, end + base, member.view, member.bytes.length)) {
        member = this.#learn(place, at, end);
        if (member === undefined) return place > 0 ? endOfLine(bytes, at, end) : -1;
      }
      at += member.bytes.length;
      const column = columns[member.index];
      const first = bytes[at]!;
      if (first === QUOTE) {
        at =
          column?.kind === 'timestamp'
            ? this.#readTime(column, row, at, end)
            : this.#readText(column, row, at, end);
      } else if (first === MINUS || (first >= ZERO && first <= NINE)) {
        at = this.#readNumber(column, row, at);
      } else at = this.#readWord(column, row, at, end);
      if (at < 0) return -1;
      if (bytes[at] === CLOSE && bytes[at + 1] === NEWLINE) return at + 2;
    }
  }

  /** Takes in what leads to the value of the member at a place; undefined when there is none. */
  #learn(place: number, start: number, end: number): Member | undefined {
    const bytes = this.#bytes;
    let at = skipSpace(bytes, start, end);
    if (bytes[at] !== (place === 0 ? OPEN : COMMA)) return undefined;
    const open = skipSpace(bytes, at + 1, end);
    const close = bytes[open] === QUOTE ? endOfText(bytes, open + 1, end) : -1;
    if (close < 0) return undefined;
    at = skipSpace(bytes, close + 1, end);
    if (bytes[at] !== COLON) return undefined;
    at = skipSpace(bytes, at + 1, end);
    const index = this.#builder.columnIndex(decoder.decode(bytes.subarray(open + 1, close)));
    // A copy, also where `bytes` is a Buffer, whose slices are none.
    const lead = new Uint8Array(bytes.subarray(start, at));
    const member = { bytes: lead, view: new DataView(lead.buffer), index };
    this.#members[place] = member;
    return member;
  }

  /** Reads true, false or null; returns where it ends, or -1 when it is none of them or cannot be put. */
  #readWord(column: Column | undefined, row: number, start: number, end: number): number {
    const word = WORDS.get(this.#bytes[start]!);
    if (word === undefined || !isWordAt(this.#bytes, start, end, word.bytes)) return -1;
    if (column !== undefined && putValue(column, row, word.value) !== undefined) return -1;
    return start + word.bytes.length;
  }

  /** Reads a text; returns where it ends, or -1 when it has an escape or cannot be put. */
  #readText(column: Column | undefined, row: number, start: number, end: number): number {
    const close = endOfText(this.#bytes, start + 1, end);
    if (close < 0) return -1;
    if (column?.kind === 'text') {
      column.codes[row] = column.pool.internAt(
        this.#view,
        this.#bytes.byteOffset + start + 1,
        close - start - 1,
      );
    } else if (column !== undefined && putText(column, row, this.#bytes, start + 1, close) !== undefined)
      return -1;
    return close + 1;
  }

  /** As `#readText`. The times of an upload are mostly few, so the last one is a good guess. */
  #readTime(column: WideColumn, row: number, start: number, end: number): number {
    const base = this.#bytes.byteOffset;
    const last = this.#lastTime;
    if (last.isNext(this.#view, start + base, end + base)) {
      column.words[row * 2] = last.low;
      column.words[row * 2 + 1] = last.high;
      column.valid[row] = 1;
      return start + last.length;
    }
    const at = this.#readText(column, row, start, end);
    if (at < 0) return -1;
    last.keep(this.#bytes, start, at, column.words[row * 2]!, column.words[row * 2 + 1]!);
    return at;
  }

  /**
   * Reads a number of digits with at most a sign and a point; returns where it ends, or -1 when it has
   * many digits, is no JSON or cannot be put: the long way looks closer. An exponent is what follows then,
   * and not expected.
   */
  #readNumber(column: Column | undefined, row: number, start: number): number {
    const bytes = this.#bytes;
    const isNegative = bytes[start] === MINUS;
    const whole = isNegative ? start + 1 : start;
    let at = whole;
    let mantissa = 0;
    for (let digit = bytes[at]! - ZERO; digit >= 0 && digit <= 9; digit = bytes[++at]! - ZERO) {
      mantissa = mantissa * 10 + digit;
    }
    let digits = at - whole;
    if (digits === 0 || (digits > 1 && bytes[whole] === ZERO)) return -1;
    let fraction = 0;
    if (bytes[at] === POINT) {
      const point = at++;
      for (let digit = bytes[at]! - ZERO; digit >= 0 && digit <= 9; digit = bytes[++at]! - ZERO) {
        mantissa = mantissa * 10 + digit;
      }
      fraction = at - point - 1;
      if (fraction === 0) return -1;
      digits += fraction;
    }
    if (digits > MAX_EXACT_DIGITS) return -1;
    if (column === undefined) return at;
    // As many digits make an exact double, and a power of ten up to that one too: one rounding, the right one.
    const size = fraction === 0 ? mantissa : mantissa / POWERS[fraction]!;
    if (column.kind === 'float64') putDouble(column, row, isNegative ? -size : size);
    else if (column.kind === 'int64') putWhole(column, row, Math.trunc(isNegative ? -size : size));
    else {
      // As text a number is what JavaScript makes of it, which for these is what stands there.
      if (column.kind !== 'text' || fraction > 0 || isNegative) return -1;
      column.codes[row] = column.pool.internAt(this.#view, bytes.byteOffset + start, at - start);
    }
    return at;
  }
}

/** Where the next line begins, if an object and its line end here; else -1. */
function endOfLine(bytes: Uint8Array, start: number, end: number): number {
  const brace = skipSpace(bytes, start, end);
  if (bytes[brace] !== CLOSE) return -1;
  const at = skipSpace(bytes, brace + 1, end);
  return at === end || bytes[at] === NEWLINE ? at + 1 : -1;
}

/** Space, tab and carriage return; a newline ends the line. */
function skipSpace(bytes: Uint8Array, at: number, end: number): number {
  while (at < end && (bytes[at] === SPACE || bytes[at] === TAB || bytes[at] === RETURN)) at++;
  return at;
}

function isWordAt(bytes: Uint8Array, at: number, end: number, word: Uint8Array): boolean {
  const { length } = word;
  if (at + length > end) return false;
  for (let i = 0; i < length; i++) if (bytes[at + i] !== word[i]) return false;
  return true;
}

/** Whether the first `length` bytes of `other` come next: four at a time, the last first. */
function isNext(view: DataView, at: number, end: number, other: DataView, length: number): boolean {
  const last = length - 4;
  if (at + length > end || view.getInt32(at + last) !== other.getInt32(last)) return false;
  for (let i = 0; i < last; i += 4) if (view.getInt32(at + i) !== other.getInt32(i)) return false;
  return true;
}

/** Where a text's closing quote is; -1 when the text has an escape, a control character or no end. */
function endOfText(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && ENDS_TEXT[bytes[at]!] === 0) at++;
  return at < end && bytes[at] === QUOTE ? at : -1;
}

/** 1 for the bytes that do not stand for themselves within a text. */
const ENDS_TEXT = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte === QUOTE || byte === BACKSLASH || byte < SPACE ? 1 : 0,
);

const WORDS = new Map(
  [true, false, null].map((value) => {
    const bytes = encoder.encode(String(value));
    return [bytes[0]!, { bytes, value }];
  }),
);
