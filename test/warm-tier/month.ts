/** A month without S3: carries plans out on a set of names, as the executor does on objects. */

import { hotKeyOf, warmFolder } from '../../src/contract/tier-keys.ts';
import { emptyManifest, type WarmManifest } from '../../src/contract/warm-manifest.ts';
import {
  bumpIds,
  changesAnything,
  commit,
  dueDeletions,
  type NewHotFile,
  type Proposal,
  type ProposeOptions,
  propose,
} from '../../src/warm-tier/plan.ts';

export const MONTH = { year: 2026, month: 1 };
export const FOLDER = warmFolder('test/', 'aws', MONTH);
export const GRACE_MS = 600_000;
const NOTHING = { rows: null, bytes: null, minTime: null, maxTime: null };

export const keyOf = (name: string) => `${FOLDER}/${name}`;

export function newMonth(m = 8): WarmManifest {
  return emptyManifest(m, 'aws', ['InstanceType', 'Region', 'AZ'], MONTH);
}

export function hotFile(slot: number): NewHotFile {
  return { key: hotKeyOf('test/', 'aws', { ...MONTH, slot }), slot, ...NOTHING };
}

/** The warm files that exist, by key, with the slots whose rows each has. */
export type Objects = Map<string, readonly number[]>;

export interface Month {
  manifest: WarmManifest;
  readonly objects: Objects;
  /** Every key that a file was ever made under, to see that none is used twice. */
  readonly made: string[];
}

export function emptyMonth(m = 8): Month {
  return { manifest: newMonth(m), objects: new Map(), made: [] };
}

/** The slots whose rows a file of the manifest has. */
export function slotsOf(
  month: Month,
  level: number,
  file: string,
  slots: ReadonlyMap<string, number>,
): readonly number[] {
  if (level === 0) return [slots.get(file)!];
  const found = month.objects.get(keyOf(file));
  if (found === undefined) throw new Error(`${file} is named and does not exist`);
  return found;
}

/** Carries a plan's merges out under names that are free; returns the plan with the names that were used. */
export function write(month: Month, planned: Proposal): Proposal {
  let proposal = planned;
  for (let i = 0; i < proposal.merges.length; i++) {
    while (month.objects.has(keyOf(proposal.merges[i]!.name)))
      proposal = bumpIds(proposal, proposal.merges[i]!);
    const merge = proposal.merges[i]!;
    const slots = merge.inputs.flatMap(({ level, file }) => slotsOf(month, level, file.file, slotByKey));
    month.objects.set(keyOf(merge.name), slots);
    month.made.push(keyOf(merge.name));
  }
  return proposal;
}

const slotByKey: ReadonlyMap<string, number> = new Map(
  Array.from({ length: 4_464 }, (_, slot) => [hotFile(slot).key, slot]),
);

/** The manifest that follows, with facts as the executor would have them. */
export function committed(
  from: WarmManifest,
  proposal: Proposal,
  now: number,
  deleted: readonly string[] = [],
) {
  const outputs = new Map(proposal.merges.map(({ name }) => [name, NOTHING]));
  return commit(from, proposal, { outputs, deleted: new Set(deleted), keyOf, now, readerGraceMs: GRACE_MS });
}

/** One compaction without rivals: due files are deleted, hot files let in, merges carried out. */
export function compact(
  month: Month,
  files: readonly NewHotFile[],
  now: number,
  options: ProposeOptions = {},
): void {
  const due = dueDeletions(month.manifest, now);
  for (const key of due) month.objects.delete(key);
  const proposal = write(month, propose(month.manifest, files, options));
  if (changesAnything(proposal) || due.length > 0)
    month.manifest = committed(month.manifest, proposal, now, due);
}

/** Every slot once for each file of the manifest that has its rows. */
export function allSlots(month: Month): number[] {
  return month.manifest.levels.flatMap((files, level) =>
    files.flatMap(({ file }) => slotsOf(month, level, file, slotByKey)),
  );
}
