/**
 * No secret in what the worker tells: its log, standard error, events, metrics, the ledger's tables, dead
 * letters' attributes, what it writes to S3. Secrets are planted in its settings and in requests, and looked
 * for after successes and after the failures that are known for telling them.
 */

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { eventually } from '../support/eventually.ts';
import { completed, ingest, ingestRequest } from '../support/ingest-scene.ts';
import { plainRequest, v1Request } from '../support/metric-requests.ts';
import { openPostgres, type TestPostgres } from '../support/postgres.ts';
import { openRig, type Rig } from '../support/rig.ts';
import type { DeadLetter, Scene } from '../support/scene.ts';
import { compactionRequest, uploadRequest } from '../support/tiers.ts';
import type { Which } from '../support/traffic.ts';
import { launch, type WorkerProcess } from '../support/worker-process.ts';

const KEY_ID = 'AKIAPLANTED0KEY0ID00';
const SECRET_KEY = 'planted/secret+access/key';
const TOKEN = 'planted//session+token==';
const DATABASE_PASSWORD = 'planted-database-password';
const CREDENTIALS = {
  AWS_ACCESS_KEY_ID: KEY_ID,
  AWS_SECRET_ACCESS_KEY: SECRET_KEY,
  AWS_SESSION_TOKEN: TOKEN,
};
/** Whatever is planted has this in it, but for the id. */
const PLANTED = /planted|AKIAPLANTED/i;
const QUERY =
  '?X-Amz-Credential=AKIAPLANTED0KEY0ID00%2F1&X-Amz-Signature=planted1&X-Amz-Security-Token=planted2';

/** What AWS answers where a signature does not fit: it repeats what was signed. */
const SIGNATURE = {
  kind: 'fail',
  status: 403,
  code: 'SignatureDoesNotMatch',
  message: `The request signature we calculated does not match the signature you provided. The Canonical String for this request should have been
'POST\n/\n\nhost:sns.us-east-1.amazonaws.com\nx-amz-date:20260101T000000Z\nx-amz-security-token:${TOKEN}\n\nhost;x-amz-security-token\ne3b0'
Authorization: AWS4-HMAC-SHA256 Credential=${KEY_ID}/20260101/us-east-1/sns/aws4_request, Signature=planted3`,
} as const;

let rig: Rig;
let postgres: TestPostgres;
/** Where the ledger works, and where it does not. */
let scene: Scene;
let broken: Scene;
let worker: WorkerProcess;
let database: string;
const workers: WorkerProcess[] = [];
const letters: DeadLetter[] = [];

async function query<T extends pg.QueryResultRow>(url: string, sql: string): Promise<T[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  return await client
    .query<T>(sql)
    .then(({ rows }) => rows)
    .finally(() => client.end());
}

async function start(at: Scene, settings: Readonly<Record<string, string>>): Promise<WorkerProcess> {
  const started = await at.worker({
    ...CREDENTIALS,
    LOG_LEVEL: 'trace',
    WORKER_RETRY_FIRST_SECONDS: '0',
    WORKER_VISIBILITY_TIMEOUT_SECONDS: '3',
    ...settings,
  });
  workers.push(started);
  return started;
}

/** Has a call fail, twice at most, as for a bad signature, while `work` is done. */
async function whileRefused<T>(which: Which, work: () => Promise<T>): Promise<T> {
  const fault = scene.traffic.fault(which, SIGNATURE, 2);
  const value = await work();
  // The poll that brought the work was under way before: the next one fails.
  await eventually('a refusal', () => fault.count > 0);
  fault.remove();
  return value;
}

beforeAll(async () => {
  [rig, postgres] = await Promise.all([openRig(), openPostgres()]);
  scene = await rig.scene({ maxReceiveCount: 6 });
  broken = await rig.scene({ maxReceiveCount: 2 });
  await scene.dataset('d', { A: [[0, 1]], B: [[0, 2]] });
  const { url } = await postgres.ledger();
  await query(url, `create role keeper superuser login password '${DATABASE_PASSWORD}'`);
  database = url.replace(/\/\/[^@]*@/, `//keeper:${DATABASE_PASSWORD}@`);
  worker = await start(scene, { DATABASE_URL: database });
});

afterAll(async () => {
  await rig.close();
  await postgres.close();
});

