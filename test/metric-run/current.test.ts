/** Versions and the alias: no version is given twice, and `current` never goes back. */

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { systemClock, versionStamp } from '../../src/common/clock.ts';
import type { Row } from '../support/conformance-cases.ts';
import { plainRequest } from '../support/metric-requests.ts';
import { openRig, type Rig } from '../support/rig.ts';
import type { Scene } from '../support/scene.ts';
import { INTERNAL } from '../support/traffic.ts';

const ROWS: Row[] = [
  [0, 1],
  [86_400_000_000, 2],
];

let rig: Rig;
let scene: Scene;

beforeAll(async () => {
  rig = await openRig();
  scene = await rig.scene();
  await scene.dataset('d', { A: ROWS, B: ROWS });
  await Promise.all([1, 2].map(() => scene.worker({ WORKER_CONCURRENCY: '4', WORKER_THREADS: '4' })));
});

afterAll(() => rig.close());

/** Runs of one metric, in groups of their own, so that they are under way at once. */
async function send(metricCode: string, ...runIds: string[]): Promise<void> {
  for (const runId of runIds) await scene.send(plainRequest({ runId, metricCode }), { group: runId });
}

async function versionsOf(...runIds: string[]): Promise<string[]> {
  const all = await Promise.all(runIds.map((runId) => scene.events.completed(runId)));
  expect(all.map(({ status }) => status)).toEqual(runIds.map(() => 'SUCCESS'));
  return all.map(({ versionTs }) => String(versionTs));
}

const current = async (metricCode: string) => {
  const { run_id, version_ts } = await scene.json(`metrics/${metricCode}/current/manifest.json`);
  return { run_id, version_ts };
};

/** The versions of a metric, each of which must be whole. */
async function wholeVersions(metricCode: string): Promise<string[]> {
  const base = `metrics/${metricCode}/`;
  const keys = (await scene.keys(base)).map((key) => key.slice(base.length));
  const versions = new Set(keys.filter((key) => /^\d/.test(key)).map((key) => key.split('/')[0]!));
  for (const version of versions) {
    expect(keys).toContain(`${version}/data/metrics.parquet`);
    expect(keys).toContain(`${version}/manifest.json`);
  }
  return [...versions];
}

test('runs of the same second get versions of their own, and current points to the newest', async () => {
  const runIds = Array.from({ length: 8 }, (_, i) => `crowd-${i}`);
  await send('crowd', ...runIds);
  const versions = await versionsOf(...runIds);
  await scene.drained();
  expect(new Set(versions).size).toBe(runIds.length);
  expect(await wholeVersions('crowd')).toEqual(versions.toSorted());
  const newest = versions.toSorted().at(-1);
  expect(await current('crowd')).toEqual({
    run_id: runIds[versions.indexOf(newest!)],
    version_ts: newest,
  });
});

test('a version that others take between the listing and the write is passed by', async () => {
  const hold = scene.traffic.hold({ operation: 'PutObject', key: /^metrics\/taken\/.*parquet$/ });
  await send('taken', 'taken-1', 'taken-2', 'taken-3');
  await hold.come(3);
  const wanted = hold.held.map(({ request }) => request.key);
  hold.release();
  const versions = await versionsOf('taken-1', 'taken-2', 'taken-3');
  expect(new Set(wanted).size).toBeLessThan(3);
  expect(new Set(versions).size).toBe(3);
  expect(await wholeVersions('taken')).toEqual(versions.toSorted());
});

test('a version that is there already, in whatever part, is not touched', async () => {
  const now = systemClock.now();
  const there = Array.from({ length: 20 }, (_, i) => versionStamp(now + i * 1000));
  for (const [i, version] of there.entries()) {
    await scene.put(`metrics/there/${version}/${i % 2 === 0 ? 'manifest.json' : 'data/other.txt'}`, 'theirs');
  }
  await send('there', 'there-1');
  const [version] = await versionsOf('there-1');
  expect(there).not.toContain(version);
  expect(Buffer.from(await scene.get(`metrics/there/${there[0]}/manifest.json`)).toString()).toBe('theirs');
});

