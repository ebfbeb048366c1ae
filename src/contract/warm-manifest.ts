/**
 * The stored form of a warm month's manifest, which names the files that hold its rows.
 *
 * Terms and invariants:
 * - `levels[0]` holds hot files, by their keys; `levels[n]` files of the month's folder, by their names;
 * - a file's hot range is the running numbers, in order of arrival, of the hot files whose rows it has;
 * - `processed` is the exact set of the month's slots whose rows the files hold;
 * - `pending` are the keys of files that no level names any more, each to be deleted once `notBefore` has
 *   passed, when no reader of an older manifest can still be reading it;
 * - `answered` are the requests that were carried out last, with their answers: one that is delivered again is
 *   answered in the same words;
 * - file ids only grow: `nextFileId` is above that of every file ever named here, pending ones included.
 *
 * Both forms of the original writers are opened: `processed_keys` (a list of hot keys), and
 * `last_processed_time` (every slot up to it counts as processed, as they held it).
 */

import { z } from 'zod';
import { InvalidRequestError } from '../common/errors.ts';
import { type AnsweredRequest, compactionResult } from './compaction-result.ts';
import { check } from './issues.ts';
import { addSlots, normalizeRanges, type SlotRanges } from './slot-ranges.ts';
import { parseTimeFromKey, slotOf, slotStart, slotsInMonth, type TierMonth } from './tier-keys.ts';

/** What is known of a file; null in manifests of the original writers. */
export interface WarmFileFacts {
  readonly rows: number | null;
  readonly bytes: number | null;
  /** The least and greatest time of its rows, in microseconds since the epoch. */
  readonly minTime: number | null;
  readonly maxTime: number | null;
}

export interface WarmFile extends WarmFileFacts {
  /** Level 0: the hot key. Above: the name in the month's folder. */
  readonly file: string;
  readonly hotRange: readonly [number, number];
}

export interface PendingDeletion {
  readonly key: string;
  /** Milliseconds since the epoch; null when an original writer listed it, which says no time. */
  readonly notBefore: number | null;
}

export interface WarmManifest extends TierMonth {
  readonly m: number;
  readonly provider: string;
  readonly keyColumns: readonly string[];
  readonly nextFileId: number;
  /** The running number of the last hot file that arrived; -1 before the first. */
  readonly lastHotIndex: number;
  /** Grows by one with every write; 0 before the first, and for manifests of the original writers. */
  readonly revision: number;
  /** levels[n]: the files of level n, oldest first. */
  readonly levels: readonly (readonly WarmFile[])[];
  readonly processed: SlotRanges;
  readonly pending: readonly PendingDeletion[];
  /** Oldest first. */
  readonly answered: readonly AnsweredRequest[];
  /** Milliseconds since the epoch; null before the first write. */
  readonly lastUpdated: number | null;
}

/** The manifest of a month that has none yet. */
export function emptyManifest(
  m: number,
  provider: string,
  keyColumns: readonly string[],
  { year, month }: TierMonth,
): WarmManifest {
  const start = { nextFileId: 0, lastHotIndex: -1, revision: 0, lastUpdated: null };
  const nothing = { levels: [], processed: [], pending: [], answered: [] };
  return { m, provider, year, month, keyColumns, ...start, ...nothing };
}

const MIN_MICROS = Date.UTC(1000, 0, 1) * 1000;
const MAX_MICROS = Date.UTC(9999, 11, 31) * 1000;

const count = z.int().min(0);
const time = z.iso.datetime({ offset: true });
const range = z.tuple([count, count]).refine(([first, last]) => first <= last, 'must ascend');

const storedFile = z.object({
  file: z.string().min(1),
  hot_range: range,
  rows: count.nullish(),
  bytes: count.nullish(),
  min_time: time.nullish(),
  max_time: time.nullish(),
});

const storedPending = z.union([
  z.string().min(1),
  z.object({ key: z.string().min(1), not_before: time.nullable() }),
]);

const storedAnswer = z.object({ request_id: z.string().min(1), result: compactionResult });

