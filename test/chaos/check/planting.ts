/** How wrong facts are planted in the history made by hand, and that the right rule finds each. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Json } from './facts.ts';
import { check } from './index.ts';
import {
  DATA,
  hotKey,
  L1,
  MANIFEST,
  madeHistory,
  OUTPUT,
  openParquetMaker,
  type ParquetMaker,
  tierRows,
  WARM,
} from './made-history.ts';
import { type MadeHistory, Scribe } from './scribe.ts';

/** What is wrong, the rule that must find it (others may too), and how it comes about. */
export type Plant = readonly [
  what: string,
  rule: string,
  plant: (scribe: Scribe, parquet: ParquetMaker) => void | Promise<void>,
];

/** The tests of a suite: the good history passes, and each plant is found. */
export function testPlants(plants: readonly Plant[]): void {
  let directory: string;
  let good: MadeHistory;
  let parquet: ParquetMaker;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'tidemill-check-'));
    good = (await madeHistory(directory)).history;
    parquet = await openParquetMaker(directory);
  });

  afterAll(() => {
    parquet.close();
    rmSync(directory, { recursive: true, force: true });
  });

  test('a history in which everything is right passes', async () => {
    expect(await check(good)).toEqual([]);
  });

  test.each(plants)('%s is found by %s', async (_, rule, plant) => {
    const scribe = new Scribe(directory);
    Object.assign(scribe.history, structuredClone(good));
    // What is planted by new calls comes after all others.
    scribe.pause(100_000);
    await plant(scribe, parquet);
    const found = await check(scribe.history);
    expect(found.map((one) => one.rule)).toContain(rule);
  });
}

type Called = MadeHistory['calls'][number];
type Wanted = (call: Called) => boolean;

export const set = (target: object, values: Json): void => void Object.assign(target, values);

/** A call of an operation, with a text in its key or, where it has none, in its body. */
export const isCall =
  (operation: string, about: string): Wanted =>
  (call) =>
    call.operation === operation && (call.key ?? call.body ?? '').includes(about);

/** The write of a revision of the warm manifest. */
export const isRevision =
  (revision: number): Wanted =>
  (call) =>
    call.key === `${WARM}manifest.json` && call.body!.includes(`"revision":${revision},`);

/** An event of a request by a part of its type. */
export const isEvent =
  (type: string, id: string): Wanted =>
  (call) =>
    call.operation === 'Publish' && call.body!.includes(type) && call.body!.includes(`"${id}"`);

export const find = (history: MadeHistory, wanted: Wanted): Called => history.calls.find(wanted)!;

export function forget(history: MadeHistory, wanted: Wanted): void {
  history.calls = history.calls.filter((call) => !wanted(call));
}

/** Has the first call that fits come just before another. */
export function before(history: MadeHistory, first: Wanted, other: Wanted): void {
  const { at } = find(history, other);
  set(find(history, first), { at: at - 3, carriedOutAt: at - 2, endedAt: at - 1 });
}

/** The completed event of a request, as the subscriber has it. */
export const heard = (history: MadeHistory, id: string) =>
  history.events.find(
    ({ body }) => body.type.endsWith('_completed') && (body.runId ?? body.requestId) === id,
  )!;

/** Has a request be told another end than it was. */
export function tell(history: MadeHistory, id: string, change: Json): void {
  const event = heard(history, id);
  event.body = { ...event.body, ...change };
  find(history, isEvent('_completed', id)).body = JSON.stringify(event.body);
}

/** Changes the JSON that a call wrote, and the object that it made. */
export function rewrite(
  scribe: Scribe,
  wanted: Wanted,
  change: (json: Record<string, unknown>) => void,
): void {
  const call = find(scribe.history, wanted);
  const json = JSON.parse(call.body!) as Record<string, unknown>;
  change(json);
  call.body = JSON.stringify(json);
  const own = scribe.history.objects.find(({ key, etag }) => key === call.key && etag === call.etag);
  if (own === undefined) return;
  scribe.store(own.key, call.body, own.metadata);
  set(call, { etag: scribe.history.objects.at(-1)!.etag });
}

export const row = (history: MadeHistory, table: string, n = 0) =>
  history.ledger[table]![n] as Record<string, unknown>;

/** Another output of the metric run, of which the manifest tells the bytes truly. */
export async function replaceData(scribe: Scribe, bytes: Buffer | string): Promise<void> {
  scribe.store(DATA, bytes);
  const { etag, bytes: size } = scribe.history.objects.at(-1)!;
  rewrite(scribe, isCall('PutObject', MANIFEST), ({ outputs }) => {
    set((outputs as { files: object[] }).files[0]!, { bytes: size, etag });
  });
}

type TierRows = Parameters<typeof tierRows>[0];

export async function replaceHot(
  scribe: Scribe,
  parquet: ParquetMaker,
  slot: number,
  rows: TierRows,
): Promise<void> {
  const { metadata } = scribe.history.objects.find(({ key }) => key === hotKey(slot))!;
  scribe.store(hotKey(slot), await parquet.of(tierRows(rows)), metadata);
}

export async function replaceWarm(scribe: Scribe, parquet: ParquetMaker, rows: TierRows): Promise<void> {
  scribe.store(`${WARM}${L1[1]}`, await parquet.of(tierRows(rows)));
}

/** Other rows of the dataset, of which the ledger tells bytes and count truly. */
export async function replaceOutput(
  scribe: Scribe,
  parquet: ParquetMaker,
  select: string,
  records: number,
): Promise<void> {
  const bytes = await parquet.of(select);
  scribe.store(`datasets/w/projections/${OUTPUT}`, bytes);
  set(row(scribe.history, 'file_outputs'), { bytes: bytes.length, records });
}