test('the planted secrets are in use', async () => {
  const [row] = await query<{ who: string }>(database, 'select current_user as who');
  expect(row).toEqual({ who: 'keeper' });
  const signed = scene.traffic.requests.at(-1)!.request.headers;
  expect(signed['x-amz-security-token']).toBe(TOKEN);
  expect(signed.authorization).toContain(KEY_ID);
});

test('requests of every type succeed', async () => {
  await scene.send(plainRequest({ runId: 'good', metricCode: 'good' }));
  expect(await scene.events.completed('good')).toMatchObject({ status: 'SUCCESS' });
  await scene.send(uploadRequest('hot', 0, { compact: true }), { group: 'hot', deduplication: 'hot' });
  expect((await scene.events.next('hot:compaction', 'compaction_completed')).body).toMatchObject({
    status: 'SUCCESS',
  });
  await scene.put('raw/a.csv', 'date,max,min\n2026-01-01,1,2\n');
  expect(await ingest(scene)).toMatchObject({ status: 'SUCCESS' });
});

describe('requests that hold secrets are refused without telling them', () => {
  const user = 's3://AKIAPLANTED0KEY0ID00:planted4@bucket/x.csv';
  const web = `https://planted5:planted6@example.com/x.csv${QUERY}`;
  test.each<[string, (id: string) => Record<string, unknown>]>([
    ['a manifest at a URL with a password', (runId) => plainRequest({ runId, manifestPath: web })],
    ['a manifest in a bucket with user info', (runId) => v1Request({ runId, manifestPath: user })],
    [
      'a manifest by a signed key',
      (runId) => v1Request({ runId, manifestPath: `datasets/none.json${QUERY}` }),
    ],
    ['an output with user info', (runId) => plainRequest({ runId, basePath: user })],
    ['an upload from a URL with a password', (id) => uploadRequest(id, 1, { changed: { uri: web } })],
    [
      'an upload by a signed key',
      (id) => uploadRequest(id, 1, { changed: { uri: `none.csv${QUERY}`, format: 'csv' } }),
    ],
    [
      'a compaction of a signed key',
      (id) => compactionRequest(id, { hotKey: `parquet_cp_hot/aws/x${QUERY}` }),
    ],
    [
      'an ingest from a bucket with user info',
      (requestId) => ingestRequest({ requestId, source: { prefix: user } }),
    ],
    [
      'an ingest into a URL with a password',
      (requestId) => ingestRequest({ requestId, target: { datasetId: 'd', basePath: web } }),
    ],
    [
      'an expression that holds a URL',
      (runId) => plainRequest({ runId, expressionType: 'postgres://planted7:planted8@h/x' }),
    ],
    [
      'a time zone that is a URL',
      (requestId) => ingestRequest({ requestId, read: { timeZone: 'ftp://planted9:planted10@h' } }),
    ],
  ])('%s', async (what, make) => {
    const id = what.replaceAll(/\W/g, '-');
    const request = make(id);
    await scene.send(request, { group: id, deduplication: id });
    const type = String(request.type).replace('_requested', '_completed');
    expect((await scene.events.next(id, type)).body).toMatchObject({
      status: 'FAILURE',
      error: expect.anything(),
    });
  });

  test('nor is what is no request', async () => {
    for (const body of [
      `hello ${web}`,
      JSON.stringify({ type: user }),
      JSON.stringify({ type: 'x', password: 'planted11' }),
    ]) {
      await scene.send(body, { group: body.slice(0, 20).replaceAll(/\W/g, '-') });
      letters.push((await scene.deadLetter())!);
    }
  });
});

