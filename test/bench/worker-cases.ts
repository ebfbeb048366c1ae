/**
 * The whole path, measured from the queue to the completed event: the real worker process against the
 * embedded AWS in another, all on this machine.
 */

import type { BenchCase, Side, SideResult } from './case.ts';
import type { Deployment } from './deployment.ts';
import { peakMbOf, residentMbOf } from './process-status.ts';
import { makeSeries, seriesFile } from './series-data.ts';

const RUN_CODES = Array.from({ length: 17 }, (_, i) => `SERIES_${String(i + 1).padStart(2, '0')}`);

const MILLION = 1_000_000;
const RUNS = 400;
const RATE = 25;

type Operand = { readonly series_code: string };
const series = (code: string): Operand => ({ series_code: code });

/** The nth of the small runs: two of the 17 series, in one of a few shapes. */
function smallExpression(n: number): { type: string; json: unknown; codes: string[] } {
  const left = RUN_CODES[n % RUN_CODES.length]!;
  const right = RUN_CODES[(n * 5 + 3) % RUN_CODES.length]!;
  if (n % 3 === 0)
    return {
      type: 'series_math',
      json: { op: 'ratio', left: series(left), right: series(right) },
      codes: [left, right],
    };
  if (n % 3 === 1)
    return { type: 'window_op', json: { op: 'sma', series: series(left), window: 30 }, codes: [left] };
  const spread = { op: 'subtract', left: series(left), right: series(right) };
  return { type: 'window_op', json: { op: 'ema', series: spread, window: 12 }, codes: [left, right] };
}

const percentile = (sorted: readonly number[], p: number) =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))]!;

async function smallRuns(deployment: Deployment): Promise<SideResult> {
  const send = async (n: number, prefix: string) => {
    const { type, json, codes } = smallExpression(n);
    await deployment.sendRun(`${prefix}-${n}`, `metric.${n % 50}`, type, json, codes);
  };
  // Cold: the first run of each series reads its monthly files.
  const cold = performance.now();
  for (let n = 0; n < RUN_CODES.length; n++) await send(n, 'cold');
  await deployment.completed(RUN_CODES.length);
  const coldMs = (performance.now() - cold) / RUN_CODES.length;

  // As fast as it goes: all are sent, then the last completed event is awaited.
  const started = performance.now();
  await Promise.all(Array.from({ length: RUNS }, (_, n) => send(n, 'burst')));
  const burst = await deployment.completed(RUNS);
  const seconds = (Math.max(...burst.map(({ at }) => at)) - started) / 1000;

  // At the aimed rate: each sent at its time, latency from its sending to its completed event.
  const sentAt = new Map<string, number>();
  const paced = (async () => {
    const begin = performance.now();
    for (let n = 0; n < RUNS; n++) {
      const wait = begin + (n * 1000) / RATE - performance.now();
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
      sentAt.set(`paced-${n}`, performance.now());
      void send(n, 'paced');
    }
  })();
  const answered = await deployment.completed(RUNS);
  await paced;
  const latencies = answered.map(({ runId, at }) => at - sentAt.get(runId)!).sort((a, b) => a - b);
  return {
    seconds,
    rows: RUNS,
    peakMb: peakMbOf(deployment.workerPid),
    extra: {
      'runs/s': RUNS / seconds,
      'p50 ms': percentile(latencies, 0.5),
      'p95 ms': percentile(latencies, 0.95),
      'p99 ms': percentile(latencies, 0.99),
      'cold ms/run': coldMs,
    },
  };
}

function deployed(name: string, work: (deployment: Deployment, dir: string) => Promise<SideResult>): Side {
  return {
    name,
    async run(dist, dir) {
      const { deploy } = await import('./deployment.ts');
      const deployment = await deploy(dist);
      try {
        return await work(deployment, dir);
      } finally {
        await deployment.stop();
      }
    },
  };
}

export const WORKER_CASES: readonly BenchCase[] = [
  {
    name: 'small-runs',
    about: `17 series, 82,257 points, monthly files: ${RUNS} runs, queue to completed event`,
    prepare: async () => {},
    sides: [
      deployed('tidemill worker', async (deployment) => {
        const { dailyDataset } = await import('./small-dataset.ts');
        await dailyDataset(deployment, RUN_CODES);
        return await smallRuns(deployment);
      }),
    ],
    aim: `at least ${RATE} runs a second sustained, p95 at most 250 ms`,
  },
  {
    name: 'path-ratio',
    about: 'ratio of two series of 5 million rows, from and to the local S3',
    prepare: (dir) => makeSeries(dir, ['A', 'B'], 5 * MILLION),
    sides: [
      deployed('tidemill worker', async (deployment, dir) => {
        await deployment.putDataset({ A: seriesFile(dir, 'A'), B: seriesFile(dir, 'B') });
        const json = { op: 'ratio', left: series('A'), right: series('B') };
        await deployment.sendRun('warm-up', 'm', 'series_math', json, ['A', 'B']);
        await deployment.completed(1);
        const started = performance.now();
        await deployment.sendRun('measured', 'm', 'series_math', json, ['A', 'B']);
        const [done] = await deployment.completed(1);
        const lag = await deployment.metric('nodejs_eventloop_lag_p99_seconds');
        return {
          seconds: (done!.at - started) / 1000,
          rows: done!.rowCount,
          peakMb: peakMbOf(deployment.workerPid),
          extra: { 'loop lag p99 ms': lag * 1000 },
        };
      }),
    ],
    aim: 'event-loop delay of the main thread at most 50 ms at p99',
  },
  {
    name: 'idle',
    about: 'the worker, idle for ten seconds',
    prepare: async () => {},
    sides: [
      deployed('tidemill worker', async (deployment) => {
        await new Promise((resolve) => setTimeout(resolve, 10_000));
        return { seconds: 10, rows: 0, peakMb: residentMbOf(deployment.workerPid) };
      }),
    ],
    aim: 'at most 150 MB resident',
  },
];
