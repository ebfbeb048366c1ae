/**
 * Putting single values into typed columns, with the casts of the tiers. Every function returns what is
 * wrong with the value, for the caller to add row and column to, or undefined when it was put.
 *
 * The casts follow the original writers (Polars): 2.7 becomes 2 in an int64 column, numeric text becomes
 * a number. What they let through by accident is refused: NaN and infinity, booleans as numbers, numbers
 * as times. Text comes as UTF-8 bytes, so that a column of a million texts makes no strings.
 *
 * A time is `2026-01-23 14:20:00` (UTC), or carries an offset in digits, as `2026-01-23T14:20:00+00:00`,
 * which is what Python's isoformat writes; there seconds may have a fraction. The original writers refuse
 * every other text, `2026-01-23T12:00:00Z` too, and so do we.
 */

import { InvalidRequestError } from '../../common/errors.ts';
import { type Column, FALSE, TRUE, type WideColumn } from './table.ts';

export type Problem = string | undefined;

/** A problem with its place. `where` is what the rows come from, as a file's key; rows count from 0 here. */
export function cellError(where: string, row: number, column: string, problem: string): InvalidRequestError {
  return new InvalidRequestError(
    'INPUT_READ_ERROR',
    `${where}: row ${row + 1}, column ${column}: ${problem}`,
    {
      fields: { row: row + 1, column },
    },
  );
}

const decoder = new TextDecoder();
const encoder = new TextEncoder();
const float = new Float64Array(1);
const floatWords = new Int32Array(float.buffer);
const TWO_32 = 4_294_967_296;
const TWO_63 = 2 ** 63;
const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;
const SHOWN_BYTES = 40;

const ZERO = 0x30;
const NINE = 0x39;
const POINT = 0x2e;
const MINUS = 0x2d;
const PLUS = 0x2b;
const COLON = 0x3a;
const SPACE = 0x20;
const LETTER_T = 0x54;

/** Powers of ten that are exact doubles: a product or quotient with one is rounded once, so correctly. */
export const POWERS = Float64Array.from({ length: 23 }, (_, i) => Number(`1e${i}`));

/** A quoted, shortened text for messages. */
export function shown(bytes: Uint8Array, start: number, end: number): string {
  const cut = end - start > SHOWN_BYTES;
  return JSON.stringify(
    decoder.decode(bytes.subarray(start, cut ? start + SHOWN_BYTES : end)) + (cut ? '…' : ''),
  );
}

/** Puts null. Whether the column may be null is the caller's to know. */
export function putNull(column: Column, row: number): void {
  if (column.kind === 'text') column.codes[row] = 0;
  else if (column.kind === 'boolean') column.flags[row] = 2;
  else {
    column.valid[row] = 0;
    column.words[row * 2] = 0;
    column.words[row * 2 + 1] = 0;
  }
}

/** Puts the text bytes[start, end). */
export function putText(column: Column, row: number, bytes: Uint8Array, start: number, end: number): Problem {
  switch (column.kind) {
    case 'text':
      column.codes[row] = column.pool.intern(bytes, start, end);
      return undefined;
    case 'timestamp':
      return putTimeText(column, row, bytes, start, end);
    case 'boolean':
      return putBooleanText(column.flags, row, bytes, start, end);
    default:
      return putNumberText(column, row, bytes, start, end);
  }
}

/** Puts a JavaScript value as JSON, CSV or Arrow give it; undefined is null. */
export function putValue(column: Column, row: number, value: unknown): Problem {
  if (value === null || value === undefined) putNull(column, row);
  else if (typeof value === 'string') {
    const bytes = encoder.encode(value);
    return putText(column, row, bytes, 0, bytes.length);
  } else if (typeof value === 'number') return putNumber(column, row, value);
  else if (typeof value === 'boolean') return putBoolean(column, row, value);
  else if (typeof value === 'bigint') return putBigInt(column, row, value);
  else return `is ${Array.isArray(value) ? 'a list' : 'an object'}, not ${wanted(column)}`;
  return undefined;
}

export function putBoolean(column: Column, row: number, value: boolean): Problem {
  if (column.kind !== 'boolean') return `is ${value}, not ${wanted(column)}`;
  column.flags[row] = value ? TRUE : FALSE;
  return undefined;
}

