/**
 * Eight workers compact one month at once, at random, while files fall due under a reader that takes its
 * time: no row is lost or doubled, no file is named that is not there, none is left that no manifest lists.
 */

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { systemClock } from '../../src/common/clock.ts';
import { countSlots } from '../../src/contract/slot-ranges.ts';
import type { WarmManifest } from '../../src/contract/warm-manifest.ts';
import { closeDuckDb } from '../support/parquet.ts';
import { seededRandom } from '../support/random.ts';
import { bytesOf, identityOf, openTierLake, type TierLake } from '../support/tier-lake.ts';
import { hotKey, namedKeys, queryBytes, rowsOfSlot } from '../support/tiers.ts';

const SLOTS = 500;
const WORKERS = 8;
const ROWS = 3;
const GRACE_MS = 1_500;
const PAUSE_MS = 20;
/** How long the reader takes for the files of one manifest: nearly all of its grace. */
const READ_MS = 1_200;
/** So much later than planned, a file is still read within the grace. */
const LATE_MS = 200;
const random = seededRandom(31);

let tier: TierLake;
let manifest: WarmManifest;
let races = 0;
const outcomes = new Map<string, number>();
const missing: string[] = [];
const warnings: string[] = [];
let snapshots = 0;
let filesRead = 0;

/** The slots in an order all their own, each tenth of them once more. */
function shuffled(): number[] {
  const slots = Array.from({ length: SLOTS }, (_, slot) => slot);
  slots.push(...slots.filter((slot) => slot % 10 === 0));
  for (let i = slots.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [slots[i], slots[j]] = [slots[j]!, slots[i]!];
  }
  return slots;
}

async function work(waiting: number[]): Promise<void> {
  for (let slot = waiting.pop(); slot !== undefined; slot = waiting.pop()) {
    // 10 % are compacted late, by whoever catches up.
    if (slot % 10 === 7) continue;
    // As requests come from a queue: not all at one moment.
    await systemClock.sleep(random() * PAUSE_MS);
    const compacted = await tier.compact(slot, {
      // As in the product: the time that the manifest's PUT takes is the reader's too.
      readerGraceMs: 2 * GRACE_MS,
      maxRaces: 500,
      random,
      warn: (message) => warnings.push(message),
    });
    races += compacted.races;
    outcomes.set(compacted.outcome, (outcomes.get(compacted.outcome) ?? 0) + 1);
  }
}

/** Reads all files of a manifest, slowly, as long as it may. What a busy machine made it read later is not judged. */
async function read(): Promise<void> {
  const until = systemClock.monotonic() + READ_MS;
  const held = await tier.manifest();
  const keys = namedKeys(held).filter((key) => key.startsWith(tier.folder));
  for (const [i, key] of keys.entries()) {
    const left = until - systemClock.monotonic();
    await systemClock.sleep(Math.max(0, left / (keys.length - i)));
    const found = await tier.lake.store.get({ bucket: tier.bucket, key });
    if (systemClock.monotonic() > until + LATE_MS) continue;
    if (found === undefined) missing.push(`revision ${held.revision} names ${key}`);
    filesRead++;
  }
  snapshots++;
}

beforeAll(async () => {
  tier = await openTierLake();
  const uploads = Array.from({ length: SLOTS }, (_, slot) => slot);
  const upload = async () => {
    for (let slot = uploads.pop(); slot !== undefined; slot = uploads.pop()) {
      await tier.upload(slot, rowsOfSlot(slot, ROWS));
    }
  };
  await Promise.all(Array.from({ length: WORKERS }, upload));
  tier.faults();
  const waiting = shuffled();
  let working = true;
  const reading = Array.from({ length: 3 }, async (_, i) => {
    await systemClock.sleep((i * READ_MS) / 3);
    while (working) await read();
  });
  await Promise.all(Array.from({ length: WORKERS }, () => work(waiting)));
  await Promise.all([1, 2].map(() => tier.compact({ mode: 'catch_up' }, { readerGraceMs: GRACE_MS })));
  working = false;
  await Promise.all(reading);
  manifest = await tier.manifest();
}, 240_000);

afterAll(async () => {
  await tier.close();
  await closeDuckDb();
});

test('every row is there once', async () => {
  expect(countSlots(manifest.processed)).toBe(SLOTS);
  const files = await Promise.all(namedKeys(manifest).map((key) => bytesOf(tier, key)));
  const rows = await queryBytes(
    files,
    `SELECT concat_ws('|', InstanceType, Region, AZ, strftime("Time", '%Y-%m-%d %H:%M:%S')) AS id FROM {files}`,
  );
  const uploaded = Array.from({ length: SLOTS }, (_, slot) => rowsOfSlot(slot, ROWS).map(identityOf)).flat();
  expect(rows.map(({ id }) => String(id)).sort()).toEqual(uploaded.sort());
  const told = manifest.levels.flat().reduce((sum, { rows: count }) => sum + (count ?? Number.NaN), 0);
  expect(told).toBe(SLOTS * ROWS);
});

test('and no file is out of order', () => {
  expect(warnings).toEqual([]);
});

test('the levels are those that m = 8 arithmetic demands', () => {
  expect(manifest.levels.map((files) => files.length)).toEqual([4, 6, 7]);
  expect(manifest.lastHotIndex).toBe(SLOTS - 1);
  const ranges = manifest.levels.flat().map(({ hotRange }) => hotRange);
  const covered = ranges.flatMap(([first, last]) =>
    Array.from({ length: last - first + 1 }, (_, i) => first + i),
  );
  expect(covered.sort((a, b) => a - b)).toEqual(Array.from({ length: SLOTS }, (_, i) => i));
});

test('all files are there that are named, and no others but those that wait for their deletion', async () => {
  const named = namedKeys(manifest).filter((key) => key.startsWith(tier.folder));
  const pending = manifest.pending.map(({ key }) => key);
  const there = await tier.warmKeys();
  expect(named.filter((key) => !there.includes(key))).toEqual([]);
  expect(there.filter((key) => !named.includes(key) && !pending.includes(key))).toEqual([]);
  await systemClock.sleep(2 * GRACE_MS);
  await tier.compact({ mode: 'sweep' }, { readerGraceMs: GRACE_MS });
  expect((await tier.warmKeys()).sort()).toEqual(named.sort());
  for (const slot of [0, SLOTS - 1]) expect(await bytesOf(tier, hotKey(slot))).toBeDefined();
});

test('a reader finds all files of a manifest for as long as the grace lasts', () => {
  expect(missing).toEqual([]);
  expect(snapshots).toBeGreaterThan(3);
  expect(filesRead).toBeGreaterThan(50);
});

test('conflicts happen, and are counted', () => {
  expect(races).toBeGreaterThan(50);
  expect(tier.watched.conflicts.filter((operation) => operation === 'replace').length).toBeGreaterThan(50);
  expect(outcomes.get('added')! + outcomes.get('compacted')!).toBe(SLOTS * 0.9);
  expect(outcomes.get('unchanged')).toBe(SLOTS / 10);
});
