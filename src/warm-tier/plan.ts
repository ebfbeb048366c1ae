/**
 * What a compaction does to a month, as a pure function of its manifest: which files arrive, which
 * merges follow, what the manifest says afterwards, and what may be deleted.
 *
 * The rule is the original writers': hot files arrive one by one in the order given, each gets the next
 * running number, and whenever a level holds m files its oldest m become one file of the next level,
 * named by the next file id. A merge whose output is itself merged in the same plan is not carried out:
 * the later merge takes its inputs instead. Its id stays used, so that names are what they were.
 *
 * Names. Two workers that plan from one manifest plan the same names. Whoever finds a name taken asks for
 * a plan with higher ids (`bumpIds`) and writes under another one; nothing is ever overwritten. What a
 * worker wrote and could not commit it hands to its next plan as `abandoned`: those keys go through
 * `pending` like every other, and their ids are passed by. So a file that a manifest names is not touched
 * as long as a reader may hold that manifest: before a key is deleted a manifest has listed it as pending,
 * and whoever still plans its name has read an older one and will lose. To such a slow worker an input may
 * be gone: it has lost already, and begins anew.
 */

import { addSlots, hasSlot } from '../contract/slot-ranges.ts';
import { warmFileId, warmFileName } from '../contract/tier-keys.ts';
import {
  type PendingDeletion,
  type WarmFile,
  type WarmFileFacts,
  type WarmManifest,
  withoutEmptyEnd,
} from '../contract/warm-manifest.ts';

/** A hot file that asks to be let in. */
export interface NewHotFile extends WarmFileFacts {
  readonly key: string;
  /** Its slot's index in the manifest's month. */
  readonly slot: number;
}

/** One merge to be carried out. */
export interface PlannedMerge {
  readonly level: number;
  readonly id: number;
  readonly hotRange: readonly [number, number];
  /** The output's name in the month's folder. */
  readonly name: string;
  /** The inputs by level and file, oldest first: of equal rows that of a later input stays. */
  readonly inputs: readonly LeveledFile[];
}

export interface LeveledFile {
  readonly level: number;
  readonly file: WarmFile;
}

export interface Proposal {
  /** Files that the plan lets in, in order. */
  readonly added: readonly NewHotFile[];
  /** Files whose slot is in already; nothing is done for them. */
  readonly repeated: readonly NewHotFile[];
  readonly merges: readonly PlannedMerge[];
  /** The levels afterwards: files that stay, and merges' outputs. */
  readonly levels: readonly (readonly (WarmFile | PlannedMerge)[])[];
  readonly nextFileId: number;
  readonly lastHotIndex: number;
  /** Keys of files that were written for an earlier plan and never committed. */
  readonly abandoned: readonly string[];
}

export interface ProposeOptions {
  /** Whether to merge all files of the month into one. Default false. */
  readonly full?: boolean;
  /** See `Proposal.abandoned`. Default none. */
  readonly abandoned?: readonly string[];
}

/** A merge in the making: of its inputs some may be merges too. */
interface Draft {
  readonly level: number;
  readonly id: number;
  readonly hotRange: readonly [number, number];
  readonly inputs: readonly Item[];
}

type Item = { readonly level: number; readonly file: WarmFile } | Draft;

/** Plans the arrival of hot files, of the manifest's month, and all merges that follow from it. */
export function propose(
  manifest: WarmManifest,
  files: readonly NewHotFile[],
  options: ProposeOptions = {},
): Proposal {
  const { full = false, abandoned = [] } = options;
  const levels: Item[][] = manifest.levels.map((items, level) => items.map((file) => ({ level, file })));
  const added: NewHotFile[] = [];
  const repeated: NewHotFile[] = [];
  const slots = new Set<number>();
  let nextId = Math.max(manifest.nextFileId, ...abandoned.map((key) => (warmFileId(key) ?? -1) + 1));
  let hotIndex = manifest.lastHotIndex;
  for (const hot of files) {
    if (slots.has(hot.slot) || hasSlot(manifest.processed, hot.slot)) {
      repeated.push(hot);
      continue;
    }
    slots.add(hot.slot);
    added.push(hot);
    const { key, rows, bytes, minTime, maxTime } = hot;
    hotIndex++;
    const file: WarmFile = { file: key, hotRange: [hotIndex, hotIndex], rows, bytes, minTime, maxTime };
    levels[0] = [...(levels[0] ?? []), { level: 0, file }];
    nextId = cascade(levels, manifest.m, nextId);
  }
  if (full) nextId = mergeAll(levels, nextId);
  const merges = levels.flat().filter((item) => 'inputs' in item);
  const byId = new Map(merges.map((draft) => [draft.id, plannedMerge(draft)]));
  return {
    added,
    repeated,
    merges: [...byId.values()].toSorted((a, b) => a.id - b.id),
    levels: levels.map((items) => items.map((item) => ('inputs' in item ? byId.get(item.id)! : item.file))),
    nextFileId: nextId,
    lastHotIndex: hotIndex,
    abandoned,
  };
}

/** Merges every level that is full, from the lowest up; returns the next file id. */
function cascade(levels: Item[][], m: number, firstId: number): number {
  let id = firstId;
  for (let level = 0; level < levels.length; level++) {
    while ((levels[level] ?? []).length >= m) {
      const inputs = levels[level]!.slice(0, m);
      levels[level] = levels[level]!.slice(m);
      levels[level + 1] = [...(levels[level + 1] ?? []), draft(level + 1, id++, inputs)];
    }
  }
  return id;
}

