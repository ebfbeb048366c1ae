/**
 * The hunt for mutants: `npm run chaos:mutants`. Each is planted in a copy of the sources and run seed by
 * seed until the checker finds it; seeds whose plan cannot show the bug are passed over.
 *
 *     --seeds N      how many seeds a mutant has at most (default 50), from --from (default 1)
 *     --lanes N      runs at once (default 3)
 *     --only TEXT    mutants with this in their names
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

/** The least seed, of those that were run, at which an expected rule was broken. */
async function hunt(mutant: Mutant): Promise<{ find: Find | undefined; runs: number }> {
  const target = await mkdtemp(join(tmpdir(), 'tidemill-mutant-'));
  const enough = new AbortController();
  const finds: Find[] = [];
  let runs = 0;
  try {
    await plantMutant(ROOT, target, mutant);
    await campaign({
      seeds: seedsFor(mutant),
      lanes: Number(values.lanes),
      sourceRoot: target,
      signal: enough.signal,
      onResult({ seed, violations, directory }) {
        runs++;
        const found = violations.find(({ rule }) => mutant.expects.includes(rule));
        const others = violations
          .filter(({ rule }) => !mutant.expects.includes(rule))
          .map(({ rule }) => rule);
        if (others.length > 0) say(`  seed ${seed} breaks ${[...new Set(others)].join(', ')} as well`);
        if (found !== undefined) {
          finds.push({ seed, ...found });
          enough.abort();
        }
        if (directory !== undefined) void rm(directory, { recursive: true, force: true });
      },
    });
  } finally {
    await rm(target, { recursive: true, force: true });
  }
  return { find: finds.toSorted((a, b) => a.seed - b.seed)[0], runs };
}

const lines: string[] = [];
let missed = 0;
for (const mutant of MUTANTS.filter(({ name }) => name.includes(values.only))) {
  const started = systemClock.monotonic();
  const { find, runs } = await hunt(mutant);
  const seconds = Math.round((systemClock.monotonic() - started) / 1_000);
  if (find === undefined) missed++;
  say(
    `${mutant.name}: ${find === undefined ? 'NOT FOUND' : `seed ${find.seed}, ${find.rule}: ${find.detail.slice(0, 240)}`}`,
  );
  lines.push(
    `| ${mutant.name} | ${find?.seed ?? `not within ${runs}`} | ${find === undefined ? '' : `\`${find.rule}\``} | ${seconds} |`,
  );
}
await closeDuckDb();
say(`\n| mutant | found at seed | by | seconds |\n|---|---|---|---|\n${lines.join('\n')}`);
process.exitCode = missed === 0 ? 0 : 1;
