import { describe, expect, test } from '@jest/globals';
import { hasSlot } from '../../src/contract/slot-ranges.ts';
import { parseManifest, serializeManifest } from '../../src/contract/warm-manifest.ts';
import { bumpIds, changesAnything, commit, dueDeletions, propose } from '../../src/warm-tier/plan.ts';
import { tierCases } from '../contract/tier-cases.ts';
import {
  allSlots,
  committed,
  compact,
  emptyMonth,
  GRACE_MS,
  hotFile,
  keyOf,
  newMonth,
  write,
} from './month.ts';

const NOW = Date.UTC(2026, 0, 2);

function filled(count: number, m = 8) {
  const month = emptyMonth(m);
  for (let slot = 0; slot < count; slot++) compact(month, [hotFile(slot)], NOW + slot * 600_000);
  return month;
}

/** Levels as the original writers store them. */
function storedLevels(manifest: ReturnType<typeof newMonth>) {
  const stored = manifest.levels.map((files, level) => [
    String(level),
    files.map(({ file, hotRange }) => ({ file, hot_range: [...hotRange] })),
  ]);
  return Object.fromEntries(stored.filter(([, files]) => files!.length > 0));
}

describe('hot files that arrive one by one', () => {
  test.each(tierCases.compactionLevels)(
    'give the levels of the original writers: $id',
    ({ hotFiles, ...expected }) => {
      const { manifest } = filled(Number(/^(\d+) files/.exec(hotFiles)![1]));
      expect(storedLevels(manifest)).toEqual(expected.levels);
      expect(manifest.nextFileId).toBe(expected.next_file_id);
      expect(manifest.lastHotIndex).toBe(expected.last_hot_idx);
    },
  );

  test('make one file of level 2 of 64, whose id comes after those of level 1', () => {
    const month = filled(64);
    expect(storedLevels(month.manifest)).toEqual({
      '2': [{ file: 'L2_0008_00000-00063.parquet', hot_range: [0, 63] }],
    });
    expect(month.manifest.nextFileId).toBe(9);
  });

  test('do not have a file written that is merged at once: the next merge takes its inputs', () => {
    const { manifest } = filled(63);
    const { merges, nextFileId } = propose(manifest, [hotFile(63)]);
    expect(merges).toHaveLength(1);
    expect(merges[0]).toMatchObject({
      level: 2,
      id: 8,
      name: 'L2_0008_00000-00063.parquet',
      hotRange: [0, 63],
    });
    expect(merges[0]!.inputs.map(({ level }) => level)).toEqual([
      1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0,
    ]);
    expect(nextFileId).toBe(9);
  });

  test('fill a month of 4,464 slots to the levels of its number to base 8', () => {
    const month = filled(4_464);
    // 4,464 = 1·8⁴ + 0·8³ + 5·8² + 6·8 + 0
    expect(month.manifest.levels.map((files) => files.length)).toEqual([0, 6, 5, 0, 1]);
    expect(allSlots(month).sort((a, b) => a - b)).toEqual(Array.from({ length: 4_464 }, (_, i) => i));
    expect(month.manifest.processed).toEqual([[0, 4_463]]);
    const text = serializeManifest(month.manifest);
    expect(text.length).toBeLessThan(100_000);
    const opened = parseManifest(text, 'key', 'aws', { year: 2026, month: 1 });
    expect(opened).toEqual(month.manifest);
  });

  test('that come again change nothing', () => {
    const { manifest } = filled(9);
    const proposal = propose(manifest, [hotFile(3), hotFile(8)]);
    expect(proposal.repeated.map(({ slot }) => slot)).toEqual([3, 8]);
    expect(changesAnything(proposal)).toBe(false);
    expect(propose(newMonth(), [hotFile(3), hotFile(3)])).toMatchObject({
      added: [{ slot: 3 }],
      repeated: [{ slot: 3 }],
    });
  });

  test('late get the next running number, and are in', () => {
    const month = emptyMonth();
    for (const slot of [0, 1, 5, 2]) compact(month, [hotFile(slot)], NOW);
    expect(month.manifest.levels[0]!.map(({ file, hotRange }) => [file.slice(-12, -8), hotRange])).toEqual([
      ['0-00', [0, 0]],
      ['0-10', [1, 1]],
      ['0-50', [2, 2]],
      ['0-20', [3, 3]],
    ]);
    expect(month.manifest.processed).toEqual([
      [0, 2],
      [5, 5],
    ]);
    expect(hasSlot(month.manifest.processed, 3)).toBe(false);
  });
});

describe('many hot files at once', () => {
  test('leave the same levels and ids as one by one', () => {
    for (const count of [7, 8, 9, 63, 64, 65, 200]) {
      const atOnce = emptyMonth();
      compact(
        atOnce,
        Array.from({ length: count }, (_, slot) => hotFile(slot)),
        NOW,
      );
      const oneByOne = filled(count);
      expect(storedLevels(atOnce.manifest)).toEqual(storedLevels(oneByOne.manifest));
      expect(atOnce.manifest.nextFileId).toBe(oneByOne.manifest.nextFileId);
      expect(atOnce.made.length).toBeLessThanOrEqual(oneByOne.made.length);
    }
  });
});

