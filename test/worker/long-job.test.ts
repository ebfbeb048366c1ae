/** Jobs that outlast their lease, lose it, or are told to stop. */

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { systemClock } from '../../src/common/clock.ts';
import type { Verdict } from '../../src/local/request-hooks.ts';
import { burnRequest, putBurnDataset } from '../support/burn.ts';
import type { Row } from '../support/conformance-cases.ts';
import { eventually, never } from '../support/eventually.ts';
import { plainRequest } from '../support/metric-requests.ts';
import { openRig, type Rig } from '../support/rig.ts';
import type { Scene } from '../support/scene.ts';
import { DROPPED } from '../support/traffic.ts';

const ROWS: Row[] = [
  [0, 1],
  [86_400_000_000, 2],
];
const LEASE = { WORKER_VISIBILITY_TIMEOUT_SECONDS: '3' };
const DATA = /^metrics\/.*\.parquet$/;

let rig: Rig;

beforeAll(async () => {
  rig = await openRig();
});

afterAll(() => rig.close());

async function sceneWithData(): Promise<Scene> {
  const scene = await rig.scene({ visibilityTimeout: 3 });
  await scene.dataset('d', { A: ROWS, B: ROWS });
  return scene;
}

/** How often workers took up the run, by their logs. */
function attempts(
  logs: readonly { readonly log: readonly Record<string, unknown>[] }[],
  runId: string,
): number {
  return logs
    .flatMap(({ log }) => log)
    .filter(({ msg, run_id }) => msg === 'request received' && run_id === runId).length;
}

describe('a job that burns a core for longer than its visibility timeout', () => {
  test('is not delivered again meanwhile, and its heartbeats come at their interval, with progress', async () => {
    const scene = await rig.scene({ visibilityTimeout: 3 });
    await putBurnDataset(scene);
    const workers = await Promise.all([scene.worker(LEASE), scene.worker(LEASE)]);
    await scene.send(burnRequest(11, { runId: 'long' }));
    const started = await scene.events.next('long', 'metric_run_started');
    await scene.events.completed('long', { timeoutMs: 60_000 });
    await scene.drained();
    const completed = scene.events.of('long', 'metric_run_completed');
    const beats = scene.events.of('long', 'metric_run_heartbeat');
    const seconds = (completed[0]!.at - started.at) / 1000;
    expect(seconds).toBeGreaterThan(3);
    expect(attempts(workers, 'long')).toBe(1);
    expect(completed).toHaveLength(1);
    expect(scene.traffic.count({ operation: 'ChangeMessageVisibility' })).toBeGreaterThanOrEqual(
      Math.floor(seconds) - 1,
    );
    expect(beats.length).toBeGreaterThanOrEqual(Math.floor(seconds) - 1);
    const times = [started, ...beats].map(({ at }) => at);
    const gaps = times.slice(1).map((at, i) => at - times[i]!);
    for (const gap of gaps) expect(Math.abs(gap - 1000)).toBeLessThan(500);
    const progress = beats.map(({ body }) => Number(body.progress));
    expect(progress).toEqual(progress.toSorted((a, b) => a - b));
    expect(progress.at(-1)).toBeGreaterThan(progress[0]!);
    expect(progress.at(-1)).toBeGreaterThan(0.3);
    await scene.stopWorkers();
  }, 90_000);

  test('is given back at once when the grace period is over, and the worker exits with 0', async () => {
    const scene = await rig.scene({ visibilityTimeout: 60 });
    await putBurnDataset(scene);
    const settings = { WORKER_VISIBILITY_TIMEOUT_SECONDS: '60' };
    const first = await scene.worker({ ...settings, SHUTDOWN_GRACE_SECONDS: '1' });
    await scene.send(burnRequest(17, { runId: 'cut-short' }));
    await scene.events.next('cut-short', 'metric_run_started');
    const second = await scene.worker(settings);
    const asked = systemClock.monotonic();
    expect(await first.stop()).toEqual({ code: 0, signal: null });
    const received = await second.logged('request received');
    expect(systemClock.monotonic() - asked).toBeLessThan(5_000);
    expect(received).toMatchObject({ run_id: 'cut-short', attempt: 2 });
    expect(first.log).toContainEqual(expect.objectContaining({ outcome: 'shutdown', run_id: 'cut-short' }));
    expect(scene.events.of('cut-short', 'metric_run_completed')).toEqual([]);
    expect(await scene.keys('metrics/')).toEqual([]);
    await second.kill();
  }, 60_000);
});

test('an idle worker stops at once, in the middle of a long poll', async () => {
  const scene = await sceneWithData();
  const worker = await scene.worker();
  await eventually('it polls', () => scene.traffic.count({ operation: 'ReceiveMessage' }) > 0);
  const asked = systemClock.monotonic();
  expect(await worker.stop()).toEqual({ code: 0, signal: null });
  expect(systemClock.monotonic() - asked).toBeLessThan(2_000);
});

