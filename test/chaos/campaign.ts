/** Many seeds, several at a time: each run, checked, and counted. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/common/clock.ts';
import { check } from './check/index.ts';
import type { History, Violation } from './history.ts';
import { makePlan } from './plan.ts';
import { simulate } from './simulate.ts';
import { openWorld, type World } from './world.ts';

export interface CampaignOptions {
  readonly seeds: readonly number[];
  /** How many runs go on at once. */
  readonly lanes: number;
  /** Where histories are kept, one directory for each seed; default: only those with violations, in the temporary directory. */
  readonly keep?: string | undefined;
  /** The directory that has the `src` to run; default: this repository. */
  readonly sourceRoot?: string | undefined;
  /** Told of each seed when it is done. */
  readonly onResult?: (result: SeedResult) => void;
  /** No more seeds are begun once it aborts. */
  readonly signal?: AbortSignal;
}

export interface SeedResult {
  readonly seed: number;
  readonly mix: string;
  readonly seconds: number;
  readonly history: History;
  readonly violations: readonly Violation[];
  /** Where the history lies; undefined where it was thrown away. */
  readonly directory: string | undefined;
}

/** The embedded AWS keeps the names of all that ever was: it begins anew after so many runs. */
const WORLD_RUNS = 60;

/** Runs the seeds; rejects where a run could not be carried out at all. */
export async function campaign(options: CampaignOptions): Promise<void> {
  const { seeds, lanes } = options;
  for (let from = 0; from < seeds.length; from += WORLD_RUNS) {
    const waiting = seeds.slice(from, from + WORLD_RUNS);
    const world = await openWorld();
    try {
      await Promise.all(
        Array.from({ length: lanes }, async () => {
          for (let seed = next(); seed !== undefined; seed = next()) {
            options.onResult?.(await runSeed(seed, world, options));
          }
        }),
      );
    } finally {
      await world.close();
    }
    function next(): number | undefined {
      return options.signal?.aborted ? undefined : waiting.shift();
    }
  }
}

async function runSeed(
  seed: number,
  world: World,
  { keep, sourceRoot }: CampaignOptions,
): Promise<SeedResult> {
  const started = systemClock.monotonic();
  const directory =
    keep === undefined
      ? await mkdtemp(join(tmpdir(), `tidemill-chaos-seed-${seed}-`))
      : join(keep, String(seed));
  const plan = makePlan(seed);
  const history = await simulate(plan, world, { directory, sourceRoot }).catch((error: unknown) => {
    throw new Error(`seed ${seed} could not be run`, { cause: error });
  });
  const violations = await check(history);
  const seconds = (systemClock.monotonic() - started) / 1_000;
  const kept = keep !== undefined || violations.length > 0;
  if (!kept) await rm(directory, { recursive: true, force: true });
  return { seed, mix: plan.mix, seconds, history, violations, directory: kept ? directory : undefined };
}
