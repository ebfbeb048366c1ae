/** `tidemill tier`, as a person runs it, on a month that a compaction has made. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { systemClock } from '../../src/common/clock.ts';
import { openTierLake, type TierLake } from '../support/tier-lake.ts';
import { hotKey, rowsOfSlot } from '../support/tiers.ts';
import { makeDirectory, type Ran, runCli } from './run-cli.ts';

jest.setTimeout(60_000);

const directory = makeDirectory();
const FOLDER = 's3://tidemill-lake/parquet_warm/aws/m8/2026/01';
let tier: TierLake;

beforeAll(async () => {
  tier = await openTierLake();
  for (let slot = 0; slot < 10; slot++) await tier.upload(slot, rowsOfSlot(slot, 5));
  for (let slot = 0; slot < 10; slot++) await tier.compact(slot);
});

afterAll(async () => {
  directory.remove();
  await tier.close();
});

const tidemill = (...args: string[]): Promise<Ran> =>
  runCli(['tier', ...args], { cwd: directory.path, env: tier.env });

test('ls lists the months', async () => {
  const { code, stdout } = await tidemill('ls');
  expect(code).toBe(0);
  expect(stdout).toMatch(/aws +2026-01 +10 +3 +1 2 +50 +[\d.]+ kB +20\d\d-\d\d-\d\d \d\d:\d\d/);
});

test('show draws the levels and lists the files, within 80 columns', async () => {
  const { code, stdout } = await tidemill('show', 'aws', '2026-01');
  expect(code).toBe(0);
  expect(stdout).toMatch(
    /aws 2026-01 {2}revision 10 {2}10 of 4,464 slots {2}50 rows {2}[\d.]+ kB in 3 files/,
  );
  expect(stdout).toMatch(/L1 {2}█+ +1 file +40 rows/);
  expect(stdout).toMatch(/L0 +█+▒+ +2 files +10 rows/);
  expect(stdout).toMatch(/L1 +L1_0000_00000-00007\.parquet +40 +[\d.]+ kB +01 00:00 +01 01:10/);
  expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThan(80);
});

describe('files', () => {
  test('gives the URIs of a month, or of a time', async () => {
    const uris = [
      `${FOLDER}/L1_0000_00000-00007.parquet`,
      ...[8, 9].map((slot) => `s3://tidemill-lake/${hotKey(slot)}`),
    ];
    expect((await tidemill('files', 'aws', '2026-01')).stdout.trim().split('\n')).toEqual(uris);
    const some = await tidemill('files', 'aws', '--from', '2026-01-01T01:20Z', '--to', '2026-01-01T01:30Z');
    expect(some.stdout.trim()).toBe(uris[1]);
    const none = await tidemill('files', 'aws', '--from', '2026-02-01', '--to', '2026-03-01');
    expect(none).toMatchObject({ code: 1, stderr: expect.stringContaining('no file of aws has rows') });
  });

  test('as JSON, for DuckDB and for Spark', async () => {
    const json = JSON.parse((await tidemill('files', 'aws', '2026-01', '--format', 'json')).stdout);
    expect(json).toMatchObject({
      provider: 'aws',
      keyColumns: ['InstanceType', 'Region', 'AZ'],
      manifests: [{ uri: `${FOLDER}/manifest.json`, revision: 10 }],
      files: [
        { uri: `${FOLDER}/L1_0000_00000-00007.parquet`, level: 1, rows: 40, minTime: '2026-01-01T00:00:00Z' },
        { level: 0 },
        { level: 0 },
      ],
    });
    const span = ['--from', '2026-01-01', '--to', '2026-01-02'];
    const { stdout: duckdb } = await tidemill('files', 'aws', ...span, '--format', 'duckdb');
    expect(duckdb).toContain(
      `-- revision 10 of ${FOLDER}/manifest.json\n-- From those that came first to those that came last.\nSET VARIABLE files = [\n  '${FOLDER}/L1`,
    );
    expect(duckdb).toContain(`WHERE "Time" >= TIMESTAMPTZ '2026-01-01T00:00:00Z' AND "Time" <`);
    const { stdout: spark } = await tidemill('files', 'aws', ...span, '--format', 'spark');
    expect(spark).toContain('"s3a://tidemill-lake/parquet_warm/aws/m8/2026/01/L1_0000_00000-00007.parquet",');
  });

  test('of another revision are not told', async () => {
    expect((await tidemill('files', 'aws', '2026-01', '--revision', '10')).code).toBe(0);
    expect(await tidemill('files', 'aws', '2026-01', '--revision', '9')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('2026-01 is at revision 10'),
    });
  });

  test.each([
    [['files', 'aws'], 'give a month, or --from and --to'],
    [['files', 'aws', '--from', 'tomorrow', '--to', '2026-01-01'], '--from must be a time'],
    [['show', 'ibm', '2026-01'], 'Unknown provider: ibm'],
  ])('%j is used wrongly', async (args, message) => {
    expect(await tidemill(...args)).toMatchObject({ code: 2, stderr: expect.stringContaining(message) });
  });
});

test('verify finds what is missing, and what is not as it was promised', async () => {
  expect(await tidemill('verify', 'aws', '2026-01')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining(
      'All 3 files are there, sorted, without a row twice, with the 50 rows promised.',
    ),
  });
  const manifest = await tier.manifest();
  const [hot, [merged] = []] = manifest.levels;
  const wrong = [{ ...hot![0]!, file: hotKey(77) }, hot![1]!];
  await tier.putManifest({ ...manifest, levels: [wrong, [{ ...merged!, rows: 41 }]] });
  const { code, stdout, stderr } = await tidemill('verify', 'aws', '2026-01');
  await tier.putManifest(manifest);
  expect({ code, stderr }).toEqual({ code: 1, stderr: 'error: 2 of 3 files not as the manifest says\n' });
  expect(stdout).toContain('has 40 rows, not 41');
  expect(stdout).toContain('does not exist');
});

test('orphans are listed, then deleted; younger ones than the longest job are none', async () => {
  const key = tier.store.keyOf('L1_0007_00000-00007.parquet');
  await tier.lake.writer.create({ bucket: tier.bucket, key }, Buffer.from('left by a killed worker'));
  expect((await tidemill('orphans', 'aws', '2026-01')).stdout).toContain(
    'No orphans of aws 2026-01 that are older than 39,600',
  );
  const now = ['orphans', 'aws', '2026-01', '--older-than', '0'];
  await systemClock.sleep(1_000);
  const dry = await tidemill(...now);
  expect(dry).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('1 orphan, 23 B. Nothing was deleted'),
  });
  expect(dry.stdout).toContain(`${FOLDER}/L1_0007_00000-00007.parquet`);
  expect(await tier.warmKeys()).toContain(key);
  expect((await tidemill(...now, '--delete')).stdout).toContain('1 orphan deleted.');
  expect(await tier.warmKeys()).toEqual([tier.store.keyOf('L1_0000_00000-00007.parquet')]);
  // Its id stays used: no later plan takes the name.
  expect(await tier.manifest()).toMatchObject({ nextFileId: 8, pending: [{ key }] });
});

test('without a lake it says what is missing', async () => {
  const ran = await runCli(['tier', 'ls'], { cwd: directory.path });
  expect(ran).toMatchObject({ code: 1, stderr: expect.stringContaining('AWS_S3_BUCKET is neither') });
  writeFileSync(
    join(directory.path, 'lake.env'),
    Object.entries(tier.env)
      .map(([name, value]) => `${name}=${value}`)
      .join('\n'),
  );
  expect((await runCli(['tier', 'ls', '--env', 'lake.env'], { cwd: directory.path })).code).toBe(0);
});
