/** What may succeed later is tried later; what is tried for the last time is answered, and kept. */

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Row } from '../support/conformance-cases.ts';
import { plainRequest } from '../support/metric-requests.ts';
import { openRig, type Rig } from '../support/rig.ts';
import type { Scene } from '../support/scene.ts';
import { DROPPED, INTERNAL, SLOW_DOWN } from '../support/traffic.ts';
import type { WorkerProcess } from '../support/worker-process.ts';

const ROWS: Row[] = [
  [0, 1],
  [86_400_000_000, 2],
];
/** The SDK asks three times before it gives up. */
const TRIES = 3;
/** An event is published four times before its attempt is given up. */
const PUBLISHES = 4 * TRIES;

let rig: Rig;
let scene: Scene;
let worker: WorkerProcess;
/** A queue whose messages are delivered twice at most. */
let twice: Scene;
/** The same, without a dead-letter queue that the worker knows of. */
let noDlq: Scene;
/** A queue whose redrive policy the worker could not read. */
let noRedrive: Scene;

async function sceneWithData(maxReceiveCount: number): Promise<Scene> {
  const made = await rig.scene({ visibilityTimeout: 3, maxReceiveCount });
  await made.dataset('d', { A: ROWS, B: ROWS });
  return made;
}

beforeAll(async () => {
  rig = await openRig();
  [scene, twice, noDlq, noRedrive] = (await Promise.all([5, 2, 2, 50].map(sceneWithData))) as [
    Scene,
    Scene,
    Scene,
    Scene,
  ];
  noRedrive.traffic.fault({ operation: 'GetQueueAttributes' }, INTERNAL);
  const settings = { WORKER_VISIBILITY_TIMEOUT_SECONDS: '3', WORKER_RETRY_FIRST_SECONDS: '0' };
  [worker] = await Promise.all([
    scene.worker({ ...settings, WORKER_RETRY_FIRST_SECONDS: '1', WORKER_CONCURRENCY: '8' }),
    twice.worker(settings),
    noDlq.worker({ ...settings, AWS_SQS_DLQ_URL: '' }),
    noRedrive.worker({ ...settings, WORKER_MAX_ATTEMPTS: '2' }),
  ]);
}, 60_000);

afterAll(() => rig.close());

const outcomes = (runId: string) =>
  worker.log
    .filter(({ outcome, run_id }) => outcome !== undefined && run_id === runId)
    .map(({ outcome }) => outcome);
/** How often the run's data was written. */
const writes = (metricCode: string) =>
  scene.traffic.count({ operation: 'PutObject', key: new RegExp(`^metrics/${metricCode}/.*parquet$`) });

