/** Messages that are no requests: none is lost, each says why it is where it is, and the worker goes on. */

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Row } from '../support/conformance-cases.ts';
import { plainRequest } from '../support/metric-requests.ts';
import { openRig, type Rig } from '../support/rig.ts';
import type { Scene } from '../support/scene.ts';
import type { WorkerProcess } from '../support/worker-process.ts';

const ROWS: Row[] = [
  [0, 1],
  [86_400_000_000, 2],
];
const MIB = 1_048_576;

let rig: Rig;
let scene: Scene;
let worker: WorkerProcess;

beforeAll(async () => {
  rig = await openRig();
  scene = await rig.scene({ maxReceiveCount: 3 });
  await scene.dataset('d', { A: ROWS, B: ROWS });
  worker = await scene.worker({ WORKER_RETRY_FIRST_SECONDS: '0' });
});

afterAll(() => rig.close());

/** The request, once sent, is done with: no retry, nothing left, and the worker lives. */
async function isSettled(): Promise<void> {
  await scene.drained();
  expect(worker.isRunning()).toBe(true);
}

describe('what is no request goes to the dead-letter queue with the reason, and is acknowledged', () => {
  const request = JSON.stringify(plainRequest());
  const notification = (Message: string, more: object = {}) =>
    JSON.stringify({ Type: 'Notification', Message, ...more });

  test.each<[what: string, body: string, reason: string, type?: string]>([
    ['no JSON', 'hello', 'no_json'],
    ['JSON cut short', '{"type": "metric_run_requested"', 'no_json'],
    ['a blank', ' ', 'no_json'],
    ['a list', '[]', 'no_object'],
    ['a text', '"metric_run_requested"', 'no_object'],
    ['a number', '5', 'no_object'],
    ['null', 'null', 'no_object'],
    ['an empty object', '{}', 'no_type'],
    ['an empty type', '{"type": ""}', 'no_type'],
    ['a type that is no text', '{"type": 5}', 'no_type'],
    ['a type by way of __proto__', '{"__proto__": {"type": "metric_run_requested"}}', 'no_type'],
    ['an unknown type', '{"type": "coffee_requested"}', 'unknown_type'],
    ['a type that every object inherits', '{"type": "toString"}', 'unknown_type'],
    ['an event of our own', '{"type": "metric_run_completed"}', 'unknown_type'],
    ['a type that the attribute contradicts', request, 'type_mismatch', 'compaction_requested'],
    ['a notification of no JSON', notification('hello'), 'no_json'],
    ['a notification of a list', notification('[]'), 'no_object'],
    ['a notification without a type in it', notification('{}'), 'no_type'],
    [
      'a notification whose attribute contradicts',
      notification(request, { MessageAttributes: { type: { Type: 'String', Value: 'other' } } }),
      'type_mismatch',
    ],
    ['a subscription confirmation', '{"Type": "SubscriptionConfirmation", "Token": "x"}', 'no_type'],
    ['a notification in a notification', notification(notification(request)), 'no_type'],
    [
      'nesting of 100,000 that names no type',
      `{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`,
      'no_type',
    ],
    ['nearly 1 MiB of no JSON', 'x'.repeat(MIB - 2_000), 'no_json'],
  ])('%s', async (what, body, reason, ...[type]) => {
    const group = what.replaceAll(/[^a-z0-9]/gi, '-');
    const before = scene.events.all.length;
    const sourceMessageId = await scene.send(body, { group, deduplication: group, ...(type && { type }) });
    const letter = await scene.deadLetter();
    expect(letter?.body === body).toBe(true);
    expect(letter?.attributes).toEqual({
      reason,
      detail: expect.any(String),
      sourceMessageId,
      ...(type && { type }),
    });
    expect(letter!.attributes.detail!.length).toBeLessThanOrEqual(256);
    await isSettled();
    expect(scene.events.all.length).toBe(before);
  });

  test('1 MiB of no JSON, which leaves no room for the reason, arrives by the redrive policy', async () => {
    const body = 'x'.repeat(MIB);
    const sourceMessageId = await scene.send(body, { group: 'mib', deduplication: 'mib' });
    const letter = await scene.deadLetter(20);
    expect(letter?.body === body).toBe(true);
    expect(sourceMessageId).not.toBe('');
    await isSettled();
  });
});

test('after all of this the same worker still carries out a request, and never logged a fault of its own', async () => {
  await scene.send(plainRequest({ runId: 'after', metricCode: 'after' }));
  expect(await scene.events.completed('after')).toMatchObject({ status: 'SUCCESS' });
  await scene.drained();
  expect(await scene.deadLetter(0)).toBeUndefined();
  expect(worker.log.filter(({ level }) => level === 'fatal')).toEqual([]);
  expect(worker.log.filter(({ error_code }) => error_code === 'INTERNAL_ERROR')).toEqual([]);
});
