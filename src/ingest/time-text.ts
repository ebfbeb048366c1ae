/**
 * Times as files write them, as microseconds since the epoch: ISO, day-first, month-first, epoch
 * seconds and milliseconds, Excel serials. A text without an offset is of the request's time zone.
 */

import type { DateStyle } from '../contract/ingest-run.ts';
import { parseIsoMicros } from '../lake/arrow-columns.ts';

const OFFSET = /(?:[zZ]|[+-]\d{2}(?::?\d{2})?)$/;
const PARTS =
  /^(\d{1,4})[./-](\d{1,2})[./-](\d{1,4})(?:[T ]+(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s*([AaPp][Mm])?)?$/;
const NAMED =
  /^(?:(\d{1,2})[ .-]+([A-Za-z]{3,9})|([A-Za-z]{3,9})[ .-]+(\d{1,2}),?)[ .,-]+(\d{4})(?: +(\d{1,2}):(\d{2})(?::(\d{2}))?)?$/;
const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const COMPACT = /^(\d{4})(\d{2})(\d{2})(?:T(\d{2})(\d{2})(\d{2})?Z?)?$/;
const MONTH_ONLY = /^(\d{4})-(\d{2})$/;
const NUMBER = /^[+-]?\d+(?:\.\d+)?$/;

/** From the year 1 to the end of 9999: beyond it nothing reads a timestamp. */
const EARLIEST = -62_135_596_800_000_000;
const LATEST = 253_402_300_800_000_000;
const MICROS_A_DAY = 86_400_000_000;
/** 1970-01-01 as Excel's serial; day 60 is the 29 February 1900 that never was. */
const EXCEL_EPOCH = 25_569;
const EXCEL_1904 = 1_462;

/** Offset of a time zone from UTC at a local or UTC time, in milliseconds. */
export interface Zone {
  /** The UTC time (ms) of a local time (ms, as if it were UTC); of two the earlier, of none the later. */
  toUtc(localMs: number): number;
}

const UTC: Zone = { toUtc: (localMs) => localMs };

/** A zone by its IANA name. Offsets are kept for each quarter of an hour that was asked for. */
export function openZone(name: string): Zone {
  if (/^(?:UTC|Etc\/UTC|GMT|Z)$/i.test(name)) return UTC;
  const format = new Intl.DateTimeFormat('en-US-u-hc-h23', {
    timeZone: name,
    era: 'short',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  });
  const quarter = 900_000;
  const kept = new Map<number, number>();
  const offsetAt = (utcMs: number): number => {
    const slot = Math.floor(utcMs / quarter);
    const known = kept.get(slot);
    if (known !== undefined) return known;
    const parts = Object.fromEntries(
      format.formatToParts(slot * quarter).map(({ type, value }) => [type, value]),
    );
    const year = parts.era === 'BC' ? 1 - Number(parts.year) : Number(parts.year);
    const date = new Date(0);
    date.setUTCFullYear(year, Number(parts.month) - 1, Number(parts.day));
    date.setUTCHours(Number(parts.hour), Number(parts.minute), Number(parts.second));
    const offset = date.getTime() - slot * quarter;
    if (kept.size > 100_000) kept.clear();
    kept.set(slot, offset);
    return offset;
  };
  return {
    toUtc(localMs) {
      const before = offsetAt(localMs - MICROS_A_DAY / 1000);
      const after = offsetAt(localMs + MICROS_A_DAY / 1000);
      // Far from a change there is one answer; near it the earlier offset's comes first.
      const early = localMs - Math.max(before, after);
      if (before === after) return localMs - before;
      if (offsetAt(early) === localMs - early) return early;
      const late = localMs - Math.min(before, after);
      if (offsetAt(late) === localMs - late) return late;
      return localMs - before;
    },
  };
}

export interface TimeReader {
  /** Microseconds since the epoch, or NaN where the text is no such time. */
  ofText(text: string): number;
  /** A number cell: epoch or serial by the style, NaN for styles of texts. */
  ofNumber(value: number): number;
  /** A moment that the file's format itself knows, in microseconds; NaN outside the years 1 to 9999. */
  ofMoment(micros: number): number;
  /** Whether a text without an offset is UTC, so that ISO may be read the quick way. */
  readonly plainIso: boolean;
}

function bounded(micros: number): number {
  return micros >= EARLIEST && micros < LATEST ? micros : Number.NaN;
}

/** Local fields as microseconds since the epoch in no zone; NaN where there is no such date. */
function civil(y: number, mo: number, d: number, h = 0, mi = 0, s = 0): number {
  if (mo < 1 || mo > 12 || d < 1 || h > 23 || mi > 59 || s > 59) return Number.NaN;
  const date = new Date(0);
  date.setUTCFullYear(y, mo - 1, d);
  if (date.getUTCDate() !== d || date.getUTCMonth() !== mo - 1) return Number.NaN;
  return (date.getTime() + h * 3_600_000 + mi * 60_000 + s * 1000) * 1000;
}

export function openTimeReader(style: DateStyle, timeZone: string): TimeReader {
  const zone = openZone(timeZone);
  const zoned = (micros: number): number => {
    if (Number.isNaN(micros)) return micros;
    const rest = ((micros % 1000) + 1000) % 1000;
    return bounded(zone.toUtc((micros - rest) / 1000) * 1000 + rest);
  };

  function numeric(value: number): number {
    if (!Number.isFinite(value)) return Number.NaN;
    if (style === 'epoch-seconds') return bounded(Math.round(value * 1_000_000));
    if (style === 'epoch-millis') return bounded(Math.round(value * 1_000));
    if (style === 'excel') return zoned(excelMicros(value, false));
    return Number.NaN;
  }

  function ordered(text: string): number {
    const match = PARTS.exec(text);
    if (match === null) return named(text);
    const [, a = '', b = '', c = '', hour = '0', minute = '0', second = '0', fraction = '', half] = match;
    // A year first is unmistakable; a year last has four digits, since two do not tell the century.
    const yearFirst = a.length === 4;
    if (!yearFirst && (a.length > 2 || c.length !== 4)) return Number.NaN;
    if (yearFirst && c.length > 2) return Number.NaN;
    const [year, month, day] = yearFirst ? [a, b, c] : style === 'day-first' ? [c, b, a] : [c, a, b];
    let h = Number(hour);
    if (half !== undefined) {
      if (h < 1 || h > 12) return Number.NaN;
      h = (h % 12) + (/p/i.test(half) ? 12 : 0);
    }
    const micros = Number(fraction.slice(0, 6).padEnd(6, '0'));
    return zoned(civil(Number(year), Number(month), Number(day), h, Number(minute), Number(second)) + micros);
  }

  function named(text: string): number {
    const match = NAMED.exec(text);
    if (match === null) return Number.NaN;
    const [, d1, m1, m2, d2, year, hour = '0', minute = '0', second = '0'] = match;
    const word = (m1 ?? m2 ?? '').toLowerCase();
    const month = MONTHS.findIndex((name) => word.startsWith(name)) + 1;
    const full = new Date(Date.UTC(2000, month - 1, 1)).toLocaleString('en-US', {
      month: 'long',
      timeZone: 'UTC',
    });
    if (month === 0 || !(word.length === 3 || word === 'sept' || word === full.toLowerCase()))
      return Number.NaN;
    return zoned(civil(Number(year), month, Number(d1 ?? d2), Number(hour), Number(minute), Number(second)));
  }

  function iso(text: string): number {
    const micros = parseIsoMicros(text);
    // A date alone ends with what looks like an offset.
    if (!Number.isNaN(micros)) return text.length > 10 && OFFSET.test(text) ? bounded(micros) : zoned(micros);
    const month = MONTH_ONLY.exec(text);
    if (month !== null) return zoned(civil(Number(month[1]), Number(month[2]), 1));
    const compact = COMPACT.exec(text);
    if (compact === null) return Number.NaN;
    const [, y, mo, d, h = '0', mi = '0', s = '0'] = compact;
    const local = civil(Number(y), Number(mo), Number(d), Number(h), Number(mi), Number(s));
    return text.endsWith('Z') ? bounded(local) : zoned(local);
  }

  return {
    plainIso: style === 'iso' && zone === UTC,
    ofNumber: numeric,
    ofMoment: bounded,
    ofText(text) {
      const trimmed = text.trim();
      if (style === 'iso') return iso(trimmed);
      if (style === 'day-first' || style === 'month-first') return ordered(trimmed);
      return NUMBER.test(trimmed) ? numeric(Number(trimmed)) : Number.NaN;
    },
  };
}

/** An Excel serial (days, by the 1900 or 1904 calendar) as microseconds in no zone, to the millisecond. */
export function excelMicros(serial: number, from1904: boolean): number {
  const days = from1904 ? serial + EXCEL_1904 : serial < 60 ? serial + 1 : serial;
  if (!from1904 && serial >= 60 && serial < 61) return Number.NaN;
  return bounded(Math.round((days - EXCEL_EPOCH) * 86_400_000) * 1000);
}