/**
 * Puts a number. In an int64 column one beyond 2^53 is refused unless it has come as a bigint or as text:
 * a double may not be the number that was written.
 */
export function putNumber(column: Column, row: number, value: number): Problem {
  if (!Number.isFinite(value)) return `is ${value}, not ${wanted(column)}`;
  switch (column.kind) {
    case 'float64':
      putDouble(column, row, value);
      return undefined;
    case 'int64': {
      const whole = Math.trunc(value);
      if (Number.isSafeInteger(whole)) {
        putWhole(column, row, whole);
        return undefined;
      }
      if (whole < -TWO_63 || whole >= TWO_63) return `${value} is beyond int64`;
      return `${value} is beyond 2^53, where a JSON number is not exact: give it as text`;
    }
    case 'text':
    case 'boolean':
      return putValue(column, row, String(value));
    case 'timestamp':
      return `is the number ${value}, not ${wanted(column)}`;
  }
}

export function putBigInt(column: Column, row: number, value: bigint): Problem {
  switch (column.kind) {
    case 'int64':
      if (value < INT64_MIN || value > INT64_MAX)
        return `${String(value).slice(0, SHOWN_BYTES)} is beyond int64`;
      column.words[row * 2] = Number(BigInt.asIntN(32, value));
      column.words[row * 2 + 1] = Number(value >> 32n);
      column.valid[row] = 1;
      return undefined;
    case 'float64':
      putDouble(column, row, Number(value));
      return undefined;
    case 'timestamp':
      return `is the number ${value}, not ${wanted(column)}`;
    default:
      return putValue(column, row, String(value));
  }
}

/** Puts a whole number within 2^53: an int64, or a timestamp in microseconds. */
export function putWhole(column: WideColumn, row: number, value: number): void {
  const low = value | 0;
  column.words[row * 2] = low;
  column.words[row * 2 + 1] = low === value ? low >> 31 : Math.floor(value / TWO_32);
  column.valid[row] = 1;
}

export function putDouble(column: WideColumn, row: number, value: number): void {
  float[0] = value;
  column.words[row * 2] = floatWords[0]!;
  column.words[row * 2 + 1] = floatWords[1]!;
  column.valid[row] = 1;
}

function wanted(column: Column): string {
  if (column.kind === 'text') return 'text';
  if (column.kind === 'timestamp') return 'a time as text (YYYY-MM-DD HH:MM:SS, UTC)';
  return column.kind === 'boolean' ? 'true or false' : 'a number';
}

/** Puts the number written in bytes[start, end) into an int64 or float64 column. */
export function putNumberText(
  column: WideColumn,
  row: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): Problem {
  let at = start;
  const negative = bytes[at] === MINUS;
  if (negative || bytes[at] === PLUS) at++;
  // Up to 15 digits make an exact double; a power of ten up to 22 then scales it with one rounding.
  let digits = 0;
  let mantissa = 0;
  let fraction = 0;
  let point = false;
  for (; at < end; at++) {
    const byte = bytes[at]!;
    if (byte >= ZERO && byte <= NINE) {
      mantissa = mantissa * 10 + (byte - ZERO);
      digits++;
      if (point) fraction++;
    } else if (byte === POINT && !point) point = true;
    else break;
  }
  if (at !== end || digits === 0 || digits > 15) return putOddNumber(column, row, bytes, start, end);
  const size = fraction === 0 ? mantissa : mantissa / POWERS[fraction]!;
  const value = negative ? -size : size;
  if (column.kind === 'int64') putWhole(column, row, Math.trunc(value) + 0);
  else putDouble(column, row, value);
  return undefined;
}

