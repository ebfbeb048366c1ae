/**
 * Finding files in a bucket of 100,000: every one of them, page by page, in a heap that could not hold
 * them. The bucket is an endpoint of the test's own, which answers listings and nothing else.
 */

import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import type { Discovery } from '../../src/ingest/discover.ts';
import { runApart } from '../lake/apart/run-apart.ts';
import { openPostgres, type TestPostgres } from '../support/postgres.ts';
import type { DiscoveryInput } from './apart/discovery.ts';

const FILES = 100_000;
const PAGE = 1_000;
const PREFIX = 'raw/';
/** 40 MB of keys; a process that has read its sources and the SDK holds some 30 MB. */
const PADDING = 'x'.repeat(400);
const HEAP = { execArgv: ['--max-old-space-size=56', '--max-semi-space-size=4'], timeoutMs: 120_000 };
/** What is left of the listing when the rest is gone, two pages and a half. */
const LEFT = 2_500;
const keyOf = (n: number) =>
  `${PREFIX}${String(n).padStart(6, '0')}/${PADDING}.${n % 10 === 9 ? 'txt' : 'csv'}`;
const CSV_FILES = FILES * 0.9;

let server: Server;
let postgres: TestPostgres;
let pages = 0;
let files = FILES;

/** A page of the listing, as S3 writes it; the token is the first key's number. */
function page(from: number): string {
  const next = Math.min(files, from + PAGE);
  let contents = '';
  for (let n = from; n < next; n++) {
    contents += `<Contents><Key>${keyOf(n)}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>
      <ETag>&quot;${n}&quot;</ETag><Size>10</Size><StorageClass>STANDARD</StorageClass></Contents>`;
  }
  const more = next < files;
  const token = more ? `<NextContinuationToken>${next}</NextContinuationToken>` : '';
  return `<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
    <Name>lake</Name><Prefix>${PREFIX}</Prefix><KeyCount>${next - from}</KeyCount><MaxKeys>${PAGE}</MaxKeys>
    <IsTruncated>${more}</IsTruncated>${token}${contents}</ListBucketResult>`;
}

beforeAll(async () => {
  server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://bucket');
    if (url.searchParams.get('list-type') !== '2' || url.searchParams.get('prefix') !== PREFIX) {
      response.writeHead(501).end();
      return;
    }
    pages++;
    response.writeHead(200, { 'content-type': 'application/xml' });
    response.end(page(Number(url.searchParams.get('continuation-token') ?? 0)));
  }).listen(0, '127.0.0.1');
  [postgres] = await Promise.all([openPostgres(), once(server, 'listening')]);
});
afterAll(async () => {
  server.close();
  await postgres.close();
});

test('100,000 keys are listed in one pass, in a heap too small for them; and what is gone is told', async () => {
  const { ledger, url } = await postgres.ledger();
  const env = {
    AWS_ENDPOINT_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
  };
  const run = (runId: string) => {
    const input: DiscoveryInput = { url, runId, prefix: PREFIX };
    const module = new URL('apart/discovery.ts', import.meta.url);
    return runApart<Discovery>(module, 'discovered', input, { env, ...HEAP });
  };
  expect(await run('first')).toEqual({
    discovered: CSV_FILES,
    taken: CSV_FILES,
    missing: 0,
    missingFiles: [],
  });
  expect(pages).toBe(FILES / PAGE);
  const { rows } = await ledger.run('count', (db) =>
    sql<{
      n: number;
      bytes: number;
    }>`select count(distinct file_path) as n, sum(file_size_bytes)::bigint as bytes
      from processed_files where status = 'DISCOVERED'`.execute(db),
  );
  expect(rows).toEqual([{ n: CSV_FILES, bytes: CSV_FILES * 10 }]);

  // As if all had been loaded, and all but the first gone.
  await ledger.run('load all', async (db) => {
    await sql`update processed_files set status = 'SUCCESS'`.execute(db);
    await sql`insert into file_loads select id, 'i', 'd', file_etag, file_modified_at, 1 from processed_files`.execute(
      db,
    );
  });
  files = LEFT;
  const left = LEFT * 0.9;
  const numbers = Array.from({ length: 25 }, (_, n) => LEFT + n).filter((n) => n % 10 !== 9);
  expect(await run('second')).toEqual({
    discovered: left,
    taken: 0,
    missing: CSV_FILES - left,
    missingFiles: numbers.slice(0, 20).map((n) => `s3://lake/${keyOf(n)}`),
  });
}, 180_000);