describe('AWS refuses a signature, and repeats what was signed:', () => {
  const run = async (id: string) => {
    await scene.send(plainRequest({ runId: id, metricCode: id }));
    return await scene.events.completed(id, { timeoutMs: 30_000 });
  };

  test.each<[string, Which]>([
    ['of a read', { operation: 'GetObject', key: /^datasets\/d\// }],
    ['of a write', { operation: 'PutObject', key: /^metrics\// }],
    ['of an event', { operation: 'Publish' }],
    ['of a poll', { operation: 'ReceiveMessage' }],
    ['of an acknowledgement', { operation: 'DeleteMessage' }],
  ])('%s', async (what, which) => {
    const id = what.replaceAll(' ', '-');
    await whileRefused(which, async () => {
      expect(await run(id)).toMatchObject({ runId: id });
      await scene.drained(30_000);
    });
  });

  test('of a dead letter', async () => {
    await whileRefused({ operation: 'SendMessage' }, async () => {
      await scene.send('no JSON', { group: 'no-json' });
      letters.push((await scene.deadLetter(15))!);
    });
  });

  test('of what readiness asks', async () => {
    await whileRefused({ operation: ['HeadBucket', 'GetTopicAttributes'] }, async () => {
      const { status, body } = await worker.get('/readyz');
      expect(status).toBe(503);
      expect(body).not.toMatch(PLANTED);
    });
  });
});

test.each([
  ['refuses the password', () => database.replace(DATABASE_PASSWORD, 'planted-wrong-password')],
  ['is away', () => 'postgres://keeper:planted-password@127.0.0.1:1/ledger'],
  ['has no such database', () => `${database}-none`],
])('an ingest run fails where Postgres %s', async (what, url) => {
  const started = await start(broken, { DATABASE_URL: url() });
  const requestId = what.replaceAll(' ', '-');
  await broken.send(ingestRequest({ requestId }), { group: requestId, deduplication: requestId });
  const event = await completed(broken, requestId);
  expect(event).toMatchObject({ status: 'FAILURE', error: { code: 'INTERNAL_ERROR' } });
  expect(JSON.stringify(event)).toContain('The ledger failed to');
  await started.stop();
});

test.each<[string, Record<string, string>]>([
  ['of another kind', { DATABASE_URL: 'mysql://planted:planted@h/x' }],
  ['that is no URL', { DATABASE_URL: 'postgres://planted:planted%zz@[h/x' }],
  [
    'and others',
    {
      DATABASE_URL: 'planted',
      AWS_SQS_DLQ_URL: 'ftp://planted:planted@h',
      AWS_S3_ALLOWED_BUCKETS: 's3://planted:planted@b',
      WORKER_THREADS: 'planted',
    },
  ],
])('a worker with a DATABASE_URL %s does not start, and says so without it', async (_, settings) => {
  const { environment } = await import('../../src/local/resources.ts');
  const started = launch('refused', { ...environment(broken.resources), ...CREDENTIALS, ...settings });
  expect(await started.exit).toMatchObject({ code: 1 });
  const said = [started.complaints(), JSON.stringify(started.log)].join('\n');
  expect(said).toMatch(/DATABASE_URL|could not start/);
  expect(said).not.toMatch(PLANTED);
});

describe('after all of this no secret is', () => {
  test('in the log or on standard error, at the level trace', () => {
    expect(workers).toHaveLength(4);
    for (const { log } of workers) {
      expect(log.length).toBeGreaterThan(2);
      for (const line of log) expect(JSON.stringify(line)).not.toMatch(PLANTED);
    }
    expect(worker.log.filter(({ level }) => level === 'error' || level === 'warn').length).toBeGreaterThan(
      15,
    );
  });

  test('in an event or its attributes', () => {
    const events = [...scene.events.all, ...broken.events.all];
    expect(events.length).toBeGreaterThan(30);
    for (const event of events) expect(JSON.stringify(event)).not.toMatch(PLANTED);
  });

  test('in what is said of dead letters, whose bodies are what was sent', () => {
    expect(letters).toHaveLength(4);
    for (const { attributes } of letters) expect(JSON.stringify(attributes)).not.toMatch(PLANTED);
  });

  test('in the metrics', async () => {
    expect((await worker.get('/metrics')).body).not.toMatch(PLANTED);
  });

  test("in the ledger's tables", async () => {
    const tables = await query<{ name: string }>(
      database,
      `select table_name as name from information_schema.tables where table_schema = 'public'`,
    );
    expect(tables.length).toBeGreaterThan(5);
    let rows = 0;
    for (const { name } of tables) {
      for (const row of await query(database, `select * from ${pg.escapeIdentifier(name)}`)) {
        rows++;
        expect(JSON.stringify(row)).not.toMatch(PLANTED);
      }
    }
    expect(rows).toBeGreaterThan(5);
  });

  test('in what was written to S3', async () => {
    const keys = await scene.keys('');
    expect(keys.length).toBeGreaterThan(10);
    for (const key of keys)
      expect([key, Buffer.from(await scene.get(key)).toString('latin1')].join()).not.toMatch(PLANTED);
  });
});
