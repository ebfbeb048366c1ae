/**
 * One compaction of a month, to its end (docs/TIERS.md):
 *
 *   read manifest -> plan -> merge, each into a new file -> delete what is due -> write manifest, if unchanged
 *
 * Another writer may be first: then the month is read and planned anew, a bounded number of times. What was
 * written for a plan that came to nothing is given to the next one as abandoned, and so goes through the
 * manifest's pending deletions like every other file. It is never deleted out of hand: a compare-and-set
 * whose answer was lost may have been carried out, and a late DELETE could hit another writer's file of the
 * same name. Burying a key that the manifest does not name is safe even if the file is another's: whoever
 * plans with that name has read an older manifest, and will lose.
 */

import type { Clock } from '../common/clock.ts';
import { InvalidRequestError, messageOf, RetryableError } from '../common/errors.ts';
import type { Random } from '../common/ids.ts';
import {
  type CompactionResult,
  compactionResultOf,
  type MonthChanges,
  NO_CHANGES,
  remember,
} from '../contract/compaction-result.ts';
import { hasSlot } from '../contract/slot-ranges.ts';
import { warmFileId } from '../contract/tier-keys.ts';
import type { WarmManifest } from '../contract/warm-manifest.ts';
import type { HotFiles, HotSlot } from './hot-files.ts';
import type { MergedFacts, MergeOutcome } from './merge-files.ts';
import type { MonthStore, OpenedMonth } from './month-store.ts';
import {
  bumpIds,
  changesAnything,
  commit,
  dueDeletions,
  type NewHotFile,
  type Proposal,
  propose,
} from './plan.ts';

/** What a compaction is to do: let one hot file in, or all there are, or only delete what is due. */
export type Wanted =
  | { readonly hot: HotSlot }
  | { readonly mode: 'catch_up' | 'full' }
  | { readonly mode: 'sweep' };

/** The request that a compaction is for: the manifest remembers its answer. */
export interface ForRequest {
  readonly requestId: string;
  /** What was done to another month before, and is told with it. */
  readonly swept?: MonthChanges | undefined;
}

export interface CompactParts {
  readonly request?: ForRequest | undefined;
  readonly store: MonthStore;
  readonly hotFiles: HotFiles;
  /** Merges objects into a new one; see merge-files.ts. */
  readonly merge: (
    key: string,
    inputs: readonly string[],
    progress: (fraction: number) => void,
  ) => Promise<MergeOutcome>;
  readonly readerGraceMs: number;
  readonly maxRaces: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
  readonly progress: (fraction: number) => void;
  /** Told of what went wrong without harm. */
  readonly warn: (message: string, fields: Readonly<Record<string, unknown>>) => void;
}

/** A merged file that the manifest names now. */
export interface WrittenWarmFile {
  readonly key: string;
  readonly level: number;
  readonly rows: number;
  readonly bytes: number;
  readonly duplicates: number;
}

/** All that was done, and how it is told. */
export interface Compacted extends MonthChanges {
  readonly written: readonly WrittenWarmFile[];
  readonly outcome: CompactionResult['outcome'];
  readonly levels: CompactionResult['levels'];
  readonly result: CompactionResult;
  /** How often another writer was first. */
  readonly races: number;
}

/** Hot files that one plan lets in: it bounds how many inputs a merge can have. */
const BATCH = 64;
const MAX_DELETIONS = 1_000;
const DELETIONS_AT_ONCE = 16;
const MAX_TAKEN_NAMES = 1_000;
const BURY_TRIES = 8;
const BURY_MS = 10_000;
const FIRST_PAUSE_MS = 20;
const MAX_PAUSE_MS = 1_000;

interface CarriedOut {
  /** The plan with the names that were used. */
  readonly proposal: Proposal;
  readonly outputs: ReadonlyMap<string, MergedFacts>;
}

/**
 * Compacts a month. Throws INPUT_READ_ERROR for a hot file that is not there or can not be merged,
 * CONCURRENCY_CONFLICT when others kept being first.
 *
 * @param first the month as it was read already, if it was
 */
