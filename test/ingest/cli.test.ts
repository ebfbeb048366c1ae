/** The commands for people, as they run them, against a worker, a bucket and a ledger. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { environment } from '../../src/local/resources.ts';
import { runCli } from '../cli/run-cli.ts';
import { datasetRows, lines } from '../support/ingest-scene.ts';
import { openPostgres, type TestPostgres } from '../support/postgres.ts';
import { openRig, type Rig } from '../support/rig.ts';

let rig: Rig;
let postgres: TestPostgres;
let directory: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'tidemill-cli-'));
  [rig, postgres] = await Promise.all([openRig(), openPostgres()]);
});
afterAll(async () => {
  rmSync(directory, { recursive: true, force: true });
  await rig.close();
  await postgres.close();
});

describe('a run that is refused before it begins', () => {
  const words = ['ingest', 's3://elsewhere/raw/', '--dataset', 'd', '--time', 't', '--values', '*'];

  test('ends the command with the reason, and stands in the load log', async () => {
    const scene = await rig.scene();
    const { url } = await postgres.ledger();
    await scene.worker({ DATABASE_URL: url });
    const env = { ...environment(scene.resources), DATABASE_URL: url };
    const run = (...args: string[]) => runCli(args, { cwd: tmpdir(), env });
    const ran = await run(...words);
    expect(ran.code).toBe(1);
    const reason = 'CONFIG_ERROR: source.prefix: the bucket "elsewhere" is not allowed';
    expect(ran.stderr).toContain(`error: the run was refused: ${reason}`);
    expect((await run('ledger', 'log', '--status', 'failed', '--json')).stdout).toContain('is not allowed');

    await scene.put('raw/a.csv', 'date,max\n2026-01-01,1\n');
    const of = (dataset: string) =>
      run(
        ...['ingest', `s3://${scene.resources.bucket}/raw/`, '--dataset', dataset, '--time', 'date'],
        ...['--values', 'max=T', '--ingestion', 'i'],
      );
    expect((await of('d')).code).toBe(0);
    const other = await of('e');
    expect(other.code).toBe(1);
    expect(other.stderr).toContain('"i" writes to dataset "d"');
  }, 60_000);
});

test('a refusal by a worker without a ledger is heard in the queue of events', async () => {
  const scene = await rig.scene();
  const { url } = await postgres.ledger();
  await scene.worker();
  await scene.events.stop(); // The queue is the command's.
  const { pathname } = new URL(scene.resources.eventsQueueUrl);
  const env = {
    ...environment(scene.resources),
    DATABASE_URL: url,
    AWS_SQS_EVENTS_QUEUE_URL: new URL(pathname, scene.resources.endpoint).href,
  };
  const words = ['ingest', `s3://${scene.resources.bucket}/raw/`, '--dataset', 'd', '--time', 't'];
  const ran = await runCli([...words, '--values', '*', '--timeout', '30'], { cwd: tmpdir(), env });
  expect(ran.stderr).toContain('error: the run was refused: CONFIG_ERROR: Ingest runs need a database');
  expect(ran.code).toBe(1);
}, 60_000);

test('replay --failed takes up what failed, and nothing else', async () => {
  const scene = await rig.scene();
  const { url } = await postgres.ledger();
  await scene.worker({ DATABASE_URL: url });
  const env = { ...environment(scene.resources), DATABASE_URL: url };
  const run = async (...args: string[]) => (await runCli(args, { cwd: tmpdir(), env })).stdout;
  const of = (day: number, value: string | number) => `date,max\n2026-01-0${day},${value}\n`;
  await scene.put('raw/1.csv', of(1, 1));
  await scene.put('raw/2.csv', of(2, 'x'));
  await run(
    ...['ingest', `s3://${scene.resources.bucket}/raw/`, '--dataset', 'd', '--time', 'date'],
    ...['--values', 'max=T', '--ingestion', 'i'],
  );
  await scene.put('raw/1.csv', of(1, 10));
  await scene.put('raw/2.csv', of(2, 2));
  await scene.put('raw/3.csv', of(3, 3));
  expect(await run('replay', '--source', 'i', '--failed')).toContain('succeeded 1');
  expect(lines(await datasetRows(scene))).toEqual(['T 2026-01-01 1', 'T 2026-01-02 2']);
  // Later ones are not held to it.
  expect(await run('replay', '--source', 'i')).toContain('succeeded 2');
  expect(lines(await datasetRows(scene))).toEqual(['T 2026-01-01 10', 'T 2026-01-02 2', 'T 2026-01-03 3']);
}, 60_000);

test('a folder is ingested, looked at, mended and replayed', async () => {
  const scene = await rig.scene();
  const { url } = await postgres.ledger();
  await scene.worker({ DATABASE_URL: url });
  const env = { ...environment(scene.resources), DATABASE_URL: url };
  const run = async (...words: string[]) => {
    const { code, stdout, stderr } = await runCli(words, { cwd: tmpdir(), env });
    return { code, text: stdout + stderr };
  };
  writeFileSync(join(directory, 'a.csv'), 'date,max\n2026-01-01,1\n');
  writeFileSync(join(directory, 'b.csv'), 'date,max\n2026-01-02,\u001b[31mx\n');
  const words = [
    'ingest',
    directory,
    '--dataset',
    'd',
    '--time',
    'date',
    '--values',
    'max=T',
    '--ingestion',
    'i',
  ];

  const first = await run(...words);
  expect(first.text).toContain('put 2 files into s3://');
  expect(first.text).toContain('PARTIAL');
  expect(first.text).toContain('b.csv: row 2, column "max"');
  expect(first.text).not.toContain('\u001b[31mx');
  expect(first.code).toBe(0);

  const failed = await run('ledger', 'files', '--status', 'FAILED');
  expect(failed.text).toMatch(/b\.csv +FAILED/);
  expect(failed.text).not.toContain('a.csv');
  expect(failed.text).not.toContain('\u001b[31m');
  const runs = await run('ledger', 'runs', '--source', 'i', '--since', '1h', '--json');
  expect(JSON.parse(runs.text)).toMatchObject({ ingestion_id: 'i', status: 'PARTIAL', files_failed: 1 });
  expect((await run('ledger', 'log', '--status', 'failed')).text).toContain('is no number');
  expect((await run('ledger', 'unlock-stale')).text).toBe('unlocked 0 files, 0 loads\n');
  expect((await run('migrate')).text).toBe('up to date\n');

  expect((await run('replay', '--source', 'i')).text).toContain('SUCCESS');
  const retried = await run('replay', '--source', 'i', '--failed');
  expect(retried.text).toContain('failed 1');
  writeFileSync(join(directory, 'b.csv'), 'date,max\n2026-01-02,2\n');
  expect((await run(...words)).text).toMatch(/put 1 file .*\(1 were there\)/);
  expect(lines(await datasetRows(scene))).toEqual(['T 2026-01-01 1', 'T 2026-01-02 2']);
  expect((await run('replay', '--source', 'i', '--force')).text).toContain('succeeded 2');
  expect(lines(await datasetRows(scene))).toEqual(['T 2026-01-01 1', 'T 2026-01-02 2']);

  expect((await run('replay', '--source', 'nobody')).text).toContain('the ledger knows no run of "nobody"');
  expect((await run('ingest', directory, '--dataset', 'd', '--time', 'date')).code).toBe(2);
}, 120_000);
