import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { systemClock } from '../../src/common/clock.ts';
import type { Ledger } from '../../src/ledger/database.ts';
import { eventually } from '../support/eventually.ts';
import { datasetRows, ingest, ingestRequest, LONG, lines } from '../support/ingest-scene.ts';
import { plainRequest } from '../support/metric-requests.ts';
import { openPostgres, type TestPostgres } from '../support/postgres.ts';
import { openRig, type Rig } from '../support/rig.ts';
import type { Scene } from '../support/scene.ts';

let rig: Rig;
let postgres: TestPostgres;
let scene: Scene;
let ledger: Ledger;
let url: string;

beforeAll(async () => {
  [rig, postgres] = await Promise.all([openRig(), openPostgres()]);
});
afterAll(async () => {
  await rig.close();
  await postgres.close();
});
beforeEach(async () => {
  scene = await rig.scene();
  ({ ledger, url } = await postgres.ledger());
});

const DAY_1 = 'date,max,min\n2026-01-31,5.5,-1\n2026-02-01,6,NA\n';
const DAY_2 = 'date,max,min\n2026-02-02,7,0.25\n';

/** GETs of source bodies since `mark`. */
const bodiesRead = (from: number) =>
  scene.traffic.requests
    .slice(from)
    .filter(({ request }) => request.operation === 'GetObject' && request.key?.startsWith('raw/')).length;

const files = async () =>
  await ledger.run('read', (db) =>
    db.selectFrom('processed_files').selectAll().orderBy('file_path').execute(),
  );

