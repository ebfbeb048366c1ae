/** Plans: made from the seed alone, and over many seeds everything that they can hold. */

import { describe, expect, test } from '@jest/globals';
import { FAULTS } from './faults.ts';
import { makePlan } from './plan.ts';

const SEEDS = Array.from({ length: 300 }, (_, i) => i + 1);

describe('a plan', () => {
  test('is the same for the same seed, and another for another', () => {
    expect(makePlan(7)).toEqual(makePlan(7));
    expect(JSON.stringify(makePlan(7))).toBe(JSON.stringify(makePlan(7)));
    expect(new Set(SEEDS.map((seed) => JSON.stringify(makePlan(seed)))).size).toBe(SEEDS.length);
  });

  test('has requests of every kind, poison, repeated ones and files that change, somewhere', () => {
    const plans = SEEDS.map(makePlan);
    const kinds = plans.flatMap(({ requests }) => requests.map(({ kind }) => kind));
    expect(new Set(kinds)).toEqual(new Set(['metric', 'upload', 'compaction', 'ingest', 'poison']));
    expect(plans.some(({ requests }) => new Set(requests.map(({ id }) => id)).size < requests.length)).toBe(
      true,
    );
    expect(plans.some(({ files }) => new Set(files.map(({ key }) => key)).size < files.length)).toBe(true);
    const mean = kinds.length / plans.length;
    expect(mean).toBeGreaterThan(18);
    expect(mean).toBeLessThan(40);
  });

  test('has every fault and every deed, somewhere, and calm seeds', () => {
    const plans = SEEDS.map(makePlan);
    const faults = plans.flatMap(({ rules }) => rules.map(({ fault }) => fault));
    expect(new Set(faults)).toEqual(new Set(Object.keys(FAULTS)));
    const deeds = plans.flatMap(({ deeds, callDeeds }) => [...deeds, ...callDeeds].map(({ deed }) => deed));
    expect(new Set(deeds)).toEqual(new Set(['kill', 'pause', 'drain', 'clock']));
    expect(plans.some(({ rules }) => rules.length === 0)).toBe(true);
    expect(plans.some(({ rules }) => rules.some(({ lasting }) => lasting))).toBe(true);
  });

  test('never sends two messages under one deduplication id', () => {
    for (const { requests } of SEEDS.map(makePlan)) {
      const ids = requests.map(({ deduplicationId }) => deduplicationId);
      expect(new Set(ids).size).toBe(ids.length);
    }
  });
});
