/**
 * Numbers and ISO times straight from bytes, for the plain forms that nearly all cells have; NaN where
 * the bytes are of no such form, and the caller reads them as a text. Exact: what is answered here is
 * what the text's reader would answer (a property test holds that).
 */

const POWERS = Float64Array.from({ length: 23 }, (_, n) => 10 ** n);
/** Digits that a double holds exactly. */
const MAX_DIGITS = 15;

/** `-123.456`, at most 15 digits; blanks around it are fine. A number is exact: one division, rounded once. */
export function numberOfBytes(bytes: Uint8Array, from: number, to: number): number {
  let start = from;
  let end = to;
  while (start < end && bytes[start] === 0x20) start++;
  while (end > start && bytes[end - 1] === 0x20) end--;
  let negative = false;
  if (bytes[start] === 0x2d) {
    negative = true;
    start++;
  }
  let digits = 0;
  let value = 0;
  let point = -1;
  for (let i = start; i < end; i++) {
    const c = bytes[i]! - 0x30;
    if (c >= 0 && c <= 9) {
      value = value * 10 + c;
      if (value > 0) digits++;
    } else if (c === -2 && point < 0) point = i;
    else return Number.NaN;
  }
  const length = end - start - (point < 0 ? 0 : 1);
  if (length === 0 || digits > MAX_DIGITS) return Number.NaN;
  if (point >= 0) {
    const scale = end - point - 1;
    if (scale > 22) return Number.NaN;
    value /= POWERS[scale]!;
  }
  return negative ? -value : value;
}

function two(bytes: Uint8Array, at: number): number {
  const a = bytes[at]! - 0x30;
  const b = bytes[at + 1]! - 0x30;
  return a >= 0 && a <= 9 && b >= 0 && b <= 9 ? a * 10 + b : -1;
}

const DAYS_IN = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const;

/** Days since 1970-01-01 of a date of the Gregorian calendar (Howard Hinnant's algorithm). */
function daysOf(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

/** Reads `YYYY-MM-DD`, `…[T ]HH:MM[:SS[.fffffffff]][Z]` as UTC microseconds; keeps the last day read. */
export function createIsoOfBytes(): (bytes: Uint8Array, start: number, end: number) => number {
  let lastDate = -1;
  let lastMicros = 0;
  return (bytes, start, end) => {
    const length = end - start;
    if (length < 10 || bytes[start + 4] !== 0x2d || bytes[start + 7] !== 0x2d) return Number.NaN;
    const century = two(bytes, start);
    const years = two(bytes, start + 2);
    const month = two(bytes, start + 5);
    const day = two(bytes, start + 8);
    if (century < 0 || years < 0) return Number.NaN;
    const year = century * 100 + years;
    const date = (year * 16 + month) * 32 + day;
    if (date !== lastDate) {
      if (year < 1 || month < 1 || month > 12 || day < 1 || day > DAYS_IN[month - 1]!) return Number.NaN;
      if (month === 2 && day === 29 && (year % 4 !== 0 || (year % 100 === 0 && year % 400 !== 0)))
        return Number.NaN;
      lastDate = date;
      lastMicros = daysOf(year, month, day) * 86_400_000_000;
    }
    if (length === 10) return lastMicros;
    const separator = bytes[start + 10];
    if (length < 16 || (separator !== 0x54 && separator !== 0x20) || bytes[start + 13] !== 0x3a)
      return Number.NaN;
    const hour = two(bytes, start + 11);
    const minute = two(bytes, start + 14);
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59) return Number.NaN;
    let at = start + 16;
    let micros = lastMicros + (hour * 60 + minute) * 60_000_000;
    if (at < end && bytes[at] === 0x3a) {
      if (end - at < 3) return Number.NaN;
      const second = two(bytes, at + 1);
      if (second < 0 || second > 59) return Number.NaN;
      micros += second * 1_000_000;
      at += 3;
      if (at < end && bytes[at] === 0x2e) {
        let unit = 100_000;
        const first = at + 1;
        for (at = first; at < end; at++) {
          const digit = bytes[at]! - 0x30;
          if (digit < 0 || digit > 9) break;
          if (unit >= 1) micros += digit * unit;
          unit = unit >= 10 ? unit / 10 : 0;
        }
        if (at === first || at - first > 9) return Number.NaN;
      }
    }
    if (at < end && bytes[at] === 0x5a) at++;
    return at === end ? micros : Number.NaN;
  };
}
