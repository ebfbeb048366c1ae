/** What goes over the wire for a metric run: requests in every form that arrives, events to the letter. */

import { CreateTopicCommand, PublishCommand, SubscribeCommand } from '@aws-sdk/client-sns';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Row } from '../support/conformance-cases.ts';
import { plainRequest, v1Request } from '../support/metric-requests.ts';
import { openRig, type Rig } from '../support/rig.ts';
import type { Scene } from '../support/scene.ts';

const DAY = 86_400_000_000;
const rows = (...values: number[]) => values.map((value, i): Row => [i * DAY, value]);
const SERIES = { A: rows(10, 20, 30), B: rows(2, 4, 5) };
const SECONDS = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
const VERSION = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d$/);
/** Long enough for two heartbeats at one a second. */
const SLOW = { kind: 'delay', ms: 2_500 } as const;

let rig: Rig;
let scene: Scene;
let fifo: Scene;

const metricCode = 'ratio.reserves_to_base';
const RATIO = { op: 'ratio', left: { series_code: 'A' }, right: { seriesCode: 'B' }, scale: 1 };
const parts = { metricCode, expressionJson: RATIO };
const slowInputs = { inputs: { slow: ['A', 'B'] } };

beforeAll(async () => {
  rig = await openRig();
  [scene, fifo] = await Promise.all([rig.scene(), rig.scene({ fifoTopic: true })]);
  for (const { traffic } of [scene, fifo]) {
    traffic.fault({ operation: 'GetObject', key: /^datasets\/slow\/.*manifest/ }, SLOW);
  }
  for (const one of [scene, fifo]) {
    await one.dataset('d', SERIES);
    await one.dataset('slow', SERIES);
  }
  const AWS_S3_ALLOWED_BUCKETS = `${fifo.resources.bucket},other`;
  const workers = [scene.worker({ AWS_S3_ALLOWED_BUCKETS }), fifo.worker()];
  const slow = { ...parts, ...slowInputs };
  await scene.send(plainRequest({ ...slow, runId: 'plain-slow' }), { group: 'g1' });
  await scene.send(v1Request({ ...slow, runId: 'v1-slow' }), { group: 'g2' });
  await fifo.send(plainRequest({ ...slow, runId: 'fifo-slow' }));
  await Promise.all(workers);
});

afterAll(() => rig.close());

const bodies = (id: string, type: string) => scene.events.of(id, type).map(({ body }) => body);
/** The manifest's key of the version that a completed event names. */
const manifestKey = (completed: Readonly<Record<string, unknown>>) =>
  `metrics/${metricCode}/${completed.versionTs}/manifest.json`;

describe('the plain form, as the live control plane speaks it', () => {
  test('gets started, heartbeats and completed with their fields and no others', async () => {
    const completed = await scene.events.completed('plain-slow');
    const about = { runId: 'plain-slow', metricCode };
    expect(bodies('plain-slow', 'metric_run_started')).toStrictEqual([
      { type: 'metric_run_started', ...about, startedAt: SECONDS },
    ]);
    const beats = bodies('plain-slow', 'metric_run_heartbeat');
    expect(beats.length).toBeGreaterThanOrEqual(2);
    for (const beat of beats) {
      const progress = expect.any(Number);
      expect(beat).toStrictEqual({ type: 'metric_run_heartbeat', ...about, progress, ts: SECONDS });
      expect(beat.progress).toBeGreaterThanOrEqual(0);
      expect(beat.progress).toBeLessThanOrEqual(1);
    }
    expect(completed).toStrictEqual({
      type: 'metric_run_completed',
      ...about,
      status: 'SUCCESS',
      versionTs: VERSION,
      outputManifest: manifestKey(completed),
      rowCount: 3,
    });
    const order = scene.events.of('plain-slow').map(({ body }) => body.type.replace('metric_run_', ''));
    expect(order[0]).toBe('started');
    expect(order.at(-1)).toBe('completed');
  });

  test('gets a failure as text', async () => {
    await scene.send(plainRequest({ metricCode, runId: 'plain-bad', inputs: { d: ['A'] } }));
    const completed = await scene.events.completed('plain-bad');
    expect(completed).toStrictEqual({
      type: 'metric_run_completed',
      runId: 'plain-bad',
      metricCode,
      status: 'FAILURE',
      error: expect.stringMatching(/^INPUT_READ_ERROR: Failed to read input series: B/),
    });
  });
});

