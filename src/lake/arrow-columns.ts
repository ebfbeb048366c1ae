/**
 * Arrow columns as plain typed arrays: times as microseconds since the epoch, numbers as doubles, and
 * which rows hold a given text. Null stands as NaN. What a column may be is decided here and only here.
 */

import { type Data, DataType, DateUnit, Precision, TimeUnit, Vector } from 'apache-arrow';
import { InvalidRequestError } from '../common/errors.ts';

const TWO_32 = 2 ** 32;

/** The fault of a column that is of no usable type; `where` names file and column. */
function wrongType(where: string, data: Data, wanted: string): InvalidRequestError {
  return new InvalidRequestError(
    'INPUT_READ_ERROR',
    `${where} is of type ${String(data.type)}, must be ${wanted}`,
  );
}

/** Writes NaN where `data` holds a null. */
function blankNulls(data: Data, target: Float64Array): Float64Array {
  if (data.nullCount > 0) {
    for (let i = 0; i < data.length; i++) if (!data.getValid(i)) target[i] = Number.NaN;
  }
  return target;
}

/** Signed 64-bit integers as doubles times `factor`, without a BigInt for each row. */
function longsToDoubles(
  values: BigInt64Array,
  length: number,
  divisor: number,
  factor: number,
): Float64Array {
  const halves = new Int32Array(values.buffer, values.byteOffset, length * 2);
  const target = new Float64Array(length);
  for (let i = 0; i < length; i++) {
    const low = halves[2 * i]! >>> 0;
    target[i] = halves[2 * i + 1]! * TWO_32 + low;
  }
  if (divisor !== 1) {
    // Nanoseconds are beyond a double's 53 bits: divide before they are rounded.
    const wide = BigInt(divisor);
    for (let i = 0; i < length; i++) {
      const value = values[i]!;
      const quotient = value / wide;
      target[i] = Number(value % wide < 0n ? quotient - 1n : quotient);
    }
  } else if (factor !== 1) {
    for (let i = 0; i < length; i++) target[i] = target[i]! * factor;
  }
  return target;
}

const MICROS_IN: Readonly<Record<TimeUnit, { divisor: number; factor: number }>> = {
  [TimeUnit.SECOND]: { divisor: 1, factor: 1_000_000 },
  [TimeUnit.MILLISECOND]: { divisor: 1, factor: 1_000 },
  [TimeUnit.MICROSECOND]: { divisor: 1, factor: 1 },
  [TimeUnit.NANOSECOND]: { divisor: 1_000, factor: 1 },
};

const ISO_TIME =
  /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s*(Z|z|[+-]\d{2}(?::?\d{2})?)?)?$/;

/**
 * ISO text as microseconds since the epoch, or NaN where it is none: a date, or date and time with `T`
 * or a blank between, seconds and a fraction optional, `Z` or an offset optional (without one: UTC).
 */
export function parseIsoMicros(text: string): number {
  const match = ISO_TIME.exec(text.trim());
  if (match === null) return Number.NaN;
  const [, year, month, day, hour = '0', minute = '0', second = '0', fraction = '', zone = 'Z'] = match;
  const parts = [
    Number(year),
    Number(month) - 1,
    Number(day),
    Number(hour),
    Number(minute),
    Number(second),
  ] as const;
  const ms = Date.UTC(...parts);
  const date = new Date(ms);
  const same =
    date.getUTCMonth() === parts[1] && date.getUTCDate() === parts[2] && date.getUTCHours() === parts[3];
  if (!same || parts[4] > 59 || parts[5] > 59) return Number.NaN;
  if (parts[0] < 100) date.setUTCFullYear(parts[0]);
  const micros = Number(fraction.slice(0, 6).padEnd(6, '0'));
  let offset = 0;
  if (zone !== 'Z' && zone !== 'z') {
    const digits = zone.slice(1).replace(':', '').padEnd(4, '0');
    const hours = Number(digits.slice(0, 2));
    const minutes = Number(digits.slice(2));
    if (hours > 23 || minutes > 59) return Number.NaN;
    offset = (hours * 60 + minutes) * (zone[0] === '-' ? -1 : 1);
  }
  return (date.getTime() - offset * 60_000) * 1_000 + micros;
}

