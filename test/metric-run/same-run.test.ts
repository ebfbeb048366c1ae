/** One run id, delivered many times to many workers at once: one result, and everyone tells of the same. */

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Row } from '../support/conformance-cases.ts';
import { plainRequest } from '../support/metric-requests.ts';
import { seededRandom } from '../support/random.ts';
import { openRig, type Rig } from '../support/rig.ts';
import type { Scene } from '../support/scene.ts';
import { DROPPED, type Which } from '../support/traffic.ts';
import type { WorkerProcess } from '../support/worker-process.ts';

const ROWS = Array.from({ length: 500 }, (_, i): Row => [i * 86_400_000_000, i % 7 === 0 ? null : i]);
const COPIES = 5;

let rig: Rig;
let scene: Scene;
let workers: readonly WorkerProcess[];

beforeAll(async () => {
  rig = await openRig();
  scene = await rig.scene({ visibilityTimeout: 3 });
  await scene.dataset('d', { A: ROWS, B: ROWS });
  // As many jobs at once as threads, so that all copies can be under way: all three take part.
  const settings = { WORKER_VISIBILITY_TIMEOUT_SECONDS: '3', WORKER_CONCURRENCY: '2', WORKER_THREADS: '2' };
  workers = await Promise.all([1, 2, 3].map(() => scene.worker(settings)));
});

afterAll(() => rig.close());

/** How many runs these workers count as succeeded. */
async function succeeded(counting: readonly WorkerProcess[]): Promise<number> {
  const all = await Promise.all(counting.map((worker) => worker.metrics()));
  return all.reduce((sum, samples) => sum + (samples.get('metric_runs_succeeded_total') ?? 0), 0);
}

describe('a run sent five times, in five groups, to three workers', () => {
  const jitter = (seed: number) => {
    const random = seededRandom(seed);
    return scene.traffic.add(({ request }) =>
      request.service === 's3' ? { kind: 'delay', ms: Math.round(random() ** 3 * 100) } : undefined,
    );
  };
  /** Lets requests go on only when all copies have come so far. */
  const together = (which: Which) => {
    const hold = scene.traffic.hold(which);
    const released = hold.come(COPIES).finally(() => hold.release());
    return () => released;
  };

  test.each<[how: string, disturb: () => () => unknown]>([
    ['with random delays, seed 1', () => jitter(1)],
    ['with random delays, seed 2', () => jitter(2)],
    ['with random delays, seed 3', () => jitter(3)],
    [
      'where all see that there is no marker',
      () => together({ operation: 'GetObject', key: /runs\/.*\.ok$/, when: 'after' }),
    ],
    [
      'where all write their data at once',
      () => together({ operation: 'PutObject', key: /metrics\.parquet$/ }),
    ],
    ['where all make the marker at once', () => together({ operation: 'PutObject', key: /runs\/.*\.ok$/ })],
  ])('%s', async (how, disturb) => {
    const runId = how.replaceAll(/\W+/g, '-');
    const before = await succeeded(workers);
    const calm = disturb();
    const request = plainRequest({ runId, metricCode: runId });
    for (let copy = 0; copy < COPIES; copy++) {
      await scene.send(request, { group: `${runId}-${copy}`, deduplication: `${runId}-${copy}` });
    }
    await scene.events.completed(runId, { count: COPIES });
    await scene.drained();
    await calm();
    await isOneResult(scene, runId, COPIES);
    expect((await succeeded(workers)) - before).toBe(1);
  });
});

/** Each copy of the run was answered, all with the one version there is. */
async function isOneResult(where: Scene, runId: string, copies: number): Promise<void> {
  const [first, ...others] = where.events.of(runId, 'metric_run_completed').map(({ body }) => body);
  expect(first).toMatchObject({ status: 'SUCCESS', rowCount: ROWS.length });
  expect(others).toEqual(Array.from({ length: copies - 1 }, () => first));
  const base = `metrics/${runId}/`;
  expect(await where.keys(base)).toEqual([
    `${base}${first?.versionTs}/data/metrics.parquet`,
    `${base}${first?.versionTs}/manifest.json`,
    `${base}current/manifest.json`,
    `${base}runs/${runId}.ok`,
  ]);
  for (const version of ['current', first?.versionTs]) {
    const manifest = await where.json(`${base}${version}/manifest.json`);
    expect(manifest).toMatchObject({ run_id: runId, version_ts: first?.versionTs });
  }
}