describe('the form with schema metrics.run.v1', () => {
  const schema = 'metrics.run.v1';

  test('gets events with the schema, and the manifest as a URI', async () => {
    const completed = await scene.events.completed('v1-slow');
    const about = { schema, runId: 'v1-slow', metricCode };
    expect(bodies('v1-slow', 'metric_run_started')).toStrictEqual([
      { type: 'metric_run_started', ...about, startedAt: SECONDS },
    ]);
    for (const beat of bodies('v1-slow', 'metric_run_heartbeat')) {
      expect(beat).toStrictEqual({
        type: 'metric_run_heartbeat',
        ...about,
        progress: expect.any(Number),
        ts: SECONDS,
      });
    }
    expect(completed).toStrictEqual({
      type: 'metric_run_completed',
      ...about,
      status: 'SUCCESS',
      versionTs: VERSION,
      outputManifest: `s3://${scene.resources.bucket}/${manifestKey(completed)}`,
      rowCount: 3,
    });
  });

  test('gets a failure as an object', async () => {
    await scene.send(v1Request({ metricCode, runId: 'v1-bad', inputs: { d: ['A'] } }));
    const completed = await scene.events.completed('v1-bad');
    expect(completed).toStrictEqual({
      schema,
      type: 'metric_run_completed',
      runId: 'v1-bad',
      metricCode,
      status: 'FAILURE',
      error: {
        code: 'INPUT_READ_ERROR',
        message: expect.stringMatching(/^Failed to read input series: B/),
      },
    });
  });

  test('takes s3:// URIs for every place, with a projections path', async () => {
    const uri = (key: string) => `s3://${scene.resources.bucket}/${key}`;
    const request = v1Request({
      ...parts,
      runId: 'v1-uris',
      manifestPath: uri('datasets/d/current/manifest.json'),
      projectionsPath: uri('datasets/d/projections/'),
      basePath: uri('metrics/by-uri'),
    });
    await scene.send(request);
    const completed = await scene.events.completed('v1-uris');
    expect(completed.outputManifest).toBe(uri(`metrics/by-uri/${completed.versionTs}/manifest.json`));
  });
});

test('a bucket that is allowed may hold datasets and outputs', async () => {
  const uri = (key: string) => `s3://${fifo.resources.bucket}/${key}`;
  const manifestPath = uri('datasets/d/current/manifest.json');
  await scene.send(v1Request({ ...parts, runId: 'shared', manifestPath, basePath: uri('metrics/shared/') }));
  const { versionTs, outputManifest } = await scene.events.completed('shared');
  expect(outputManifest).toBe(uri(`metrics/shared/${versionTs}/manifest.json`));
  expect(await scene.keys('metrics/shared/')).toEqual([]);
  expect(await fifo.keys('metrics/shared/')).toEqual([
    `metrics/shared/${versionTs}/data/metrics.parquet`,
    `metrics/shared/${versionTs}/manifest.json`,
    'metrics/shared/current/manifest.json',
    'metrics/shared/runs/shared.ok',
  ]);
});

test('the manifest of a dataset is looked at once in a run, however many of its series are read', async () => {
  await scene.events.completed('plain-slow');
  await scene.dataset('many', Object.fromEntries([...'ABCDEFGH'].map((code) => [code, rows(1, 2)])));
  const operands = [...'ABCDEFGH'].map((series_code) => ({ series_code }));
  const expression = { expressionType: 'composite', expressionJson: { op: 'sum', operands } };
  await scene.send(
    plainRequest({ ...expression, runId: 'many', metricCode: 'many', inputs: { many: [...'ABCDEFGH'] } }),
  );
  expect(await scene.events.completed('many')).toMatchObject({ status: 'SUCCESS', rowCount: 2 });
  expect(scene.traffic.count({ key: /^datasets\/many\/current/ })).toBe(1);
});

