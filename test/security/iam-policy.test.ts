/**
 * docs/iam-policy.json against the calls that real workers make, over every kind of request. The policy
 * is enforced as AWS does it: a call that it does not allow is answered 403, and is a failure of the
 * test; what it allows and nobody calls is one too.
 */

import { CreateBucketCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { EVENT_SCHEMAS } from '../../src/contract/event-schemas.ts';
import type { Row } from '../support/conformance-cases.ts';
import { allowing, type Permission, permissionOf, readPolicy, type Statement } from '../support/iam.ts';
import { ingest, LONG } from '../support/ingest-scene.ts';
import { plainRequest } from '../support/metric-requests.ts';
import { parquetOf } from '../support/parquet.ts';
import { openPostgres, type TestPostgres } from '../support/postgres.ts';
import { openRig, type Rig } from '../support/rig.ts';
import type { Scene } from '../support/scene.ts';
import { compactionRequest, type JsonRow, uploadRequest } from '../support/tiers.ts';
import type { WorkerProcess } from '../support/worker-process.ts';

const ROWS: Row[] = [
  [0, 1],
  [86_400_000_000, 2],
];
const DENIED = { kind: 'fail', status: 403, code: 'AccessDenied' } as const;
/** Of a completion: nothing else makes an upload be given up in mid-way. */
const INVALID_PART = { kind: 'fail', status: 400, code: 'InvalidPart' } as const;
/** Millions of rows on a machine that does other things too. */
const PATIENCE_MS = 120_000;
/** Enough for output that goes up in parts: they do not compress. */
const MANY = 1_300_000;

let rig: Rig;
let postgres: TestPostgres;
let scene: Scene;
let worker: WorkerProcess;
let raw: string;
let policy: readonly Statement[];
const denied: Permission[] = [];
const used = new Set<string>();

/** The policy with this scene's names for the examples. */
function policyOf(scene: Scene): readonly Statement[] {
  const { bucket, requestQueueArn, deadLetterQueueArn, eventsTopicArn } = scene.resources;
  const names: readonly (readonly [string, string])[] = [
    ['arn:aws:sqs:us-east-1:123456789012:tidemill-run-requests-dlq.fifo', deadLetterQueueArn],
    ['arn:aws:sqs:us-east-1:123456789012:tidemill-run-requests.fifo', requestQueueArn],
    ['arn:aws:sns:us-east-1:123456789012:tidemill-events', eventsTopicArn],
    ['example-lake', bucket],
    ['example-raw', raw],
  ];
  const named = names.reduce((text, [from, to]) => text.replaceAll(from, to), JSON.stringify(readPolicy()));
  expect(named).not.toMatch(/example|123456789012/);
  return JSON.parse(named) as Statement[];
}

async function putRaw(Key: string, Body: Uint8Array | string): Promise<void> {
  await rig.clients.s3.send(new PutObjectCommand({ Bucket: raw, Key, Body }));
}

async function metric(runId: string, more: object = {}): Promise<JsonRow> {
  await scene.send(plainRequest({ runId, metricCode: runId, ...more }));
  return await scene.events.completed(runId, { timeoutMs: 60_000 });
}

async function tier(request: Record<string, unknown>): Promise<JsonRow> {
  const type = String(request.type).replace('_requested', '_completed');
  await scene.send(request, { group: 'tier', deduplication: String(request.requestId) });
  return (await scene.events.next(String(request.requestId), type, { timeoutMs: 60_000 })).body;
}

beforeAll(async () => {
  [rig, postgres] = await Promise.all([openRig(), openPostgres()]);
  scene = await rig.scene({ maxReceiveCount: 20 });
  raw = scene.resources.bucket.replace(/lake$/, 'raw');
  await rig.clients.s3.send(new CreateBucketCommand({ Bucket: raw }));
  policy = policyOf(scene);
  scene.traffic.add(({ when, request }) => {
    if (when !== 'before') return undefined;
    const permission = permissionOf(request);
    const statements = allowing(policy, permission);
    for (const { Sid } of statements) used.add(`${Sid} ${permission.action}`);
    if (statements.length > 0) return undefined;
    denied.push(permission);
    return DENIED;
  });
  const { url } = await postgres.ledger();
  await scene.dataset('d', { A: ROWS, B: ROWS });
  worker = await scene.worker({
    AWS_S3_ALLOWED_BUCKETS: raw,
    DATABASE_URL: url,
    WARM_READER_GRACE_SECONDS: '0',
    WORKER_RETRY_FIRST_SECONDS: '0',
  });
});

afterAll(async () => {
  await rig.close();
  await postgres.close();
});

describe('under the policy', () => {
  test('the worker is ready', async () => {
    expect(await worker.get('/readyz')).toMatchObject({ status: 200 });
  });

  test(
    'metric runs are carried out: small ones, one in parts, one whose first attempt is undone',
    async () => {
      expect(await metric('small')).toMatchObject({ status: 'SUCCESS' });
      // Of an input that is not there S3 must say 404, not 403.
      expect(await metric('missing', { manifestPath: 'datasets/none/current/manifest.json' })).toMatchObject({
        error: expect.stringContaining('does not exist'),
      });
      const many = `SELECT make_timestamptz(i * 1000000) AS obs_time, random() AS value FROM range(${MANY}) t(i)`;
      const file = await parquetOf(many);
      for (const path of ['A/a.parquet', 'B/b.parquet'])
        await scene.put(`datasets/many/projections/${path}`, file);
      await scene.manifest('many', {
        series_codes: ['A', 'B'],
        parquet_files: ['A/a.parquet', 'B/b.parquet'],
      });
      const broken = scene.traffic.fault(
        { operation: 'CompleteMultipartUpload', key: /^metrics\// },
        INVALID_PART,
        1,
      );
      expect(await metric('broken', { inputs: { many: ['A', 'B'] } })).toMatchObject({ status: 'FAILURE' });
      expect(broken.count).toBe(1);
      const unread = scene.traffic.fault(
        { operation: 'GetObject', key: /^metrics\/unread\/.*metrics\.parquet$/ },
        DENIED,
        1,
      );
      expect(await metric('unread')).toMatchObject({ status: 'SUCCESS' });
      expect(unread.count).toBe(1);
    },
    PATIENCE_MS,
  );

  test(
    'uploads and compactions are carried out, in parts too, and superseded files deleted',
    async () => {
      const columns = `'m' || i AS "InstanceType", 'r' AS "Region", 'a' AS "AZ", '2026-01-01 00:00:00' AS "Time", random() AS "SpotPrice", random() AS "OndemandPrice", random() AS "IF"`;
      await putRaw('many.parquet', await parquetOf(`SELECT ${columns} FROM range(400000) t(i)`));
      const changed = { uri: `s3://${raw}/many.parquet` };

      const hot = scene.traffic.fault(
        { operation: 'CompleteMultipartUpload', key: /^parquet_cp_hot\// },
        INVALID_PART,
        1,
      );
      expect(await tier(uploadRequest('hot-broken', 0, { changed }))).toMatchObject({ status: 'FAILURE' });
      expect(hot.count).toBe(1);
      expect(await tier(uploadRequest('hot-many', 0, { changed }))).toMatchObject({ outcome: 'uploaded' });
      for (let slot = 1; slot < 8; slot++) {
        expect(await tier(uploadRequest(`hot-${slot}`, slot, { compact: slot === 7 }))).toMatchObject({
          outcome: 'uploaded',
        });
      }
      const warm = scene.traffic.fault(
        { operation: 'CompleteMultipartUpload', key: /^parquet_warm\// },
        INVALID_PART,
        1,
      );
      const month = (requestId: string, mode: string) =>
        tier(compactionRequest(requestId, { month: '2026-01', mode }));
      await month('warm-broken', 'full');
      expect(warm.count).toBe(1);
      // Whose compaction it was does not matter: that of the upload, or this one.
      expect(await month('warm-full', 'full')).toMatchObject({ status: 'SUCCESS' });
      await tier(uploadRequest('hot-8', 8));
      expect(await month('warm-catch-up', 'catch_up')).toMatchObject({ outcome: 'added' });
      await tier(uploadRequest('hot-9', 9));
      expect(await month('warm-again', 'full')).toMatchObject({ outcome: 'compacted' });
      await tier(uploadRequest('hot-10', 10));
      await month('warm-last', 'catch_up');
    },
    PATIENCE_MS,
  );

  test(
    'an ingest run is carried out, in parts too',
    async () => {
      const many = `SELECT strftime(make_timestamp(i * 1000000), '%Y-%m-%dT%H:%M:%SZ') AS time, 'A' AS series, random() AS value FROM range(${MANY}) t(i)`;
      await putRaw('in/many.parquet', await parquetOf(many));
      await putRaw('in/bad.csv', 'time,series,value\nnever,A,1\n');
      const parts = { source: { prefix: `s3://${raw}/in/` }, mapping: LONG };
      const broken = scene.traffic.fault(
        { operation: 'CompleteMultipartUpload', key: /^datasets\// },
        INVALID_PART,
        1,
      );
      const first = await ingest(scene, parts, 60_000);
      expect(broken.count).toBe(1);
      expect(first).toMatchObject({ status: 'FAILURE', error: { code: 'OUTPUT_WRITE_ERROR' } });
      await putRaw('in/many.parquet', await parquetOf(`${many} LIMIT 10`));
      expect(await ingest(scene, parts, 60_000)).toMatchObject({
        status: 'PARTIAL',
        files: { succeeded: 1, failed: 1 },
      });
      // Another commits just before: the version of the one that lost is removed.
      const current = 'datasets/d/current/manifest.json';
      let others = 0;
      scene.traffic.add(async ({ when, request: { operation, key } }) => {
        if (when === 'after' || operation !== 'PutObject' || key !== current || others++ > 0) return;
        await scene.put(current, Buffer.concat([await scene.get(current), Buffer.from('\n')]));
      });
      await putRaw('in/more.csv', 'time,series,value\n2026-01-01,A,1\n');
      expect(await ingest(scene, parts, 60_000)).toMatchObject({ files: { succeeded: 1 } });
      expect(others).toBe(2);
    },
    PATIENCE_MS,
  );

  test('what is no request goes to the dead-letter queue', async () => {
    await scene.send('hello', { group: 'poison', deduplication: 'poison' });
    expect(await scene.deadLetter()).toMatchObject({ attributes: { reason: 'no_json' } });
  });
});

test('no call was made that the policy does not allow', () => {
  expect(scene.traffic.requests.length).toBeGreaterThan(100);
  expect(denied).toEqual([]);
});

test('every event of all these requests is what docs/asyncapi.yaml says', () => {
  expect(scene.events.all.length).toBeGreaterThan(40);
  for (const { body } of scene.events.all) {
    expect([body, EVENT_SCHEMAS[body.type]?.safeParse(body).error]).toEqual([body, undefined]);
  }
});

test('all that the policy allows was called', () => {
  const allowed = policy.flatMap(({ Sid, Action }) => Action.map((action) => `${Sid} ${action}`));
  expect([...used].toSorted()).toEqual(allowed.toSorted());
});

test.each<[string, string, string]>([
  ['write to a bucket of inputs', 's3:PutObject', 'arn:aws:s3:::RAW/x'],
  ['delete a hot file', 's3:DeleteObject', 'arn:aws:s3:::LAKE/parquet_cp_hot/aws/2026/01/01/00-00.parquet'],
  ['write outside of the folders that are its own', 's3:PutObject', 'arn:aws:s3:::LAKE/x'],
  ['read another bucket', 's3:GetObject', 'arn:aws:s3:::other/x'],
  ['send to another queue', 'sqs:SendMessage', 'arn:aws:sqs:us-east-1:000000000000:other.fifo'],
  ['take from the dead-letter queue', 'sqs:ReceiveMessage', 'DLQ'],
  ['purge the queue', 'sqs:PurgeQueue', 'QUEUE'],
  ['subscribe to events', 'sns:Subscribe', 'TOPIC'],
])('the worker may not %s', (_, action, name) => {
  const { bucket, requestQueueArn, deadLetterQueueArn, eventsTopicArn } = scene.resources;
  const resource = name
    .replace('RAW', raw)
    .replace('LAKE', bucket)
    .replace('DLQ', deadLetterQueueArn)
    .replace('QUEUE', requestQueueArn)
    .replace('TOPIC', eventsTopicArn);
  expect(allowing(policy, { action, resource })).toEqual([]);
});
