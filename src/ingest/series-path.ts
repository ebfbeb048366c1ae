/**
 * Where the rows of a series and month lie below `projections/`:
 *
 *   <SERIES>/year=YYYY/month=MM/<digest>.parquet         (<digest>.2.parquet for a second part, …)
 *
 * A code that is no plain name stands percent-encoded, so that no text of a file makes a path. All
 * folders have the same partition columns, year and month: readers take the whole tree at once. Pure.
 */

import { digestOfJson } from '../ledger/idempotency-key.ts';

const PLAIN = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/;
/** Hex digits of a digest in a name: 160 bits, so that no two sources meet. */
const DIGEST_LENGTH = 40;

export function seriesFolder(code: string): string {
  if (PLAIN.test(code)) return code;
  return encodeURIComponent(code).replace(/^\.+$/, (dots) => dots.replaceAll('.', '%2E'));
}

/** `month` counts from year 0: year * 12 + (month - 1). `part` counts from 1. */
export function outputPath(code: string, month: number, digest: string, part: number): string {
  const year = String(Math.floor(month / 12)).padStart(4, '0');
  const name = part === 1 ? digest : `${digest}.${part}`;
  return `${seriesFolder(code)}/year=${year}/month=${String((month % 12) + 1).padStart(2, '0')}/${name}.parquet`;
}

/**
 * What names the outputs of one load of a file, and of no other: `load` is fresh each time. So no name is
 * ever used again, and what no manifest names any more can be deleted without a race (orphans.ts).
 */
export function outputDigest(facts: {
  readonly uri: string;
  readonly etag: string;
  readonly load: string;
}): string {
  return digestOfJson(facts).slice(0, DIGEST_LENGTH);
}

/** The month that a moment lies in, counted from year 0, and its bounds in microseconds. */
export function monthOf(micros: number): {
  readonly month: number;
  readonly start: number;
  readonly end: number;
} {
  const date = new Date(Math.floor(micros / 1000));
  const year = date.getUTCFullYear();
  const index = date.getUTCMonth();
  const bound = (at: number) => {
    const day = new Date(0);
    day.setUTCFullYear(year, at, 1);
    return day.getTime() * 1000;
  };
  return { month: year * 12 + index, start: bound(index), end: bound(index + 1) };
}