export async function compact(wanted: Wanted, parts: CompactParts, first?: OpenedMonth): Promise<Compacted> {
  const { store, signal, clock } = parts;
  /** Keys under which this compaction may have written a file that no manifest is known to name. */
  const own = new Set<string>();
  const { request } = parts;
  let changes: MonthChanges & Pick<Compacted, 'written'> = NO_CHANGES;
  let races = 0;
  let lost = 0;
  let opened = first ?? (await store.read(signal));
  const findNew = createFinder(wanted, parts);
  const resultFor = ({ levels }: WarmManifest) => {
    const counts = levels.map((files) => files.length);
    return compactionResultOf(changes, counts, request?.swept);
  };
  try {
    for (;;) {
      const { manifest, etag } = opened;
      const before = answerIn(manifest, request?.requestId);
      if (before !== undefined) {
        // A copy of the request was first, or the answer to our own write was lost.
        await bury(own, parts);
        return { ...changes, outcome: before.outcome, levels: before.levels, result: before, races };
      }
      const { batch, isLast } = await findNew(manifest);
      const full = 'mode' in wanted && wanted.mode === 'full' && isLast;
      const planned = propose(manifest, batch, { full, abandoned: unnamed(own, manifest) });
      const due = deletable(manifest, parts);
      if (!changesAnything(planned) && due.length === 0) break;
      const done = await carryOut(planned, own, opened, parts);
      const deleted = done === undefined ? new Set<string>() : await deleteAll(due, parts);
      if (done !== undefined && !changesAnything(done.proposal) && deleted.size === 0) break;
      if (done !== undefined) {
        const soFar = changes;
        let next = nextManifest(manifest, done, deleted, parts);
        changes = {
          manifests: [{ key: store.key, revision: next.revision }],
          added: [...soFar.added, ...planned.added.map(({ key }) => key)],
          written: [...soFar.written, ...writtenBy(done, store)],
          deleted: [...soFar.deleted, ...deleted],
        };
        if (isLast && request !== undefined) {
          const answer = { requestId: request.requestId, result: resultFor(next) };
          next = { ...next, answered: remember(manifest.answered, answer) };
        }
        if (await store.write(next, etag, signal)) {
          own.clear();
          lost = 0;
          if (isLast) {
            opened = { manifest: next, etag };
            break;
          }
        } else {
          changes = soFar;
          lost++;
        }
      } else {
        lost++;
      }
      if (lost > 0) {
        races++;
        if (lost > parts.maxRaces) throw conflict(store.key, lost);
        await clock.sleep(pauseMs(lost, parts.random()), signal);
      }
      opened = await store.read(signal);
    }
  } catch (error) {
    await bury(own, parts);
    throw error;
  }
  const result = resultFor(opened.manifest);
  return { ...changes, outcome: result.outcome, levels: result.levels, result, races };
}

/** What a request was answered with, of those that the manifest remembers. */
export function answerIn(
  manifest: WarmManifest,
  requestId: string | undefined,
): CompactionResult | undefined {
  return manifest.answered.find((one) => one.requestId === requestId)?.result;
}

/** Finds the hot files to let in by a manifest, a batch at a time. */
function createFinder(wanted: Wanted, { hotFiles, signal }: CompactParts) {
  const described = new Map<string, NewHotFile>();
  let listed: readonly HotSlot[] | undefined;

  /** The files that are there, of those asked for. */
  async function describe(slots: readonly HotSlot[]): Promise<NewHotFile[]> {
    const unknown = slots.filter(({ key }) => !described.has(key));
    for (const file of await hotFiles.describe(unknown, signal)) described.set(file.key, file);
    return slots.flatMap(({ key }) => described.get(key) ?? []);
  }

  return async ({ processed }: WarmManifest): Promise<{ batch: NewHotFile[]; isLast: boolean }> => {
    if ('hot' in wanted) {
      const { hot } = wanted;
      if (hasSlot(processed, hot.slot)) return { batch: [], isLast: true };
      const batch = await describe([hot]);
      if (batch.length === 0) throw missing(hot.key);
      return { batch, isLast: true };
    }
    if (wanted.mode === 'sweep') return { batch: [], isLast: true };
    listed ??= await hotFiles.list(signal);
    let waiting = listed.filter(({ slot }) => !hasSlot(processed, slot));
    for (;;) {
      const some = waiting.slice(0, BATCH);
      const batch = await describe(some);
      if (batch.length > 0 || some.length === 0) return { batch, isLast: waiting.length <= BATCH };
      // All of them have expired since they were listed.
      waiting = waiting.slice(BATCH);
      listed = waiting;
    }
  };
}

/** Does the plan's merges; undefined when the month has changed meanwhile, so that they could not be done. */
async function carryOut(
  planned: Proposal,
  own: Set<string>,
  opened: OpenedMonth,
  parts: CompactParts,
): Promise<CarriedOut | undefined> {
  const { store, progress } = parts;
  const outputs = new Map<string, MergedFacts>();
  let proposal = planned;
  let taken = 0;
  for (let i = 0; i < proposal.merges.length; ) {
    const merge = proposal.merges[i]!;
    const key = store.keyOf(merge.name);
    const inputs = merge.inputs.map(({ level, file }) => (level === 0 ? file.file : store.keyOf(file.file)));
    const isOurs = own.has(key);
    own.add(key);
    const total = proposal.merges.length;
    const outcome = await mergeOnce(key, inputs, opened, parts, (fraction) =>
      progress((i + fraction) / total),
    );
    if (outcome === undefined) return undefined;
    if (outcome.kind === 'written') {
      const { unsorted } = outcome.facts;
      if (unsorted.length > 0) parts.warn('files that were out of order were sorted first', { unsorted });
      outputs.set(merge.name, outcome.facts);
      i++;
      continue;
    }
    // Another's file, or one of an earlier attempt of ours: it is never overwritten.
    if (!isOurs) own.delete(key);
    if (++taken > MAX_TAKEN_NAMES) throw conflict(store.key, taken);
    proposal = bumpIds(proposal, merge);
  }
  return { proposal, outputs };
}