describe('a failure that may pass', () => {
  test('of S3 is tried again after a growing delay, and nothing is told of it', async () => {
    const runId = 's3-slow';
    await scene.dataset(runId, { A: ROWS, B: ROWS });
    const fault = scene.traffic.fault(
      { operation: 'GetObject', key: new RegExp(`^datasets/${runId}/current`) },
      SLOW_DOWN,
      2 * TRIES,
    );
    await scene.send(plainRequest({ runId, metricCode: runId, inputs: { [runId]: ['A', 'B'] } }));
    expect(await scene.events.completed(runId)).toMatchObject({ status: 'SUCCESS' });
    await scene.drained();
    expect(fault.count).toBe(2 * TRIES);
    expect(outcomes(runId)).toEqual(['retry', 'retry', 'succeeded']);
    expect(scene.events.of(runId, 'metric_run_completed')).toHaveLength(1);
    const received = worker.log
      .filter(({ msg, run_id }) => msg === 'request received' && run_id === runId)
      .map(({ time }) => Date.parse(String(time)));
    const [first = 0, second = 0] = received.slice(1).map((at, i) => at - received[i]!);
    // Half to all of 1 s, then of 2 s, in whole seconds; and the SDK's own tries.
    expect(first).toBeGreaterThan(900);
    expect(second).toBeGreaterThan(900);
    expect(first + second).toBeLessThan(6_000);
    const lines = worker.log.filter(({ outcome, run_id }) => outcome === 'retry' && run_id === runId);
    expect(lines[0]).toMatchObject({
      error_code: 'INPUT_READ_ERROR',
      s3_status: 503,
      s3_error: 'SlowDown',
      attempt: 1,
    });
  });

  test('of publishing completed keeps the message; it is answered from the marker, not redone', async () => {
    const runId = 'no-completed';
    const fault = scene.traffic.fault(
      { operation: 'Publish', message: new RegExp(`metric_run_completed.*${runId}`) },
      INTERNAL,
      PUBLISHES,
    );
    await scene.send(plainRequest({ runId, metricCode: runId }));
    expect(await scene.events.completed(runId)).toMatchObject({ status: 'SUCCESS' });
    await scene.drained();
    expect(fault.count).toBe(PUBLISHES);
    expect(outcomes(runId)).toEqual(['retry', 'answered']);
    expect(writes(runId)).toBe(1);
  });

  test('of publishing started ends the attempt before anything is done', async () => {
    const runId = 'no-started';
    scene.traffic.fault(
      { operation: 'Publish', message: new RegExp(`metric_run_started.*${runId}`) },
      DROPPED,
      PUBLISHES,
    );
    await scene.send(plainRequest({ runId, metricCode: runId }));
    expect(await scene.events.completed(runId)).toMatchObject({ status: 'SUCCESS' });
    await scene.drained();
    expect(outcomes(runId)).toEqual(['retry', 'succeeded']);
    expect(writes(runId)).toBe(1);
  });

  test('of publishing a FAILURE keeps the message until the FAILURE is out', async () => {
    const runId = 'no-failure';
    scene.traffic.fault(
      { operation: 'Publish', message: new RegExp(`metric_run_completed.*${runId}`) },
      INTERNAL,
      PUBLISHES,
    );
    await scene.send(plainRequest({ runId, metricCode: runId, inputs: { d: ['A'] } }));
    expect(await scene.events.completed(runId)).toMatchObject({ status: 'FAILURE' });
    await scene.drained();
    expect(outcomes(runId)).toEqual(['retry', 'failed']);
  });

  test('of the acknowledgement brings the message again, and it is answered again', async () => {
    const runId = 'no-delete';
    let about: string | undefined;
    let refused = 0;
    const remove = scene.traffic.add(({ when, request }) => {
      if (request.operation === 'Publish' && /completed.*no-delete/.test(request.body?.message ?? ''))
        about = runId;
      if (about === undefined || when !== 'before' || request.operation !== 'DeleteMessage') return undefined;
      return refused++ < TRIES ? INTERNAL : undefined;
    });
    await scene.send(plainRequest({ runId, metricCode: runId }));
    const first = await scene.events.completed(runId);
    expect(await scene.events.completed(runId, { count: 2 })).toEqual(first);
    await scene.drained();
    remove();
    expect(outcomes(runId)).toEqual(['succeeded', 'answered']);
    expect(writes(runId)).toBe(1);
  });

  test('of a heartbeat is no reason to stop the job', async () => {
    const runId = 'no-beat';
    const beats = scene.traffic.fault(
      { operation: 'Publish', message: new RegExp(`metric_run_heartbeat.*${runId}`) },
      INTERNAL,
    );
    const hold = scene.traffic.hold({
      operation: 'PutObject',
      key: new RegExp(`^metrics/${runId}/.*parquet`),
    });
    await scene.send(plainRequest({ runId, metricCode: runId }));
    await worker.logged('Failed to publish metric_run_heartbeat', { timeoutMs: 10_000 });
    hold.release();
    expect(await scene.events.completed(runId)).toMatchObject({ status: 'SUCCESS' });
    await scene.drained();
    expect(beats.count).toBeGreaterThan(0);
    expect(outcomes(runId)).toEqual(['succeeded']);
  });
});