/**
 * A run's first copy is killed and leaves a version behind; its second copy is under way when the first
 * one, delivered again, finishes and sweeps what other attempts left: the second copy's version too.
 */
test('a worker whose version is swept by an attempt that finished first answers with its result', async () => {
  const steps: readonly Which[] = [
    { operation: 'GetObject', key: /metrics\.parquet$/ },
    { operation: 'PutObject', key: /T.*\/manifest\.json$/ },
    { operation: 'PutObject', key: /T.*\/manifest\.json$/, when: 'after' },
    { operation: 'PutObject', key: /runs\/.*\.ok$/ },
  ];
  const races = await rig.scene({ visibilityTimeout: 3 });
  await races.dataset('d', { A: ROWS, B: ROWS });
  const settings = { WORKER_VISIBILITY_TIMEOUT_SECONDS: '3', WORKER_CONCURRENCY: '4', WORKER_THREADS: '4' };
  const requests = steps.map((_, i) => plainRequest({ runId: `swept-${i}`, metricCode: `swept-${i}` }));

  const victim = await races.worker(settings);
  const atMarker = races.traffic.hold({ operation: 'PutObject', key: /runs\/.*\.ok$/ });
  for (const request of requests) await races.send(request);
  await atMarker.come(steps.length);
  await victim.kill();
  atMarker.release(DROPPED);

  const late = await races.worker(settings);
  const holds = steps.map((step, i) => {
    const key = new RegExp(`^metrics/swept-${i}/.*${step.key?.source}`);
    return races.traffic.hold({ ...step, key, worker: late.name });
  });
  for (const request of requests) {
    await races.send(request, { group: `${request.runId}-2`, deduplication: `${request.runId}-2` });
  }
  await Promise.all(holds.map((hold) => hold.come(1)));
  const sweeping = await races.worker(settings);
  await Promise.all(requests.map(({ runId }) => races.events.completed(runId)));
  for (const hold of holds) hold.release();
  await Promise.all(requests.map(({ runId }) => races.events.completed(runId, { count: 2 })));
  await races.drained();
  for (const { runId } of requests) await isOneResult(races, runId, 2);
  expect(await succeeded([late, sweeping])).toBe(requests.length);
}, 60_000);

test('a worker that loses the race for the marker points current to the winner, who may be gone', async () => {
  const runId = 'left-to-the-loser';
  // So long that the winner's message does not come again meanwhile.
  const race = await rig.scene({ visibilityTimeout: 60 });
  await race.dataset('d', { A: ROWS, B: ROWS });
  const settings = { WORKER_VISIBILITY_TIMEOUT_SECONDS: '60', WORKER_CONCURRENCY: '1' };
  const [winner, loser] = await Promise.all([race.worker(settings), race.worker(settings)]);
  const atMarker = [winner, loser].map(({ name }) =>
    race.traffic.hold({ operation: 'PutObject', key: /runs\/.*\.ok$/, worker: name }),
  );
  const atCurrent = race.traffic.hold({
    operation: 'PutObject',
    key: /current\/manifest\.json$/,
    worker: winner.name,
  });
  const request = plainRequest({ runId, metricCode: runId });
  for (const copy of ['1', '2']) await race.send(request, { group: copy, deduplication: copy });
  await Promise.all(atMarker.map((hold) => hold.come(1)));
  atMarker[0]!.release();
  await atCurrent.come(1);
  await winner.kill();
  atCurrent.release(DROPPED);
  atMarker[1]!.release();
  await race.events.completed(runId);
  await isOneResult(race, runId, 1);
}, 60_000);
