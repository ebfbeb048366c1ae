/**
 * What a message may reach: the bucket and the allowed ones, and nothing else, in whichever field a URI or
 * key can come. Every socket that the worker opens is told (apart/tell-connections.mjs); requests to a
 * bucket that is not allowed, or to a server in wait, would be seen.
 */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ERROR_CODES } from '../../src/common/errors.ts';
import type { Row } from '../support/conformance-cases.ts';
import { ingestRequest } from '../support/ingest-scene.ts';
import { plainRequest } from '../support/metric-requests.ts';
import { openPostgres, type TestPostgres } from '../support/postgres.ts';
import { openRig, type Rig } from '../support/rig.ts';
import type { Scene } from '../support/scene.ts';
import { compactionRequest, rowsOfSlot, uploadRequest } from '../support/tiers.ts';
import { workbook, zip } from '../support/workbooks.ts';
import type { WorkerProcess } from '../support/worker-process.ts';

const ROWS: Row[] = [
  [0, 1],
  [86_400_000_000, 2],
];
const PRELOAD = new URL('apart/tell-connections.mjs', import.meta.url).href;

let rig: Rig;
let postgres: TestPostgres;
let scene: Scene;
let other: Scene;
let worker: WorkerProcess;
let tripwire: Server;
let trapped = 0;
let trap: string;
let directory: string;
let told: string;
let database: string;
let sent = 0;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'tidemill-reach-'));
  told = join(directory, 'connections');
  writeFileSync(told, '');
  tripwire = createServer((_, response) => {
    trapped++;
    response.end('{}');
  });
  await new Promise<void>((resolve) => tripwire.listen(0, '127.0.0.1', resolve));
  trap = `127.0.0.1:${(tripwire.address() as AddressInfo).port}`;
  [rig, postgres] = await Promise.all([openRig(), openPostgres()]);
  scene = await rig.scene({ prefix: 'reach', maxReceiveCount: 2 });
  other = await rig.scene({ prefix: 'secret' });
  await other.put('secret.json', '{"parquet_files": []}');
  await other.put('secret.jsonl', JSON.stringify(rowsOfSlot(0, 1)[0]));
  await other.put('secret.csv', 'date,max,min\n2026-01-01,1,2\n');
  await scene.dataset('d', { A: ROWS, B: ROWS });
  ({ url: database } = await postgres.ledger());
  worker = await scene.worker({
    DATABASE_URL: database,
    NODE_OPTIONS: `--import ${PRELOAD}`,
    TOLD_CONNECTIONS: told,
    WORKER_CONCURRENCY: '8',
    WORKER_RETRY_FIRST_SECONDS: '0',
  });
});

afterAll(async () => {
  await rig.close();
  await postgres.close();
  await new Promise((resolve) => tripwire.close(resolve));
  rmSync(directory, { recursive: true });
});

/** REACH, SECRET and TRAP stand for the scene's bucket, one that is not allowed, and a server in wait. */
const here = (text: string) =>
  text
    .replaceAll('REACH', scene.resources.bucket)
    .replaceAll('SECRET', other.resources.bucket)
    .replaceAll('TRAP', trap);

/** Each must be refused by its form alone. */
const REFUSED: readonly (readonly [what: string, value: string])[] = [
  ['the metadata service', 'http://169.254.169.254/latest/meta-data/iam/security-credentials/'],
  ['the credentials of a task', 'http://169.254.170.2/v2/credentials/x'],
  ['a server in wait', 'http://TRAP/secret.json'],
  ['a server in wait, by https', 'https://TRAP/secret.json'],
  ['a file', 'file:///etc/passwd'],
  ['a file by capitals', 'FILE:///etc/passwd'],
  ['another scheme', 'gopher://TRAP/_x'],
  ['a scheme of S3 in capitals', 'S3://SECRET/secret.json'],
  ['a scheme like it', 's3a://SECRET/secret.json'],
  ['another bucket', 's3://SECRET/secret.json'],
  ['another bucket behind a user', 's3://REACH@SECRET/secret.json'],
  ['a user before the bucket', 's3://key:secret@REACH/secret.json'],
  ['a host for a bucket', 's3://TRAP/secret.json'],
  ['a bucket with a dot at its end', 's3://REACH./secret.json'],
  ['a bucket in capitals', 's3://REACH-LAKE/secret.json'],
  ['a bucket by an encoded letter', 's3://reach%2dlake/secret.json'],
  ['a bucket by a look-alike', 's3://reach-l\u0430ke/secret.json'],
  ['a bucket with a line end', 's3://REACH\r\nhost: TRAP/secret.json'],
  ['no bucket', 's3:///etc/passwd'],
  ['a bucket that is an ARN', 's3://arn:aws:s3:us-east-1:1:accesspoint/secret.json'],
  ['a bucket that is a path', 's3://../SECRET/secret.json'],
  ['climbing', '../SECRET/secret.json'],
  ['climbing from within', 'datasets/../../SECRET/secret.json'],
  ['climbing from within the bucket', 's3://REACH/../SECRET/secret.json'],
  ['climbing at the end', 's3://REACH/datasets/..'],
  ['a NUL', 's3://REACH/a\u0000.json'],
  ['a line end', 's3://REACH/a\r\nx-amz-acl: public-read'],
  ['half a surrogate pair', 's3://REACH/\ud800.json'],
  ['more than a key can be', `s3://REACH/${'x'.repeat(1_000)}${'é'.repeat(10)}`],
  ['a megabyte', 'x'.repeat(200_000)],
];

