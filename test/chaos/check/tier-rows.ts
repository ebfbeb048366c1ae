/**
 * Rows of the tiers, cast by this file's own reading of docs/CONTRACT.md: what an upload's body asks to be
 * stored, what a stored file holds, and which of rows with one key and time stays.
 */

import type { Lake } from './duck.ts';
import { type Facts, type Json, parseObject, textOf } from './facts.ts';
import { locationOf } from './keys.ts';

interface Provider {
  readonly keys: readonly string[];
  readonly values: Readonly<Record<string, 'whole' | 'number'>>;
}

const PRICES = { OndemandPrice: 'number', SpotPrice: 'number', Savings: 'whole' } as const;

export const PROVIDERS: Readonly<Record<string, Provider>> = {
  aws: {
    keys: ['InstanceType', 'Region', 'AZ'],
    values: { SPS: 'whole', T3: 'whole', T2: 'whole', IF: 'number', ...PRICES },
  },
  azure: {
    keys: ['InstanceType', 'Region', 'AvailabilityZone'],
    values: {
      InstanceTier: 'whole',
      DesiredCount: 'whole',
      Score: 'whole',
      T3: 'whole',
      T2: 'whole',
      IF: 'number',
      ...PRICES,
    },
  },
  gcp: { keys: ['InstanceType', 'Region'], values: { Score: 'whole', ...PRICES } },
};

/** A row in canonical form: equal rows have equal texts. */
export interface TierRow {
  /** The key columns and the time, as one text that sorts as files do within equal lengths of texts. */
  readonly identity: string;
  readonly time: number;
  readonly ceased: boolean | null;
  /** Everything, values by column and null where there is none. */
  readonly text: string;
}

export interface TierTable {
  readonly rows: readonly TierRow[];
  /** Columns that a row names, beside key, time and `Ceased`. */
  readonly columns: readonly string[];
}

/** A row that cannot be stored: the upload fails, naming row and column. */
export class BadRowError extends Error {}

const TIME = /^(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(\.\d{1,6})?([+-]\d\d:\d\d)?$/;
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/** Microseconds since the epoch. */
function timeOf(value: unknown): number {
  const match = typeof value === 'string' ? TIME.exec(value) : null;
  const offset = match?.[8];
  if (match === null || (offset === undefined && (match[0].includes('T') || match[7] !== undefined)))
    throw new BadRowError(`no time: ${String(value)}`);
  const ms = Date.parse(`${match[0].slice(0, 10)}T${match[0].slice(11, 19)}${offset ?? 'Z'}`);
  if (Number.isNaN(ms)) throw new BadRowError(`no time: ${String(value)}`);
  return ms * 1000 + Math.round(Number(`0${match[7] ?? ''}`) * 1e6);
}

function numberOf(value: unknown, kind: 'whole' | 'number'): number | null {
  if (value === null || value === undefined) return null;
  const number =
    typeof value === 'number'
      ? value
      : typeof value === 'string' && NUMBER.test(value)
        ? Number(value)
        : Number.NaN;
  if (!Number.isFinite(number)) throw new BadRowError(`no number: ${String(value)}`);
  return kind === 'whole' ? Math.trunc(number) + 0 : number;
}

function ceasedOf(value: unknown, unsaid: boolean): boolean {
  if (value === null || value === undefined) return unsaid;
  if (value === true || /^(true|1)$/i.test(String(value))) return true;
  if (value === false || /^(false|0)$/i.test(String(value))) return false;
  throw new BadRowError(`neither true nor false: ${String(value)}`);
}

function rowOf(
  provider: Provider,
  keys: readonly string[],
  time: number,
  values: Json,
  ceased: boolean | null,
): TierRow {
  const all = Object.keys(provider.values).map((name) => values[name] ?? null);
  return {
    identity: JSON.stringify([...keys, time]),
    time,
    ceased,
    text: JSON.stringify([keys, time, all, ceased]),
  };
}

function castRow(provider: Provider, row: Json, unsaid: boolean): TierRow {
  const keys = provider.keys.map((name) => {
    const value = row[name];
    if (value === null || value === undefined) throw new BadRowError(`${name} is missing`);
    return String(value);
  });
  const values = Object.fromEntries(
    Object.entries(provider.values).map(([name, kind]) => [name, numberOf(row[name], kind)]),
  );
  return rowOf(provider, keys, timeOf(row.Time), values, ceasedOf(row.Ceased, unsaid));
}

/** A living row before one of which nothing is said, that before a ceased one. */
const rank = ({ ceased }: TierRow): number => (ceased === false ? 0 : ceased === null ? 1 : 2);

/** One row for each key and time: the most alive; of equals the first of the list. */
export function distinct(rows: Iterable<TierRow>): Map<string, TierRow> {
  const kept = new Map<string, TierRow>();
  for (const row of rows) {
    const before = kept.get(row.identity);
    if (before === undefined || rank(row) < rank(before)) kept.set(row.identity, row);
  }
  return kept;
}

/** The rows that a source of an upload holds: its own, or those of the text object that it names. */
function sourceRows(facts: Facts, source: unknown): readonly Json[] {
  if (typeof source !== 'object' || source === null) return [];
  const { rows, uri } = source as Json;
  if (Array.isArray(rows)) return rows as readonly Json[];
  const { key } = locationOf(String(uri), facts.history.bucket);
  const text = facts.history.given.find((object) => object.key === key)?.text;
  if (text === undefined || !key.endsWith('.jsonl')) throw new Error(`the checker cannot read ${key}`);
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => parseObject(line) ?? {});
}