/** Makes one file of all, on the highest level there is, at least 1; returns the next file id. */
function mergeAll(levels: Item[][], id: number): number {
  const items = levels.flat();
  const top = Math.max(
    1,
    levels.findLastIndex((level) => level.length > 0),
  );
  const only = items[0];
  if (only === undefined || (items.length === 1 && only.level > 0)) return id;
  levels.splice(0, levels.length, ...Array.from({ length: top }, () => []), [draft(top, id, items)]);
  return id + 1;
}

function draft(level: number, id: number, inputs: readonly Item[]): Draft {
  const ranges = inputs.map(rangeOf);
  const first = Math.min(...ranges.map(([from]) => from));
  const last = Math.max(...ranges.map(([, to]) => to));
  return { level, id, hotRange: [first, last], inputs };
}

function rangeOf(item: Item): readonly [number, number] {
  return 'inputs' in item ? item.hotRange : item.file.hotRange;
}

function plannedMerge({ level, id, hotRange, inputs }: Draft): PlannedMerge {
  const leaves = inputs.flatMap(leavesOf).toSorted((a, b) => a.file.hotRange[0] - b.file.hotRange[0]);
  return { level, id, hotRange, name: warmFileName(level, id, ...hotRange), inputs: leaves };
}

function leavesOf(item: Item): LeveledFile[] {
  return 'inputs' in item ? item.inputs.flatMap(leavesOf) : [item];
}

/**
 * The same plan with the id of the given merge, and every later one, higher by one: for a worker that
 * finds the merge's name taken by a file that is not its own.
 */
export function bumpIds(proposal: Proposal, merge: PlannedMerge): Proposal {
  const bumped = new Map(
    proposal.merges
      .filter(({ id }) => id >= merge.id)
      .map((old) => {
        const id = old.id + 1;
        return [old, { ...old, id, name: warmFileName(old.level, id, ...old.hotRange) }];
      }),
  );
  const replace = <T>(item: T | PlannedMerge) => bumped.get(item as PlannedMerge) ?? item;
  return {
    ...proposal,
    merges: proposal.merges.map((item) => bumped.get(item) ?? item),
    levels: proposal.levels.map((items) => items.map(replace)),
    nextFileId: proposal.nextFileId + 1,
  };
}

export interface CommitOptions {
  /** The facts of each merge's output, by name. */
  readonly outputs: ReadonlyMap<string, WarmFileFacts>;
  /** Keys that were deleted, of those that `dueDeletions` gave. */
  readonly deleted: ReadonlySet<string>;
  /** The key of a file of the month's folder, from its name. */
  readonly keyOf: (name: string) => string;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** How long a reader may hold an older manifest, in milliseconds (WARM_READER_GRACE_SECONDS). */
  readonly readerGraceMs: number;
}

/** The manifest after a plan was carried out. Hot files are never up for deletion: their bucket's lifecycle is. */
export function commit(manifest: WarmManifest, proposal: Proposal, options: CommitOptions): WarmManifest {
  const { outputs, deleted, keyOf, now, readerGraceMs } = options;
  const notBefore = now + readerGraceMs;
  const superseded = proposal.merges.flatMap(({ inputs }) =>
    inputs.flatMap(({ level, file }) => (level === 0 ? [] : [keyOf(file.file)])),
  );
  const kept = manifest.pending.filter(({ key }) => !deleted.has(key));
  const pending = new Map<string, PendingDeletion>();
  // An original writer's entry says no time: it waits from now on.
  for (const entry of kept)
    pending.set(entry.key, { key: entry.key, notBefore: entry.notBefore ?? notBefore });
  for (const key of superseded) pending.set(key, { key, notBefore });
  // No manifest has named these, so no reader has seen them.
  for (const key of proposal.abandoned) pending.set(key, { key, notBefore: now });
  return {
    ...manifest,
    nextFileId: proposal.nextFileId,
    lastHotIndex: proposal.lastHotIndex,
    revision: manifest.revision + 1,
    levels: withoutEmptyEnd(proposal.levels.map((items) => items.map((item) => storedFile(item, outputs)))),
    processed: addSlots(
      manifest.processed,
      proposal.added.map(({ slot }) => slot),
    ),
    pending: [...pending.values()],
    lastUpdated: now,
  };
}

function storedFile(item: WarmFile | PlannedMerge, outputs: ReadonlyMap<string, WarmFileFacts>): WarmFile {
  if ('file' in item) return item;
  const facts = outputs.get(item.name);
  if (facts === undefined) throw new Error(`the plan's merge ${item.name} was not carried out`);
  const { rows, bytes, minTime, maxTime } = facts;
  return { file: item.name, hotRange: item.hotRange, rows, bytes, minTime, maxTime };
}

/** Whether a plan changes the manifest at all; deletions that are due are a reason of their own. */
export function changesAnything({ added, merges, abandoned }: Proposal): boolean {
  return added.length > 0 || merges.length > 0 || abandoned.length > 0;
}

/** The keys that may be deleted now, by the manifest as it was just read. */
export function dueDeletions(manifest: WarmManifest, now: number): string[] {
  return manifest.pending.flatMap(({ key, notBefore }) =>
    notBefore !== null && notBefore <= now ? [key] : [],
  );
}
