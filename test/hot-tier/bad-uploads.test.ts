/** Rows that can not be taken: each is told clearly, and nothing is written. And where good rows may come from. */

import { brotliCompressSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { HotUploadResult } from '../../src/contract/tier-requests.ts';
import { fail } from '../lake/fault-lake.ts';
import { closeDuckDb, parquetOf, queryParquet } from '../support/parquet.ts';
import { bytesOf, openTierLake, type TierLake } from '../support/tier-lake.ts';
import { hotKey, type JsonRow, rowsOfSlot, rowTime } from '../support/tiers.ts';

let tier: TierLake;
let sources = 0;
const row = rowsOfSlot(0, 1)[0]!;
const lines = (rows: readonly JsonRow[]) => rows.map((one) => JSON.stringify(one)).join('\n');

beforeAll(async () => {
  tier = await openTierLake();
});

afterAll(async () => {
  await tier.close();
  await closeDuckDb();
});

/** Puts a source; its URI. */
async function source(name: string, body: Uint8Array | string): Promise<{ uri: string }> {
  const key = `staging/${++sources}/${name}`;
  await tier.lake.writer.create({ bucket: tier.bucket, key }, Buffer.from(body));
  return { uri: `s3://${tier.bucket}/${key}` };
}

/** Uploads from a source. */
async function uploadFrom(slot: number, name: string, body: Uint8Array | string): Promise<HotUploadResult> {
  return await tier.upload(slot, [], { changed: await source(name, body) });
}

async function refused(work: Promise<unknown>, code: string, message: string | RegExp): Promise<void> {
  const error = await work.then(
    (result) => new Error(`it was taken: ${JSON.stringify(result)}`),
    (reason: unknown) => reason,
  );
  expect(error).toMatchObject({ kind: 'invalid', code });
  expect((error as Error).message).toMatch(message);
  await expect(bytesOf(tier, hotKey(0))).rejects.toThrow('is not there');
}

describe('a row', () => {
  const without = (name: string) => Object.fromEntries(Object.entries(row).filter(([key]) => key !== name));
  test.each<[string, JsonRow, RegExp]>([
    ['without a key column', without('AZ'), /changed: row 2, column AZ: is missing or null/],
    ['with a null key', { ...row, Region: null }, /changed: row 2, column Region: is missing or null/],
    ['without a time', without('Time'), /changed: row 2, column Time/],
    ['with text in a number column', { ...row, SPS: 'many' }, /changed: row 2, column SPS: .*many/],
    ['with a number beyond int64', { ...row, SPS: '9223372036854775808' }, /row 2, column SPS/],
    ['with NaN', { ...row, SpotPrice: 'NaN' }, /changed: row 2, column SpotPrice: .*NaN/],
    ['with an object', { ...row, SpotPrice: { usd: 1 } }, /row 2, column SpotPrice: is an object/],
    ['with a time in another form', { ...row, Time: '23.01.2026' }, /row 2, column Time/],
    ['with a number for a time', { ...row, Time: 1_769_000_000 }, /row 2, column Time/],
  ])('%s is refused', async (_, bad, message) => {
    const rows = [{ ...row, AZ: 'another' }, bad];
    await refused(tier.upload(0, rows), 'INPUT_READ_ERROR', message);
    await refused(uploadFrom(0, 'rows.jsonl', lines(rows)), 'INPUT_READ_ERROR', message);
  });
});

describe('a source', () => {
  const csv = (...rows: string[]) => ['InstanceType,Region,AZ,Time,SPS', ...rows].join('\n');
  const gzip = gzipSync(lines(rowsOfSlot(0, 500)));
  const bombs = Buffer.alloc(80 << 20, '\n');

  test.each<[string, string, Uint8Array | string, string, RegExp]>([
    [
      'a ragged line',
      'a.csv',
      csv('a,b,c,2026-01-01 00:00:00,1', 'a,b,c'),
      'INPUT_READ_ERROR',
      /row 2 has 3 cells, the header 5/,
    ],
    [
      'an open quote',
      'b.csv',
      csv('"a,b,c,2026-01-01 00:00:00,1'),
      'INPUT_READ_ERROR',
      /without its closing quote/,
    ],
    ['a line of no JSON', 'c.jsonl', `${lines([row])}\n{"a":`, 'INPUT_READ_ERROR', /row 2 is not JSON/],
    [
      'a gzip cut short',
      'd.jsonl.gz',
      gzip.subarray(0, gzip.length - 20),
      'INPUT_READ_ERROR',
      /is no whole gzip: .*unexpected end/,
    ],
    [
      'a zstd cut short',
      'e.jsonl.zst',
      zstdCompressSync(lines(rowsOfSlot(0, 500))).subarray(0, 60),
      'INPUT_READ_ERROR',
      /is no whole zstd/,
    ],
    [
      'a gzip bomb',
      'f.jsonl.gz',
      gzipSync(bombs),
      'INPUT_READ_ERROR',
      /more than 64 MiB once its gzip is undone/,
    ],
    [
      'a zstd bomb',
      'g.csv.zst',
      zstdCompressSync(bombs),
      'INPUT_READ_ERROR',
      /more than 64 MiB once its zstd is undone/,
    ],
    ['a nested gzip', 'h.jsonl.gz', gzipSync(gzip), 'INPUT_READ_ERROR', /row 1/],
    ['another compression', 'i.jsonl', brotliCompressSync(lines([row])), 'INPUT_READ_ERROR', /row 1/],
    [
      'no Parquet',
      'j.parquet',
      'PAR1 and then nothing at all PAR1',
      'INPUT_READ_ERROR',
      /not a readable Parquet file/,
    ],
    ['a name that tells no format', 'k.txt', '', 'CONFIG_ERROR', /changed\.format: must be told/],
  ])('of %s is refused', async (_, name, body, code, message) => {
    await refused(uploadFrom(0, name, body), code, message);
  });

  test('of more rows than are allowed is refused: text in passing, Parquet by its footer', async () => {
    const many = Buffer.from(`${lines([row])}\n`.repeat(350_000)).toString();
    // The limit of the tests' lake is a million rows; 64 MiB come first for text.
    await refused(
      uploadFrom(0, 'many.jsonl.gz', gzipSync(many + many)),
      'INPUT_READ_ERROR',
      /more than 64 MiB/,
    );
    const short = `a\n${'1\n'.repeat(1_000_001)}`;
    await refused(uploadFrom(0, 'short.csv', short), 'INPUT_READ_ERROR', /changed: more than 1,000,000 rows/);
    const parquet = await parquetOf(`SELECT 'a' AS "InstanceType" FROM range(10000000)`);
    await refused(uploadFrom(0, 'many.parquet', parquet), 'INPUT_READ_ERROR', /has 10,000,000 rows/);
  }, 60_000);

  test('that may not be read, or is not there, is refused', async () => {
    const at = (uri: string) => tier.upload(0, [], { changed: { uri } });
    await refused(
      at('s3://other-bucket/a.csv'),
      'CONFIG_ERROR',
      /changed\.uri: the bucket "other-bucket" is not allowed/,
    );
    await refused(at('https://example.com/a.csv'), 'CONFIG_ERROR', /must be an s3:\/\/ URI/);
    await refused(at(`s3://${tier.bucket}/../a.csv`), 'CONFIG_ERROR', /must not hold the segment/);
    await refused(at(`s3://${tier.bucket}/no.csv`), 'INPUT_READ_ERROR', /no\.csv does not exist/);
  });

  test('is tried again where S3 fails', async () => {
    const changed = await source('good.jsonl', lines([row]));
    tier.faults({ when: 'before', operation: 'GetObject', times: 9, verdict: fail(503, 'SlowDown') });
    await expect(tier.upload(0, [], { changed })).rejects.toMatchObject({ kind: 'retryable' });
    tier.faults();
  });

  const rows = rowsOfSlot(9, 300);
  const cells = rows.map((one) => Object.values(one).join(','));
  const asCsv = [Object.keys(rows[0]!).join(','), ...cells].join('\r\n');
  const half = Math.floor(rows.length / 2);
  const frames = Buffer.concat([
    zstdCompressSync(`${lines(rows.slice(0, half))}\n`),
    zstdCompressSync(lines(rows.slice(half))),
  ]);
  const members = Buffer.concat([
    gzipSync(`${lines(rows.slice(0, half))}\n`),
    gzipSync(lines(rows.slice(half))),
  ]);

  test('in any form is the same content', async () => {
    expect(await tier.upload(9, rows)).toMatchObject({ outcome: 'uploaded', rows: 300 });
    const values = rows.map(
      (one) =>
        `(${Object.values(one)
          .map((value) => `'${value}'`)
          .join(', ')})`,
    );
    const names = Object.keys(rows[0]!).map((name) => `"${name}"`);
    const parquet = await parquetOf(
      `SELECT * REPLACE ("Time"::TIMESTAMPTZ AS "Time", "SPS"::INTEGER AS "SPS", "SpotPrice"::DOUBLE AS "SpotPrice")
         FROM (VALUES ${values.join(', ')}) rows(${names.join(', ')})`,
    );
    const forms: readonly [string, Uint8Array | string][] = [
      ['rows.jsonl', lines(rows)],
      ['rows.ndjson.gz', gzipSync(lines(rows))],
      ['rows.jsonl.zst', zstdCompressSync(lines(rows))],
      // The name need not tell the compression, and it may lie.
      ['rows.jsonl', gzipSync(lines(rows))],
      ['rows.jsonl.gz', lines(rows)],
      ['frames.jsonl.zst', frames],
      ['members.jsonl.gz', members],
      ['rows.csv', asCsv],
      ['rows.csv.gz', gzipSync(asCsv)],
      ['rows.parquet', parquet],
      ['rows.parquet.gz', gzipSync(parquet)],
    ];
    for (const [name, body] of forms) {
      const { outcome } = await uploadFrom(9, name, body);
      expect({ name, outcome }).toEqual({ name, outcome: 'unchanged' });
    }
  });

  test('of removed rows joins the changed ones; of equal key and time the living stays', async () => {
    const changed = rowsOfSlot(10, 4);
    const removed = [...rowsOfSlot(10, 2), ...rowsOfSlot(11, 3)];
    const request = { changed: { rows: changed }, removed: await source('removed.jsonl', lines(removed)) };
    expect(await tier.upload(10, [], request)).toMatchObject({ outcome: 'uploaded', rows: 7 });
    const found = await queryParquet(
      await bytesOf(tier, hotKey(10)),
      'SELECT "Ceased", count(*)::INT AS rows FROM {file} GROUP BY 1 ORDER BY 1',
    );
    expect(found).toEqual([
      { Ceased: false, rows: 4 },
      { Ceased: true, rows: 3 },
    ]);
  });
});

test('a hot file of many texts is sorted, and has each key and time once', async () => {
  const rows = Array.from({ length: 12_000 }, (_, i) => ({
    ...row,
    InstanceType: `m${(i * 7) % 1_500}.large`,
    Region: `r${i % 17}`,
    AZ: `az${i % 4_100}`,
    Time: rowTime(21, i % 600),
  }));
  await tier.upload(21, [...rows, ...rows]);
  const [found] = await queryParquet(
    await bytesOf(tier, hotKey(21)),
    `WITH n AS (SELECT *, row_number() OVER () AS n FROM {file}), o AS (
       SELECT *, row_number() OVER (ORDER BY "InstanceType", "Region", "AZ", "Time") AS o FROM n)
     SELECT count(*)::INT AS rows, count(*) FILTER (n <> o)::INT AS astray FROM o`,
  );
  const keys = new Set(rows.map((one) => JSON.stringify(Object.values(one))));
  expect(found).toEqual({ rows: keys.size, astray: 0 });
});

test('a hot file has the documented types and order, as DuckDB sees it', async () => {
  const values = { SPS: 1, T3: 2, T2: 3, IF: 5, OndemandPrice: 0.1, SpotPrice: 0.05, Savings: 50 };
  const rows = ['b', 'a', 'é'].map((zone) => ({ Extra: 1, ...values, ...row, AZ: zone }));
  await tier.upload(20, rows);
  const bytes = await bytesOf(tier, hotKey(20));
  const described = await queryParquet(bytes, 'DESCRIBE SELECT * FROM {file}');
  expect(described.map(({ column_name, column_type }) => `${column_name} ${column_type}`)).toEqual([
    'InstanceType VARCHAR',
    'Region VARCHAR',
    'AZ VARCHAR',
    'Time TIMESTAMP WITH TIME ZONE',
    'SPS BIGINT',
    'T3 BIGINT',
    'T2 BIGINT',
    'IF DOUBLE',
    'OndemandPrice DOUBLE',
    'SpotPrice DOUBLE',
    'Savings BIGINT',
    'Ceased BOOLEAN',
  ]);
  const zones = await queryParquet(bytes, 'SELECT "AZ" FROM {file}');
  expect(zones.map(({ AZ }) => AZ)).toEqual(['a', 'b', 'é']);
  const [codec] = await queryParquet(bytes, 'SELECT DISTINCT compression FROM parquet_metadata({file})');
  expect(codec).toEqual({ compression: 'ZSTD' });
});
