/**
 * S3 twenty times slower: what the worker has in hand stays bounded, no message becomes visible while its job
 * runs, and the lag is worked off afterwards.
 */

import { systemClock } from '../../src/common/clock.ts';
import type { LocalRequest } from '../../src/local/request-hooks.ts';
import { residentMbOf } from '../bench/process-status.ts';
import type { LoadCase, LoadOptions, LoadReport } from './load-case.ts';
import { figures, latenciesOf, table } from './report.ts';
import { metricRun, putDataset } from './requests.ts';
import { type Finished, openStage } from './stage.ts';

/** What S3 takes for a small request, by and large; and twenty times that. */
const NORMAL_MS = 15;
const SLOW_MS = NORMAL_MS * 20;
const PHASE_SECONDS = 45;
/** Requests sent a second: half of what the worker does at normal pace, many times what it does at the slow one. */
const RATE = 4;
const LOOPS = 4;
/** Shorter than a job takes while S3 is slow: leases must be renewed. */
const VISIBILITY_SECONDS = 5;
const WARM_UP = 20;
const GROUPS = 200;

type Phase = 'normal' | 'slow' | 'normal again';

interface Sample {
  readonly seconds: number;
  readonly phase: Phase;
  readonly waiting: number;
  readonly inFlight: number;
  readonly s3Requests: number;
  readonly residentMb: number;
}

async function slowS3({ say }: LoadOptions): Promise<LoadReport> {
  let delayMs = 0;
  let underWay = 0;
  let most = 0;
  const isWorkers = ({ service, headers }: LocalRequest) =>
    service === 's3' && !/\bapp\/load\b/.test(headers['user-agent'] ?? '');
  const stage = await openStage({
    settings: {
      WORKER_CONCURRENCY: String(LOOPS),
      WORKER_VISIBILITY_TIMEOUT_SECONDS: String(VISIBILITY_SECONDS),
    },
    visibilityTimeout: VISIBILITY_SECONDS,
    hooks: {
      async onRequest(request) {
        if (!isWorkers(request)) return undefined;
        most = Math.max(most, ++underWay);
        return { kind: 'delay', ms: delayMs };
      },
      async onResponse(request) {
        if (isWorkers(request)) underWay--;
      },
    },
  });
  try {
    await putDataset(stage);
    await stage.send(Array.from({ length: WARM_UP }, (_, n) => metricRun('warm-up', n, GROUPS)));
    await stage.until(WARM_UP);
    const samples: Sample[] = [];
    const phases = new Map<Phase, { from: number; to: number; most: number }>();
    const started = systemClock.monotonic();
    let phase: Phase = 'normal';
    const sample = async () => {
      const { waiting, inFlight } = await stage.queue();
      const seconds = (systemClock.monotonic() - started) / 1000;
      const residentMb = residentMbOf(stage.worker.pid);
      samples.push({ seconds, phase, waiting, inFlight, s3Requests: underWay, residentMb });
    };
    const stopSampling = systemClock.every(500, sample);
    let sent = 0;
    for (const [name, ms] of [
      ['normal', NORMAL_MS],
      ['slow', SLOW_MS],
      ['normal again', NORMAL_MS],
    ] as const) {
      phase = name;
      delayMs = ms;
      most = 0;
      const from = systemClock.monotonic();
      for (let n = 0; n < PHASE_SECONDS * RATE; n++) {
        const wait = from + (n * 1000) / RATE - systemClock.monotonic();
        if (wait > 0) await systemClock.sleep(wait);
        await stage.send([metricRun('run', sent++, GROUPS)]);
      }
      phases.set(name, { from, to: systemClock.monotonic(), most });
      say(`${name}: ${stage.finished.length - WARM_UP} of ${sent} done`);
    }
    await stage.until(WARM_UP + sent);
    stopSampling();
    const recovered = (systemClock.monotonic() - phases.get('slow')!.to) / 1000;
    const metrics = await stage.worker.metrics();
    const received =
      metrics.get('tidemill_messages_received_total{type="metric_run_requested"}') ?? Number.NaN;
    const lost =
      metrics.get('tidemill_messages_finished_total{type="metric_run_requested",outcome="lease_lost"}') ?? 0;
    const ofPhase = (name: Phase) => {
      const { from, to, most: s3 } = phases.get(name)!;
      const own = samples.filter((each) => each.phase === name);
      const done: readonly Finished[] = stage.finished.filter(({ at }) => at >= from && at < to);
      const { p50, p95 } = latenciesOf(stage.finished.filter(({ sentAt }) => sentAt >= from && sentAt < to));
      const greatest = (of: (each: Sample) => number) => Math.max(...own.map(of));
      const rate = (done.length * 1000) / (to - from);
      return [
        name,
        ...[rate, p50, p95].map(figures),
        ...[greatest((s) => s.inFlight), s3, greatest((s) => s.waiting)].map(String),
        figures(greatest((s) => s.residentMb)),
      ];
    };
    return {
      lines: [
        `${RATE} small metric runs a second for ${PHASE_SECONDS} s in each phase, WORKER_CONCURRENCY ${LOOPS}, visibility timeout ` +
          `${VISIBILITY_SECONDS} s; every S3 request of the worker takes ${NORMAL_MS} ms more than the embedded S3 does, and ${SLOW_MS} ms more ` +
          `while it is slow. ${sent + WARM_UP} messages were sent and ${received} received: ${received - sent - WARM_UP} redeliveries, ${lost} leases lost, ` +
          `${stage.repeated} completed events too many. The lag was worked off ${figures(recovered)} s after S3 was itself again, with requests still coming for ${PHASE_SECONDS} s of it.`,
        '',
        ...table(
          [
            'phase',
            'done/s',
            'p50 ms',
            'p95 ms',
            'most messages in flight',
            'most S3 requests at once',
            'most waiting',
            'most MiB',
          ],
          [ofPhase('normal'), ofPhase('slow'), ofPhase('normal again')],
        ),
      ],
      plot: {
        title: 'Messages while S3 is twenty times slower',
        x: 'seconds',
        y: 'messages',
        lines: [
          { name: 'waiting', points: samples.map(({ seconds, waiting }) => [seconds, waiting] as const) },
          { name: 'in flight', points: samples.map(({ seconds, inFlight }) => [seconds, inFlight] as const) },
        ],
      },
    };
  } finally {
    await stage.stop();
  }
}

export const SLOW_S3: LoadCase = {
  name: 'slow-s3',
  about: 'S3 twenty times slower',
  run: slowS3,
};
