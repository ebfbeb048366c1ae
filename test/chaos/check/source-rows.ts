/**
 * The rows of an ingested text file, read a second time: CSV and JSON lines, wide and long, after
 * docs/INGEST.md. Only what a simulated run uses is read; anything else throws.
 */

import { type Json, parseObject } from './facts.ts';

/** Value by `series time`, the time in microseconds; of rows with one series and time the last stays. */
export type SourceRows = ReadonlyMap<string, number | null>;

/** What makes a file fail: its row, counted from 1 as the file's lines are, and its column. */
export class BadSourceError extends Error {
  readonly column: string;

  constructor(column: string, what: string) {
    super(`column ${column}: ${what}`);
    this.column = column;
  }
}

const NULLS: ReadonlySet<string> = new Set(['', 'NA', 'N/A', 'NaN', 'nan', 'null', 'NULL', 'None']);
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/** Fields of a line of CSV. */
function fieldsOf(line: string): string[] {
  if (line.includes('"')) throw new Error('the checker reads no quoted CSV');
  return line.split(',');
}

function tableOf(key: string, text: string): Json[] {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  if (key.endsWith('.jsonl')) {
    return lines.map((line) => {
      const object = parseObject(line);
      if (object === undefined) throw new BadSourceError('', 'no JSON object');
      return object;
    });
  }
  if (!key.endsWith('.csv')) throw new Error(`the checker cannot read ${key}`);
  const [head = '', ...rest] = lines;
  const names = fieldsOf(head);
  return rest.map((line) => Object.fromEntries(fieldsOf(line).map((field, i) => [names[i] ?? '', field])));
}

function timeOf(value: unknown, column: string): number {
  const ms = Date.parse(String(value).replace(/^(\d{4}-\d\d-\d\d)$/, '$1T00:00:00Z'));
  if (Number.isNaN(ms)) throw new BadSourceError(column, `no time: ${String(value)}`);
  return ms * 1000;
}

function numberOf(value: unknown, column: string): number | null {
  if (value === null || value === undefined || (typeof value === 'string' && NULLS.has(value))) return null;
  const number = typeof value === 'number' ? value : NUMBER.test(String(value)) ? Number(value) : Number.NaN;
  if (Number.isNaN(number)) throw new BadSourceError(column, `no number: ${String(value)}`);
  return number;
}

/** The rows that a file gives by a request's mapping; throws `BadSourceError` for a file that must fail. */
export function sourceRows(key: string, text: string, mapping: Json): SourceRows {
  const rows = new Map<string, number | null>();
  const put = (series: unknown, time: number, value: number | null) => {
    if (value === null && mapping.skipNulls === true) return;
    rows.set(`${String(series)} ${time}`, value);
  };
  for (const row of tableOf(key, text)) {
    const time = timeOf(row[String(mapping.time)], String(mapping.time));
    if (mapping.layout === 'long') {
      const column = String(mapping.value);
      const said = String(row[String(mapping.series)]);
      const code = (mapping.codes as Json | undefined)?.[said] ?? said;
      put(code, time, numberOf(row[column], column));
    } else {
      for (const [column, code] of Object.entries(mapping.values as Json)) {
        put(code, time, numberOf(row[column], column));
      }
    }
  }
  return rows;
}