test('every event carries its type and the metric code as message attributes', async () => {
  await scene.events.completed('plain-slow');
  await scene.events.completed('v1-bad');
  const ours = scene.events.all.filter(({ body }) => body.metricCode === metricCode);
  expect(ours.length).toBeGreaterThan(6);
  for (const { body, attributes } of ours) expect(attributes).toStrictEqual({ type: body.type, metricCode });
});

test('what a run leaves in the bucket is its version, its marker and the alias', async () => {
  const base = 'metrics/layout/';
  await scene.send(plainRequest({ ...parts, runId: 'layout', basePath: base }));
  const { versionTs } = await scene.events.completed('layout');
  expect(await scene.keys(base)).toEqual([
    `${base}${versionTs}/data/metrics.parquet`,
    `${base}${versionTs}/manifest.json`,
    `${base}current/manifest.json`,
    `${base}runs/layout.ok`,
  ]);
  const manifest = await scene.json(`${base}${versionTs}/manifest.json`);
  expect(await scene.json(`${base}current/manifest.json`)).toEqual(manifest);
  const input = (series_code: string) => ({
    series_code,
    dataset_id: 'd',
    dataset_version: 'v1',
    manifest: `s3://${scene.resources.bucket}/datasets/d/current/manifest.json`,
    manifest_etag: expect.any(String),
    files: 1,
    bytes: expect.any(Number),
  });
  expect(manifest).toEqual({
    run_id: 'layout',
    metric_code: metricCode,
    version_ts: versionTs,
    created_at: SECONDS,
    row_count: 3,
    outputs: {
      data_prefix: `${base}${versionTs}/data/`,
      files: [{ path: 'metrics.parquet', rows: 3, bytes: expect.any(Number), etag: expect.any(String) }],
    },
    inputs: [input('A'), input('B')],
    expression: { type: 'series_math', json: RATIO },
    quality: { nulls: 0, divisions_by_zero: 0 },
  });
  expect(await scene.json(`${base}runs/layout.ok`)).toEqual({
    run_id: 'layout',
    metric_code: metricCode,
    version_ts: versionTs,
    output_manifest: `${base}${versionTs}/manifest.json`,
    row_count: 3,
    created_at: SECONDS,
  });
});

describe('a request that SNS delivers', () => {
  test.each([
    ['in its envelope', 'false'],
    ['raw', 'true'],
  ])('%s, by a topic that the queue is subscribed to, is carried out', async (how, RawMessageDelivery) => {
    const { sns } = rig.clients;
    const Name = `scene1-requests-${RawMessageDelivery}.fifo`;
    const { TopicArn } = await sns.send(new CreateTopicCommand({ Name, Attributes: { FifoTopic: 'true' } }));
    const Endpoint = scene.resources.requestQueueArn;
    const Attributes = { RawMessageDelivery };
    await sns.send(new SubscribeCommand({ TopicArn, Protocol: 'sqs', Endpoint, Attributes }));
    const runId = `sns-${how.replaceAll(' ', '-')}`;
    const type = { DataType: 'String', StringValue: 'metric_run_requested' };
    await sns.send(
      new PublishCommand({
        TopicArn,
        Message: JSON.stringify(plainRequest({ ...parts, runId })),
        MessageAttributes: { type },
        MessageGroupId: metricCode,
        MessageDeduplicationId: runId,
      }),
    );
    expect(await scene.events.completed(runId)).toMatchObject({ status: 'SUCCESS', rowCount: 3 });
  });

  const request = (runId: string) => JSON.stringify(plainRequest({ ...parts, runId }));
  const envelope = (runId: string, more: object = {}) => ({
    Type: 'Notification',
    MessageId: '22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324',
    TopicArn: 'arn:aws:sns:us-east-1:123456789012:requests',
    Subject: 'metric run',
    Message: request(runId),
    Timestamp: '2025-01-15T10:30:10.000Z',
    SignatureVersion: '1',
    Signature: 'EXAMPLE',
    SigningCertURL: 'https://sns.us-east-1.amazonaws.com/cert.pem',
    UnsubscribeURL: 'https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe',
    ...more,
  });

  test.each([
    ['hand-bare', envelope('hand-bare'), undefined],
    ['hand-minimal', { Type: 'Notification', Message: request('hand-minimal') }, undefined],
    [
      'hand-attributes',
      envelope('hand-attributes', {
        MessageAttributes: {
          type: { Type: 'String', Value: 'metric_run_requested' },
          metricCode: { Type: 'String', Value: metricCode },
        },
      }),
      undefined,
    ],
    ['hand-sqs-attribute', envelope('hand-sqs-attribute'), 'metric_run_requested'],
  ])('by hand, %s, is carried out', async (runId, body, type) => {
    await scene.send(body, { group: metricCode, deduplication: runId, ...(type ? { type } : {}) });
    expect(await scene.events.completed(runId)).toMatchObject({ status: 'SUCCESS', rowCount: 3 });
  });
});

