/**
 * The soak: steady mixed requests for an hour, and what memory does meanwhile. Metric runs, uploads with
 * their compactions, ingests of new files, requests that are refused, and messages that are none.
 */

import { systemClock } from '../../src/common/clock.ts';
import { startLocalPostgres } from '../../src/local/local-postgres.ts';
import { cpuSecondsOf, residentMbOf } from '../bench/process-status.ts';
import { lineThrough } from '../support/least-squares.ts';
import type { LoadCase, LoadReport } from './load-case.ts';
import { figures, latenciesOf, table } from './report.ts';
import { badCompaction, hotUpload, ingestRun, metricRun, poison, putDataset } from './requests.ts';
import { openStage, type Stage } from './stage.ts';

/** A second's worth of requests, each kind at its own pace: about two and a half a second in all. */
const EVERY_SECONDS = { metric: 1, upload: 2, ingest: 10, refused: 5, poison: 15 } as const;
const SAMPLE_SECONDS = 10;
/** Of the run: caches fill, code is compiled, threads start. */
const SETTLING = 0.2;

interface Sample {
  readonly seconds: number;
  readonly residentMb: number;
  readonly heapMb: number;
  readonly externalMb: number;
  readonly waiting: number;
}

async function sampleOf(stage: Stage, seconds: number): Promise<Sample> {
  const metrics = await stage.worker.metrics();
  const mb = (name: string) => (metrics.get(name) ?? Number.NaN) / 2 ** 20;
  return {
    seconds,
    residentMb: residentMbOf(stage.worker.pid),
    heapMb: mb('nodejs_heap_size_used_bytes'),
    externalMb: mb('nodejs_external_memory_bytes'),
    waiting: (await stage.queue()).waiting,
  };
}

/** Requests that are due in second `n`; ingests put their file first. */
async function sendSecond(stage: Stage, n: number): Promise<number> {
  const due = (kind: keyof typeof EVERY_SECONDS) => n % EVERY_SECONDS[kind] === 0;
  const messages = [
    ...(due('metric') ? [metricRun('soak-metric', n, 50)] : []),
    ...(due('upload') ? [hotUpload('soak-upload', n / EVERY_SECONDS.upload)] : []),
    ...(due('refused') ? [badCompaction('soak-refused', n)] : []),
  ];
  if (due('ingest')) {
    const { key, file, message } = ingestRun('soak-ingest', n);
    await stage.put(key, file);
    messages.push(message);
  }
  await stage.send(messages);
  if (due('poison')) await stage.send([poison('soak-poison', n)]);
  return messages.length;
}

async function soak(minutes: number, say: (line: string) => void): Promise<LoadReport> {
  const postgres = await startLocalPostgres();
  const stage = await openStage({
    settings: { DATABASE_URL: await postgres.createDatabase('soak'), WARM_READER_GRACE_SECONDS: '60' },
  });
  try {
    await putDataset(stage);
    const samples: Sample[] = [];
    const started = systemClock.monotonic();
    const elapsed = () => (systemClock.monotonic() - started) / 1000;
    let sent = 0;
    for (let second = 0; second < minutes * 60; second++) {
      sent += await sendSecond(stage, second);
      if (second % SAMPLE_SECONDS === 0) {
        const sample = await sampleOf(stage, elapsed());
        samples.push(sample);
        if (second % 60 === 0) {
          const { residentMb, heapMb, externalMb, waiting } = sample;
          const memory = `${residentMb.toFixed(0)} MiB resident, heap ${heapMb.toFixed(0)}, external ${externalMb.toFixed(0)}`;
          say(
            `${(elapsed() / 60).toFixed(1)} min: ${memory}; ${stage.finished.length} of ${sent} finished, ${waiting} waiting`,
          );
        }
      }
      const wait = (second + 1) * 1000 - (systemClock.monotonic() - started);
      if (wait > 0) await systemClock.sleep(wait);
    }
    await stage.until(sent);
    const cpu = cpuSecondsOf(stage.worker.pid);
    samples.push(await sampleOf(stage, elapsed()));
    return reportOf(minutes, samples, stage, sent, cpu);
  } finally {
    await stage.stop();
    await postgres.stop();
  }
}

function reportOf(
  minutes: number,
  samples: readonly Sample[],
  { finished, repeated }: Stage,
  sent: number,
  cpuSeconds: number,
): LoadReport {
  const settled = samples.filter(({ seconds }) => seconds >= SETTLING * minutes * 60);
  const trend = (name: string, of: (sample: Sample) => number) => {
    const { slope, low, high } = lineThrough(settled.map((each) => [each.seconds / 3600, of(each)] as const));
    const first = of(settled[0]!);
    const last = of(settled.at(-1)!);
    const most = Math.max(...samples.map(of));
    return [
      name,
      figures(first),
      figures(last),
      figures(most),
      `${figures(slope)} (${figures(low)} to ${figures(high)})`,
    ];
  };
  const statuses = Object.entries(Object.groupBy(finished, ({ status }) => status)).map(
    ([status, list = []]) => `${list.length} ${status}`,
  );
  const { p50, p95, p99 } = latenciesOf(finished);
  const perSecond = finished.length / (samples.at(-1)!.seconds || 1);
  return {
    lines: [
      `${minutes} minutes, ${sent} requests sent one by one, ${figures(perSecond)} a second: ${statuses.join(', ')}; ` +
        `${repeated} completed events beside the first of each (compactions that uploads asked for). ` +
        `Latency p50 ${figures(p50)} ms, p95 ${figures(p95)} ms, p99 ${figures(p99)} ms; ` +
        `${figures((cpuSeconds * 1000) / finished.length)} ms of the processor a request.`,
      '',
      ...table(
        [
          'MiB',
          `at ${SETTLING * 100} % of the run`,
          'at its end',
          'most',
          'slope in MiB an hour (95 % interval)',
        ],
        [
          trend('resident', ({ residentMb }) => residentMb),
          trend("main thread's heap", ({ heapMb }) => heapMb),
          trend("main thread's external memory", ({ externalMb }) => externalMb),
        ],
      ),
    ],
    plot: {
      title: 'Memory of the worker over the soak',
      x: 'minutes',
      y: 'MiB',
      lines: [
        {
          name: 'resident',
          points: samples.map(({ seconds, residentMb }) => [seconds / 60, residentMb] as const),
        },
        { name: 'heap', points: samples.map(({ seconds, heapMb }) => [seconds / 60, heapMb] as const) },
      ],
    },
  };
}

export const SOAK: LoadCase = {
  name: 'soak',
  about: 'steady mixed requests, and what memory does meanwhile',
  run: ({ minutes, say }) => soak(minutes, say),
};
