/**
 * The demo of the tiers: three hours of change points of a spot market, a slot every ten minutes, one late
 * and one sent twice; each is uploaded and compacted as it comes. Then the levels, and what a reader counts.
 */

import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { failureOf, isFailure } from '../cli/event-line.ts';
import type { ArrivedEvent } from '../cli/event-tail.ts';
import { bytesText, count, plural } from '../cli/terminal.ts';
import { FILE_COLUMNS, fileCells, headLine, levelLines } from '../cli/tier-picture.ts';
import { systemClock } from '../common/clock.ts';
import { freshId } from '../common/ids.ts';
import { hotKeyOf, slotOf, slotStart } from '../contract/tier-keys.ts';
import { findProvider, tierProviders } from '../contract/tier-provider.ts';
import { openMonthStore } from '../warm-tier/month-store.ts';
import { type SnapshotFile, snapshotFiles } from '../warm-tier/snapshot.ts';
import { literal, openDuck } from './duck.ts';
import { POOLS, poolChanges, type SlotChanges } from './pools.ts';
import type { Demo } from './registry.ts';
import type { SampleRequest } from './sample-request.ts';
import { done, INDENT, remark, section } from './script.ts';
import type { Stage } from './stage.ts';
import { table } from './table.ts';

const START = Date.UTC(2026, 0, 23, 9);
const SLOTS = 19;
const LATE = 11;
const LATE_AFTER = 15;
const TWICE = 6;
const PROVIDER = 'aws';
const PATIENCE_MS = 30_000;
const { slot: FIRST_SLOT, ...MONTH } = slotOf(START);
/** Rows of the last table. */
const SHOWN = 6;

const startOf = (slot: number) => slotStart({ ...MONTH, slot: FIRST_SLOT + slot });
const keyOf = (slot: number) => hotKeyOf('', PROVIDER, { ...MONTH, slot: FIRST_SLOT + slot });
const clockOf = (slot: number) => new Date(startOf(slot)).toISOString().slice(11, 16);

/** Sends a request, and resolves with the completed event of each of `ids`. */
async function answers(
  stage: Stage,
  body: Readonly<Record<string, unknown>>,
  ids: readonly string[],
): Promise<readonly ArrivedEvent[]> {
  const { events, queue, signal } = stage;
  const completed = new Map<string, ArrivedEvent>();
  const late = systemClock.timeout(PATIENCE_MS, () => new Error(`${ids[0]} was not answered in time`));
  const given = AbortSignal.any([signal, late.signal]);
  let deaf = () => {};
  try {
    const all = new Promise<void>((resolve, reject) => {
      given.addEventListener('abort', () => reject(given.reason), { once: true });
      deaf = events.listen((event) => {
        if (!event.type.endsWith('_completed') || !ids.includes(event.id ?? '')) return;
        completed.set(event.id ?? '', event);
        if (completed.size === ids.length) resolve();
      });
    });
    await queue.send(JSON.stringify(body), `hot:${PROVIDER}`, ids[0]!);
    await all;
  } finally {
    deaf();
    late.clear();
  }
  const found = ids.map((id) => completed.get(id)!);
  const failed = found.find(isFailure);
  if (failed !== undefined) throw new Error(`${failed.id} was answered with ${failureOf(failed.body)}`);
  return found;
}

/** The request for a slot's upload. The first, of all pools, goes by a file; a message could hold no more. */
async function requestFor(stage: Stage, slot: number, { changed, removed }: SlotChanges, id: string) {
  const base = {
    type: 'hot_upload_requested',
    requestId: id,
    provider: PROVIDER,
    timestamp: new Date(startOf(slot) + 9 * 60_000).toISOString(),
    compact: true,
  };
  if (slot > 0) return { ...base, changed: { rows: changed }, removed: { rows: removed } };
  const { lake, bucket, signal } = stage;
  const key = `staging/${id}.jsonl.gz`;
  const lines = changed.map((row) => JSON.stringify(row)).join('\n');
  await lake.writer.create({ bucket, key }, gzipSync(lines), { signal });
  return { ...base, changed: { uri: `s3://${bucket}/${key}` } };
}

