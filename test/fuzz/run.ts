/**
 * `npm run fuzz -- [--mutations N] [--seed N] [--targets a,b] [--lanes N] [--only NUMBER] [--out DIR]`
 *
 * Shares the mutations out among the targets, runs them in lanes (processes), and prints what came of them.
 * A failure is told by target, seed and mutation number, and its input, made small, is written to DIR
 * (default: tidemill-fuzz in the system's temporary folder): once it is mended, the file goes to
 * test/fuzz/corpus/<target>/. `--only` runs one mutation of one target. Exits with 1 where anything failed.
 */

import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { systemClock } from '../../src/common/clock.ts';
import type { LaneJob, TargetReport } from './lane.ts';
import { runLane } from './run-lane.ts';
import { TARGETS, targetNamed } from './targets.ts';

const say = (line: string) => void process.stdout.write(`${line}\n`);

/** How many mutations each target gets, by its share. */
export function shareOut(mutations: number, names: readonly string[]): Map<string, number> {
  const targets = names.map(targetNamed);
  const total = targets.reduce((sum, { share }) => sum + share, 0);
  return new Map(
    targets.map(({ name, share }) => [name, Math.max(1, Math.round((mutations * share) / total))]),
  );
}

/** Takes jobs from the list, each in a process of its own, until there are none. */
async function lane(jobs: LaneJob[], tell: (report: TargetReport) => void): Promise<void> {
  for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) {
    for (const report of await runLane([job])) tell(report);
  }
}

function write(out: string, seed: number, report: TargetReport): void {
  for (const { number, signature, detail, input } of report.failures) {
    mkdirSync(join(out, report.target), { recursive: true });
    const file = join(out, report.target, `seed-${seed}-mutation-${number}.bin`);
    writeFileSync(file, input);
    const times = report.counts[signature] ?? 1;
    const which = number < 0 ? `entry ${-number} of its corpus` : `seed ${seed}, mutation ${number}`;
    say(`\nFAILED ${report.target}, ${which} (${times} times): ${signature}`);
    say(`  input: ${file} (${input.length} bytes)`);
    for (const line of detail.split('\n').slice(1, 12)) say(`  ${line}`);
  }
  for (const grown of report.growth) say(`\nFAILED ${report.target}, seed ${seed}: ${grown}`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      mutations: { type: 'string', default: '200000' },
      seed: { type: 'string', default: '1' },
      targets: { type: 'string', default: TARGETS.map(({ name }) => name).join(',') },
      lanes: { type: 'string', default: String(availableParallelism()) },
      only: { type: 'string' },
      out: { type: 'string', default: join(tmpdir(), 'tidemill-fuzz') },
      json: { type: 'string' },
    },
  });
  const seed = Number(values.seed);
  const names = values.targets.split(',');
  const shares = shareOut(Number(values.mutations), names);
  const jobs = names.map((target): LaneJob => {
    return values.only === undefined
      ? { target, seed, from: 0, count: shares.get(target)! }
      : { target, seed, from: Number(values.only), count: 1 };
  });
  // The slow ones first, so that no lane is left with one at the end.
  const weight = ({ target, count }: LaneJob) => count * (target === 'jobs' ? 50 : 1);
  jobs.sort((a, b) => weight(b) - weight(a));
  const reports: TargetReport[] = [];
  const started = systemClock.monotonic();
  const lanes = Array.from({ length: Math.min(jobs.length, Number(values.lanes)) }, () =>
    lane(jobs, (report) => {
      reports.push(report);
      const { target, inputs, cpuSeconds, outcomes, samples } = report;
      const words = Object.entries(outcomes).sort(([, a], [, b]) => b - a);
      const resident = samples.length > 1 ? `, ${(samples.at(-1)!.resident / 2 ** 20).toFixed(0)} MiB` : '';
      say(
        `${target.padEnd(17)} ${String(inputs).padStart(7)} inputs ${cpuSeconds.toFixed(0).padStart(4)} s${resident}: ` +
          words.map(([word, count]) => `${word} ${count}`).join(', '),
      );
      write(values.out, seed, report);
    }),
  );
  await Promise.all(lanes);
  const failed = reports.reduce((sum, { failures, growth }) => sum + failures.length + growth.length, 0);
  const inputs = reports.reduce((sum, report) => sum + report.inputs, 0);
  const seconds = ((systemClock.monotonic() - started) / 1000).toFixed(0);
  say(
    `\n${inputs} inputs, seed ${seed}, ${seconds} s: ${failed === 0 ? 'nothing failed' : `${failed} failed`}`,
  );
  if (values.json !== undefined) {
    writeFileSync(
      values.json,
      JSON.stringify(reports, (name, value) => (name === 'input' ? undefined : value)),
    );
  }
  process.exitCode = failed === 0 ? 0 : 1;
}

if (import.meta.main) await main();
