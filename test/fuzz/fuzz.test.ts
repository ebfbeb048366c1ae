/**
 * The short form of `npm run fuzz`: the corpus as it is, which holds every input that was ever bad, and a few
 * thousand mutations of a fixed seed; and proof that the lanes see what they are there for.
 */

import { beforeAll, describe, expect, test } from '@jest/globals';
import { corpusOf, mutation } from './corpus.ts';
import type { TargetReport } from './lane.ts';
import { shareOut } from './run.ts';
import { runLane } from './run-lane.ts';
import { TARGETS } from './targets.ts';

const MUTATIONS = 2_500;
const SEED = 20_261_121;
/** A few seconds of the processor each; the machine may be busy. */
const PATIENCE_MS = 240_000;
const NAMES = TARGETS.map(({ name }) => name);

describe('the short run', () => {
  const shares = shareOut(MUTATIONS, NAMES);
  let reports: readonly TargetReport[] = [];
  beforeAll(async () => {
    reports = await runLane(
      NAMES.map((target) => ({ target, seed: SEED, from: 0, count: shares.get(target)! })),
    );
  }, PATIENCE_MS);

  test.each(NAMES)('of %s meets no crash, hang, foreign error or growth', (name) => {
    const report = reports.find(({ target }) => target === name)!;
    expect(report.failures.map(({ number, signature, detail }) => ({ number, signature, detail }))).toEqual(
      [],
    );
    expect(report.growth).toEqual([]);
    expect(report.inputs).toBeGreaterThan(shares.get(name)!);
    // Inputs that are taken and inputs that are refused: mutations that only ever do one test little.
    expect(Object.keys(report.outcomes).length).toBeGreaterThan(1);
  });
});

test('a mutation is the same for its target, seed and number, and another for another number', () => {
  for (const target of TARGETS) {
    const corpus = corpusOf(target);
    expect(mutation(target, corpus, 1, 7)).toEqual(mutation(target, corpus, 1, 7));
    const some = new Set(
      Array.from({ length: 20 }, (_, n) => mutation(target, corpus, 1, n).toString('hex')),
    );
    expect(some.size).toBeGreaterThan(10);
  }
});

describe('the lanes', () => {
  test(
    'see each fault, name its input, and go on behind it',
    async () => {
      const [report] = await runLane([{ target: 'faulty', seed: 1, from: 0, count: 0 }]);
      const told = report!.failures.map(({ signature, input }) => [
        Buffer.from(input).toString().trim(),
        signature,
      ]);
      expect(Object.fromEntries(told)).toEqual({
        'meets a TypeError': expect.stringMatching(/^INTERNAL_ERROR from TypeError/),
        'says INTERNAL_ERROR': expect.stringMatching(/^INTERNAL_ERROR from InvalidRequestError/),
        'breaks a rule': 'a rule that does not hold',
        'computes for ever': 'it takes more than a second',
        'throws where nobody hears': expect.stringMatching(/^the thread died: .*error unheard/),
        'rejects where nobody hears': expect.stringMatching(/^the thread died: .*rejection unheard/),
        'ends its thread': 'the thread ended with code 3',
      });
    },
    PATIENCE_MS,
  );

  test(
    'see memory that grows',
    async () => {
      const [report] = await runLane([{ target: 'leaking', seed: 1, from: 0, count: 1_200 }]);
      expect(report!.failures).toEqual([]);
      expect(report!.growth).toContainEqual(expect.stringMatching(/heap and buffers grew by at least \d/));
    },
    PATIENCE_MS,
  );
});