/** `L1 █  L0 ▪▪▪`: how many files each level has. */
function levelsText(levels: readonly number[]): string {
  const texts = levels.map((files, level) => `L${level} ${(level === 0 ? '▪' : '█').repeat(files) || '·'}`);
  return texts.toReversed().join('  ');
}

async function playSlot(stage: Stage, slot: number, changes: SlotChanges, note: string): Promise<void> {
  const { terminal } = stage;
  const { paint } = terminal;
  const id = `slot-${clockOf(slot).replace(':', '-')}-${freshId().slice(0, 6)}`;
  const body = await requestFor(stage, slot, changes, id);
  const [upload, compaction] = await answers(stage, body, [id, `${id}:compaction`]);
  const { outcome, rows, bytes } = upload!.body as { outcome: string; rows: number; bytes: number };
  const { levels } = compaction!.body as { levels: readonly number[] };
  const merged = String(compaction!.body.outcome);
  const columns = [
    paint('strong', clockOf(slot)),
    paint(outcome === 'uploaded' ? 'good' : 'warn', outcome.padEnd(9)),
    `${count(rows).padStart(5)} rows ${bytesText(bytes).padStart(6)}`,
    paint(merged === 'compacted' ? 'accent' : 'faint', merged.padEnd(9)),
    levelsText(levels).padEnd(20),
  ];
  terminal.line(`${INDENT}${columns.join('  ')}${note && `  ${paint('warn', note)}`}`.trimEnd());
}

/** Plays all slots; returns how many rows were uploaded. */
async function playSlots(stage: Stage): Promise<number> {
  const changes = poolChanges(START, SLOTS);
  const order = changes.map((_, slot) => slot).filter((slot) => slot !== LATE);
  order.splice(order.indexOf(LATE_AFTER) + 1, 0, LATE);
  for (const slot of order) {
    await playSlot(stage, slot, changes[slot]!, slot === LATE ? 'late' : '');
    if (slot === TWICE) await playSlot(stage, slot, changes[slot]!, 'again');
  }
  return changes.reduce((sum, { changed, removed }) => sum + changed.length + removed.length, 0);
}

async function fetchFiles(stage: Stage, files: readonly SnapshotFile[]): Promise<string[]> {
  const directory = join(stage.directory, 'snapshot');
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  const paths: string[] = [];
  for (const { key } of files) {
    const stored = await stage.lake.store.get({ bucket: stage.bucket, key }, { signal: stage.signal });
    if (stored === undefined) throw new Error(`${key} is named and not there`);
    const path = join(directory, key.replaceAll('/', '_'));
    writeFileSync(path, stored.bytes);
    paths.push(path);
  }
  return paths;
}

/** Counts by DuckDB, and the pools with the greatest savings now, from the files of a snapshot. */
async function readBack(stage: Stage, files: readonly SnapshotFile[], uploaded: number): Promise<void> {
  const { terminal } = stage;
  const paths = await fetchFiles(stage, files);
  const duck = await openDuck();
  try {
    const source = `read_parquet([${paths.map(literal).join(', ')}], union_by_name = true)`;
    const [found] = await duck.rows(
      `SELECT count(*)::INT AS rows, count(DISTINCT (InstanceType, Region, AZ, "Time"))::INT AS points,
              count(DISTINCT (InstanceType, Region, AZ))::INT AS pools,
              strftime(min("Time"), '%H:%M') AS first, strftime(max("Time"), '%H:%M') AS last FROM ${source}`,
    );
    const rows = Number(found?.rows);
    if (rows !== uploaded || rows !== Number(found?.points)) {
      throw new Error(`${count(uploaded)} rows were uploaded, the snapshot has ${count(rows)}`);
    }
    done(terminal, 'every row once', `${count(rows)} change points, as many as were uploaded`);
    done(terminal, 'the market', `${count(Number(found?.pools))} pools, ${found?.first} to ${found?.last}`);
    terminal.line();
    const best = await duck.rows(
      `SELECT InstanceType, AZ, strftime("Time", '%H:%M') AS since, SPS::VARCHAR AS sps,
              printf('%.4f', SpotPrice) AS price, Savings || ' %' AS savings
         FROM (SELECT * FROM ${source}
              QUALIFY row_number() OVER (PARTITION BY InstanceType, Region, AZ ORDER BY "Time" DESC) = 1)
        WHERE NOT Ceased ORDER BY Savings DESC, SPS DESC, InstanceType, AZ LIMIT ${SHOWN}`,
    );
    const cells = best.map((row) => Object.values(row).map(String));
    const titles = ['cheapest now', 'zone', 'since', 'score', 'price', 'savings'];
    const columns = titles.map((title, i) => ({
      title,
      align: i < 3 ? ('left' as const) : ('right' as const),
    }));
    for (const line of table(terminal, columns, cells)) terminal.line(`${INDENT}${line}`);
  } finally {
    duck.close();
  }
}