/** A merge; undefined when it failed over an input, and the month has changed: the plan was an old one. */
async function mergeOnce(
  key: string,
  inputs: readonly string[],
  opened: OpenedMonth,
  { store, merge, signal }: CompactParts,
  progress: (fraction: number) => void,
): Promise<MergeOutcome | undefined> {
  try {
    return await merge(key, inputs, progress);
  } catch (error) {
    if (signal.aborted || !(error instanceof InvalidRequestError)) throw error;
    const now = await store.read(signal);
    if (now.etag !== opened.etag) return undefined;
    throw error;
  }
}

function nextManifest(
  manifest: WarmManifest,
  { proposal, outputs }: CarriedOut,
  deleted: ReadonlySet<string>,
  { store, clock, readerGraceMs }: CompactParts,
): WarmManifest {
  return commit(manifest, proposal, {
    outputs,
    deleted,
    keyOf: store.keyOf,
    now: clock.now(),
    readerGraceMs,
  });
}

function writtenBy({ proposal, outputs }: CarriedOut, store: MonthStore): WrittenWarmFile[] {
  return proposal.merges.map(({ name, level }) => {
    const { rows, bytes, duplicates } = outputs.get(name)!;
    return { key: store.keyOf(name), level, rows, bytes, duplicates };
  });
}

/** The keys that a manifest neither names nor is about to have deleted. */
function unnamed(keys: Iterable<string>, { levels, pending }: WarmManifest): string[] {
  const names = new Set(levels.flat().map(({ file }) => file));
  const waiting = new Set(pending.map(({ key }) => key));
  return [...keys].filter((key) => !waiting.has(key) && !names.has(key.slice(key.lastIndexOf('/') + 1)));
}

/** The due keys of the manifest just read: warm files of this month, which it does not name any more. */
function deletable(manifest: WarmManifest, { store, clock }: CompactParts): string[] {
  const due = dueDeletions(manifest, clock.now()).slice(0, MAX_DELETIONS);
  const named = new Set(manifest.levels.flat().map(({ file }) => store.keyOf(file)));
  return due.filter((key) => {
    const name = key.slice(key.lastIndexOf('/') + 1);
    return key === store.keyOf(name) && warmFileId(name) !== undefined && !named.has(key);
  });
}

/** Deletes what can be deleted; a key whose deletion failed keeps its entry. */
async function deleteAll(
  keys: readonly string[],
  { store, signal, warn }: CompactParts,
): Promise<Set<string>> {
  const deleted = new Set<string>();
  for (let at = 0; at < keys.length; at += DELETIONS_AT_ONCE) {
    const some = keys.slice(at, at + DELETIONS_AT_ONCE);
    const results = await Promise.allSettled(some.map((key) => store.remove(key, signal)));
    signal.throwIfAborted();
    results.forEach((result, i) => {
      const key = some[i]!;
      if (result.status === 'fulfilled') deleted.add(key);
      else
        warn('a superseded file could not be deleted; it stays listed', {
          key,
          cause: messageOf(result.reason),
        });
    });
  }
  return deleted;
}

/**
 * Has the manifest list the keys for deletion, when there will be no next plan to do so. Does what it can
 * in a short time, also for a job that was told to stop: what is left then are orphans.
 */
export async function bury(
  keys: ReadonlySet<string>,
  parts: Pick<CompactParts, 'store' | 'clock' | 'random' | 'readerGraceMs' | 'warn'>,
): Promise<readonly string[]> {
  if (keys.size === 0) return [];
  const { store, clock, random, readerGraceMs, warn } = parts;
  const limit = clock.timeout(BURY_MS, () => new Error(`not done in ${BURY_MS / 1000} seconds`));
  const { signal } = limit;
  try {
    for (let attempt = 1; attempt <= BURY_TRIES; attempt++) {
      const { manifest, etag } = await store.read(signal);
      const abandoned: string[] = [];
      for (const key of unnamed(keys, manifest)) {
        if (await store.exists(key, signal)) abandoned.push(key);
      }
      if (abandoned.length === 0) return [];
      const proposal = propose(manifest, [], { abandoned });
      const options = {
        outputs: new Map(),
        deleted: new Set<string>(),
        keyOf: store.keyOf,
        now: clock.now(),
        readerGraceMs,
      };
      if (await store.write(commit(manifest, proposal, options), etag, signal)) return abandoned;
      await clock.sleep(pauseMs(attempt, random()), signal);
    }
    warn('files of a compaction that failed are left behind', { keys: [...keys] });
  } catch (error) {
    warn('files of a compaction that failed are left behind', { keys: [...keys], cause: messageOf(error) });
  } finally {
    limit.clear();
  }
  return [];
}

function pauseMs(lost: number, random: number): number {
  return random * Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(lost, 10));
}

function missing(key: string): InvalidRequestError {
  return new InvalidRequestError('INPUT_READ_ERROR', `the hot file ${key} does not exist`, {
    fields: { key },
  });
}

function conflict(key: string, times: number): RetryableError {
  return new RetryableError('CONCURRENCY_CONFLICT', `${key} kept being written by others (${times} times)`, {
    fields: { key },
  });
}