test('unknown fields, whatever they hold, are ignored', async () => {
  const request = plainRequest({ ...parts, runId: 'unknown-fields' });
  await scene.send({ ...request, requestedBy: { name: 'someone' }, priority: 5, tags: [null, 'x'] });
  expect(await scene.events.completed('unknown-fields')).toMatchObject({ status: 'SUCCESS' });
});

test('a run that is done is answered again, in the form that asks, and not redone', async () => {
  const first = v1Request({ ...parts, runId: 'again' });
  await scene.send(first, { deduplication: 'again-1' });
  const completed = await scene.events.completed('again');
  await scene.send(first, { deduplication: 'again-2' });
  expect(await scene.events.completed('again', { count: 2 })).toStrictEqual(completed);
  const { schema: _, ...plain } = first;
  await scene.send(plain, { deduplication: 'again-3' });
  const asPlain = await scene.events.completed('again', { count: 3 });
  expect(asPlain).toStrictEqual({
    type: 'metric_run_completed',
    runId: 'again',
    metricCode,
    status: 'SUCCESS',
    versionTs: completed.versionTs,
    outputManifest: manifestKey(completed),
    rowCount: 3,
  });
  expect(bodies('again', 'metric_run_started')).toHaveLength(1);
});

describe('on a FIFO topic', () => {
  test('all heartbeats of a run arrive, in order, between started and completed', async () => {
    await fifo.events.completed('fifo-slow');
    const types = fifo.events.of('fifo-slow').map(({ body }) => body.type.replace('metric_run_', ''));
    expect(types.slice(0, 3)).toEqual(['started', 'heartbeat', 'heartbeat']);
    expect(types.at(-1)).toBe('completed');
    expect(fifo.events.of('fifo-slow').map(({ groupId }) => groupId)).toEqual(types.map(() => 'fifo-slow'));
  });

  test('the group is the run id and the deduplication id the run id and the type, of a beat also attempt and number', async () => {
    await fifo.events.completed('fifo-slow');
    const sent = fifo.traffic.requests
      .map(({ request }) => request)
      .filter(({ operation }) => operation === 'Publish');
    const ids = sent
      .filter(({ body }) => body?.messageGroupId === 'fifo-slow')
      .map(({ body }) => body?.messageDeduplicationId);
    expect(ids.slice(0, 3)).toEqual([
      'fifo-slow:metric_run_started',
      'fifo-slow:metric_run_heartbeat:1:1',
      'fifo-slow:metric_run_heartbeat:1:2',
    ]);
    expect(ids.at(-1)).toBe('fifo-slow:metric_run_completed');
  });

  test('a run that failed can still tell of its success later', async () => {
    const request = plainRequest({ ...parts, runId: 'fifo-fixed', inputs: { late: ['A', 'B'] } });
    await fifo.send(request, { deduplication: 'f1' });
    expect(await fifo.events.completed('fifo-fixed')).toMatchObject({ status: 'FAILURE' });
    await fifo.dataset('late', SERIES);
    await fifo.send(request, { deduplication: 'f2' });
    expect(await fifo.events.completed('fifo-fixed', { count: 2 })).toMatchObject({ status: 'SUCCESS' });
  });
});
