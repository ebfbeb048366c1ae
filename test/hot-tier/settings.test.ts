/** What a worker is set to for the tiers: topics, own providers, the test prefix, limits. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { environment } from '../../src/local/resources.ts';
import { openRig, type Rig } from '../support/rig.ts';
import { queryFiles, uploadRequest } from '../support/tiers.ts';
import { launch } from '../support/worker-process.ts';

let rig: Rig;
const directory = mkdtempSync(join(tmpdir(), 'tidemill-providers-'));
const providers = join(directory, 'providers.json');

beforeAll(async () => {
  rig = await openRig();
});

afterAll(async () => {
  rmSync(directory, { recursive: true });
  await rig.close();
});

test('with the topics of metric runs alone a worker starts, and takes no requests of the tiers and no ingest runs', async () => {
  const scene = await rig.scene({ maxReceiveCount: 3 });
  const topic = scene.resources.eventsTopicArn;
  const worker = await scene.worker({
    AWS_SNS_EVENTS_TOPIC_ARN: '',
    AWS_SNS_METRIC_RUN_STARTED_TOPIC_ARN: topic,
    AWS_SNS_METRIC_RUN_HEARTBEAT_TOPIC_ARN: topic,
    AWS_SNS_METRIC_RUN_COMPLETED_TOPIC_ARN: topic,
  });
  expect(await worker.logged('no requests of the tiers are taken')).toMatchObject({ level: 'warn' });
  const ingest = { type: 'ingest_run_requested', requestId: 'i', ingestionId: 'weather' };
  for (const request of [uploadRequest('u', 0), ingest]) {
    await scene.send(request, { group: 'g', deduplication: String(request.requestId) });
    const { attributes } = (await scene.deadLetter())!;
    expect(attributes).toMatchObject({
      reason: 'unknown_type',
      detail: expect.stringContaining(String(request.type)),
    });
  }
  await worker.stop();
});

test('own providers, the prefix of tests and the limit of rows', async () => {
  const own = { name: 'oracle', keyColumns: ['Shape'], values: { Price: 'float64', Rank: 'int64' } };
  writeFileSync(providers, JSON.stringify({ providers: [own] }));
  const scene = await rig.scene();
  const worker = await scene.worker({
    TIER_PROVIDERS_FILE: providers,
    TITANS_ENV: 'test',
    HOT_MAX_ROWS: '2',
  });
  const rows = ['b', 'a'].map((Shape) => ({ Shape, Time: '2026-01-01 00:00:00', Price: 0.5, AZ: 'dropped' }));
  const request = uploadRequest('own', 0, { provider: 'oracle', changed: { rows }, compact: true });
  await scene.send(request, { group: 'g', deduplication: 'own' });
  const key = 'test/parquet_cp_hot/oracle/2026/01/01/00-00.parquet';
  const { body } = await scene.events.next('own', 'hot_upload_completed');
  expect(body).toMatchObject({ status: 'SUCCESS', provider: 'oracle', key });
  const compacted = (await scene.events.next('own:compaction', 'compaction_completed')).body;
  expect(compacted).toMatchObject({
    outcome: 'added',
    manifests: [{ key: 'test/parquet_warm/oracle/m8/2026/01/manifest.json', revision: 1 }],
  });
  const [described, ...more] = await queryFiles(scene, [key], 'SELECT * FROM {files}');
  expect(Object.keys(described!)).toEqual(['Shape', 'Time', 'Price', 'Ceased']);
  expect(more).toMatchObject([{ Shape: 'b', Price: 0.5 }]);

  const third = { rows: [...rows, { ...rows[0], Shape: 'c' }] };
  await scene.send(uploadRequest('many', 1, { provider: 'oracle', changed: third }), {
    group: 'g',
    deduplication: 'm',
  });
  const refused = (await scene.events.next('many', 'hot_upload_completed')).body;
  expect(refused).toMatchObject({
    status: 'FAILURE',
    error: { code: 'INPUT_READ_ERROR', message: 'changed: more than 2 rows' },
  });
  await worker.stop();
});

test('a file of providers that is wrong keeps a worker from starting, and it says why', async () => {
  writeFileSync(providers, JSON.stringify({ providers: [{ name: 'Oracle!', keyColumns: [], values: {} }] }));
  const scene = await rig.scene();
  const settings = { ...environment(scene.resources), TIER_PROVIDERS_FILE: providers };
  const started = launch('wrong', settings);
  expect(await started.exit).toMatchObject({ code: 1 });
  expect(started.complaints()).toContain('TIER_PROVIDERS_FILE');
  expect(started.complaints()).toContain('providers[0].keyColumns: must name a column');
});