/** What an upload asks to be stored; throws `BadRowError` for what cannot be. */
export function castUpload(facts: Facts, body: Json): TierTable {
  const provider = PROVIDERS[String(body.provider)];
  if (provider === undefined) throw new BadRowError(`no provider: ${String(body.provider)}`);
  const { sentinel } = body;
  const changed = sourceRows(facts, body.changed);
  const removed = sourceRows(facts, body.removed);
  const isKnown = (row: Json) => !Object.keys(provider.values).some((name) => row[name] === sentinel);
  const rows = [
    ...changed
      .map((row) => [row, castRow(provider, row, false)] as const)
      .filter(([row]) => typeof sentinel !== 'number' || isKnown(row)),
    ...removed.map((row) => [row, castRow(provider, row, true)] as const),
  ];
  const named = [...changed, ...removed].flatMap((row) => Object.keys(row));
  const columns = Object.keys(provider.values).filter((name) => named.includes(name));
  return { rows: [...distinct(rows.map(([, row]) => row)).values()], columns };
}

const isText = (column: string): boolean => column.endsWith(' VARCHAR');

/** What a stored file of the tiers holds, in its order; throws for columns that are not the provider's. */
export async function readTier(lake: Lake, key: string, providerName: string): Promise<TierTable> {
  const provider = PROVIDERS[providerName];
  if (provider === undefined) throw new Error(`no provider: ${providerName}`);
  const columns = await lake.columnsOf(key);
  const values = columns
    .map((column) => column.split(' ')[0]!)
    .filter((name) => Object.hasOwn(provider.values, name));
  const wanted = [
    ...provider.keys.map((name) => `${name} VARCHAR`),
    'Time TIMESTAMP WITH TIME ZONE',
    ...Object.keys(provider.values)
      .filter((name) => values.includes(name))
      .map((name) => `${name} ${provider.values[name] === 'whole' ? 'BIGINT' : 'DOUBLE'}`),
    'Ceased BOOLEAN',
  ];
  if (JSON.stringify(columns) !== JSON.stringify(wanted)) {
    throw new BadRowError(`its columns are ${columns.join(', ')}; expected ${wanted.join(', ')}`);
  }
  const list = wanted.map((column) => {
    const name = column.split(' ')[0]!;
    if (isText(column) || name === 'Ceased') return `"${name}"`;
    return name === 'Time' ? 'epoch_us("Time")::DOUBLE AS "Time"' : `"${name}"::DOUBLE AS "${name}"`;
  });
  const found = await lake.rows(
    `SELECT ${list.join(', ')} FROM read_parquet(${lake.file(key)}, file_row_number = true) ORDER BY file_row_number`,
  );
  const rows = found.map((row) => {
    const keys = provider.keys.map((name) => textOf(row[name]) ?? '');
    return rowOf(provider, keys, Number(row.Time), row, row.Ceased as boolean | null);
  });
  return { rows, columns: values };
}

/** Whether rows ascend by key (in the order of bytes) and time, each once. */
export function isSorted(rows: readonly TierRow[]): boolean {
  return rows.every((row, i) => i === 0 || isBefore(rows[i - 1]!, row));
}

function isBefore(a: TierRow, b: TierRow): boolean {
  const [x, y] = [JSON.parse(a.identity), JSON.parse(b.identity)] as (string | number)[][];
  for (const [i, left] of x!.entries()) {
    const right = y![i]!;
    const order =
      typeof left === 'number'
        ? left - Number(right)
        : Buffer.compare(Buffer.from(left), Buffer.from(String(right)));
    if (order !== 0) return order < 0;
  }
  return false;
}
