/** What is beyond a limit is refused at once, by the limit's name, through a real worker that goes on. */

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Row } from '../support/conformance-cases.ts';
import { plainRequest } from '../support/metric-requests.ts';
import { parquetOf, seriesSql } from '../support/parquet.ts';
import { openRig, type Rig } from '../support/rig.ts';
import type { Scene } from '../support/scene.ts';
import { compactionRequest } from '../support/tiers.ts';

const DAY = 86_400_000_000;
const days = (count: number): Row[] => Array.from({ length: count }, (_, i) => [i * DAY, i]);
const LONG_MANIFEST = Buffer.alloc(64 * 1024 * 1024 + 1, ' ');

let rig: Rig;
let scene: Scene;

beforeAll(async () => {
  rig = await openRig();
  scene = await rig.scene({ maxReceiveCount: 3 });
  await scene.worker({ METRIC_MAX_INPUT_FILES: '3', METRIC_MAX_INPUT_ROWS: '20', METRIC_MAX_HELD_ROWS: '8' });
  await scene.dataset('few', { A: days(4), B: days(4) });
  await scene.dataset('held', { A: days(5), B: days(4) });
  await scene.dataset('files', { A: days(1), B: days(1) });
  await scene.manifest('files', {
    parquet_files: ['A/part.parquet', 'B/part.parquet', 'A/part.parquet', 'B/part.parquet'],
  });
  const both = `SELECT *, 'A' AS internal_series_code FROM (${seriesSql(days(11))}) UNION ALL SELECT *, 'B' FROM (${seriesSql(days(11))})`;
  await scene.put('datasets/rows/projections/all.parquet', await parquetOf(both));
  await scene.manifest('rows', { series_codes: ['A', 'B'], parquet_files: ['all.parquet'] });
  await scene.put('datasets/long/current/manifest.json', LONG_MANIFEST);
});

afterAll(() => rig.close());

test.each([
  ['files', 'CONFIG_ERROR: The inputs have 4 files or more; METRIC_MAX_INPUT_FILES allows 3'],
  ['held', 'CONFIG_ERROR: The inputs have 9 rows in memory at once; METRIC_MAX_HELD_ROWS allows 8'],
  ['rows', 'CONFIG_ERROR: The inputs have up to 22 rows; METRIC_MAX_INPUT_ROWS allows 20'],
  ['long', 'it has 67108865 bytes, and 67108864 are allowed'],
])('a run over the dataset %s', async (dataset, error) => {
  await scene.send(plainRequest({ runId: dataset, metricCode: dataset, inputs: { [dataset]: ['A', 'B'] } }));
  const completed = await scene.events.completed(dataset);
  expect(completed).toMatchObject({ status: 'FAILURE', error: expect.stringContaining(error) });
  await scene.drained();
  expect(await scene.keys(`metrics/${dataset}/`)).toEqual([]);
});

test('a compaction whose manifest has more bytes than are read as a whole', async () => {
  await scene.put('parquet_warm/aws/m8/2026/01/manifest.json', LONG_MANIFEST);
  const request = compactionRequest('long-month', { month: '2026-01', mode: 'catch_up' });
  await scene.send(request, { group: 'warm', deduplication: 'long-month' });
  expect((await scene.events.next('long-month', 'compaction_completed')).body).toMatchObject({
    status: 'FAILURE',
    error: { code: 'INPUT_READ_ERROR', message: expect.stringContaining('67108864 are allowed') },
  });
});

test('names and texts of hundreds of kilobytes, wherever they stand: an error that can be told, in an event that is', async () => {
  const long = 'x'.repeat(300_000);
  const requests = [
    plainRequest({ runId: 'long-1', inputs: { [long]: ['A'] } }),
    plainRequest({
      runId: 'long-2',
      expressionJson: { op: 'add', left: { seriesCode: long }, right: { seriesCode: 'B' } },
      inputs: { few: ['B'] },
    }),
    plainRequest({ runId: 'long-3', expressionType: long }),
    { ...plainRequest({ runId: 'long-4' }), catalog: { datasets: { [long]: { manifestPath: 5 } } } },
    { ...plainRequest({ runId: 'long-5' }), metricCode: long },
  ];
  for (const request of requests) {
    const id = String(request.runId);
    await scene.send(request, { group: id, deduplication: id });
    const completed = await scene.events.completed(id);
    expect(completed).toMatchObject({ status: 'FAILURE', error: expect.any(String) });
    expect(JSON.stringify(completed).length).toBeLessThan(6_000);
  }
});

test('what is just within the limits is carried out by the same worker', async () => {
  await scene.send(plainRequest({ runId: 'few', inputs: { few: ['A', 'B'] } }));
  expect(await scene.events.completed('few')).toMatchObject({ status: 'SUCCESS', rowCount: 4 });
});
