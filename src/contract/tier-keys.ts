/**
 * Keys of the tiers, and the time slots in them.
 *
 * Terms:
 * - a slot is ten minutes of a UTC month, known by its index: 0 for the first, at most 4,463;
 * - the root is what TITANS_ENV puts before every key: `test/`, or nothing in production;
 * - the hot key of a slot is `<root>parquet_cp_hot/<provider>/YYYY/MM/DD/HH-M0.parquet`;
 * - a month's warm files lie in `<root>parquet_warm/<provider>/m8/YYYY/MM/`, beside manifest.json.
 */

import { InvalidRequestError } from '../common/errors.ts';

/** How many files of one level are merged into one of the next. */
export const MERGE_WAYS = 8;

const SLOT_MS = 600_000;

export type TierRoot = '' | 'test/';

/** The root for a TITANS_ENV: only `test` has one. */
export function tierRoot(titansEnv: string): TierRoot {
  return titansEnv === 'test' ? 'test/' : '';
}

/** A UTC month; `month` counts from 1. */
export interface TierMonth {
  readonly year: number;
  readonly month: number;
}

export interface TierSlot extends TierMonth {
  /** The slot's index in its month, from 0. */
  readonly slot: number;
}

export function hotPrefix(root: TierRoot, provider: string): string {
  return `${root}parquet_cp_hot/${provider}`;
}

export function warmPrefix(root: TierRoot, provider: string): string {
  return `${root}parquet_warm/${provider}/m${MERGE_WAYS}`;
}

/** The folder of a month's warm files, without a slash at its end. */
export function warmFolder(root: TierRoot, provider: string, { year, month }: TierMonth): string {
  return `${warmPrefix(root, provider)}/${year}/${pad(month, 2)}`;
}

export function manifestKey(root: TierRoot, provider: string, month: TierMonth): string {
  return `${warmFolder(root, provider, month)}/manifest.json`;
}

/** The prefix of all hot keys of a month, with a slash at its end. */
export function hotMonthPrefix(root: TierRoot, provider: string, { year, month }: TierMonth): string {
  return `${hotPrefix(root, provider)}/${year}/${pad(month, 2)}/`;
}

/** The name of a warm file: `L1_0000_00000-00007.parquet`. */
export function warmFileName(level: number, id: number, from: number, to: number): string {
  return `L${level}_${pad(id, 4)}_${pad(from, 5)}-${pad(to, 5)}.parquet`;
}

/** The file id in a warm file's name or key; undefined when it is no such name. */
export function warmFileId(nameOrKey: string): number | undefined {
  const match = /(?:^|\/)L\d+_(\d{4,})_\d{5,}-\d{5,}\.parquet$/.exec(nameOrKey);
  return match === null ? undefined : Number(match[1]);
}

/** When a month begins, counted from 0; 12 is the next year's first. Date.UTC takes the year 1 for 1901. */
function monthStart(year: number, month: number): number {
  return new Date(0).setUTCFullYear(year, month, 1);
}

/** The slot that a time lies in. */
export function slotOf(ms: number): TierSlot {
  const date = new Date(ms);
  const year = date.getUTCFullYear();
  const month = date.getUTCMonth();
  return { year, month: month + 1, slot: Math.floor((ms - monthStart(year, month)) / SLOT_MS) };
}

/** When a slot begins, in milliseconds since the epoch. */
export function slotStart({ year, month, slot }: TierSlot): number {
  return monthStart(year, month - 1) + slot * SLOT_MS;
}

/** How many slots a month has: 4,032 to 4,464. */
export function slotsInMonth({ year, month }: TierMonth): number {
  return (monthStart(year, month) - monthStart(year, month - 1)) / SLOT_MS;
}

/** The hot key of the slot that a time lies in. */
export function buildHotKey(root: TierRoot, provider: string, ms: number): string {
  return hotKeyOf(root, provider, slotOf(ms));
}

export function hotKeyOf(root: TierRoot, provider: string, slot: TierSlot): string {
  const date = new Date(slotStart(slot));
  const day = `${slot.year}/${pad(slot.month, 2)}/${pad(date.getUTCDate(), 2)}`;
  const time = `${pad(date.getUTCHours(), 2)}-${pad(date.getUTCMinutes(), 2)}`;
  return `${hotPrefix(root, provider)}/${day}/${time}.parquet`;
}