/** Numbers that are long or have an exponent, and what is no number at all. */
function putOddNumber(
  column: WideColumn,
  row: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): Problem {
  if (end - start > 400) return `${shown(bytes, start, end)} is not a number`;
  const text = decoder.decode(bytes.subarray(start, end));
  if (column.kind === 'int64' && /^[+-]?\d+$/.test(text)) {
    return putBigInt(column, row, BigInt(text.replace('+', '')));
  }
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text))
    return `${shown(bytes, start, end)} is not a number`;
  const value = Number(text);
  if (!Number.isFinite(value)) return `${text} is beyond float64`;
  if (column.kind === 'float64') putDouble(column, row, value);
  else {
    const whole = Math.trunc(value);
    if (whole < -TWO_63 || whole >= TWO_63) return `${text} is beyond int64`;
    return putBigInt(column, row, BigInt(whole));
  }
  return undefined;
}

function putBooleanText(
  flags: Uint8Array,
  row: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): Problem {
  const text = end - start <= 5 ? decoder.decode(bytes.subarray(start, end)).toLowerCase() : '';
  if (text === 'true' || text === '1') flags[row] = TRUE;
  else if (text === 'false' || text === '0') flags[row] = FALSE;
  else return `${shown(bytes, start, end)} is not true or false`;
  return undefined;
}

function putTimeText(
  column: WideColumn,
  row: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): Problem {
  const micros = parseTimeText(bytes, start, end);
  if (micros === undefined) {
    return `${shown(bytes, start, end)} is not a time as YYYY-MM-DD HH:MM:SS (UTC)`;
  }
  putWhole(column, row, micros);
  return undefined;
}

/** The time written in bytes[start, end), in microseconds since the epoch; undefined when it is none. */
export function parseTimeText(bytes: Uint8Array, start: number, end: number): number | undefined {
  if (end - start < 19) return undefined;
  const year = twoDigits(bytes, start) * 100 + twoDigits(bytes, start + 2);
  const month = twoDigits(bytes, start + 5);
  const day = twoDigits(bytes, start + 8);
  const hour = twoDigits(bytes, start + 11);
  const minute = twoDigits(bytes, start + 14);
  const second = twoDigits(bytes, start + 17);
  const separator = bytes[start + 10];
  const inPlace =
    bytes[start + 4] === MINUS &&
    bytes[start + 7] === MINUS &&
    (separator === SPACE || separator === LETTER_T) &&
    bytes[start + 13] === COLON &&
    bytes[start + 16] === COLON;
  // NaN, from what is no digit, fails every comparison.
  const inRange =
    year >= 1 && month >= 1 && month <= 12 && day >= 1 && hour <= 23 && minute <= 59 && second <= 59;
  if (!inPlace || !inRange || !(day <= daysIn(year, month))) return undefined;
  const seconds = daysFromEpoch(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
  if (end - start === 19) return separator === SPACE ? seconds * 1e6 : undefined;
  const rest = parseFractionAndOffset(bytes, start + 19, end);
  return rest === undefined ? undefined : seconds * 1e6 + rest;
}

/** `[.f…]±HH:MM`, the fraction of up to six digits, as microseconds to add. */
function parseFractionAndOffset(bytes: Uint8Array, start: number, end: number): number | undefined {
  let at = start;
  let micros = 0;
  if (bytes[at] === POINT) {
    let scale = 100_000;
    for (at++; bytes[at]! >= ZERO && bytes[at]! <= NINE && scale >= 1; at++, scale /= 10) {
      micros += (bytes[at]! - ZERO) * scale;
    }
    if (at === start + 1) return undefined;
  }
  const sign = bytes[at];
  if ((sign !== PLUS && sign !== MINUS) || end - at !== 6 || bytes[at + 3] !== COLON) return undefined;
  const hours = twoDigits(bytes, at + 1);
  const minutes = twoDigits(bytes, at + 4);
  if (!(hours <= 23 && minutes <= 59)) return undefined;
  const offset = (hours * 60 + minutes) * 60e6;
  return Math.round(micros) + (sign === PLUS ? -offset : offset);
}

/** The number of two digits, or NaN. */
function twoDigits(bytes: Uint8Array, at: number): number {
  const tens = bytes[at]! - ZERO;
  const ones = bytes[at + 1]! - ZERO;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : Number.NaN;
}

/** Days in a month of the Gregorian calendar; months from 1. */
export function daysIn(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** Days from 1970-01-01 to a date of the Gregorian calendar. Years are counted from March, so that leap days end them. */
function daysFromEpoch(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}