const storedManifest = z.object({
  m: z.int().min(2).max(1024),
  provider: z.string().min(1),
  year: z.int().min(1).max(9999),
  month: z.int().min(1).max(12),
  pk_columns: z.array(z.string()),
  next_file_id: count.default(0),
  last_hot_idx: z.int().min(-1).default(-1),
  revision: count.default(0),
  levels: z.record(z.string().regex(/^\d{1,2}$/, 'must be a level'), z.array(storedFile)).default({}),
  processed_slots: z.array(range).optional(),
  processed_keys: z.array(z.string()).nullish(),
  last_processed_time: z.string().nullish(),
  pending_deletions: z.array(storedPending).default([]),
  recent_requests: z.array(storedAnswer).default([]),
  last_updated: z.string().nullish(),
});

type StoredManifest = z.infer<typeof storedManifest>;

/**
 * Reads a manifest, of ours or of an original writer. Throws MANIFEST_VALIDATION_ERROR that names every
 * field that is wrong, and when it is another provider's or month's.
 *
 * @param key the manifest's key, for errors
 */
export function parseManifest(text: string, key: string, provider: string, month: TierMonth): WarmManifest {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw invalid(key, `is not JSON: ${String(error)}`, error);
  }
  const checked = check(storedManifest, json);
  if (!checked.ok) throw invalid(key, `is invalid: ${checked.problems.join('; ')}`);
  const stored = checked.value;
  if (stored.provider !== provider || stored.year !== month.year || stored.month !== month.month) {
    throw invalid(key, `is of ${stored.provider}, ${stored.year}-${stored.month}`);
  }
  const slots = slotsInMonth(stored);
  const beyond = stored.processed_slots?.find(([, last]) => last >= slots);
  if (beyond !== undefined) {
    throw invalid(key, `is invalid: processed_slots: the month has ${slots} slots, and no slot ${beyond[1]}`);
  }
  const levels = openLevels(stored);
  return {
    m: stored.m,
    provider,
    year: stored.year,
    month: stored.month,
    keyColumns: stored.pk_columns,
    nextFileId: stored.next_file_id,
    lastHotIndex: stored.last_hot_idx,
    revision: stored.revision,
    levels,
    processed: openProcessed(stored, levels[0] ?? []),
    pending: openPending(stored),
    answered: stored.recent_requests.map(({ request_id, result }) => ({ requestId: request_id, result })),
    lastUpdated: millisOf(stored.last_updated),
  };
}

function openLevels(stored: StoredManifest): (readonly WarmFile[])[] {
  const levels: WarmFile[][] = [];
  for (const [level, files] of Object.entries(stored.levels)) {
    levels[Number(level)] = files.map(
      ({ file, hot_range, rows, bytes, min_time, max_time }): WarmFile => ({
        file,
        hotRange: hot_range,
        rows: rows ?? null,
        bytes: bytes ?? null,
        minTime: microsOf(min_time),
        maxTime: microsOf(max_time),
      }),
    );
  }
  return withoutEmptyEnd(Array.from(levels, (files) => files ?? []));
}

/** Without the levels above the last that has a file, so that equal manifests are equal values. */
export function withoutEmptyEnd<T>(levels: readonly (readonly T[])[]): (readonly T[])[] {
  const last = levels.findLastIndex((files) => files.length > 0);
  return levels.slice(0, last + 1);
}

/** Level 0 names its slots itself, whatever else the manifest says. */
function openProcessed(stored: StoredManifest, hotFiles: readonly WarmFile[]): SlotRanges {
  const named = hotFiles.flatMap(({ file }) => slotsOfKey(file, stored));
  if (stored.processed_slots !== undefined) return addSlots(stored.processed_slots, named);
  if (stored.processed_keys) {
    return addSlots([], [...named, ...stored.processed_keys.flatMap((key) => slotsOfKey(key, stored))]);
  }
  const until = millisOf(stored.last_processed_time);
  if (until === null || until < slotStart({ ...stored, slot: 0 })) return addSlots([], named);
  const last = Math.min(
    slotsInMonth(stored) - 1,
    Math.floor((until - slotStart({ ...stored, slot: 0 })) / 600_000),
  );
  return addSlots(normalizeRanges([[0, last]]), named);
}

/** The slot of a hot key, if it is one of this month: the original writers let others in at a month's end. */
function slotsOfKey(key: string, month: TierMonth): number[] {
  const ms = parseTimeFromKey(key);
  if (ms === undefined) return [];
  const slot = slotOf(ms);
  return slot.year === month.year && slot.month === month.month ? [slot.slot] : [];
}

