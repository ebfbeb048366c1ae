/** What may succeed later is tried later; what is tried for the last time is answered, and kept. */

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Row } from '../support/conformance-cases.ts';
import { eventually } from '../support/eventually.ts';
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

/** Runs of their own that are sent before the tests begin, so that they wait for their retries together. */
function prepared<T>(prepare: () => Promise<T>): () => T {
  let value: { readonly is: T } | undefined;
  beforeAll(async () => {
    value = { is: await prepare() };
  });
  return () => value!.is;
}

const outcomes = (of: WorkerProcess, runId: string) =>
  of.log
    .filter(({ outcome, run_id }) => outcome !== undefined && run_id === runId)
    .map((line) => line.outcome);
/** How often the run's data was written. */
const writes = (of: Scene, metricCode: string) =>
  of.traffic.count({ operation: 'PutObject', key: new RegExp(`^metrics/${metricCode}/.*parquet$`) });
/** The manifest of a run's own dataset, whose reading can be made to fail. */
const manifestOf = (runId: string) => ({
  operation: 'GetObject',
  key: new RegExp(`^datasets/${runId}/current`),
});

async function withOwnDataset(where: Scene, runId: string) {
  await where.dataset(runId, { A: ROWS, B: ROWS });
  return plainRequest({ runId, metricCode: runId, inputs: { [runId]: ['A', 'B'] } });
}

describe('a failure that may pass', () => {
  const s3Slow = prepared(async () => {
    const request = await withOwnDataset(scene, 's3-slow');
    const fault = scene.traffic.fault(manifestOf('s3-slow'), SLOW_DOWN, 2 * TRIES);
    await scene.send(request);
    return fault;
  });

  /** A run during which publishing an event of this kind fails until its attempt is given up. */
  const unpublished = (runId: string, kind: string, inputs = ['A', 'B'], verdict = INTERNAL) =>
    prepared(async () => {
      const message = new RegExp(`metric_run_${kind}.*${runId}`);
      const fault = scene.traffic.fault({ operation: 'Publish', message }, verdict, PUBLISHES);
      await scene.send(plainRequest({ runId, metricCode: runId, inputs: { d: inputs } }));
      return fault;
    });
  const noCompleted = unpublished('no-completed', 'completed');
  const noStarted = unpublished('no-started', 'started', ['A', 'B'], DROPPED);
  const noFailure = unpublished('no-failure', 'completed', ['A']);
  const noBeat = prepared(async () => {
    const runId = 'no-beat';
    const hold = scene.traffic.hold({ operation: 'PutObject', key: /^metrics\/no-beat\/.*parquet/ });
    const message = /metric_run_heartbeat.*no-beat/;
    const beats = scene.traffic.fault({ operation: 'Publish', message }, INTERNAL);
    await scene.send(plainRequest({ runId, metricCode: runId }));
    return { hold, beats };
  });
  const noDelete = prepared(async () => {
    let isOut = false;
    let refused = 0;
    noDlq.traffic.add(({ when, request: { operation, body } }) => {
      isOut ||= operation === 'Publish' && /completed.*no-delete/.test(body?.message ?? '');
      if (!isOut || when !== 'before' || operation !== 'DeleteMessage') return undefined;
      return refused++ < TRIES ? INTERNAL : undefined;
    });
    await noDlq.send(plainRequest({ runId: 'no-delete', metricCode: 'no-delete' }));
  });

  test('of S3 is tried again after a growing delay, and nothing is told of it', async () => {
    const runId = 's3-slow';
    expect(await scene.events.completed(runId)).toMatchObject({ status: 'SUCCESS' });
    await settled('s3-slow', 'succeeded');
    expect(s3Slow().count).toBe(2 * TRIES);
    expect(outcomes(worker, runId)).toEqual(['retry', 'retry', 'succeeded']);
    expect(scene.events.of(runId, 'metric_run_completed')).toHaveLength(1);
    const received = worker.log
      .filter(({ msg, run_id }) => msg === 'request received' && run_id === runId)
      .map(({ time }) => Date.parse(String(time)));
    const delays = received.slice(1).map((at, i) => at - received[i]!);
    // Half to all of 1 s, then of 2 s, in whole seconds.
    for (const delay of delays) expect(delay).toBeGreaterThan(900);
    const [first] = worker.log.filter(({ outcome, run_id }) => outcome === 'retry' && run_id === runId);
    expect(first).toMatchObject({
      error_code: 'INPUT_READ_ERROR',
      s3_status: 503,
      s3_error: 'SlowDown',
      attempt: 1,
    });
  });

  test('of publishing completed keeps the message; it is answered from the marker, not redone', async () => {
    expect(await scene.events.completed('no-completed')).toMatchObject({ status: 'SUCCESS' });
    await settled('no-completed', 'answered');
    expect(noCompleted().count).toBe(PUBLISHES);
    expect(outcomes(worker, 'no-completed')).toEqual(['retry', 'answered']);
    expect(writes(scene, 'no-completed')).toBe(1);
  });

  test('of publishing started ends the attempt before anything is done', async () => {
    expect(await scene.events.completed('no-started')).toMatchObject({ status: 'SUCCESS' });
    await settled('no-started', 'succeeded');
    expect(noStarted().count).toBe(PUBLISHES);
    expect(outcomes(worker, 'no-started')).toEqual(['retry', 'succeeded']);
    expect(writes(scene, 'no-started')).toBe(1);
  });

  test('of publishing a FAILURE keeps the message until the FAILURE is out', async () => {
    expect(await scene.events.completed('no-failure')).toMatchObject({ status: 'FAILURE' });
    await settled('no-failure', 'failed');
    expect(noFailure().count).toBe(PUBLISHES);
    expect(outcomes(worker, 'no-failure')).toEqual(['retry', 'failed']);
  });

  test('of a heartbeat is no reason to stop the job', async () => {
    const { hold, beats } = noBeat();
    await worker.logged('Failed to publish metric_run_heartbeat', { timeoutMs: 10_000 });
    hold.release();
    expect(await scene.events.completed('no-beat')).toMatchObject({ status: 'SUCCESS' });
    await settled('no-beat', 'succeeded');
    expect(beats.count).toBeGreaterThan(0);
    expect(outcomes(worker, 'no-beat')).toEqual(['succeeded']);
  });

  test('of the acknowledgement brings the message again, and it is answered again', async () => {
    noDelete();
    const first = await noDlq.events.completed('no-delete');
    expect(await noDlq.events.completed('no-delete', { count: 2 })).toEqual(first);
    expect(writes(noDlq, 'no-delete')).toBe(1);
  });

  test('leaves nothing in the queue in the end', () => scene.drained());

  /** Waits for the log line that ends the run's last attempt. */
  async function settled(runId: string, outcome: string): Promise<void> {
    await eventually(`${runId} is ${outcome}`, () => outcomes(worker, runId).includes(outcome));
  }
});

