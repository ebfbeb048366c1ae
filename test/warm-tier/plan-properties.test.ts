import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { countSlots } from '../../src/contract/slot-ranges.ts';
import { warmFileId } from '../../src/contract/tier-keys.ts';
import { parseManifest, serializeManifest } from '../../src/contract/warm-manifest.ts';
import { changesAnything, dueDeletions, propose } from '../../src/warm-tier/plan.ts';
import {
  allSlots,
  committed,
  compact,
  emptyMonth,
  GRACE_MS,
  hotFile,
  keyOf,
  MONTH,
  type Month,
  write,
} from './month.ts';

const START = Date.UTC(2026, 0, 1);

/** Slots in any order, with gaps and repeats, in portions. */
const arrivals = fc.array(fc.array(fc.nat(150), { minLength: 1, maxLength: 12 }), { maxLength: 60 });

function numerically(slots: Iterable<number>): number[] {
  return [...slots].sort((a, b) => a - b);
}

/** What holds after every commit. */
function expectSound(month: Month): void {
  const { manifest } = month;
  const named = new Set(
    manifest.levels.flatMap((files, level) => (level === 0 ? [] : files.map(({ file }) => keyOf(file)))),
  );
  for (const key of named) expect(month.objects.has(key)).toBe(true);
  for (const { key } of manifest.pending) expect(named.has(key)).toBe(false);
  for (const [level, files] of manifest.levels.entries()) {
    expect(files.length).toBeLessThan(manifest.m);
    const ranges = files.map(({ hotRange }) => hotRange);
    for (const [i, [first, last]] of ranges.entries()) {
      expect(last - first + 1).toBe(manifest.m ** level);
      if (i > 0) expect(first).toBeGreaterThan(ranges[i - 1]![1]);
    }
  }
  expect(new Set(month.made).size).toBe(month.made.length);
}

describe('a month, in whatever order its slots come', () => {
  test('has every slot once, in levels that the arithmetic of m demands', () => {
    fc.assert(
      fc.property(arrivals, fc.integer({ min: 2, max: 9 }), (portions, m) => {
        const month = emptyMonth(m);
        let now = START;
        for (const portion of portions) {
          compact(month, portion.map(hotFile), now);
          expectSound(month);
          now += 300_000;
        }
        const distinct = new Set(portions.flat());
        expect(numerically(allSlots(month))).toEqual(numerically(distinct));
        expect(countSlots(month.manifest.processed)).toBe(distinct.size);
        expect(month.manifest.lastHotIndex).toBe(distinct.size - 1);
        const digits = [...distinct.size.toString(m)].map((digit) => Number.parseInt(digit, m)).reverse();
        expect(month.manifest.levels.map((files) => files.length)).toEqual(distinct.size === 0 ? [] : digits);
        expect(parseManifest(serializeManifest(month.manifest), 'key', 'aws', MONTH)).toEqual(month.manifest);
      }),
      { numRuns: 150 },
    );
  });

  test('has them also when it is merged into one in between', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.array(fc.nat(80), { maxLength: 9 }), fc.boolean())), (portions) => {
        const month = emptyMonth();
        for (const [slots, full] of portions) compact(month, slots.map(hotFile), START, { full });
        expect(numerically(allSlots(month))).toEqual(
          numerically(new Set(portions.flatMap(([slots]) => slots))),
        );
        for (const files of month.manifest.levels) expect(files.length).toBeLessThan(8);
      }),
    );
  });
});

/** What a worker does next, of those that work on the month at once. */
const step = fc.record({
  worker: fc.nat(2),
  action: fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom('begin', 'delete', 'write', 'commit') },
    { weight: 1, arbitrary: fc.constant('crash') },
  ),
  slots: fc.array(fc.nat(200), { minLength: 1, maxLength: 4 }),
  full: fc.constantFrom(false, false, false, true),
  minutes: fc.nat(8),
});

interface Work {
  readonly etag: number;
  readonly manifest: Month['manifest'];
  readonly due: readonly string[];
  readonly slots: readonly number[];
  readonly full: boolean;
  readonly abandoned: readonly string[];
  proposal: ReturnType<typeof propose>;
  deleted: boolean;
  written: boolean;
}