/** A time column as microseconds since the epoch; null is NaN. Timestamp of any unit, date, or ISO text. */
export function timesOf(data: Data, where: string): Float64Array {
  const { type, length } = data;
  if (DataType.isTimestamp(type)) {
    const { divisor, factor } = MICROS_IN[type.unit as TimeUnit];
    return blankNulls(data, longsToDoubles(data.values as BigInt64Array, length, divisor, factor));
  }
  if (DataType.isDate(type)) {
    if (type.unit === DateUnit.DAY) {
      const days = data.values as Int32Array;
      return blankNulls(
        data,
        Float64Array.from(days.subarray(0, length), (day) => day * 86_400_000_000),
      );
    }
    return blankNulls(data, longsToDoubles(data.values as BigInt64Array, length, 1, 1_000));
  }
  if (isText(data)) {
    const vector = new Vector([data]);
    const target = new Float64Array(length);
    for (let i = 0; i < length; i++) {
      const text = vector.get(i) as string | null;
      target[i] = text === null ? Number.NaN : parseIsoMicros(text);
      if (text !== null && Number.isNaN(target[i])) {
        const shown = JSON.stringify(text.slice(0, 40));
        throw new InvalidRequestError(
          'INPUT_READ_ERROR',
          `${where} holds ${shown}, which is no ISO date or time`,
        );
      }
    }
    return target;
  }
  throw wrongType(where, data, 'a timestamp, a date or ISO text');
}

/** A number column as doubles of its own; null is NaN. Any integer, float or decimal. */
export function numbersOf(data: Data, where: string): Float64Array {
  const { type, length } = data;
  if (DataType.isFloat(type)) {
    if (type.precision === Precision.DOUBLE)
      return blankNulls(data, (data.values as Float64Array).slice(0, length));
    if (type.precision === Precision.SINGLE) {
      return blankNulls(data, Float64Array.from((data.values as Float32Array).subarray(0, length)));
    }
    const vector = new Vector([data]);
    return blankNulls(
      data,
      Float64Array.from({ length }, (_, i) => vector.get(i) ?? Number.NaN),
    );
  }
  if (DataType.isInt(type)) {
    if (type.bitWidth < 64)
      return blankNulls(data, Float64Array.from((data.values as Int32Array).subarray(0, length)));
    if (type.isSigned) return blankNulls(data, longsToDoubles(data.values as BigInt64Array, length, 1, 1));
    return blankNulls(data, Float64Array.from((data.values as BigUint64Array).subarray(0, length), Number));
  }
  if (DataType.isDecimal(type)) {
    const words = type.bitWidth / 32;
    const values = data.values as Uint32Array;
    const target = new Float64Array(length);
    for (let i = 0; i < length; i++) target[i] = decimalAt(values, i * words, words, type.scale);
    return blankNulls(data, target);
  }
  throw wrongType(where, data, 'a number');
}

/** Powers of ten up to this one are doubles without loss. */
const MAX_EXACT_POWER = 22;
const MAX_EXACT = BigInt(Number.MAX_SAFE_INTEGER);

/** Little-endian two's complement of `words` 32-bit words, times 10^-scale, rounded once. */
function decimalAt(values: Uint32Array, start: number, words: number, scale: number): number {
  let bits = 0n;
  for (let w = words - 1; w >= 0; w--) bits = (bits << 32n) | BigInt(values[start + w]!);
  const unscaled = BigInt.asIntN(words * 32, bits);
  const exact = unscaled <= MAX_EXACT && unscaled >= -MAX_EXACT && scale >= 0 && scale <= MAX_EXACT_POWER;
  return exact ? Number(unscaled) / 10 ** scale : Number(`${unscaled}e${-scale}`);
}

function isText(data: Data): boolean {
  const { type } = data;
  if (DataType.isDictionary(type))
    return DataType.isUtf8(type.dictionary) || DataType.isLargeUtf8(type.dictionary);
  return DataType.isUtf8(type) || DataType.isLargeUtf8(type) || DataType.isUtf8View(type);
}

/** Which rows of a text column hold `wanted`: their indices, ascending. */
export function rowsHolding(data: Data, wanted: string, where: string): Uint32Array {
  if (!isText(data)) throw wrongType(where, data, 'text');
  const rows = new Uint32Array(data.length);
  let count = 0;
  if (DataType.isUtf8(data.type) && data.valueOffsets !== undefined) {
    // Compare bytes in place: no text is made for rows that are not ours.
    const bytes = Buffer.from(wanted);
    const offsets = data.valueOffsets as Int32Array;
    const text = data.values as Uint8Array;
    for (let i = 0; i < data.length; i++) {
      const start = offsets[i]!;
      if (offsets[i + 1]! - start !== bytes.length) continue;
      let k = 0;
      while (k < bytes.length && text[start + k] === bytes[k]) k++;
      if (k === bytes.length && data.getValid(i)) rows[count++] = i;
    }
    return rows.subarray(0, count);
  }
  const vector = new Vector([data]);
  for (let i = 0; i < data.length; i++) if (vector.get(i) === wanted) rows[count++] = i;
  return rows.subarray(0, count);
}
