import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import type { Ledger } from '../../src/ledger/database.ts';
import {
  type ClaimedFile,
  claimFile,
  type FileScope,
  type FindOptions,
  type FoundFile,
  loadedButNot,
  loadedFiles,
  recordFound,
  writeLoad,
  writeReleased,
  writeUnloaded,
} from '../../src/ledger/file-ledger.ts';
import { beginRun, countRun, endRun, storedResult } from '../../src/ledger/run-ledger.ts';
import { openPostgres, type TestPostgres } from '../support/postgres.ts';

let postgres: TestPostgres;
let ledger: Ledger;

beforeAll(async () => {
  postgres = await openPostgres();
});
afterAll(async () => {
  await postgres.close();
});
beforeEach(async () => {
  ({ ledger } = await postgres.ledger());
});

const PLAIN: FindOptions = { retryFailed: true, force: false };
const DAY = Date.UTC(2026, 0, 1);
const file = (n: number, more: Partial<FoundFile> = {}): FoundFile => ({
  path: `s3://b/raw/${String(n).padStart(4, '0')}.csv`,
  size: 10,
  modified: DAY,
  etag: '"e"',
  ...more,
});
const files = (count: number) => Array.from({ length: count }, (_, n) => file(n));

async function begin(runId: string, interpretation = 'a'): Promise<FileScope> {
  const digest = interpretation.repeat(64);
  await beginRun(ledger, {
    runId,
    ingestionId: 'i',
    interpretation: digest,
    datasetId: 'd',
    baseUri: 's3://b/d/',
    request: {},
  });
  return { ingestionId: 'i', runId, interpretation: digest, leaseSeconds: 60 };
}

const load = (scope: FileScope, claimed: ClaimedFile, digest = claimed.etag) =>
  ledger.transact('load', (tx) =>
    writeLoad(tx, scope, claimed, {
      digest,
      records: 3,
      bytesRead: 10,
      durationMs: 1,
      columns: { x: 'number' },
      outputs: [{ path: `A/year=2026/month=01/${digest}.parquet`, series: 'A', records: 3, bytes: 100 }],
    }),
  );

async function loadAll(scope: FileScope): Promise<number> {
  for (let count = 0; ; count++) {
    const claimed = await claimFile(ledger, scope);
    if (claimed === undefined) return count;
    await load(scope, claimed);
  }
}