describe('a lease', () => {
  const losses: Readonly<Record<string, Verdict>> = {
    'since SQS says that the handle is invalid': {
      kind: 'fail',
      status: 400,
      code: 'ReceiptHandleIsInvalid',
    },
    'since the handle has expired': { kind: 'fail', status: 400, code: 'InvalidParameterValue' },
    'since SQS cannot be reached until it ran out': { kind: 'fail', status: 500, code: 'InternalFailure' },
  };

  /** A job whose renewals get the verdict, held before it writes; and what became of it and of its worker. */
  async function lose(verdict: Verdict) {
    const scene = await sceneWithData();
    const { traffic } = scene;
    const first = await scene.worker({ ...LEASE, WORKER_CONCURRENCY: '1' });
    const worker = first.name;
    const hold = traffic.hold({ operation: 'PutObject', key: DATA, worker });
    await scene.send(plainRequest({ runId: 'lost' }));
    await hold.come(1);
    traffic.fault({ operation: 'ChangeMessageVisibility', worker }, verdict);
    const noMore = traffic.hold({ operation: 'ReceiveMessage', worker });
    const second = await scene.worker(LEASE);
    await first.logged('request lease_lost');
    const before = traffic.requests.length;
    const completed = await scene.events.completed('lost');
    await scene.drained();
    // Whoever lost the lease does nothing more about the job, even when it could.
    hold.release(DROPPED);
    await systemClock.sleep(200);
    const sent = traffic.requests
      .slice(before)
      .filter((one) => one.worker === worker && one.request.operation !== 'ReceiveMessage');
    noMore.release();
    await scene.stopWorkers();
    return { scene, second, completed, sentAfterwards: sent.map(({ request }) => request.operation) };
  }

  const runs = new Map<string, ReturnType<typeof lose>>();
  beforeAll(() => {
    for (const [how, verdict] of Object.entries(losses)) {
      const run = lose(verdict);
      run.catch(() => {}); // Heard of below.
      runs.set(how, run);
    }
  });

  test('is renewed while a worker that is told to stop, and not ready any more, finishes its job', async () => {
    const scene = await sceneWithData();
    const worker = await scene.worker({ ...LEASE, WORKER_CONCURRENCY: '2' });
    const hold = scene.traffic.hold({ operation: 'PutObject', key: DATA });
    await scene.send(plainRequest({ runId: 'in-hand' }));
    await hold.come(1);
    expect(await worker.get('/readyz')).toMatchObject({ status: 200 });
    worker.signal('SIGTERM');
    await eventually('readiness is withdrawn', async () => (await worker.get('/readyz')).status === 503);
    expect((await worker.get('/readyz')).body).toContain('draining');
    expect((await worker.get('/healthz')).status).toBe(200);
    expect((await worker.get('/metrics')).status).toBe(200);
    // The lease is renewed while draining, and nothing new is taken.
    await scene.send(plainRequest({ runId: 'too-late', metricCode: 'other' }));
    await never(4_000, async () => {
      const { waiting, inFlight } = await scene.queued();
      if (!worker.isRunning()) return 'the worker is gone';
      return waiting === 1 && inFlight === 1 ? undefined : `${waiting} waiting, ${inFlight} in flight`;
    });
    hold.release();
    expect(await worker.exit).toEqual({ code: 0, signal: null });
    expect(await scene.events.completed('in-hand')).toMatchObject({ status: 'SUCCESS' });
    expect(await scene.queued()).toEqual({ waiting: 1, inFlight: 0 });
    expect(attempts([worker], 'in-hand')).toBe(1);
    await scene.worker(LEASE);
    expect(await scene.events.completed('too-late')).toMatchObject({ status: 'SUCCESS' });
  }, 60_000);

  test.each(Object.keys(losses))('that is lost %s stops the job, and another worker does it', async (how) => {
    const { scene, second, completed, sentAfterwards } = await runs.get(how)!;
    expect(completed).toMatchObject({ status: 'SUCCESS' });
    expect(sentAfterwards).toEqual([]);
    expect(scene.events.of('lost', 'metric_run_completed')).toHaveLength(1);
    const data = (await scene.keys('metrics/')).filter((key) => key.endsWith('.parquet'));
    expect(data).toEqual([`metrics/delta.a_b/${completed.versionTs}/data/metrics.parquet`]);
    const done = { run_id: 'lost', attempt: 2, outcome: 'succeeded' };
    expect(second.log).toContainEqual(expect.objectContaining(done));
  });
});

test('a job that takes longer than its deadline is stopped, tried again, and in the end answered FAILURE', async () => {
  const scene = await rig.scene({ visibilityTimeout: 30, maxReceiveCount: 2 });
  await scene.dataset('d', { A: ROWS, B: ROWS });
  const worker = await scene.worker({ WORKER_JOB_DEADLINE_SECONDS: '1', WORKER_RETRY_FIRST_SECONDS: '0' });
  const hold = scene.traffic.hold({ operation: 'GetObject', key: /^datasets\/d\/projections/ });
  await scene.send(plainRequest({ runId: 'endless' }));
  expect(await scene.events.completed('endless')).toMatchObject({
    status: 'FAILURE',
    error: expect.stringMatching(/^INTERNAL_ERROR: .*longer than 1 second/),
  });
  expect((await scene.deadLetter())?.body).toContain('endless');
  hold.release(DROPPED);
  expect(attempts([worker], 'endless')).toBe(2);
});
