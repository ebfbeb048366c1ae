/** The order within a message group, and the independence of groups, across several loops. */

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Row } from '../support/conformance-cases.ts';
import { plainRequest } from '../support/metric-requests.ts';
import { openRig, type Rig } from '../support/rig.ts';
import type { Scene } from '../support/scene.ts';

const ROWS: Row[] = [
  [0, 1],
  [86_400_000_000, 2],
];

let rig: Rig;
let scene: Scene;

beforeAll(async () => {
  rig = await openRig();
  scene = await rig.scene({ visibilityTimeout: 30 });
  await scene.dataset('d', { A: ROWS, B: ROWS });
  await scene.worker({ WORKER_CONCURRENCY: '3', WORKER_HEARTBEAT_ENABLED: 'false' });
});

afterAll(() => rig.close());

const named = (group: string, count: number) => Array.from({ length: count }, (_, i) => `${group}-${i}`);

async function send(group: string, runIds: readonly string[]): Promise<void> {
  for (const runId of runIds) await scene.send(plainRequest({ runId, metricCode: group }), { group });
}

/** `started x` and `completed x` of the group's runs, in the order in which they were published. */
const course = (group: string) =>
  scene.traffic.requests
    .filter(({ request }) => request.operation === 'Publish')
    .map(({ request }) => JSON.parse(request.body?.message ?? '{}') as Record<string, string>)
    .filter(({ metricCode }) => metricCode === group)
    .map(({ type, runId }) => `${type?.replace('metric_run_', '')} ${runId}`);

test('runs of one group go one after the other, in their order, however many loops there are', async () => {
  const runIds = named('ordered', 12);
  await send('ordered', runIds);
  await scene.events.completed(runIds.at(-1)!);
  await scene.drained();
  expect(course('ordered')).toEqual(runIds.flatMap((runId) => [`started ${runId}`, `completed ${runId}`]));
});

test('a slow run holds up its own group only', async () => {
  const hold = scene.traffic.hold({ operation: 'PutObject', key: /^metrics\/slow\/.*parquet$/ });
  await send('slow', named('slow', 2));
  await hold.come(1);
  const others = [...named('quick', 3), ...named('brisk', 3)];
  await send('quick', named('quick', 3));
  await send('brisk', named('brisk', 3));
  for (const runId of others) await scene.events.completed(runId);
  expect(course('slow')).toEqual(['started slow-0']);
  hold.release();
  await scene.events.completed('slow-1');
  expect(course('slow')).toEqual([
    'started slow-0',
    'completed slow-0',
    'started slow-1',
    'completed slow-1',
  ]);
});

test('a run that is tried again holds its place before those behind it', async () => {
  const fault = scene.traffic.fault(
    { operation: 'Publish', message: /metric_run_started.*again-0/ },
    { kind: 'fail', status: 500, code: 'InternalFailure' },
    12,
  );
  await send('again', named('again', 2));
  await scene.events.completed('again-1');
  expect(fault.count).toBe(12);
  expect(course('again').slice(-4)).toEqual([
    'started again-0',
    'completed again-0',
    'started again-1',
    'completed again-1',
  ]);
});