describe('an ingest run', () => {
  test('makes a dataset that a metric run reads, and tells of it', async () => {
    const worker = await scene.worker({ DATABASE_URL: url });
    await scene.put('raw/2026/a.csv', DAY_1);
    await scene.put('raw/2026/b.csv', DAY_2);
    const done = await ingest(scene, { requestId: 'first', source: { glob: '**/*.csv' } });
    expect(done).toMatchObject({
      type: 'ingest_run_completed',
      ingestionId: 'weather',
      status: 'SUCCESS',
      datasetId: 'd',
      files: { discovered: 2, succeeded: 2, failed: 0, skipped: 0, left: 0, missing: 0 },
      rows: 6,
      bytes: DAY_1.length + DAY_2.length,
      datasetManifest: 'datasets/d/current/manifest.json',
    });
    expect(lines(await datasetRows(scene))).toEqual([
      'T_MAX 2026-01-31 5.5',
      'T_MAX 2026-02-01 6',
      'T_MAX 2026-02-02 7',
      'T_MIN 2026-01-31 -1',
      'T_MIN 2026-02-01 null',
      'T_MIN 2026-02-02 0.25',
    ]);
    const manifest = await scene.json('datasets/d/current/manifest.json');
    expect(manifest).toMatchObject({
      dataset_id: 'd',
      series_codes: ['T_MAX', 'T_MIN'],
      row_count: 6,
      run_id: 'first',
    });
    for (const path of manifest.parquet_files as string[]) {
      expect(path).toMatch(/^T_M(?:AX|IN)\/year=2026\/month=0[12]\/[0-9a-f]{40}\.parquet$/);
    }
    const update = scene.events.all.find(({ body }) => body.type === 'projection_update')!.body;
    expect(update).toEqual({
      type: 'projection_update',
      event: 'projection_update',
      dataset_id: 'd',
      bucket: scene.resources.bucket,
      version_manifest_path: `datasets/d/${String(manifest.version_id)}/manifest.json`,
      projections_path: 'datasets/d/projections/',
    });
    expect(await scene.json(update.version_manifest_path as string)).toEqual(manifest);
    const published = 'tidemill_events_published_total{type="projection_update"}';
    expect((await worker.metrics()).get(published)).toBe(1);
    expect(scene.events.of('first', 'ingest_run_started')).toHaveLength(1);

    // The circle closes.
    const expression = { op: 'subtract', left: { series_code: 'T_MAX' }, right: { series_code: 'T_MIN' } };
    const request = plainRequest({ runId: 'range', expressionJson: expression });
    await scene.send(request);
    const metric = await scene.events.completed('range');
    expect(metric).toMatchObject({ status: 'SUCCESS', rowCount: 3 });
    const { rows } = await scene.output(metric.outputManifest);
    expect(rows.map(([, value]) => value)).toEqual([6.5, null, 6.75]);

    // The same message again is answered from the ledger.
    const again = ingestRequest({ requestId: 'first', source: { glob: '**/*.csv' } });
    await scene.send(again, { group: 'g', deduplication: 'again' });
    const second = await scene.events.next('first', 'ingest_run_completed', { count: 2 });
    expect(second.body).toEqual(done);
    expect(scene.events.of('first', 'ingest_run_started')).toHaveLength(1);
  });

  test('waits for a file that its earlier attempt is just giving back, and loads it', async () => {
    await scene.worker({ DATABASE_URL: url });
    await scene.put('raw/a.csv', DAY_1);
    await scene.put('raw/b.csv', DAY_2);
    const reading = scene.traffic.hold({ operation: 'GetObject', key: /^raw\/a/ });
    const run = ingest(scene, { options: { concurrency: 1 } });
    await reading.come(1);
    // As in the transaction that gives it back, which is not over when the worker looks for files.
    await ledger.run('give back', (db) =>
      db.transaction().execute(async (tx) => {
        await tx
          .selectFrom('processed_files')
          .select('id')
          .where('file_path', 'like', '%b.csv')
          .forUpdate()
          .execute();
        reading.release();
        await eventually('the other file is loaded', async () => (await files())[0]?.status === 'SUCCESS');
        await systemClock.sleep(500);
      }),
    );
    expect(await run).toMatchObject({ status: 'SUCCESS', files: { discovered: 2, succeeded: 2, left: 0 } });
  });

  test('reads only what changed; what is deleted stays and is told; force reads all', async () => {
    await scene.worker({ DATABASE_URL: url });
    await scene.put('raw/a.csv', DAY_1);
    await scene.put('raw/b.csv', DAY_2);
    await ingest(scene);
    const before = await scene.json('datasets/d/current/manifest.json');

    let mark = scene.traffic.requests.length;
    expect(await ingest(scene)).toMatchObject({
      status: 'SUCCESS',
      files: { discovered: 2, succeeded: 0, skipped: 2 },
    });
    expect(bodiesRead(mark)).toBe(0);
    expect(await scene.json('datasets/d/current/manifest.json')).toEqual(before);

    await scene.put('raw/b.csv', DAY_2.replace('7', '70'));
    mark = scene.traffic.requests.length;
    expect(await ingest(scene)).toMatchObject({ files: { discovered: 2, succeeded: 1, skipped: 1 } });
    expect(bodiesRead(mark)).toBe(1);
    expect(lines(await datasetRows(scene)).filter((line) => line.includes('02-02'))).toEqual([
      'T_MAX 2026-02-02 70',
      'T_MIN 2026-02-02 0.25',
    ]);

    await scene.remove('raw/a.csv');
    mark = scene.traffic.requests.length;
    const gone = await ingest(scene);
    expect(gone).toMatchObject({
      status: 'SUCCESS',
      files: { discovered: 1, succeeded: 0, skipped: 1, missing: 1 },
    });
    expect(bodiesRead(mark)).toBe(0);
    expect(lines(await datasetRows(scene))).toHaveLength(6);

    mark = scene.traffic.requests.length;
    const forced = await ingest(scene, { options: { force: true } });
    expect(forced).toMatchObject({ files: { discovered: 1, succeeded: 1 } });
    expect(bodiesRead(mark)).toBe(1);
    expect(lines(await datasetRows(scene))).toHaveLength(6);
  });

  test('lets a bad file fail alone, with its row and column, and takes it when it is mended', async () => {
    await scene.worker({ DATABASE_URL: url });
    await scene.put('raw/a.csv', DAY_1);
    await scene.put('raw/b.csv', DAY_2.replace('0.25', 'warm'));
    const partial = await ingest(scene);
    const file = `s3://${scene.resources.bucket}/raw/b.csv`;
    expect(partial).toMatchObject({
      status: 'PARTIAL',
      files: { discovered: 2, succeeded: 1, failed: 1 },
      failures: [{ file, error: 'row 2, column "min": "warm" is no number' }],
    });
    expect(lines(await datasetRows(scene))).toHaveLength(4);
    expect(
      (await files()).map(({ status, error_type, error_message }) => [status, error_type, error_message]),
    ).toEqual([
      ['SUCCESS', null, null],
      ['FAILED', 'INPUT_READ_ERROR', 'row 2, column "min": "warm" is no number'],
    ]);
    await scene.put('raw/b.csv', DAY_2);
    expect(await ingest(scene)).toMatchObject({ status: 'SUCCESS', files: { succeeded: 1, skipped: 1 } });
    expect(lines(await datasetRows(scene))).toHaveLength(6);
    const log = await ledger.run('read', (db) =>
      db.selectFrom('load_log').select('status').orderBy('id').execute(),
    );
    expect(log.map(({ status }) => status).toSorted()).toEqual(['failed', 'success', 'success']);
  });

  test('keeps bad rows within the allowance beside the dataset', async () => {
    await scene.worker({ DATABASE_URL: url });
    await scene.put('raw/a.csv', `${DAY_1}2026-02-03,x,1\n2026-02-04,1\n2026-13-01,1,2\n2026-02-05,1,2\n`);
    expect(await ingest(scene, { options: { maxBadRows: 3 } })).toMatchObject({ status: 'SUCCESS', rows: 6 });
    const [key = ''] = await scene.keys('datasets/d/bad-rows/');
    const kept = Buffer.from(await scene.get(key))
      .toString()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(kept.map(({ row, column, reason }) => [row, column, reason])).toEqual([
      [4, 'max', 'number'],
      [5, 'max', 'columns'],
      [6, 'date', 'time'],
    ]);
  });

  test.each(['**/year=*/**', '**/*[0-9a-f].{csv,jsonl,parquet}', '**/{a,manifest}.*'])(
    'never takes what it wrote for a source: %s',
    async (glob) => {
      await scene.worker({ DATABASE_URL: url });
      await scene.put('data/year=2026/a.csv', `${DAY_1}2026-02-03,x,1\n`);
      // What lies below the base and is not the dataset's is a source like any other.
      await scene.put('data/out/raw/year=2026/a.csv', DAY_2);
      const parts = {
        source: { prefix: 'data/', glob },
        target: { basePath: 'data/out/' },
        options: { maxBadRows: 1 },
      };
      expect(await ingest(scene, parts)).toMatchObject({ files: { discovered: 2, succeeded: 2 }, rows: 6 });
      const written = await scene.keys('data/out/');
      for (const kind of ['projections/T_MAX/year=', 'bad-rows/', 'current/manifest.json']) {
        expect(written).toContainEqual(expect.stringContaining(`data/out/${kind}`));
      }
      await scene.put('data/out/keep-it/manifest.json', await scene.get('data/out/current/manifest.json'));
      expect(await ingest(scene, parts)).toMatchObject({
        status: 'SUCCESS',
        files: { discovered: 2, succeeded: 0, skipped: 2, missing: 0 },
      });
    },
  );

  test('takes long files, packed files and codes of all sorts', async () => {
    await scene.worker({ DATABASE_URL: url });
    const { gzipSync, zstdCompressSync } = await import('node:zlib');
    await scene.put(
      'raw/a.csv.gz',
      gzipSync('time,series,value\n2026-01-01T06:00:00+01:00,A,1\n2026-01-01,B/../ü 😀,2\n'),
    );
    await scene.put(
      'raw/b.jsonl.zst',
      zstdCompressSync(
        '{"time":"2026-01-02","series":"A","value":3}\n{"time":"2026-01-02","series":"c","value":null}\n',
      ),
    );
    const mapping = { ...LONG, codes: { c: 'SEA' } };
    expect(await ingest(scene, { mapping })).toMatchObject({ status: 'SUCCESS', rows: 4 });
    expect(lines(await datasetRows(scene))).toEqual([
      'A 2026-01-01 05:00:00 1',
      'A 2026-01-02 3',
      'B/../ü 😀 2026-01-01 2',
      'SEA 2026-01-02 null',
    ]);
    const expression = { op: 'add', left: { series_code: 'B/../ü 😀' }, right: { series_code: 'A' } };
    await scene.send(plainRequest({ runId: 'odd', expressionJson: expression }));
    expect(await scene.events.completed('odd')).toMatchObject({ status: 'SUCCESS', rowCount: 3 });
  });
});

