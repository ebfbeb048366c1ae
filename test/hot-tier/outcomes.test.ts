/** What becomes of uploads and compactions, through a real worker: outcomes, conflicts, requests that fail. */

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { openRig, type Rig } from '../support/rig.ts';
import type { Scene } from '../support/scene.ts';
import {
  compactionRequest,
  hotKey,
  type JsonRow,
  namedKeys,
  queryFiles,
  readWarm,
  rowsOfSlot,
  uploadRequest,
} from '../support/tiers.ts';
import type { WorkerProcess } from '../support/worker-process.ts';

let rig: Rig;
let scene: Scene;
let worker: WorkerProcess;
let sent = 0;

beforeAll(async () => {
  rig = await openRig();
  scene = await rig.scene();
  worker = await scene.worker({ WARM_READER_GRACE_SECONDS: '900' });
});

afterAll(() => rig.close());

/** Sends a request; its completed event. */
async function ask(request: JsonRow): Promise<JsonRow> {
  const id = String(request.requestId);
  const family = String(request.type).replace('_requested', '');
  const type = `${family}_completed`;
  const count = scene.events.of(id, type).length + 1;
  await scene.send(request, { group: 'tiers', deduplication: `d${++sent}` });
  return (await scene.events.next(id, type, { count })).body;
}

describe('an upload', () => {
  test('writes the slot once; the same request again is answered, the same rows again are unchanged', async () => {
    const request = uploadRequest('first', 0);
    const key = hotKey(0);
    const done = await ask(request);
    expect(done).toMatchObject({ status: 'SUCCESS', outcome: 'uploaded', provider: 'aws', key, rows: 3 });
    const stored = await scene.get(key);
    expect(done.bytes).toBe(stored.length);

    expect(await ask(request)).toEqual(done);
    expect(scene.events.of('first', 'hot_upload_started')).toHaveLength(1);
    const again = await ask(uploadRequest('second', 0));
    expect(again).toMatchObject({ outcome: 'unchanged', key, rows: 3, bytes: stored.length });
    const shuffled = { rows: rowsOfSlot(0, 3).toReversed() };
    expect(await ask(uploadRequest('third', 0, { changed: shuffled }))).toMatchObject({
      outcome: 'unchanged',
    });
    expect(Buffer.compare(await scene.get(key), stored)).toBe(0);
  });

  test('of other rows is a conflict, or skipped, and leaves the stored file as it is', async () => {
    await ask(uploadRequest('c1', 1));
    const stored = await scene.get(hotKey(1));
    const other = { changed: { rows: rowsOfSlot(2, 3) } };
    expect(await ask(uploadRequest('c2', 1, other))).toMatchObject({
      status: 'FAILURE',
      error: { code: 'HOT_SLOT_CONFLICT', message: expect.stringContaining(hotKey(1)) },
    });
    const fewer = { changed: { rows: rowsOfSlot(1, 2) }, onConflict: 'skip' };
    expect(await ask(uploadRequest('c3', 1, fewer))).toMatchObject({ outcome: 'skipped', rows: 2 });
    expect(Buffer.compare(await scene.get(hotKey(1)), stored)).toBe(0);
  });

  test('without rows is empty, and writes nothing', async () => {
    const empty = { changed: { rows: [] }, compact: true };
    expect(await ask(uploadRequest('e', 2, empty))).toMatchObject({ outcome: 'empty', rows: 0, bytes: 0 });
    expect(await scene.keys(hotKey(2))).toEqual([]);
    expect(scene.events.of('e:compaction')).toEqual([]);
    await scene.put('staging/none.jsonl', Buffer.alloc(0));
    const changed = { uri: `s3://${scene.resources.bucket}/staging/none.jsonl` };
    expect(await ask(uploadRequest('e2', 2, { changed }))).toMatchObject({ outcome: 'empty', rows: 0 });
  });

  test('that asks for it is compacted, once, however often it is sent', async () => {
    const request = uploadRequest('asks', 3, { compact: true });
    await ask(request);
    const { body } = await scene.events.next('asks:compaction', 'compaction_completed');
    expect(body).toMatchObject({ status: 'SUCCESS', outcome: 'added', added: [hotKey(3)], levels: [1] });
    await ask(request);
    await scene.drained();
    expect((await readWarm(scene))?.levels).toMatchObject([[{ file: hotKey(3), rows: 3 }]]);
  });

  test('of a slot that was merged and whose file has expired is closed', async () => {
    await scene.remove(hotKey(3));
    expect(await ask(uploadRequest('late', 3))).toMatchObject({
      status: 'FAILURE',
      error: { code: 'HOT_SLOT_CLOSED' },
    });
    expect(await scene.keys(hotKey(3))).toEqual([]);
  });
});

