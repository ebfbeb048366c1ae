/** What former loads leave: who still protects it, and that nothing else goes. */

import { tmpdir } from 'node:os';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import { systemClock } from '../../src/common/clock.ts';
import { findOrphans, type OrphanParts, removeOrphans } from '../../src/ingest/orphans.ts';
import { type Lake, openLake } from '../../src/lake/lake.ts';
import { silentObserver } from '../../src/lake/request-observer.ts';
import type { Ledger } from '../../src/ledger/database.ts';
import { environment } from '../../src/local/resources.ts';
import { runCli } from '../cli/run-cli.ts';
import { datasetRows, ingest, lines } from '../support/ingest-scene.ts';
import { openPostgres, type TestPostgres } from '../support/postgres.ts';
import { openRig, type Rig } from '../support/rig.ts';
import type { Scene } from '../support/scene.ts';

const DAY_MS = 86_400_000;
const NOW = ['T_MAX 2026-01-01 2', 'T_MAX 2026-01-02 2', 'T_MIN 2026-01-01 0', 'T_MIN 2026-01-02 0'];

let rig: Rig;
let postgres: TestPostgres;
let scene: Scene;
let ledger: Ledger;
let url: string;
let lake: Lake;
let datasets = 0;
// Of the test's own dataset.
let id: string;
let base: string;
let leftover: string;

beforeAll(async () => {
  [rig, postgres] = await Promise.all([openRig(), openPostgres()]);
  scene = await rig.scene();
  ({ ledger, url } = await postgres.ledger());
  await scene.worker({ DATABASE_URL: url });
  Object.assign(process.env, environment(scene.resources));
  const s3 = { region: 'us-east-1', forcePathStyle: true, connectTimeoutMs: 1_000, idleTimeoutMs: 5_000 };
  lake = openLake(s3, systemClock, silentObserver);
});
afterAll(async () => {
  lake.close();
  await rig.close();
  await postgres.close();
});

const put = (day: string, value: number) =>
  scene.put(`raw/${id}/${day}.csv`, `date,max,min\n2026-01-${day},${value},0\nno date,1,1\n`);
const load = () =>
  ingest(scene, {
    ingestionId: id,
    source: { prefix: `raw/${id}/` },
    target: { datasetId: id },
    options: { maxBadRows: 1 },
  });

/** The dataset after two runs: both files were changed between them, and each has a bad row. */
beforeEach(async () => {
  id = `d${++datasets}`;
  base = `datasets/${id}/`;
  leftover = `${base}projections/T_MAX/year=2026/month=01/${'0'.repeat(40)}.parquet`;
  for (const value of [1, 2]) {
    for (const day of ['01', '02']) await put(day, value);
    expect(await load()).toMatchObject({ status: 'SUCCESS', rows: 4 });
  }
  await scene.put(leftover, 'of a killed worker');
  await scene.put(`${base}projections/T_MAX/year=2026/month=01/part-0.parquet`, 'of another writer');
});

async function manifest(folder: string) {
  return (await scene.json(`${base}${folder}/manifest.json`)) as {
    version_id: string;
    parquet_files: string[];
    sources: Record<string, unknown>;
  };
}

async function versions(): Promise<string[]> {
  const keys = await scene.keys(`${base}2`);
  return keys.map((key) => key.split('/')[2]!);
}

/** All that the first run wrote. */
async function former(): Promise<string[]> {
  const { parquet_files, sources } = await manifest((await versions())[0]!);
  return [
    ...parquet_files.map((path) => `${base}projections/${path}`),
    ...Object.keys(sources).map((digest) => `${base}bad-rows/${digest}.jsonl`),
  ];
}

/** As an operator would find it `days` from now. */
function partsAfter(days: number): OrphanParts {
  return {
    lake,
    ledger,
    dataset: { datasetId: id, base: { bucket: scene.resources.bucket, key: base } },
    clock: { ...systemClock, now: () => systemClock.now() + days * DAY_MS },
    olderThanMs: 7 * DAY_MS,
    signal: new AbortController().signal,
  };
}

async function found(days: number) {
  const { objects, versions: manifests } = await findOrphans(partsAfter(days));
  return { keys: objects.map(({ key }) => key).sort(), manifests: manifests.map(({ key }) => key) };
}