describe('a full merge', () => {
  test('makes one file of all, on the highest level, oldest inputs first', () => {
    const month = filled(77);
    const { merges } = propose(month.manifest, [], { full: true });
    expect(merges).toHaveLength(1);
    expect(merges[0]).toMatchObject({ level: 2, id: 10, name: 'L2_0010_00000-00076.parquet' });
    expect(merges[0]!.inputs.map(({ file }) => file.hotRange[0])).toEqual([0, 64, 72, 73, 74, 75, 76]);
    compact(month, [], NOW, { full: true });
    expect(month.manifest.levels.map((files) => files.length)).toEqual([0, 0, 1]);
    expect(new Set(allSlots(month)).size).toBe(77);
    compact(month, [hotFile(77)], NOW);
    expect(month.manifest.levels.map((files) => files.length)).toEqual([1, 0, 1]);
  });

  test('of what is one file already, or nothing, is nothing', () => {
    expect(propose(newMonth(), [], { full: true }).merges).toEqual([]);
    expect(propose(filled(8).manifest, [], { full: true }).merges).toEqual([]);
  });

  test('turns a lone hot file into a warm one', () => {
    expect(propose(filled(1).manifest, [], { full: true }).merges).toMatchObject([
      { level: 1, name: 'L1_0000_00000-00000.parquet' },
    ]);
  });

  test('takes the files that arrive with it', () => {
    const month = emptyMonth();
    compact(month, [0, 1, 2].map(hotFile), NOW, { full: true });
    expect(month.manifest.levels.map((files) => files.length)).toEqual([0, 1]);
    expect(allSlots(month)).toEqual([0, 1, 2]);
  });
});

describe('superseded files', () => {
  test('wait for the readers of older manifests; hot files are not up for deletion', () => {
    const month = filled(63);
    expect(month.manifest.pending).toEqual([]);
    compact(month, [hotFile(63)], NOW);
    expect(month.manifest.pending).toHaveLength(7);
    expect(month.manifest.pending[0]).toEqual({
      key: keyOf('L1_0000_00000-00007.parquet'),
      notBefore: NOW + GRACE_MS,
    });
    expect(dueDeletions(month.manifest, NOW + GRACE_MS - 1)).toEqual([]);
    expect(dueDeletions(month.manifest, NOW + GRACE_MS)).toHaveLength(7);
  });

  test('whose deletion fails stay listed', () => {
    const month = filled(64);
    const due = dueDeletions(month.manifest, NOW * 2);
    const next = committed(month.manifest, propose(month.manifest, []), NOW * 2, due.slice(0, 5));
    expect(next.pending.map(({ key }) => key)).toEqual(due.slice(5));
  });

  test('of an original writer wait from the first commit on', () => {
    const manifest = { ...newMonth(), pending: [{ key: 'old', notBefore: null }] };
    expect(dueDeletions(manifest, NOW * 2)).toEqual([]);
    const next = committed(manifest, propose(manifest, [hotFile(0)]), NOW);
    expect(next.pending).toEqual([{ key: 'old', notBefore: NOW + GRACE_MS }]);
  });
});

describe('names', () => {
  test('that are taken are passed by, and ids go on from there', () => {
    const { manifest } = filled(7);
    const proposal = propose(manifest, [hotFile(7)]);
    const bumped = bumpIds(bumpIds(proposal, proposal.merges[0]!), proposal.merges[0]!);
    // A merge is known by its place in the plan it is of; of a plan that is past nothing is bumped.
    expect(bumped.merges[0]!.name).toBe('L1_0002_00000-00007.parquet');
    expect(bumped.nextFileId).toBe(3);
    expect(bumped.levels[1]![0]).toBe(bumped.merges[0]);
    expect(committed(manifest, bumped, NOW).levels[1]![0]!.file).toBe('L1_0002_00000-00007.parquet');
  });

  test('of a merge in the middle leave the earlier ones as they are', () => {
    const proposal = propose(
      newMonth(),
      Array.from({ length: 16 }, (_, slot) => hotFile(slot)),
    );
    expect(proposal.merges.map(({ id }) => id)).toEqual([0, 1]);
    expect(bumpIds(proposal, proposal.merges[1]!).merges.map(({ id }) => id)).toEqual([0, 2]);
    expect(bumpIds(proposal, proposal.merges[0]!).merges.map(({ id }) => id)).toEqual([1, 2]);
  });

  test('of files that were never committed are not used again, and are deleted', () => {
    const month = filled(7);
    const lost = write(month, propose(month.manifest, [hotFile(7)]));
    // A rival committed slot 8 first, and merged.
    compact(month, [hotFile(8)], NOW);
    const abandoned = lost.merges.map(({ name }) => keyOf(name));
    const proposal = propose(month.manifest, [hotFile(7)], { abandoned });
    expect(changesAnything(propose(month.manifest, [], { abandoned }))).toBe(true);
    const next = committed(month.manifest, proposal, NOW);
    expect(dueDeletions(next, NOW)).toEqual(abandoned);
    expect(next.nextFileId).toBe(2);
    const far = propose(newMonth(), [], { abandoned: [keyOf('L1_0004_00000-00007.parquet')] });
    expect(far.nextFileId).toBe(5);
  });
});

test('a merge that was not carried out cannot be committed', () => {
  const { manifest } = filled(7);
  const proposal = propose(manifest, [hotFile(7)]);
  const options = { outputs: new Map(), deleted: new Set<string>(), keyOf, now: NOW, readerGraceMs: 0 };
  expect(() => commit(manifest, proposal, options)).toThrow(
    'L1_0000_00000-00007.parquet was not carried out',
  );
});