/** Of these S3 knows no other meaning than a key of the bucket. */
const HARMLESS: readonly (readonly [what: string, value: string])[] = [
  ['encoded climbing', '%2e%2e/%2e%2e/SECRET/secret.json'],
  ['encoded slashes', '..%2f..%2fSECRET%2fsecret.json'],
  ['backslashes', '..\\..\\SECRET\\secret.json'],
  ['a URL without its scheme', '//TRAP/secret.json'],
  ['a query', 's3://REACH/secret.json?versionId=x&uploads'],
  ['a fragment', 's3://REACH/secret.json#@TRAP/'],
  ['an ARN', 'arn:aws:s3:::SECRET/secret.json'],
  ['a scheme that is none', 'jdbc:postgresql:TRAP/x'],
  ['slashes that are none', 's3:\uff0f\uff0fSECRET\uff0fsecret.json'],
];

interface Completed {
  readonly status: string;
  readonly error?: string | { readonly code: string };
}

type Ask = (value: string, id: string) => Promise<Record<string, unknown>> | Record<string, unknown>;

/** The fields in which a URI or key can come, each as a request that carries it there. */
const FIELDS: readonly (readonly [field: string, ask: Ask])[] = [
  ['manifestPath', (value, runId) => plainRequest({ runId, manifestPath: value })],
  ['projectionsPath', (value, runId) => plainRequest({ runId, projectionsPath: value })],
  ['output.basePath', (value, runId) => plainRequest({ runId, basePath: value })],
  [
    'parquet_files of a manifest',
    async (value, runId) => {
      const key = `datasets/${runId}/current/manifest.json`;
      await scene.put(
        key,
        JSON.stringify({ series_codes: ['A', 'B'], parquet_files: ['A/part.parquet', value, `A/${value}`] }),
      );
      return plainRequest({ runId, manifestPath: key, projectionsPath: 'datasets/d/projections' });
    },
  ],
  ['changed.uri', (value, id) => uploadRequest(id, 0, { changed: { uri: value, format: 'jsonl' } })],
  [
    'removed.uri',
    (value, id) => uploadRequest(id, 0, { changed: undefined, removed: { uri: value, format: 'csv' } }),
  ],
  ['hotKey', (value, id) => compactionRequest(id, { hotKey: value })],
  ['provider', (value, id) => uploadRequest(id, 0, { provider: value })],
  ['source.prefix', (value, requestId) => ingestRequest({ requestId, source: { prefix: value } })],
  [
    'target.basePath',
    (value, requestId) => ingestRequest({ requestId, target: { datasetId: 'd', basePath: value } }),
  ],
];

/** Sends a request with each value, in a group of its own; what came of each: its code, or its status. */
async function outcomes(values: typeof REFUSED, ask: Ask): Promise<Record<string, string>> {
  const asked = await Promise.all(
    values.map(async ([what, value]) => {
      const id = `r${++sent}`;
      const request = await ask(here(value), id);
      await scene.send(request, { group: id, deduplication: id });
      const type = String(request.type).replace('_requested', '_completed');
      const { body } = await scene.events.next(id, type, { timeoutMs: 60_000 });
      const { status, error } = body as unknown as Completed;
      const code = typeof error === 'string' ? error.split(':', 1)[0]! : error?.code;
      return [what, code ?? status] as const;
    }),
  );
  return Object.fromEntries(asked);
}

describe.each(FIELDS)('%s', (field, ask) => {
  test('is refused where it names anything but a key of an allowed bucket', async () => {
    const expected = Object.fromEntries(REFUSED.map(([what]) => [what, 'CONFIG_ERROR']));
    const found = await outcomes(REFUSED, ask);
    // Of a manifest, not of the request: what it holds may be wrong in its own way.
    if (field.startsWith('parquet_files'))
      found['a megabyte'] = found['a megabyte']!.replace('MANIFEST_VALIDATION_ERROR', 'CONFIG_ERROR');
    expect(found).toEqual(expected);
  });

  test('stays in its bucket where it only looks like more', async () => {
    const found = await outcomes(HARMLESS, ask);
    const allowed = [...ERROR_CODES.filter((code) => code !== 'INTERNAL_ERROR'), 'SUCCESS', 'PARTIAL'];
    for (const [what, code] of Object.entries(found))
      expect([what, allowed]).toEqual([what, expect.arrayContaining([code])]);
  });
});