/**
 * The time that a key's last four parts say (`…/YYYY/MM/DD/HH-MM`, with or without `.parquet`), in
 * milliseconds since the epoch; undefined when they say none. As lenient as the original writers', whose
 * manifests may hold any key that they could read.
 */
export function parseTimeFromKey(key: string): number | undefined {
  const parts = key.replace(/\.parquet$/, '').split('/');
  const [year, month, day, clock] = parts.slice(-4).length === 4 ? parts.slice(-4) : [];
  const [hour, minute, ...more] = clock?.split('-') ?? [];
  const numbers = [year, month, day, hour, minute].map((text) =>
    text === undefined ? Number.NaN : pythonInt(text),
  );
  if (more.length > 0 || numbers.some((number) => Number.isNaN(number))) return undefined;
  const [y, mo, d, h, mi] = numbers as [number, number, number, number, number];
  if (y < 1 || y > 9999 || mo < 1 || mo > 12 || h < 0 || h > 23 || mi < 0 || mi > 59) return undefined;
  const date = new Date(0);
  date.setUTCFullYear(y, mo - 1, d);
  if (d < 1 || date.getUTCMonth() !== mo - 1) return undefined;
  return date.getTime() + (h * 60 + mi) * 60_000;
}

/** What Python's int() makes of a text, NaN where it fails. */
function pythonInt(text: string): number {
  return /^\s*[+-]?\d+(_\d+)*\s*$/.test(text) ? Number(text.replaceAll('_', '')) : Number.NaN;
}

/**
 * The slot of a hot key. Throws CONFIG_ERROR unless it is exactly the key that the provider's slot has:
 * no other prefix, no minute between slots.
 */
export function parseHotKey(root: TierRoot, provider: string, key: string): TierSlot {
  const ms = parseTimeFromKey(key);
  const slot = ms === undefined ? undefined : slotOf(ms);
  if (slot !== undefined && hotKeyOf(root, provider, slot) === key) return slot;
  const example = `${hotPrefix(root, provider)}/2026/01/23/14-20.parquet`;
  throw new InvalidRequestError(
    'CONFIG_ERROR',
    `${JSON.stringify(key)} is no hot key of ${provider}, as ${example}`,
  );
}

/**
 * A request's timestamp, in milliseconds since the epoch (parts of a millisecond are dropped). It must
 * carry an offset. Throws CONFIG_ERROR.
 */
export function parseTimestamp(text: string): number {
  const match =
    /^(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?\s*([Zz]|[+-]\d\d(?::?\d\d)?)?$/.exec(
      text,
    );
  if (match === null) refuseTimestamp(text, 'is not an ISO 8601 time');
  const [, date, clock = '00:00', seconds = '00', fraction = '', zone] = match;
  if (zone === undefined) throw new InvalidRequestError('CONFIG_ERROR', 'timestamp must be timezone-aware');
  const offset =
    zone.toUpperCase() === 'Z' ? 'Z' : `${zone.slice(0, 3)}:${zone.slice(3).replace(':', '') || '00'}`;
  const ms = Date.parse(`${date}T${clock}:${seconds}.${fraction.slice(0, 3).padEnd(3, '0')}${offset}`);
  // Date.parse takes February 30th for March 2nd.
  const dateMs = Date.parse(`${date}T00:00:00Z`);
  if (Number.isNaN(ms) || Number.isNaN(dateMs) || new Date(dateMs).toISOString().slice(0, 10) !== date) {
    refuseTimestamp(text, 'is not a time');
  }
  const year = new Date(ms).getUTCFullYear();
  if (year < 1 || year > 9999) refuseTimestamp(text, 'lies in no year from 1 to 9999');
  return ms;
}

function refuseTimestamp(text: string, why: string): never {
  const shown = JSON.stringify(text.length > 64 ? `${text.slice(0, 64)}…` : text);
  throw new InvalidRequestError('CONFIG_ERROR', `timestamp: ${shown} ${why}, as 2026-01-23T14:20:00Z`);
}

/** The month written as `2026-01`. Throws CONFIG_ERROR. */
export function parseMonth(text: string): TierMonth {
  const match = /^(\d{4})-(\d\d)$/.exec(text);
  const month = Number(match?.[2]);
  if (match === null || month < 1 || month > 12 || match[1] === '0000') {
    throw new InvalidRequestError('CONFIG_ERROR', `month: ${JSON.stringify(text)} is not a month as 2026-01`);
  }
  return { year: Number(match[1]), month };
}

function pad(number: number, digits: number): string {
  return String(number).padStart(digits, '0');
}
