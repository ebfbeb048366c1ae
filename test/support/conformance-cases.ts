/**
 * The cases of test/conformance/metric-eval.json, read for tests of the engine and of the whole path.
 *
 * The file may grow: any number of cases, times as ISO text with or without a time of day and an offset
 * (none is UTC), values that are numbers, null or absent, rows in any order and with times that repeat.
 */

import { readFileSync } from 'node:fs';

/** A row as listed: microseconds since the epoch, and a value or null. */
export type Row = readonly [time: number, value: number | null];

export interface ConformanceCase {
  readonly id: string;
  readonly expressionType: unknown;
  readonly expression: unknown;
  /** By series code, as listed: not sorted, times may repeat. */
  readonly series: ReadonlyMap<string, readonly Row[]>;
  /** The result, sorted; undefined where an error is expected. */
  readonly expected: readonly Row[] | undefined;
  /** The wire's code of the error expected. */
  readonly expectedError: string | undefined;
}

/** How far a value may be from the expected one, relative to it, by the file's own rule. */
export const CONFORMANCE_TOLERANCE = 1e-12;

const FILE = new URL('../conformance/metric-eval.json', import.meta.url);

type RawRow = readonly [time: string, value?: number | null];

interface RawCase {
  readonly id: string;
  readonly expressionType: unknown;
  readonly expression: unknown;
  readonly series?: Readonly<Record<string, readonly RawRow[]>>;
  readonly expected?: readonly RawRow[];
  readonly expectedError?: { readonly code: string } | null;
}

/** All cases of `file`, by default the project's. */
export function conformanceCases(file: URL | string = FILE): ConformanceCase[] {
  const { cases } = JSON.parse(readFileSync(file, 'utf8')) as { readonly cases: readonly RawCase[] };
  return cases.map((raw) => ({
    id: raw.id,
    expressionType: raw.expressionType,
    expression: raw.expression,
    series: new Map(Object.entries(raw.series ?? {}).map(([code, rows]) => [code, rows.map(toRow)])),
    expected: raw.expected?.map(toRow),
    expectedError: raw.expectedError?.code,
  }));
}

/** The rows as a source gives them: sorted by time; of rows with one time the last listed. */
export function normalized(rows: readonly Row[]): Row[] {
  const byTime = new Map(rows);
  return [...byTime].sort(([a], [b]) => a - b);
}

/** Whether two values are the same but for the tolerance; null equals null only. */
export function closeTo(actual: number | null, expected: number | null, tolerance: number): boolean {
  if (actual === null || expected === null) return actual === expected;
  return actual === expected || Math.abs(actual - expected) <= tolerance * Math.abs(expected);
}

function toRow([time, value]: RawRow): Row {
  return [microsOf(time), value === undefined || Number.isNaN(value) ? null : value];
}

/** `2024-01-01`, `2024-01-01T12:00:00.123456`, with `Z`, `+01:00` or neither; a blank may stand for the T. */
function microsOf(text: string): number {
  const parts =
    /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,9}))?)?\s*(Z|[+-]\d\d:?\d\d)?$/i.exec(text);
  if (parts === null) throw new Error(`not a time: ${text}`);
  const [, day, clock = '00:00:00', fraction = '', zone = 'Z'] = parts;
  const offset = /^[+-]\d{4}$/.test(zone) ? `${zone.slice(0, 3)}:${zone.slice(3)}` : zone.toUpperCase();
  const millis = Date.parse(`${day}T${clock.length === 5 ? `${clock}:00` : clock}${offset}`);
  if (Number.isNaN(millis)) throw new Error(`not a time: ${text}`);
  return millis * 1000 + Number(fraction.padEnd(6, '0').slice(0, 6));
}
