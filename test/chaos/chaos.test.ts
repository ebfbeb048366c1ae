/**
 * The short form of the simulator: seeds that are always the same and seeds of this moment, which are
 * printed, so that a failure comes again with `npm run chaos -- --seed N`: five and five where `CI` is set,
 * two and one for a developer who waits. The long form is `npm run chaos`.
 */

import { randomInt } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { campaign } from './campaign.ts';
import type { History } from './history.ts';
import { makePlan } from './plan.ts';
import { storyOf } from './story.ts';
import { createTally } from './tally.ts';

/** Seeds that found something once (docs/RELIABILITY.md), and others that make the five differ. */
const REGRESSIONS = [2, 9, 36, 26, 35];
const [fixed, fresh] = process.env.CI === undefined ? [2, 1] : [5, 5];
const FIXED = REGRESSIONS.slice(0, fixed);
const FRESH = Array.from({ length: fresh }, freshSeed);
const LANES = 3;
/** Long enough for a busy machine: ten seeds take some 70 seconds of processor time. */
const TIMEOUT_MS = 600_000;
const STORY_LINES = 400;

/** One that does not take minutes: in an outage requests use up their deliveries, one after the other. */
function freshSeed(): number {
  for (;;) {
    const seed = randomInt(1_000_000, 2_000_000_000);
    if (!makePlan(seed).mix.includes('outage')) return seed;
  }
}

test(
  'requests are carried out exactly once while workers are killed and the network fails: seeds of always and of this moment',
  async () => {
    const tally = createTally();
    const complaints: string[] = [];
    const settled: History[] = [];
    await campaign({
      seeds: [...FIXED, ...FRESH],
      lanes: LANES,
      onResult({ seed, history, violations, directory }) {
        tally.add(history);
        settled.push(history);
        if (violations.length === 0) return;
        complaints.push(
          ...storyOf(history).slice(-STORY_LINES),
          `seed ${seed}, kept in ${directory}:`,
          ...violations.map(({ rule, detail }) => `  ${rule}: ${detail}`),
        );
      },
    });
    process.stdout.write(`fresh seeds: ${FRESH.join(', ')}\n${tally.tables()}\n`);
    expect(complaints.join('\n')).toBe('');
    expect(settled.map(({ seed }) => seed).toSorted()).toEqual([...FIXED, ...FRESH].toSorted());
    // A storm that never came would prove nothing.
    const strikes = settled.flatMap(({ faults }) => Object.values(faults));
    expect(strikes.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(2 * settled.length);
  },
  TIMEOUT_MS,
);