describe('current never goes back', () => {
  test('when an older run is finished after a newer one', async () => {
    const old = scene.traffic.hold({ operation: 'PutObject', key: /^metrics\/late\/runs\/late-old\.ok$/ });
    await send('late', 'late-old');
    await old.come(1);
    await systemClock.sleep(1_000);
    await send('late', 'late-new');
    const [newer] = await versionsOf('late-new');
    old.release();
    const [older] = await versionsOf('late-old');
    expect(older! < newer!).toBe(true);
    expect(await current('late')).toEqual({ run_id: 'late-new', version_ts: newer });
    expect(await wholeVersions('late')).toEqual([older, newer]);
  });

  test('when an older run looked at it before a newer one replaced it', async () => {
    await send('race', 'race-0');
    await versionsOf('race-0');
    await systemClock.sleep(1_000);
    const old = scene.traffic.hold({ operation: 'PutObject', key: /^metrics\/race\/current/ });
    await send('race', 'race-old');
    await old.come(1);
    await systemClock.sleep(1_000);
    // Held too, the newer one comes first when both are let go; the older one meets its ETag.
    await send('race', 'race-new');
    await old.come(2);
    old.release();
    const [older, newer] = await versionsOf('race-old', 'race-new');
    await scene.drained();
    expect(older! < newer!).toBe(true);
    expect(await current('race')).toEqual({ run_id: 'race-new', version_ts: newer });
  });

  test('when two first runs create it at once', async () => {
    const both = scene.traffic.hold({ operation: 'PutObject', key: /^metrics\/first\/current/ });
    await send('first', 'first-a');
    await both.come(1);
    await send('first', 'first-b');
    await both.come(2);
    both.release();
    const versions = await versionsOf('first-a', 'first-b');
    expect((await current('first')).version_ts).toBe(versions.toSorted().at(-1));
  });

  test('when a done run is asked for again', async () => {
    await send('done', 'done-old');
    const [older] = await versionsOf('done-old');
    await systemClock.sleep(1_000);
    await send('done', 'done-new');
    const [newer] = await versionsOf('done-new');
    await scene.send(plainRequest({ runId: 'done-old', metricCode: 'done' }), { deduplication: 'again' });
    expect(await scene.events.completed('done-old', { count: 2 })).toMatchObject({ versionTs: older });
    await scene.drained();
    expect(await current('done')).toEqual({ run_id: 'done-new', version_ts: newer });
  });
});

describe('current is put right', () => {
  test('by a done run that is asked for again, when it was lost', async () => {
    await send('lost', 'lost-1');
    const [version] = await versionsOf('lost-1');
    await scene.remove('metrics/lost/current/manifest.json');
    await scene.send(plainRequest({ runId: 'lost-1', metricCode: 'lost' }), { deduplication: 'lost-again' });
    await scene.events.completed('lost-1', { count: 2 });
    expect(await current('lost')).toEqual({ run_id: 'lost-1', version_ts: version });
  });

  test('by the next run, when it holds what is no manifest', async () => {
    await scene.put('metrics/spoilt/current/manifest.json', 'spoilt');
    await send('spoilt', 'spoilt-1');
    const [version] = await versionsOf('spoilt-1');
    expect(await current('spoilt')).toEqual({ run_id: 'spoilt-1', version_ts: version });
  });

  test('but never where it is the manifest of a dataset: the run is refused and writes nothing', async () => {
    await scene.dataset('kept', { A: ROWS });
    const before = await scene.keys('datasets/kept/');
    const manifest = await scene.get('datasets/kept/current/manifest.json');
    await scene.send(plainRequest({ runId: 'over', metricCode: 'over', basePath: 'datasets/kept' }));
    expect(await scene.events.completed('over')).toMatchObject({
      status: 'FAILURE',
      error: expect.stringContaining("CONFIG_ERROR: output.basePath: must not be a dataset's"),
    });
    expect(await scene.keys('datasets/kept/')).toEqual(before);
    expect(await scene.get('datasets/kept/current/manifest.json')).toEqual(manifest);
  });

  test('by the next attempt, when S3 failed just then', async () => {
    const fault = scene.traffic.fault(
      { operation: 'PutObject', key: /^metrics\/shaky\/current/ },
      INTERNAL,
      4,
    );
    await send('shaky', 'shaky-1');
    const [version] = await versionsOf('shaky-1');
    expect(fault.count).toBe(4);
    expect(await current('shaky')).toEqual({ run_id: 'shaky-1', version_ts: version });
    expect(await wholeVersions('shaky')).toEqual([version]);
  });
});

test('an answered run whose version people removed points nowhere, and says what it did', async () => {
  await send('gone', 'gone-1');
  const [version] = await versionsOf('gone-1');
  for (const key of await scene.keys('metrics/gone/')) if (!key.endsWith('.ok')) await scene.remove(key);
  await scene.send(plainRequest({ runId: 'gone-1', metricCode: 'gone' }), { deduplication: 'gone-again' });
  expect(await scene.events.completed('gone-1', { count: 2 })).toMatchObject({ versionTs: version });
  expect(await scene.keys('metrics/gone/')).toEqual(['metrics/gone/runs/gone-1.ok']);
});

test('a marker that is none is a failure that may pass, and is left as it is', async () => {
  const short = await rig.scene({ maxReceiveCount: 1 });
  await short.dataset('d', { A: ROWS, B: ROWS });
  await short.put('metrics/delta.a_b/runs/odd.ok', 'spoilt');
  await short.worker();
  await short.send(plainRequest({ runId: 'odd' }));
  expect(await short.events.completed('odd')).toMatchObject({
    status: 'FAILURE',
    error: expect.stringMatching(/^OUTPUT_WRITE_ERROR: .*odd\.ok is no run marker/),
  });
  expect(await short.keys('metrics/')).toEqual(['metrics/delta.a_b/runs/odd.ok']);
});
