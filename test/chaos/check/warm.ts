/**
 * Warm months: the sequence of their manifests, and what the last of them names. Rules:
 *
 * - `tier-union`: the month's snapshot is the union of the uploads that its slots name, each key and time
 *   as often as it should be, and no accepted upload that asked for compaction is left out;
 * - `warm-facts`: rows, bytes and times that a manifest tells of a file are the file's, which is sorted;
 * - `warm-steps`: from one manifest to the next: the revision grows by one, ids and slots never shrink,
 *   levels hold fewer files than are merged at once, a file that is given up is listed for deletion;
 * - `early-deletion`: a file is deleted only when every manifest gave it up for as long as a reader may need.
 */

import type { Violation } from '../history.ts';
import type { Lake } from './duck.ts';
import { type Facts, type Json, shown, textOf, violation, type Write } from './facts.ts';
import type { HotTables } from './hot.ts';
import { hotKeyOf, parseHotKey, parseWarmKey, type WarmPlace } from './keys.ts';
import { isGivenUp } from './outcomes.ts';
import { distinct, isSorted, readTier, type TierRow } from './tier-rows.ts';
import { namedBy, sequenceOf } from './writes.ts';

export async function checkWarm(facts: Facts, lake: Lake, hot: HotTables): Promise<Violation[]> {
  const found: Violation[] = [];
  const months = new Map<string, readonly Write[]>();
  for (const [key, writes] of facts.writes) {
    const place = parseWarmKey(key);
    if (place?.name !== 'manifest.json') continue;
    const sequence = sequenceOf(writes);
    months.set(`${place.provider} ${place.month}`, sequence);
    found.push(...checkSteps(facts, key, place, sequence));
    found.push(...checkDeletions(facts, place, sequence));
    found.push(...(await checkSnapshot(lake, hot, key, place, sequence)));
  }
  return [...found, ...checkCompactions(facts, months)];
}

const SECOND = 1000;

interface Manifest {
  readonly m: number;
  readonly revision: number;
  readonly next_file_id: number;
  readonly levels: Readonly<Record<string, readonly Json[]>>;
  readonly processed_slots: readonly (readonly [number, number])[];
  readonly last_updated: string;
  readonly pending_deletions: readonly { readonly key: string; readonly not_before: string }[];
}

const manifestOf = ({ json }: Write): Manifest => json as unknown as Manifest;

function slotsOf({ processed_slots }: Manifest): Set<number> {
  return new Set(
    processed_slots.flatMap(([from, to]) => Array.from({ length: to - from + 1 }, (_, i) => from + i)),
  );
}

function checkSteps(
  { history }: Facts,
  key: string,
  place: WarmPlace,
  writes: readonly Write[],
): Violation[] {
  const found: Violation[] = [];
  for (const [i, write] of writes.entries()) {
    const bad = (detail: string) =>
      found.push(violation('warm-steps', `${key}, written by ${write.worker} at ${write.at}: ${detail}`));
    const now = manifestOf(write);
    const before = i === 0 ? undefined : manifestOf(writes[i - 1]!);
    if (now.revision !== (before?.revision ?? 0) + 1)
      bad(`revision ${now.revision} follows ${before?.revision ?? 'nothing'}`);
    for (const [level, files] of Object.entries(now.levels)) {
      if (files.length >= now.m) bad(`level ${level} has ${files.length} files`);
    }
    const names = Object.values(now.levels)
      .flat()
      .map(({ file }) => String(file));
    if (new Set(names).size < names.length) bad('it names a file twice');
    const ids = names.flatMap((name) => /^L\d+_(\d+)_/.exec(name)?.[1] ?? []).map(Number);
    if (ids.some((id) => id >= now.next_file_id))
      bad(`a file's id is not below next_file_id ${now.next_file_id}`);
    if (before === undefined) continue;
    if (now.next_file_id < before.next_file_id)
      bad(`next_file_id goes from ${before.next_file_id} to ${now.next_file_id}`);
    const slots = slotsOf(now);
    const lost = [...slotsOf(before)].filter((slot) => !slots.has(slot));
    if (lost.length > 0) bad(`the slots ${shown(lost)} are no longer processed`);
    const pending = new Map(now.pending_deletions.map((entry) => [entry.key, Date.parse(entry.not_before)]));
    // By the clock of who wrote it, which sets both times.
    const earliest = Date.parse(now.last_updated) + history.settings.readerGraceSeconds * SECOND;
    for (const [level, files] of Object.entries(before.levels)) {
      if (level === '0') continue;
      const given = files.map(({ file }) => String(file)).filter((name) => !names.includes(name));
      for (const name of given) {
        const notBefore = pending.get(`${place.folder}${name}`);
        if (notBefore === undefined) bad(`${name} is given up and not listed for deletion`);
        else if (notBefore < earliest) bad(`${name} is given up, and readers have less than their grace`);
      }
    }
  }
  return found;
}