describe('on the last attempt that the redrive policy allows', () => {
  const down = prepared(async () => {
    const request = await withOwnDataset(twice, 'down');
    twice.traffic.fault(manifestOf('down'), SLOW_DOWN);
    await twice.send(request);
    return request;
  });
  const revived = prepared(async () => {
    const request = await withOwnDataset(noRedrive, 'revived');
    const fault = noRedrive.traffic.fault(manifestOf('revived'), SLOW_DOWN);
    await noRedrive.send(request);
    return { request, fault };
  });

  test('a failure that might pass is answered FAILURE, and the message is left to the redrive policy', async () => {
    const request = down();
    expect(await twice.events.completed('down')).toMatchObject({
      status: 'FAILURE',
      error: expect.stringMatching(/^INPUT_READ_ERROR: .*SlowDown \(HTTP 503\)/),
    });
    expect(await twice.deadLetter()).toEqual({ body: JSON.stringify(request), attributes: {} });
    await twice.drained();
    expect(twice.events.of('down', 'metric_run_completed')).toHaveLength(1);
    expect(twice.events.of('down', 'metric_run_started')).toHaveLength(2);
  });

  test('where that is unknown WORKER_MAX_ATTEMPTS counts, and the worker fills the dead-letter queue', async () => {
    const { request } = revived();
    expect(await noRedrive.events.completed('revived')).toMatchObject({ status: 'FAILURE' });
    expect(await noRedrive.deadLetter()).toMatchObject({
      body: JSON.stringify(request),
      attributes: { reason: 'attempts_exhausted', detail: expect.stringMatching(/^INPUT_READ_ERROR: /) },
    });
    await noRedrive.drained();
    expect(noRedrive.events.of('revived', 'metric_run_started')).toHaveLength(2);
  });

  test('a run that comes back from the dead-letter queue can still succeed', async () => {
    const { request, fault } = revived();
    fault.remove();
    await noRedrive.send(request, { deduplication: 'again' });
    expect(await noRedrive.events.completed('revived', { count: 2 })).toMatchObject({ status: 'SUCCESS' });
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

test('a redrive policy that could not be read at the start is read later, and counts from then on', async () => {
  const hasty = await sceneWithData(5);
  hasty.traffic.fault({ operation: 'GetQueueAttributes' }, INTERNAL, TRIES);
  const made = await hasty.worker({ WORKER_MAX_ATTEMPTS: '1', WORKER_RETRY_FIRST_SECONDS: '0' });
  await made.logged("the queue's redrive policy is known now");
  const request = await withOwnDataset(hasty, 'patient');
  hasty.traffic.fault(manifestOf('patient'), SLOW_DOWN, TRIES);
  await hasty.send(request);
  expect(await hasty.events.completed('patient')).toMatchObject({ status: 'SUCCESS' });
  expect(hasty.events.of('patient', 'metric_run_started')).toHaveLength(2);
});
