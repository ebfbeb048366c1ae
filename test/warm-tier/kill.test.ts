/**
 * `kill -9` before and after every request that changes something, of an upload and of the compaction that
 * it asks for: another worker takes it up, and the month is as it would have been. The steps are recorded
 * from a month in peace: an eighth slot arrives, seven are merged with it, and a superseded file is due.
 */

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { manifestKey, type TierMonth, warmFolder } from '../../src/contract/tier-keys.ts';
import { serializeManifest } from '../../src/contract/warm-manifest.ts';
import { type Crew, startCrew } from '../support/crew.ts';
import { openRig } from '../support/rig.ts';
import {
  hotKey,
  type JsonRow,
  namedKeys,
  queryFiles,
  readWarm,
  rowsOfSlot,
  slotTime,
  uploadRequest,
} from '../support/tiers.ts';
import type { Step } from '../support/traffic.ts';
import { DROPPED } from '../support/traffic.ts';

const SETTINGS = {
  WORKER_CONCURRENCY: '1',
  WORKER_THREADS: '1',
  WORKER_VISIBILITY_TIMEOUT_SECONDS: '3',
  WORKER_RETRY_FIRST_SECONDS: '0',
  WORKER_HEARTBEAT_ENABLED: 'false',
  WARM_READER_GRACE_SECONDS: '900',
};
const CREW = 3;
const ROWS = 5;
const CHANGES = new Set(['PutObject', 'DeleteObject', 'SendMessage', 'Publish', 'DeleteMessage']);
/** The slots of a month: late enough that the month before is not swept. */
const FIRST = 1_000;
const LAST = FIRST + 7;
const DUE = 'L1_0000_00900-00907.parquet';

const rig = await openRig();
const scene = await rig.scene({ visibilityTimeout: 3, maxReceiveCount: 8 });
const { traffic } = scene;

/** Month `n` from January 2000 on. */
const monthOf = (n: number): TierMonth => ({ year: 2000 + Math.floor(n / 12), month: (n % 12) + 1 });
const pathOf = ({ year, month }: TierMonth) => `${year}/${String(month).padStart(2, '0')}`;

function requestFor(month: TierMonth, slot: number, id: string, more: JsonRow = {}) {
  const rows = rowsOfSlot(slot, ROWS, month);
  return uploadRequest(id, slot, { timestamp: slotTime(slot, month), changed: { rows }, ...more });
}

/** A hot file's bytes, made by a worker once; months share them under keys of their own. */
let hotBytes: Uint8Array;

/** A month with seven hot files, and a superseded file that is due. */
async function prepare(month: TierMonth): Promise<void> {
  const slots = Array.from({ length: 7 }, (_, i) => FIRST + i);
  for (const slot of slots) await scene.put(hotKey(slot, month), hotBytes);
  const due = `${warmFolder('', 'aws', month)}/${DUE}`;
  await scene.put(due, hotBytes);
  const unknown = { rows: ROWS, bytes: hotBytes.length, minTime: null, maxTime: null };
  const manifest = serializeManifest({
    m: 8,
    provider: 'aws',
    ...month,
    keyColumns: ['InstanceType', 'Region', 'AZ'],
    nextFileId: 1,
    lastHotIndex: 6,
    revision: 7,
    levels: [slots.map((slot, i) => ({ file: hotKey(slot, month), hotRange: [i, i], ...unknown }))],
    processed: [[FIRST, LAST - 1]],
    pending: [{ key: due, notBefore: 0 }],
    answered: [],
    lastUpdated: 0,
  });
  await scene.put(manifestKey('', 'aws', month), manifest);
}

interface StepName {
  readonly month: string;
  readonly name: string;
}

/** What each worker is at: the month and the request that it was last seen to look at. */
class Reader {
  readonly #at = new Map<string, { month: string; job: string }>();
  readonly #seen = new Map<string, number>();
  readonly #names = new Map<number, StepName>();