test('what former loads and killed workers left goes when its readers are done, and nothing else', async () => {
  const [first, second] = await versions();
  const old = await former();
  expect(old).toHaveLength(6);
  // Too young, and a version of it was the current one just now.
  expect(await found(6.9)).toEqual({ keys: [], manifests: [] });
  expect(await found(8)).toEqual({
    keys: [...old, leftover].sort(),
    manifests: [`${base}${first}/manifest.json`],
  });

  const before = await scene.keys(base);
  const orphans = await findOrphans(partsAfter(8));
  expect(await removeOrphans(orphans, partsAfter(8))).toBe(7);
  const gone = new Set([...old, leftover, `${base}${first}/manifest.json`]);
  expect(await scene.keys(base)).toEqual(before.filter((key) => !gone.has(key)));
  expect(await versions()).toEqual([second]);
  expect(lines(await datasetRows(scene, id))).toEqual(NOW);
  expect(await found(8)).toEqual({ keys: [], manifests: [] });
  // A changed file is read again, and its name was never used.
  await put('01', 3);
  expect(await load()).toMatchObject({ status: 'SUCCESS' });
  expect(lines(await datasetRows(scene, id))[0]).toBe('T_MAX 2026-01-01 3');
});

test.each<[who: string, protect: () => Promise<unknown>]>([
  [
    'a copy of the manifest in a folder of another name',
    async () =>
      await scene.put(`${base}keep/manifest.json`, JSON.stringify(await manifest((await versions())[0]!))),
  ],
  [
    'the current manifest, put back to the former version',
    async () =>
      await scene.put(`${base}current/manifest.json`, JSON.stringify(await manifest((await versions())[0]!))),
  ],
])('%s protects what it names', async (_, protect) => {
  await protect();
  expect(await found(8)).toEqual({ keys: [leftover], manifests: [] });
});

test('the ledger protects loads whose manifest is not there yet; the manifest, those of a lost ledger', async () => {
  const [first, second] = await versions();
  const both = (await former()).length + 1;
  await scene.remove(`${base}current/manifest.json`);
  await scene.remove(`${base}${second}/manifest.json`);
  // Now the first version is the last one: nothing but the leftover may go.
  expect(await found(8)).toEqual({ keys: [leftover], manifests: [] });
  await scene.remove(`${base}${first}/manifest.json`);
  expect((await found(8)).keys).toHaveLength(both);
});

test('a lost ledger makes no orphans of what the current manifest names', async () => {
  const old = await former();
  await ledger.run('lose all', (db) => sql`delete from file_loads where ingestion_id = ${id}`.execute(db));
  expect((await found(8)).keys).toEqual([...old, leftover].sort());
});

test('what comes to be needed between finding and deleting stays', async () => {
  const orphans = await findOrphans(partsAfter(8));
  const old = await former();
  const [first] = await versions();
  await scene.put(`${base}current/manifest.json`, JSON.stringify(await manifest(first!)));
  expect(await removeOrphans(orphans, partsAfter(8))).toBe(1);
  const left = new Set(await scene.keys(base));
  expect(old.filter((key) => !left.has(key))).toEqual([]);
});

test('the command tells what it would delete, deletes it, and spares what a job may still need', async () => {
  const env = { ...environment(scene.resources), DATABASE_URL: url };
  const run = (more: Readonly<Record<string, string>>, ...args: string[]) =>
    runCli(['ledger', 'orphans', ...args], { cwd: tmpdir(), env: { ...env, ...more } });
  const short = { WORKER_JOB_DEADLINE_SECONDS: '1' };
  expect(await run({}, id)).toMatchObject({ code: 0, stdout: expect.stringMatching(/^0 orphans below /) });
  const refused = await run({}, id, '--older-than', '5');
  expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('WORKER_JOB_DEADLINE_SECONDS') });
  expect(await run({}, 'x')).toMatchObject({ code: 1, stderr: expect.stringContaining('no dataset "x"') });
  await systemClock.sleep(1_000);
  const dry = await run(short, id, '--older-than', '1');
  expect(dry.stdout).toContain('Nothing was deleted; --delete does it.');
  expect(dry.stdout).toContain(`s3://${scene.resources.bucket}/${leftover}  `);
  expect(dry.stdout).toMatch(/^7 orphans below /m);
  expect((await run(short, id, '--older-than', '1', '--delete')).stdout).toContain(': 7 deleted.');
  expect(lines(await datasetRows(scene, id))).toEqual(NOW);
  expect((await run(short, id, '--older-than', '1')).stdout).toMatch(/^0 orphans below /m);
}, 60_000);