/** Workers that read, plan, write and commit in any interleaving, lose races and crash. */
function race(month: Month, steps: readonly (typeof step extends fc.Arbitrary<infer S> ? S : never)[]) {
  const workers: (Work | undefined)[] = [];
  const asked = new Set<number>();
  const done = new Set<number>();
  const snapshots: { readonly files: ReadonlyMap<string, unknown>; until: number }[] = [];
  /** What workers made that crashed, or that are not done yet. */
  const strays = new Set<string>();
  let now = START;

  const begin = (worker: number, slots: readonly number[], full: boolean, abandoned: readonly string[]) => {
    const { manifest } = month;
    // Only what the manifest just read lists, and lists as due, is ever deleted; be it ever so late.
    const due = dueDeletions(manifest, now);
    const proposal = propose(manifest, slots.map(hotFile), { full, abandoned });
    workers[worker] = {
      etag: manifest.revision,
      manifest,
      due,
      slots,
      full,
      abandoned,
      proposal,
      deleted: false,
      written: false,
    };
  };

  const act = ({ worker, action, slots, full, minutes }: (typeof steps)[number]) => {
    now += minutes * 60_000;
    const work = workers[worker];
    if (action === 'begin' && work === undefined) {
      for (const slot of slots) asked.add(slot);
      begin(worker, slots, full, []);
    } else if (action === 'delete' && work !== undefined) {
      for (const key of work.due) month.objects.delete(key);
      work.deleted = true;
    } else if (action === 'write' && work !== undefined && !work.written) {
      const inputs = work.proposal.merges.flatMap((merge) => merge.inputs);
      const missing = inputs.some(({ level, file }) => level > 0 && !month.objects.has(keyOf(file.file)));
      if (missing) {
        // Only to one that was slower than the grace, and has lost already.
        expect(work.etag).toBeLessThan(month.manifest.revision);
        begin(worker, work.slots, work.full, work.abandoned);
      } else {
        work.proposal = write(month, work.proposal);
        work.written = true;
      }
    } else if (action === 'crash') {
      for (const key of madeBy(work)) strays.add(key);
      workers[worker] = undefined;
    } else if (action === 'commit' && work?.written) {
      if (work.etag === month.manifest.revision) {
        const deleted = work.deleted ? work.due : [];
        if (changesAnything(work.proposal) || deleted.length > 0) {
          month.manifest = committed(work.manifest, work.proposal, now, deleted);
          // Whoever has just read the manifest before may go on reading for the grace.
          const before = snapshots.at(-1);
          if (before !== undefined) before.until = now + GRACE_MS;
          const files = new Map(namedKeys(month).map((key) => [key, month.objects.get(key)]));
          snapshots.push({ files, until: Number.POSITIVE_INFINITY });
        }
        for (const slot of work.slots) done.add(slot);
        workers[worker] = undefined;
      } else {
        begin(worker, work.slots, work.full, madeBy(work));
      }
    }
    for (const { files, until } of snapshots) {
      // The same file, not only one of the same name.
      if (now < until) for (const [key, file] of files) expect(month.objects.get(key)).toBe(file);
    }
  };
  for (const each of steps) act(each);
  for (const work of workers) for (const key of madeBy(work)) strays.add(key);
  return { asked, done, strays };
}

/** The keys of what a worker made and has not seen committed. */
function madeBy(work: Work | undefined): string[] {
  if (work === undefined) return [];
  return [...work.abandoned, ...(work.written ? work.proposal.merges.map(({ name }) => keyOf(name)) : [])];
}

function namedKeys(month: Month): string[] {
  return month.manifest.levels.flatMap((files, level) =>
    level === 0 ? [] : files.map(({ file }) => keyOf(file)),
  );
}

describe('workers that compact one month at once', () => {
  test('lose no slot and double none, name no file that is not there, and delete nothing that is read', () => {
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 40, maxLength: 160, size: 'max' }),
        fc.integer({ min: 2, max: 4 }),
        (steps, m) => {
          const month = emptyMonth(m);
          const { asked, done, strays } = race(month, steps);
          const slots = allSlots(month);
          expect(new Set(slots).size).toBe(slots.length);
          for (const slot of done) expect(slots).toContain(slot);
          for (const slot of slots) expect(asked.has(slot)).toBe(true);
          expect(countSlots(month.manifest.processed)).toBe(slots.length);
          const known = new Set([
            ...namedKeys(month),
            ...month.manifest.pending.map(({ key }) => key),
            ...strays,
          ]);
          for (const key of month.objects.keys()) expect(known.has(key)).toBe(true);
          const ids = namedKeys(month).map((key) => warmFileId(key)!);
          expect(new Set(ids).size).toBe(ids.length);
          for (const id of ids) expect(id).toBeLessThan(month.manifest.nextFileId);
        },
      ),
      { numRuns: 400 },
    );
  });
});
