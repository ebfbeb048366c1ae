/**
 * The simulator for people: `npm run chaos -- --seeds 200`.
 *
 *     --seeds N      how many (default 20), from --from (default 1), or --fresh ones of this moment
 *     --seed N       that one alone, kept
 *     --lanes N      runs at once (default 4)
 *     --keep DIR     keeps every history there
 *     --source DIR   runs the workers of the sources in DIR (which has src/ and node_modules)
 *     --check DIR    checks a history that was kept once more, and runs nothing
 *     --story        tells the story of each seed, not only of those with violations
 *
 * Ends with 1 when a seed has a violation.
 */

import { randomInt } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { systemClock } from '../../src/common/clock.ts';
import { closeDuckDb } from '../support/parquet.ts';
import { campaign, type SeedResult } from './campaign.ts';
import { check } from './check/index.ts';
import { cpuSeconds } from './cpu-time.ts';
import type { History, Violation } from './history.ts';
import { storyOf } from './story.ts';
import { createTally } from './tally.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '20' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    lanes: { type: 'string', default: '4' },
    fresh: { type: 'boolean', default: false },
    keep: { type: 'string' },
    source: { type: 'string' },
    check: { type: 'string' },
    story: { type: 'boolean', default: false },
  },
});

const say = (text: string) => process.stdout.write(`${text}\n`);

function complain(history: History, violations: readonly Violation[], directory: string | undefined): void {
  for (const line of storyOf(history)) say(`    ${line}`);
  say(`seed ${history.seed} (${history.mix}) broke ${violations.length} rule(s):`);
  for (const { rule, detail } of violations) say(`  ${rule}: ${detail}`);
  if (directory !== undefined) say(`  kept in ${directory}; replay: npm run chaos -- --seed ${history.seed}`);
}

function seedsWanted(): number[] {
  if (values.seed !== undefined) return [Number(values.seed)];
  const first = values.fresh ? randomInt(1_000_000, 2_000_000_000) : Number(values.from);
  return Array.from({ length: Number(values.seeds) }, (_, i) => first + i);
}

async function checkAgain(directory: string): Promise<boolean> {
  const text = await readFile(join(directory, 'history.json'), 'utf8');
  const history: History = { ...(JSON.parse(text) as History), directory: resolve(directory) };
  const violations = await check(history);
  if (violations.length > 0 || values.story) complain(history, violations, directory);
  say(violations.length === 0 ? `seed ${history.seed}: no violation` : '');
  await closeDuckDb();
  return violations.length === 0;
}

async function runAll(): Promise<boolean> {
  const seeds = seedsWanted();
  const started = systemClock.monotonic();
  const tally = createTally();
  const bad: SeedResult[] = [];
  await campaign({
    seeds,
    lanes: Math.min(Number(values.lanes), seeds.length),
    keep: values.keep,
    sourceRoot: values.source === undefined ? undefined : resolve(values.source),
    onResult(result) {
      const { seed, mix, seconds, history, violations } = result;
      tally.add(history);
      const strikes = Object.values(history.faults).reduce((sum, count) => sum + count, 0);
      say(
        `seed ${seed} ${violations.length === 0 ? 'ok' : 'VIOLATED'} ${seconds.toFixed(1)} s, ` +
          `${history.sent.length} messages, ${strikes} faults and deeds, ${mix}`,
      );
      if (violations.length > 0) bad.push(result);
      if (violations.length > 0 || values.story) complain(history, violations, result.directory);
    },
  });
  const wall = (systemClock.monotonic() - started) / 1_000;
  const cpu = await cpuSeconds();
  say(`\n${tally.tables()}\n`);
  say(
    `${wall.toFixed(0)} s on ${cpus().length} cores, ${(wall / seeds.length).toFixed(1)} s a seed; CPU seconds a seed: ` +
      `simulator, proxy and checker ${(cpu.own / seeds.length).toFixed(2)}, ` +
      `workers, AWS and Postgres ${(cpu.children / seeds.length).toFixed(2)}`,
  );
  say(bad.length === 0 ? 'no violation' : `violations in seeds ${bad.map(({ seed }) => seed).join(', ')}`);
  return bad.length === 0;
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
const good = values.check === undefined ? await runAll() : await checkAgain(values.check);
process.exitCode = good ? 0 : 1;