async function play(stage: Stage): Promise<void> {
  const { terminal, lake, bucket, signal } = stage;
  section(terminal, 'Three hours of a spot market, a slot every ten minutes');
  remark(terminal, `${count(POOLS)} pools; each slot is uploaded once, and compacted eight ways as it comes`);
  const uploaded = await playSlots(stage);

  section(terminal, 'The levels of the month');
  const provider = findProvider(tierProviders(), PROVIDER);
  const store = openMonthStore(lake, { bucket, root: '' }, provider, MONTH);
  const { manifest } = await store.read(signal);
  const files = snapshotFiles('', manifest);
  terminal.line(`${INDENT}${headLine(terminal, manifest, files)}`);
  terminal.line();
  const width = terminal.width - INDENT.length;
  for (const line of levelLines(terminal, manifest, files, width)) terminal.line(`${INDENT}${line}`);
  terminal.line();
  for (const line of table(terminal, FILE_COLUMNS, files.map(fileCells))) terminal.line(`${INDENT}${line}`);

  section(terminal, 'What a reader finds, by DuckDB');
  const read = `revision ${manifest.revision} of the manifest names ${plural(files.length, 'file')}; nothing else is read`;
  remark(terminal, read);
  await readBack(stage, files, uploaded);
}

function samples({ bucket }: Stage): readonly SampleRequest[] {
  const row = { InstanceType: 'm5.large', Region: 'us-east-1', AZ: 'use1-az1', SPS: 3, SpotPrice: 0.0411 };
  const compaction = { type: 'compaction_requested', provider: PROVIDER, month: '2026-01' };
  return [
    {
      name: 'upload-slot',
      about: 'The next slot, with one change point:',
      body: {
        type: 'hot_upload_requested',
        requestId: `upload-${freshId().slice(0, 8)}`,
        provider: PROVIDER,
        timestamp: new Date(startOf(SLOTS)).toISOString(),
        changed: {
          rows: [{ ...row, Time: new Date(startOf(SLOTS)).toISOString().slice(0, 19).replace('T', ' ') }],
        },
        compact: true,
      },
    },
    {
      name: 'make-one-file',
      about: 'All of the month in one file (then: npx tidemill tier show aws 2026-01):',
      body: { ...compaction, requestId: `full-${freshId().slice(0, 8)}`, mode: 'full' },
    },
    {
      name: 'other-rows',
      about: `One that cannot succeed: other rows for a slot that is written (s3://${bucket}/${keyOf(0)}):`,
      body: {
        type: 'hot_upload_requested',
        requestId: `conflict-${freshId().slice(0, 8)}`,
        provider: PROVIDER,
        timestamp: new Date(START).toISOString(),
        changed: { rows: [{ ...row, Time: '2026-01-23 09:00:00' }] },
      },
    },
  ];
}

export const tiersDemo: Demo = {
  title: 'hot and warm tiers, from change points to a reader’s snapshot',
  play,
  samples,
};