/** Deletions of the month's files: only of what was given up, and late enough. */
function checkDeletions(
  { removals, history }: Facts,
  place: WarmPlace,
  writes: readonly Write[],
): Violation[] {
  const { readerGraceSeconds, clockStepSeconds } = history.settings;
  // One worker's clock sets the time, another's finds it come: they differ by two steps at most.
  const graceMs = Math.max(0, readerGraceSeconds - 2 * clockStepSeconds) * SECOND;
  const found: Violation[] = [];
  for (const [key, list] of removals) {
    if (!key.startsWith(place.folder)) continue;
    for (const { worker, at, wall } of list) {
      const bad = (detail: string) =>
        found.push(violation('early-deletion', `${key} was deleted by ${worker} at ${at}: ${detail}`));
      const earlier = writes.filter((write) => write.at <= at);
      const names = earlier.map((write) => namedBy(write, history.bucket).includes(key));
      const listed = earlier.some((write) =>
        manifestOf(write).pending_deletions.some((entry) => entry.key === key),
      );
      if (names.at(-1) === true) bad(`revision ${manifestOf(earlier.at(-1)!).revision} names it`);
      else if (!listed) bad('no manifest had listed it for deletion');
      const lastNamed = names.lastIndexOf(true);
      const givenUp = earlier[lastNamed + 1];
      // What no manifest ever named no reader has seen.
      if (lastNamed < 0 || givenUp === undefined) continue;
      if (wall - givenUp.wall < graceMs) {
        bad(
          `revision ${manifestOf(givenUp).revision} gave it up ${wall - givenUp.wall} ms before; readers have ${graceMs} ms`,
        );
      }
    }
  }
  return found;
}

/** The hot files of a month in the order in which its manifests let them in. */
function arrivals(writes: readonly Write[], place: WarmPlace): string[] {
  const seen = new Set<number>();
  return writes.flatMap((write) => {
    const fresh = [...slotsOf(manifestOf(write))].filter((slot) => !seen.has(slot));
    for (const slot of fresh) seen.add(slot);
    return fresh.toSorted((a, b) => a - b).map((slot) => keyOfSlot(place, slot));
  });
}

function keyOfSlot({ provider, month }: WarmPlace, slot: number): string {
  const at = new Date(Date.parse(`${month}-01T00:00:00Z`) + slot * 600 * SECOND);
  return hotKeyOf({ provider, timestamp: at.toISOString() })!;
}