describe('on the last attempt that the redrive policy allows', () => {
  test('a failure that might pass is answered FAILURE, and the message is left to the redrive policy', async () => {
    const runId = 'down';
    await twice.dataset(runId, { A: ROWS, B: ROWS });
    twice.traffic.fault({ operation: 'GetObject', key: /^datasets\/down\/current/ }, SLOW_DOWN);
    const request = plainRequest({ runId, metricCode: runId, inputs: { [runId]: ['A', 'B'] } });
    await twice.send(request);
    expect(await twice.events.completed(runId)).toMatchObject({
      status: 'FAILURE',
      error: expect.stringMatching(/^INPUT_READ_ERROR: .*SlowDown \(HTTP 503\)/),
    });
    expect(await twice.deadLetter()).toEqual({ body: JSON.stringify(request), attributes: {} });
    await twice.drained();
    expect(twice.events.of(runId, 'metric_run_completed')).toHaveLength(1);
    expect(twice.events.of(runId, 'metric_run_started')).toHaveLength(2);
  });

  test('a run that comes back from the dead-letter queue can still succeed', async () => {
    const runId = 'revived';
    await twice.dataset(runId, { A: ROWS, B: ROWS });
    const fault = twice.traffic.fault(
      { operation: 'GetObject', key: /^datasets\/revived\/current/ },
      SLOW_DOWN,
    );
    const request = plainRequest({ runId, metricCode: runId, inputs: { [runId]: ['A', 'B'] } });
    await twice.send(request);
    const letter = await twice.deadLetter(20);
    fault.remove();
    await twice.send(letter?.body, { group: runId, deduplication: `${runId}-again` });
    expect(await twice.events.completed(runId, { count: 2 })).toMatchObject({ status: 'SUCCESS' });
  });
});

describe('a message that is no request', () => {
  test('is not lost where the dead-letter queue does not take it at first', async () => {
    const fault = twice.traffic.fault({ operation: 'SendMessage' }, INTERNAL, TRIES);
    await twice.send('hello', { group: 'stray', deduplication: 'stray' });
    const letter = await twice.deadLetter();
    expect(letter).toMatchObject({ body: 'hello', attributes: { reason: 'no_json' } });
    expect(fault.count).toBe(TRIES);
    await twice.drained();
  });

  test('is left to the redrive policy where the dead-letter queue never takes it', async () => {
    const fault = twice.traffic.fault(
      { operation: 'SendMessage' },
      { kind: 'fail', status: 403, code: 'AccessDenied' },
    );
    await twice.send('hello again', { group: 'stray', deduplication: 'stray-2' });
    expect(await twice.deadLetter()).toEqual({ body: 'hello again', attributes: {} });
    fault.remove();
    await twice.drained();
  });

  test('is left to the redrive policy where no dead-letter queue is configured', async () => {
    await noDlq.send('hello', { group: 'stray', deduplication: 'stray' });
    expect(await noDlq.deadLetter()).toEqual({ body: 'hello', attributes: {} });
    await noDlq.drained();
    expect(noDlq.traffic.count({ operation: 'SendMessage' })).toBe(0);
  });
});

test('where the redrive policy is unknown, WORKER_MAX_ATTEMPTS counts, and the worker fills the dead-letter queue', async () => {
  const runId = 'counted';
  noRedrive.traffic.fault({ operation: 'GetObject', key: /^datasets\/d\/current/ }, SLOW_DOWN);
  const request = plainRequest({ runId, metricCode: runId });
  await noRedrive.send(request);
  expect(await noRedrive.events.completed(runId)).toMatchObject({ status: 'FAILURE' });
  const letter = await noRedrive.deadLetter();
  expect(letter).toMatchObject({
    body: JSON.stringify(request),
    attributes: { reason: 'attempts_exhausted', detail: expect.stringMatching(/^INPUT_READ_ERROR: /) },
  });
  await noRedrive.drained();
  expect(noRedrive.events.of(runId, 'metric_run_started')).toHaveLength(2);
});

test('a queue that does not answer is asked again, more and more slowly, and its messages are taken in the end', async () => {
  const down = await sceneWithData(5);
  const fault = down.traffic.fault({ operation: 'ReceiveMessage' }, INTERNAL);
  const patient = await down.worker({ WORKER_CONCURRENCY: '1' });
  await patient.logged('the queue did not answer', { count: 2 });
  await down.send(plainRequest({ runId: 'late' }));
  expect(fault.count).toBeLessThan(4 * TRIES);
  fault.remove();
  expect(await down.events.completed('late')).toMatchObject({ status: 'SUCCESS' });
});