describe('a compaction', () => {
  test('of eight slots makes one file of the next level, which a reader finds by the manifest', async () => {
    const month = { year: 2026, month: 2 };
    const at = (slot: number) => ({
      timestamp: new Date(Date.UTC(2026, 1, 1, 0, slot * 10)).toISOString(),
      changed: { rows: rowsOfSlot(slot, 5, month) },
    });
    for (let slot = 0; slot < 8; slot++) await ask(uploadRequest(`feb-${slot}`, 0, at(slot)));
    const slots = Array.from({ length: 7 }, (_, slot) => slot);
    for (const slot of slots) {
      const one = await ask(compactionRequest(`fc-${slot}`, { hotKey: hotKey(slot, month) }));
      expect(one).toMatchObject({ outcome: 'added', levels: [slot + 1] });
    }
    const last = await ask(compactionRequest('fc-7', { hotKey: hotKey(7, month) }));
    const warm = 'parquet_warm/aws/m8/2026/02';
    const key = `${warm}/L1_0000_00000-00007.parquet`;
    expect(last).toMatchObject({
      outcome: 'compacted',
      manifests: [{ key: `${warm}/manifest.json`, revision: 8 }],
      written: [{ key, level: 1, rows: 40, bytes: (await scene.get(key)).length }],
      levels: [0, 1],
    });
    const manifest = (await readWarm(scene, month))!;
    expect(namedKeys(manifest)).toEqual([key]);
    const [counted] = await queryFiles(
      scene,
      namedKeys(manifest),
      'SELECT count(*)::INT AS rows, count(DISTINCT (InstanceType, Region, AZ, "Time"))::INT AS keys FROM {files}',
    );
    expect(counted).toEqual({ rows: 40, keys: 40 });
    expect(await ask(compactionRequest('again', { hotKey: hotKey(4, month) }))).toMatchObject({
      outcome: 'unchanged',
      manifests: [],
      levels: [0, 1],
    });
  });

  test('catches up with what no request named, and makes one file of a month on demand', async () => {
    const month = { year: 2026, month: 3 };
    const at = (slot: number) => ({
      timestamp: new Date(Date.UTC(2026, 2, 1, 0, slot * 10)).toISOString(),
      changed: { rows: rowsOfSlot(slot, 5, month) },
    });
    for (const slot of [0, 1, 5, 9]) await ask(uploadRequest(`mar-${slot}`, 0, at(slot)));
    const caught = await ask(compactionRequest('mc', { month: '2026-03', mode: 'catch_up' }));
    expect(caught).toMatchObject({ outcome: 'added', levels: [4] });
    expect(caught.added).toEqual([0, 1, 5, 9].map((slot) => hotKey(slot, month)));
    expect(await ask(compactionRequest('mc2', { month: '2026-03' }))).toMatchObject({ outcome: 'unchanged' });
    await ask(uploadRequest('mar-10', 0, at(10)));
    const full = await ask(compactionRequest('mf', { month: '2026-03', mode: 'full' }));
    expect(full).toMatchObject({ outcome: 'compacted', levels: [0, 1], written: [{ level: 1, rows: 25 }] });
  });

  test.each([
    [{ hotKey: hotKey(4_000) }, 'INPUT_READ_ERROR', 'does not exist'],
    [{ hotKey: 'parquet_cp_hot/aws/2026/01/23/14-25.parquet' }, 'CONFIG_ERROR', 'is no hot key of aws'],
    [{ hotKey: hotKey(0, undefined, 'gcp') }, 'CONFIG_ERROR', 'is no hot key of aws'],
    [{ month: '2026-13' }, 'CONFIG_ERROR', 'month'],
    [{ provider: 'ibm', month: '2026-01' }, 'CONFIG_ERROR', 'Unknown provider: ibm'],
  ])('of %j fails with %s', async (more, code, message) => {
    const failed = await ask(compactionRequest(`bad-${sent}`, more));
    expect(failed).toMatchObject({
      status: 'FAILURE',
      error: { code, message: expect.stringContaining(message) },
    });
  });
});

test('what was done is counted', async () => {
  const samples = await worker.metrics();
  expect(samples.get('tidemill_files_written_total{output="hot"}')).toBeGreaterThanOrEqual(12);
  expect(samples.get('tidemill_rows_written_total{output="warm_l1"}')).toBe(65);
});