/** Hot files are the bucket's lifecycle's to delete: an original writer's wish to do so is dropped. */
function openPending(stored: StoredManifest): PendingDeletion[] {
  return stored.pending_deletions.flatMap((entry) => {
    if (typeof entry !== 'string') return [{ key: entry.key, notBefore: millisOf(entry.not_before) }];
    return parseTimeFromKey(entry) === undefined ? [{ key: entry, notBefore: null }] : [];
  });
}

/** A manifest as it is stored: JSON, one line for each file, ready for people and diffs. */
export function serializeManifest(manifest: WarmManifest): string {
  const last = manifest.processed.at(-1)?.[1];
  const head = {
    m: manifest.m,
    provider: manifest.provider,
    year: manifest.year,
    month: manifest.month,
    pk_columns: manifest.keyColumns,
    next_file_id: manifest.nextFileId,
    last_hot_idx: manifest.lastHotIndex,
    revision: manifest.revision,
    processed_slots: manifest.processed,
    // For readers of the original form: the greatest slot that is in.
    last_processed_time: last === undefined ? null : isoMillis(slotStart({ ...manifest, slot: last })),
    last_updated: isoMillis(manifest.lastUpdated),
  };
  const lines = Object.entries(head).map(
    ([name, value]) => `  ${JSON.stringify(name)}: ${JSON.stringify(value)}`,
  );
  const levels = manifest.levels.flatMap((files, level) =>
    files.length === 0 ? [] : [`    "${level}": ${list(files.map(storeFile), 6)}`],
  );
  const pending = manifest.pending.map(({ key, notBefore }) => ({ key, not_before: isoMillis(notBefore) }));
  const recent = manifest.answered.map(({ requestId, result }) => ({ request_id: requestId, result }));
  lines.push(`  "pending_deletions": ${list(pending, 4)}`);
  lines.push(`  "recent_requests": ${list(recent, 4)}`);
  lines.push(levels.length === 0 ? '  "levels": {}' : `  "levels": {\n${levels.join(',\n')}\n  }`);
  return `{\n${lines.join(',\n')}\n}\n`;
}

function list(items: readonly unknown[], indent: number): string {
  if (items.length === 0) return '[]';
  const space = ' '.repeat(indent);
  return `[\n${items.map((item) => space + JSON.stringify(item)).join(',\n')}\n${space.slice(2)}]`;
}

function storeFile({ file, hotRange, rows, bytes, minTime, maxTime }: WarmFile) {
  return {
    file,
    hot_range: hotRange,
    rows,
    bytes,
    min_time: isoMicros(minTime),
    max_time: isoMicros(maxTime),
  };
}

function isoMillis(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}

/** ISO with as many digits of the second as are needed: none, or six. Years beyond four digits are not told. */
function isoMicros(micros: number | null): string | null {
  if (micros === null || micros < MIN_MICROS || micros > MAX_MICROS) return null;
  const seconds = Math.floor(micros / 1e6);
  const fraction = micros - seconds * 1e6;
  const text = new Date(seconds * 1000).toISOString().slice(0, 19);
  return fraction === 0 ? `${text}Z` : `${text}.${String(fraction).padStart(6, '0')}Z`;
}

/** A time without an offset is UTC. */
function millisOf(text: string | null | undefined): number | null {
  if (text === null || text === undefined) return null;
  const ms = Date.parse(/(?:Z|[+-]\d\d:?\d\d)$/i.test(text) ? text : `${text}Z`);
  return Number.isNaN(ms) ? null : ms;
}

function microsOf(text: string | null | undefined): number | null {
  if (text === null || text === undefined) return null;
  const [, fraction = ''] = /\.(\d+)/.exec(text) ?? [];
  const whole = Date.parse(text.replace(/\.\d+/, ''));
  return whole * 1000 + Number(fraction.slice(0, 6).padEnd(6, '0'));
}

function invalid(key: string, what: string, cause?: unknown): InvalidRequestError {
  const options = cause === undefined ? {} : { cause };
  return new InvalidRequestError('MANIFEST_VALIDATION_ERROR', `${key} ${what}`, {
    ...options,
    fields: { key },
  });
}