  read({ when, request, worker = '' }: Step): StepName | undefined {
    const month = /(?:parquet_cp_hot\/aws|m8)\/(\d{4}\/\d\d)\//.exec(request.key ?? '')?.[1];
    const before = this.#at.get(worker);
    if (when === 'before' && month !== undefined && request.operation !== 'ListObjectsV2') {
      const isHot = request.key!.startsWith('parquet_cp_hot');
      const job = before?.month === month ? before.job : isHot ? 'upload' : 'compaction';
      this.#at.set(worker, { month, job });
    }
    const at = this.#at.get(worker);
    if (at === undefined || !CHANGES.has(request.operation)) return undefined;
    if (when === 'before') {
      const type = request.operation === 'Publish' ? JSON.parse(request.body?.message ?? '{}').type : '';
      const file = (request.key ?? '').replace(/^.*\//, '').replace(/^L1_.*907.*/, 'due');
      const label = `${at.job}: ${request.operation} ${type}${file}`.trim();
      const count = (this.#seen.get(`${worker} ${at.month} ${label}`) ?? 0) + 1;
      this.#seen.set(`${worker} ${at.month} ${label}`, count);
      this.#names.set(request.seq, { month: at.month, name: `${label} #${count}` });
    }
    const name = this.#names.get(request.seq);
    if (request.operation === 'DeleteMessage' && when === 'after') this.#at.delete(worker);
    return name;
  }
}

const PEACE = monthOf(0);

async function record(): Promise<string[]> {
  const template = monthOf(500);
  const worker = await scene.worker(SETTINGS);
  await scene.send(requestFor(template, FIRST, 'template'), { group: 'template', deduplication: 'template' });
  await scene.events.next('template', 'hot_upload_completed');
  hotBytes = await scene.get(hotKey(FIRST, template));
  await scene.drained();
  await prepare(PEACE);
  const reader = new Reader();
  const steps: string[] = [];
  const remove = traffic.add((step) => {
    const read = reader.read(step);
    if (read !== undefined && step.when === 'before') steps.push(read.name);
  });
  await scene.send(requestFor(PEACE, LAST, 'peace', { compact: true }), {
    group: 'hot',
    deduplication: 'peace',
  });
  const { body } = await scene.events.next('peace:compaction', 'compaction_completed');
  expect(body).toMatchObject({ status: 'SUCCESS', outcome: 'compacted' });
  await scene.drained();
  await worker.stop();
  remove();
  return steps;
}

const recorded = await record();
const kills = recorded.flatMap((step, i) =>
  (['before', 'after'] as const).map((when, j) => {
    const month = monthOf(1 + i * 2 + j);
    return { id: `kill-${i}-${when}`, month, path: pathOf(month), when, step };
  }),
);
const executed = new Set<string>();
let crew: Crew;

beforeAll(async () => {
  for (const { month } of kills) await prepare(month);
  const reader = new Reader();
  traffic.add((step) => {
    const read = reader.read(step);
    const kill = kills.find(({ path }) => path === read?.month);
    if (kill === undefined || executed.has(kill.id)) return undefined;
    if (kill.when !== step.when || kill.step !== read?.name) return undefined;
    executed.add(kill.id);
    crew.kill(step.worker ?? '');
    return DROPPED;
  });
  for (const { id, month } of kills) {
    const request = requestFor(month, LAST, id, { compact: true });
    await scene.send(request, { group: id, deduplication: id });
  }
  crew = await startCrew(scene, CREW, SETTINGS);
  const patience = { timeoutMs: 160_000 };
  for (const { id } of kills) {
    await scene.events.next(id, 'hot_upload_completed', patience);
    await scene.events.next(`${id}:compaction`, 'compaction_completed', patience);
  }
  await scene.drained(60_000);
}, 240_000);

afterAll(async () => {
  await crew?.stop();
  await rig.close();
});

test('the recorded steps are those that an upload and a compaction are known to have', () => {
  expect(recorded).toEqual([
    'upload: Publish hot_upload_started #1',
    'upload: PutObject 22-40.parquet #1'.replace('22-40', hotKey(LAST).slice(-13, -8)),
    'upload: SendMessage #1',
    'upload: Publish hot_upload_completed #1',
    'upload: DeleteMessage #1',
    'compaction: Publish compaction_started #1',
    'compaction: PutObject L1_0001_00000-00007.parquet #1',
    'compaction: DeleteObject due #1',
    'compaction: PutObject manifest.json #1',
    'compaction: Publish compaction_completed #1',
    'compaction: DeleteMessage #1',
  ]);
});

describe('a worker is killed', () => {
  test.each(kills)('$when $step', async ({ id, month }) => {
    expect(executed.has(id)).toBe(true);
    const uploads = scene.events.of(id, 'hot_upload_completed').map(({ body }) => body);
    expect(uploads).toEqual(uploads.map(() => uploads[0]));
    expect(uploads[0]).toMatchObject({ status: 'SUCCESS', outcome: 'uploaded', rows: ROWS });
    const compactions = scene.events.of(`${id}:compaction`, 'compaction_completed').map(({ body }) => body);
    expect(compactions).toEqual(compactions.map(() => compactions[0]));
    expect(compactions[0]).toMatchObject({ status: 'SUCCESS', outcome: 'compacted', levels: [0, 1] });
    const manifest = (await readWarm(scene, month))!;
    const folder = warmFolder('', 'aws', month);
    const named = namedKeys(manifest);
    expect(named).toHaveLength(1);
    expect(manifest).toMatchObject({ processed: [[FIRST, LAST]], pending: [], lastHotIndex: 7 });
    const there = (await scene.keys(`${folder}/`)).filter((key) => key.endsWith('.parquet'));
    // What a killed worker had written and not committed is an orphan, and at most one.
    expect(there.length).toBeLessThanOrEqual(2);
    expect(there).toContain(named[0]);
    expect(there).not.toContain(`${folder}/${DUE}`);
    const [counted] = await queryFiles(scene, named, 'SELECT count(*)::INT AS rows FROM {files}');
    // Seven of the eight files are one, under seven keys: its rows are there once.
    expect(counted).toEqual({ rows: 2 * ROWS });
  });

  test('and no message is lost or left', async () => {
    expect(await scene.queued()).toEqual({ waiting: 0, inFlight: 0 });
    expect(await scene.deadLetter(0)).toBeUndefined();
    // One worker may be at two of the steps when it is killed.
    expect(executed.size).toBe(kills.length);
    expect(crew.killed).toBeGreaterThan(kills.length / 2);
  });
});
