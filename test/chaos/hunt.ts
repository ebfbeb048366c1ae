/**
 * The hunt for mutants: `npm run chaos:mutants`. Each is planted in a copy of the sources and run seed by
 * seed until the checker finds it; seeds whose plan cannot show the bug are passed over.
 *
 *     --seeds N      how many seeds a mutant has at most (default 50), from --from (default 1)
 *     --lanes N      mutants at once (default 3)
 *     --only REGEX   mutants whose names fit
 *
 * Ends with 1 when a mutant is not found.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { systemClock } from '../../src/common/clock.ts';
import { closeDuckDb } from '../support/parquet.ts';
import { campaign } from './campaign.ts';
import { MUTANTS, type Mutant, plantMutant } from './mutants.ts';
import { makePlan } from './plan.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '50' },
    from: { type: 'string', default: '1' },
    lanes: { type: 'string', default: '3' },
    only: { type: 'string', default: '' },
  },
});

interface Find {
  readonly seed: number;
  readonly rule: string;
  readonly detail: string;
}

const ROOT = join(import.meta.dirname, '../..');
const say = (text: string) => process.stdout.write(`${text}\n`);

function seedsFor({ suits = () => true }: Mutant): number[] {
  const all = Array.from({ length: Number(values.seeds) }, (_, i) => Number(values.from) + i);
  return all.filter((seed) => suits(makePlan(seed)));
}

/** The first seed at which an expected rule was broken. */
async function hunt(mutant: Mutant): Promise<{ find: Find | undefined; runs: number }> {
  const target = await mkdtemp(join(tmpdir(), 'tidemill-mutant-'));
  const enough = new AbortController();
  let find: Find | undefined;
  let runs = 0;
  try {
    await plantMutant(ROOT, target, mutant);
    await campaign({
      seeds: seedsFor(mutant),
      lanes: 1,
      sourceRoot: target,
      signal: enough.signal,
      onResult({ seed, violations, directory }) {
        runs++;
        const found = violations.find(({ rule }) => mutant.expects.includes(rule));
        const others = violations
          .filter(({ rule }) => !mutant.expects.includes(rule))
          .map(({ rule }) => rule);
        if (others.length > 0)
          say(`  ${mutant.name}: seed ${seed} breaks ${[...new Set(others)].join(', ')} as well`);
        if (found !== undefined) {
          find = { seed, ...found };
          enough.abort();
        }
        if (directory !== undefined) void rm(directory, { recursive: true, force: true });
      },
    });
  } finally {
    await rm(target, { recursive: true, force: true });
  }
  return { find, runs };
}

const chosen = MUTANTS.filter(({ name }) => new RegExp(values.only).test(name));
const waiting = [...chosen];
const lines = new Map<Mutant, string>();
let missed = 0;

async function lane(): Promise<void> {
  for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
    const started = systemClock.monotonic();
    const { find, runs } = await hunt(mutant);
    const seconds = Math.round((systemClock.monotonic() - started) / 1_000);
    if (find === undefined) missed++;
    const what =
      find === undefined ? 'NOT FOUND' : `seed ${find.seed}, ${find.rule}: ${find.detail.slice(0, 240)}`;
    say(`${mutant.name}: ${what} (${seconds} s)`);
    const seed = find === undefined ? `not in ${runs} runs` : `${find.seed}, run ${runs}`;
    lines.set(
      mutant,
      `| ${mutant.name} | ${seed} | ${find === undefined ? '' : `\`${find.rule}\``} | ${seconds} |`,
    );
  }
}

await Promise.all(Array.from({ length: Number(values.lanes) }, lane));
await closeDuckDb();
say(
  `\n| mutant | found at seed | by | seconds |\n|---|---|---|---|\n${chosen.map((mutant) => lines.get(mutant)).join('\n')}`,
);
process.exitCode = missed === 0 ? 0 : 1;