test('a workbook is a bad file where it points outside of itself: entities, links and names', async () => {
  const relation = (more: string) => ({
    'xl/_rels/workbook.xml.rels': `<Relationships><Relationship Id="rId1" ${more}/></Relationships>`,
  });
  const entities = `<!DOCTYPE x [<!ENTITY e SYSTEM "http://${trap}/e"><!ENTITY f SYSTEM "file:///etc/passwd">]>`;
  const cell = '<row r="1"><c t="inlineStr"><is><t>&e;&f;</t></is></c></row>';
  const sheet = `${entities}<worksheet><sheetData>${cell}</sheetData></worksheet>`;
  const files: Readonly<Record<string, Buffer>> = {
    entities: workbook([], [], { 'xl/worksheets/sheet1.xml': sheet }),
    server: workbook([], [], relation(`TargetMode="External" Target="http://${trap}/sheet.xml"`)),
    outside: workbook([], [], relation('Target="../../../../etc/passwd"')),
    climbing: zip({ '../../etc/cron.d/x': 'x', 'xl/workbook.xml': '<workbook/>' }),
  };
  for (const [name, bytes] of Object.entries(files)) await scene.put(`books/${name}.xlsx`, bytes);
  const request = ingestRequest({
    requestId: 'books',
    ingestionId: 'books',
    source: { prefix: 'books/' },
    target: { datasetId: 'books' },
  });
  await scene.send(request, { group: 'books', deduplication: 'books' });
  const { body } = await scene.events.next('books', 'ingest_run_completed', { timeoutMs: 60_000 });
  const failures = body.failures as readonly { readonly file: string; readonly error: string }[];
  const errors = failures.map(({ file, error }) => [/(\w+)\.xlsx$/.exec(file)![1], error]);
  expect(Object.fromEntries(errors)).toEqual({
    entities: expect.stringContaining('its XML has a document type, which no workbook has'),
    server: expect.stringContaining('it has no xl/http://'),
    outside: expect.stringContaining('it has no xl/../../../../etc/passwd'),
    climbing: expect.stringContaining('is no workbook'),
  });
});

test('a manifest of the warm tier has nothing deleted that is not of its month', async () => {
  const folder = 'parquet_warm/aws/m8/2026/05/';
  await scene.put('parquet_warm/aws/m8/2026/06/L1_0000_00000-00007.parquet', 'kept');
  await scene.put(`${folder}L1_0000_00000-00007.parquet`, 'superseded');
  const gone = (key: string) => ({ key, not_before: '2020-01-01T00:00:00Z' });
  await scene.put(
    `${folder}manifest.json`,
    JSON.stringify({
      m: 8,
      provider: 'aws',
      year: 2026,
      month: 5,
      pk_columns: ['InstanceType', 'Region', 'AZ'],
      next_file_id: 1,
      pending_deletions: [
        gone(`${folder}L1_0000_00000-00007.parquet`),
        gone('parquet_warm/aws/m8/2026/06/L1_0000_00000-00007.parquet'),
        gone('datasets/d/current/manifest.json'),
        'datasets/d/projections/A/part.parquet',
      ],
    }),
  );
  const request = uploadRequest('may', 0, { timestamp: '2026-05-01T00:00:00Z', compact: true });
  await scene.send(request, { group: 'may', deduplication: 'may' });
  await scene.events.next('may:compaction', 'compaction_completed');
  expect(await scene.keys(folder)).toEqual([`${folder}manifest.json`]);
  expect(await scene.keys('parquet_warm/aws/m8/2026/06/')).toHaveLength(1);
  expect(await scene.keys('datasets/d/')).toHaveLength(3);
});

describe('after all of this', () => {
  test('no request went to a bucket that is not allowed', () => {
    expect(other.traffic.requests.filter(({ worker: sender }) => sender !== undefined)).toEqual([]);
    expect(other.events.all).toEqual([]);
    const buckets = scene.traffic.requests.flatMap(({ request: { bucket } }) => bucket ?? []);
    expect(buckets.length).toBeGreaterThan(200);
    expect(new Set(buckets)).toEqual(new Set([scene.resources.bucket]));
  });

  test('no socket was opened but to AWS and the ledger', () => {
    const places = new Set(readFileSync(told, 'utf8').trim().split('\n'));
    const named = [new URL(rig.endpoint).host, new URL(database).host];
    expect(places).toEqual(
      new Set(
        named.flatMap((host) => (/^[\d.:]+$/.test(host) ? [host] : [host, `lookup ${host.split(':')[0]}`])),
      ),
    );
    expect(trapped).toBe(0);
  });

  test('no fault of the worker was logged, and nothing is left on the queue', async () => {
    await scene.drained();
    expect(worker.isRunning()).toBe(true);
    expect(
      worker.log.filter(({ error_code: code, level }) => code === 'INTERNAL_ERROR' || level === 'fatal'),
    ).toEqual([]);
    for (const line of worker.log) expect(JSON.stringify(line).length).toBeLessThan(16_384);
    for (const { body } of scene.events.all) expect(JSON.stringify(body).length).toBeLessThan(16_384);
  });
});