describe('the files of an ingestion', () => {
  test('are each claimed once by ten claimants at once, in their order', async () => {
    const scope = await begin('r');
    expect(await recordFound(ledger, scope, files(200), PLAIN)).toBe(200);
    const claimed: string[][] = await Promise.all(
      Array.from({ length: 8 }, async () => {
        const mine: string[] = [];
        for (
          let next = await claimFile(ledger, scope);
          next !== undefined;
          next = await claimFile(ledger, scope)
        ) {
          mine.push(next.path);
        }
        return mine;
      }),
    );
    expect(new Set(claimed.flat()).size).toBe(200);
    expect(claimed.flat()).toHaveLength(200);
    for (const mine of claimed) expect(mine).toEqual(mine.toSorted());
    expect(await countRun(ledger, scope)).toMatchObject({ inWork: 200, waiting: 0 });
  });

  test('are taken up again only when they changed, failed, are forced or read otherwise', async () => {
    const first = await begin('r1');
    await recordFound(ledger, first, files(4), PLAIN);
    expect(await loadAll(first)).toBe(4);
    const second = await begin('r2');
    expect(await recordFound(ledger, second, files(4), PLAIN)).toBe(0);
    const touched = [
      file(0, { etag: '"f"' }),
      file(1, { modified: DAY + 1 }),
      file(2, { size: 11 }),
      file(3),
    ];
    expect(await recordFound(ledger, second, touched, PLAIN)).toBe(3);
    const claimed = (await claimFile(ledger, second))!;
    await ledger.transact('fail', (tx) =>
      writeUnloaded(tx, second, claimed, 'FAILED', { type: 'INPUT_READ_ERROR', message: 'row 2' }, 5),
    );
    expect(await loadAll(second)).toBe(2);
    // In the same run it is not tried twice.
    expect(await recordFound(ledger, second, touched, { retryFailed: true, force: true })).toBe(1);
    expect(await loadAll(second)).toBe(1);
    const third = await begin('r3');
    expect(await recordFound(ledger, third, touched, { retryFailed: false, force: false })).toBe(0);
    expect(await recordFound(ledger, third, touched, PLAIN)).toBe(1);
    const retried = (await claimFile(ledger, third))!;
    expect(retried).toMatchObject({ path: file(0).path, etag: '"f"', retryCount: 1 });
    await load(third, retried);
    const fourth = await begin('r4', 'b');
    expect(await recordFound(ledger, fourth, touched, PLAIN)).toBe(4);
    expect(await countRun(ledger, third)).toMatchObject({ succeeded: 0, waiting: 0 });
    expect(await countRun(ledger, fourth)).toMatchObject({ waiting: 4 });
  });

  test('leave a claim past its lease to another, and one given back at once', async () => {
    const scope = await begin('r');
    await recordFound(ledger, scope, files(1), PLAIN);
    const claimed = (await claimFile(ledger, scope))!;
    expect(await claimFile(ledger, scope)).toBeUndefined();
    expect(await recordFound(ledger, scope, [file(0, { etag: '"f"' })], PLAIN)).toBe(0);
    await ledger.run('age', (db) =>
      sql`update processed_files set updated_at = now() - interval '61 seconds'`.execute(db),
    );
    expect(await claimFile(ledger, scope)).toMatchObject({ id: claimed.id });
    await ledger.transact('release', (tx) => writeReleased(tx, scope, claimed));
    expect(await claimFile(ledger, scope)).toMatchObject({ id: claimed.id });
  });

  test('keep the load they had until a newer version succeeds', async () => {
    const scope = await begin('r1');
    await recordFound(ledger, scope, files(2), PLAIN);
    await loadAll(scope);
    const second = await begin('r2');
    await recordFound(ledger, second, [file(0, { etag: '"f"' })], PLAIN);
    const claimed = (await claimFile(ledger, second))!;
    await ledger.transact('fail', (tx) =>
      writeUnloaded(tx, second, claimed, 'FAILED', { type: 'X', message: 'm' }, 5),
    );
    const before = await loadedFiles(ledger, 'i');
    expect(before.map(({ etag }) => etag)).toEqual(['"e"', '"e"']);
    // What is settled is settled: a late load of the same claim changes nothing.
    expect(await load(second, claimed)).toBe(false);
    const third = await begin('r3');
    await recordFound(ledger, third, [file(0, { etag: '"f"' })], PLAIN);
    expect(await load(third, (await claimFile(ledger, third))!)).toBe(true);
    const after = await loadedFiles(ledger, 'i');
    expect(after.map(({ etag, outputs }) => [etag, outputs.length])).toEqual([
      ['"f"', 1],
      ['"e"', 1],
    ]);
    expect(after[0]!.outputs[0]!.path).toBe('A/year=2026/month=01/"f".parquet');
  });

  test('tell which of them are gone from the bucket, in byte order', async () => {
    const scope = await begin('r');
    const odd = ['a b', 'ä', 'z', '\u{1f600}', '~'].map((name) => file(0, { path: `s3://b/raw/${name}` }));
    await recordFound(ledger, scope, odd, PLAIN);
    await loadAll(scope);
    const all = { after: 's3://b/raw/', through: undefined };
    expect(await loadedButNot(ledger, 'i', all, ['s3://b/raw/z', 's3://b/raw/ä'])).toEqual(
      ['a b', '~', '\u{1f600}'].map((name) => `s3://b/raw/${name}`),
    );
    expect(await loadedButNot(ledger, 'i', { after: 's3://b/raw/z', through: 's3://b/raw/ä' }, [])).toEqual(
      ['~', 'ä'].map((name) => `s3://b/raw/${name}`),
    );
  });
});

describe('a run', () => {
  test('stores its first answer, and refuses another target for its ingestion', async () => {
    const scope = await begin('r');
    expect(await storedResult(ledger, 'r')).toBeUndefined();
    const counts = await countRun(ledger, scope);
    const end = { status: 'SUCCESS', discovered: 0, skipped: 0, counts, datasetManifest: null } as const;
    expect(await endRun(ledger, 'r', { ...end, result: { n: 1 } })).toEqual({ n: 1 });
    expect(await endRun(ledger, 'r', { ...end, result: { n: 2 } })).toEqual({ n: 1 });
    // An attempt that looked for an answer before there was one, and begins after.
    await begin('r');
    expect(await endRun(ledger, 'r', { ...end, result: { n: 3 } })).toEqual({ n: 1 });
    expect(await storedResult(ledger, 'r')).toEqual({ n: 1 });
    const other = beginRun(ledger, {
      runId: 'q',
      ingestionId: 'i',
      interpretation: 'a'.repeat(64),
      datasetId: 'other',
      baseUri: 's3://b/d/',
      request: {},
    });
    await expect(other).rejects.toMatchObject({ kind: 'invalid', code: 'CONFIG_ERROR' });
  });
});