describe('without a database', () => {
  test('an ingest request is refused and says why; the worker serves the others', async () => {
    await scene.worker();
    const refused = await ingest(scene);
    expect(refused).toMatchObject({
      status: 'FAILURE',
      error: { code: 'CONFIG_ERROR', message: expect.stringContaining('DATABASE_URL is not set') },
    });
    await scene.dataset('d', { A: [[0, 1]], B: [[0, 2]] });
    await scene.send(plainRequest({ runId: 'r' }));
    expect(await scene.events.completed('r')).toMatchObject({ status: 'SUCCESS' });
  });

  test('each wrong field of a request is named', async () => {
    await scene.worker({ DATABASE_URL: url });
    const cases: [Parameters<typeof ingest>[1], RegExp][] = [
      [
        { source: { prefix: 's3://elsewhere/raw/' } },
        /source\.prefix: the bucket "elsewhere" is not allowed/,
      ],
      [{ source: { prefix: 'raw/../x/' } }, /source\.prefix: must not hold the segment/],
      [{ source: { glob: '[' } }, /source\.glob: has a \[/],
      [{ mapping: { layout: 'tall' } }, /mapping/],
      [{ mapping: { layout: 'wide', time: 't', values: {} } }, /mapping\.values: must name a column/],
      [{ read: { timeZone: 'Mars/Base' } }, /read\.timeZone: must be an IANA time zone/],
      [{ options: { maxBadRows: -1 } }, /options\.maxBadRows/],
      [{ source: { prefix: 'datasets/' }, target: { datasetId: 'd' } }, /would ingest its own output/],
      [{ source: { prefix: 'datasets/d/projections/A/' } }, /source\.prefix: lies within what is written/],
      [{ source: { prefix: 'datasets/d/bad-rows/', glob: '*.jsonl' } }, /would ingest its own output/],
    ];
    for (const [parts, message] of cases) {
      const refused = await ingest(scene, parts);
      expect(refused).toMatchObject({
        status: 'FAILURE',
        error: { code: 'CONFIG_ERROR', message: expect.stringMatching(message) },
      });
    }
  });
});