async function checkSnapshot(
  lake: Lake,
  hot: HotTables,
  key: string,
  place: WarmPlace,
  writes: readonly Write[],
): Promise<Violation[]> {
  const last = writes.at(-1);
  if (last === undefined) return [];
  const found: Violation[] = [];
  const union = (detail: string) => found.push(violation('tier-union', `${key}: ${detail}`));
  const levels = Object.entries(manifestOf(last).levels);
  const files: { readonly first: number; readonly rows: readonly TierRow[] }[] = [];
  for (const [level, entries] of levels) {
    for (const entry of entries) {
      const name = level === '0' ? String(entry.file) : `${place.folder}${String(entry.file)}`;
      if (lake.find(name) === undefined) {
        union(`it names ${name}, which is not there`);
        continue;
      }
      const { rows } = await readTier(lake, name, place.provider);
      found.push(...wrongFacts(lake, key, name, entry, rows));
      files.push({ first: (entry.hot_range as readonly number[])[0]!, rows });
    }
  }
  const order = arrivals(writes, place);
  const tables = order.map((hotKey) => hot.get(hotKey)?.rows);
  const absent = order.filter((_, i) => tables[i] === undefined);
  if (absent.length > 0) union(`it has let in ${shown(absent)}, which are not there`);
  if (found.some(({ rule }) => rule === 'tier-union')) return found;
  // Of rows that are as alive as one another, that of the later arrival stays.
  const expected = distinct(tables.toReversed().flatMap((rows) => rows!));
  const stored = files.toSorted((a, b) => b.first - a.first).flatMap(({ rows }) => rows);
  const seen = distinct(stored);
  for (const [identity, row] of expected) {
    const found_ = seen.get(identity);
    if (found_ === undefined) union(`${row.text} is missing`);
    else if (found_.text !== row.text) union(`${found_.text} stands for ${row.text}`);
  }
  for (const [identity, row] of seen) if (!expected.has(identity)) union(`${row.text} was never uploaded`);
  return found;
}

function wrongFacts(
  lake: Lake,
  key: string,
  name: string,
  entry: Json,
  rows: readonly TierRow[],
): Violation[] {
  const times = rows.map(({ time }) => time);
  const told = [entry.rows, entry.bytes, microsOf(textOf(entry.min_time)), microsOf(textOf(entry.max_time))];
  const wanted = [rows.length, lake.find(name)?.bytes, Math.min(...times), Math.max(...times)];
  const found: Violation[] = [];
  if (shown(told) !== shown(wanted)) {
    found.push(
      violation(
        'warm-facts',
        `${key} says of ${name} rows, bytes, times ${shown(told)}; they are ${shown(wanted)}`,
      ),
    );
  }
  if (!isSorted(rows))
    found.push(violation('warm-facts', `${name} is not sorted by key and time, each once`));
  return found;
}

function microsOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const fraction = /\.(\d+)/.exec(text)?.[1] ?? '';
  return Date.parse(text.replace(/\.\d+/, '')) * 1000 + Number(fraction.slice(0, 6).padEnd(6, '0'));
}

/** Whoever was told that hot files are in finds them in; whoever asked for it and was told a failure was right to be. */
function checkCompactions(facts: Facts, months: ReadonlyMap<string, readonly Write[]>): Violation[] {
  const isIn = (key: string): boolean => {
    const place = parseHotKey(key);
    if (place === undefined) return false;
    const last = months.get(`${place.provider} ${place.month}`)?.at(-1);
    return last !== undefined && slotsOf(manifestOf(last)).has(place.slot);
  };
  const found: Violation[] = [];
  for (const request of facts.requests.values()) {
    if (request.kind !== 'compaction') continue;
    const deliveries = request.messages.flatMap(({ messageId }) => facts.deliveriesOf.get(messageId) ?? []);
    const asked = Math.min(...deliveries.map(({ at }) => at));
    for (const { body } of facts.completed.get(request.id) ?? []) {
      if (isGivenUp(facts, request, body)) continue;
      const wanted = textOf(request.body.hotKey);
      if (body.status === 'FAILURE') {
        const code = (body.error as Json | undefined)?.code;
        const absent = wanted !== undefined && !facts.writes.get(wanted)?.some((write) => write.at < asked);
        if (absent && code === 'INPUT_READ_ERROR') continue;
        found.push(
          violation(
            'tier-union',
            `compaction ${request.id} of ${shown(wanted ?? request.body.month)} failed: ${shown(body.error)}`,
          ),
        );
        continue;
      }
      const named = [...(wanted === undefined ? [] : [wanted]), ...((body.added ?? []) as readonly string[])];
      const lost = named.filter((key) => !isIn(key));
      if (lost.length > 0)
        found.push(
          violation('tier-union', `compaction ${request.id} succeeded, and ${shown(lost)} are not in`),
        );
    }
  }
  return found;
}
