/**
 * A small history made by hand, in which everything is right: a metric run, three hot uploads and their
 * compactions, an ingest run and a poison message, by one worker. Rules are proven on it: as it is none
 * finds anything, and with one wrong fact planted the right one does.
 */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import type { Json } from './facts.ts';
import { BUCKET, etagOf, Scribe } from './scribe.ts';

/** Parquet made by DuckDB. */
export interface ParquetMaker {
  of(select: string): Promise<Buffer>;
  close(): void;
}

export async function openParquetMaker(directory: string): Promise<ParquetMaker> {
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
  const connection = await instance.connect();
  await connection.run("SET TimeZone = 'UTC'");
  let files = 0;
  return {
    async of(select) {
      const path = join(directory, `made-${files++}.parquet`);
      await connection.run(`COPY (${select}) TO '${path}' (FORMAT parquet)`);
      return await readFile(path);
    },
    close() {
      connection.closeSync();
      instance.closeSync();
    },
  };
}

/** A series: a value for each day from 2025-01-01. */
export function series(values: readonly (number | null)[]): string {
  const rows = values.map(
    (value, day) => `(TIMESTAMPTZ '2025-01-0${day + 1} 00:00:00+00', ${value ?? 'NULL'}::DOUBLE)`,
  );
  return `SELECT * FROM (VALUES ${rows.join(', ')}) rows(obs_time, value)`;
}

/** Rows of the tiers: one for each pool and second of a slot's first minute. */
export function tierRows(rows: readonly (readonly [pool: string, slot: number, sps: number])[]): string {
  const values = rows.map(
    ([pool, slot, sps]) =>
      `('${pool}', 'r', 'a', TIMESTAMPTZ '2026-01-01 00:${slot}0:00+00', ${sps}::BIGINT, false)`,
  );
  return `SELECT * FROM (VALUES ${values.join(', ')}) rows("InstanceType", "Region", "AZ", "Time", "SPS", "Ceased") ORDER BY ALL`;
}

export const METRIC = 'run-1';
export const VERSION = '2026-01-02T00-00-01';
const BASE = 'metrics/m/';
export const DATA = `${BASE}${VERSION}/data/metrics.parquet`;
export const MARKER = `${BASE}runs/${METRIC}.ok`;
export const CURRENT = `${BASE}current/manifest.json`;
export const MANIFEST = `${BASE}${VERSION}/manifest.json`;

async function metricRun(scribe: Scribe, parquet: ParquetMaker): Promise<void> {
  const codes = ['A', 'B'];
  for (const [i, code] of codes.entries()) {
    const select = series([1, 2, i === 0 ? 3 : 0, null]);
    scribe.give(`datasets/d/projections/${code}/part.parquet`, await parquet.of(select));
  }
  const dataset = {
    dataset_id: 'd',
    series_codes: codes,
    parquet_files: codes.map((code) => `${code}/part.parquet`),
  };
  const datasetKey = 'datasets/d/current/manifest.json';
  scribe.give(datasetKey, JSON.stringify(dataset));
  const expressionJson = { op: 'ratio', left: { seriesCode: 'A' }, right: { series_code: 'B' }, scale: 2 };
  const request = {
    type: 'metric_run_requested',
    runId: METRIC,
    metricCode: 'm',
    expressionType: 'series_math',
    expressionJson,
    inputs: codes.map((seriesCode) => ({ datasetId: 'd', seriesCode })),
    catalog: { datasets: { d: { manifestPath: datasetKey } } },
    output: { basePath: BASE },
  };
  const data = await parquet.of(series([2, 2, null, null]));
  const facts = { run_id: METRIC, metric_code: 'm', version_ts: VERSION, row_count: 4 };
  const manifest = JSON.stringify({
    ...facts,
    outputs: {
      data_prefix: `${BASE}${VERSION}/data/`,
      files: [{ path: 'metrics.parquet', rows: 4, bytes: data.length, etag: etagOf(data) }],
    },
    inputs: codes.map((code) => ({
      series_code: code,
      dataset_id: 'd',
      manifest_etag: etagOf(JSON.stringify(dataset)),
    })),
    expression: { type: 'series_math', json: expressionJson },
    quality: { nulls: 2, divisions_by_zero: 1 },
  });
  const event = { runId: METRIC, metricCode: 'm' };
  scribe.message(METRIC, 'metric', JSON.stringify(request), 'm', () => {
    scribe.publish({ type: 'metric_run_started', ...event });
    scribe.publish({ type: 'metric_run_heartbeat', ...event, progress: 0.5 });
    scribe.put(DATA, data, { 'tidemill-run-id': METRIC });
    scribe.put(MANIFEST, manifest);
    scribe.put(MARKER, JSON.stringify({ ...facts, output_manifest: MANIFEST }));
    scribe.put(CURRENT, manifest);
    const said = { status: 'SUCCESS', versionTs: VERSION, outputManifest: MANIFEST, rowCount: 4 };
    scribe.publish({ type: 'metric_run_completed', ...event, ...said });
  });
}

export const WARM = 'parquet_warm/aws/m8/2026/01/';
export const hotKey = (slot: number): string => `parquet_cp_hot/aws/2026/01/01/00-${slot}0.parquet`;
export const L1 = ['L1_0000_00000-00001.parquet', 'L1_0001_00000-00002.parquet'] as const;
const slotMicros = (slot: number) => (Date.parse('2026-01-01T00:00:00Z') + slot * 600_000) * 1000;
const slotIso = (slot: number) => `2026-01-01T00:${slot}0:00Z`;

/** What each slot's upload holds; the pool `p` of slot 0 comes again in slot 2, of another time. */
const SLOTS: readonly (readonly (readonly [string, number, number])[])[] = [
  [
    ['p', 0, 3],
    ['q', 0, 1],
  ],
  [['p', 1, 4]],
  [['p', 2, 5]],
];

async function upload(scribe: Scribe, parquet: ParquetMaker, slot: number): Promise<void> {
  const id = `upload-${slot}`;
  const rows = SLOTS[slot]!.map(([pool, at, SPS]) => ({
    InstanceType: pool,
    Region: 'r',
    AZ: 'a',
    Time: `2026-01-01 00:${at}0:00`,
    SPS,
  }));
  const request = {
    type: 'hot_upload_requested',
    requestId: id,
    provider: 'aws',
    timestamp: slotIso(slot),
    changed: { rows },
  };
  const bytes = await parquet.of(tierRows(SLOTS[slot]!));
  const times = String(slotMicros(slot));
  scribe.message(id, 'upload', JSON.stringify(request), 'hot:aws', () => {
    scribe.publish({ type: 'hot_upload_started', requestId: id });
    scribe.put(hotKey(slot), bytes, {
      'tidemill-request-id': id,
      'tidemill-rows': String(rows.length),
      'tidemill-min-time': times,
      'tidemill-max-time': times,
    });
    const said = {
      status: 'SUCCESS',
      outcome: 'uploaded',
      key: hotKey(slot),
      rows: rows.length,
      bytes: bytes.length,
    };
    scribe.publish({ type: 'hot_upload_completed', requestId: id, ...said });
  });
}

interface Step {
  readonly slots: number;
  readonly level0?: readonly Json[];
  readonly level1?: readonly Json[];
  readonly nextId: number;
  readonly pending?: readonly string[];
}

function compaction(
  scribe: Scribe,
  revision: number,
  { slots, level0 = [], level1 = [], nextId, pending = [] }: Step,
  before: () => void,
): void {
  const id = `compaction-${revision}`;
  const wanted = revision === 1 ? { hotKey: hotKey(0) } : { month: '2026-01', mode: 'full' };
  const body = { type: 'compaction_requested', requestId: id, provider: 'aws', ...wanted };
  const manifest = {
    m: 8,
    provider: 'aws',
    year: 2026,
    month: 1,
    revision,
    next_file_id: nextId,
    last_updated: '2026-01-01T23:59:59Z',
    processed_slots: [[0, slots - 1]],
    pending_deletions: pending.map((name) => ({ key: `${WARM}${name}`, not_before: '2026-01-02T00:00:00Z' })),
    levels: { ...(level0.length > 0 ? { 0: level0 } : {}), ...(level1.length > 0 ? { 1: level1 } : {}) },
  };
  const key = `${WARM}manifest.json`;
  scribe.message(id, 'compaction', JSON.stringify(body), 'warm:aws:2026-01', () => {
    scribe.publish({ type: 'compaction_started', requestId: id });
    before();
    scribe.put(key, JSON.stringify(manifest));
    const said = {
      status: 'SUCCESS',
      outcome: 'compacted',
      manifests: [{ key, revision }],
      added: [],
      written: [],
    };
    scribe.publish({ type: 'compaction_completed', requestId: id, ...said });
  });
}

async function tiers(scribe: Scribe, parquet: ParquetMaker): Promise<void> {
  const entry = (file: string, [first, last]: readonly [number, number], rows: number, bytes: number) => ({
    file,
    hot_range: [first, last],
    rows,
    bytes,
    min_time: slotIso(first),
    max_time: slotIso(last),
  });
  await upload(scribe, parquet, 0);
  const bytes = scribe.history.objects.find(({ key }) => key === hotKey(0))!.bytes;
  compaction(scribe, 1, { slots: 1, level0: [entry(hotKey(0), [0, 0], 2, bytes)], nextId: 0 }, () => {});
  await upload(scribe, parquet, 1);
  const first = await parquet.of(tierRows(SLOTS.slice(0, 2).flat()));
  const step = { slots: 2, level1: [entry(L1[0], [0, 1], 3, first.length)], nextId: 1 };
  compaction(scribe, 2, step, () => scribe.put(`${WARM}${L1[0]}`, first));
  await upload(scribe, parquet, 2);
  const second = await parquet.of(tierRows(SLOTS.flat()));
  const level1 = [entry(L1[1], [0, 2], 4, second.length)];
  compaction(scribe, 3, { slots: 3, level1, nextId: 2, pending: [L1[0]] }, () =>
    scribe.put(`${WARM}${L1[1]}`, second),
  );
  scribe.pause(5_000);
  compaction(scribe, 4, { slots: 3, level1, nextId: 2 }, () => scribe.remove(`${WARM}${L1[0]}`));
}

export const INGEST = 'ingest-1';
const DATASET = 'datasets/w/';
export const OUTPUT = 'T/year=2024/month=01/abc.parquet';

async function ingest(scribe: Scribe, parquet: ParquetMaker): Promise<void> {
  const good = 'raw/a.csv';
  const bad = 'raw/b.csv';
  scribe.give(good, 'date,t\n2024-01-01,1.5\n2024-01-02,\n');
  scribe.give(bad, 'date,t\n2024-01-03,many\n');
  const etag = (key: string) => scribe.history.given.find((object) => object.key === key)!.etag;
  const request = {
    type: 'ingest_run_requested',
    requestId: INGEST,
    ingestionId: 'in',
    source: { prefix: 'raw/' },
    mapping: { layout: 'wide', time: 'date', values: { t: 'T' } },
    target: { datasetId: 'w' },
  };
  const bytes = await parquet.of(
    `SELECT * FROM (VALUES (TIMESTAMPTZ '2024-01-01 00:00:00+00', 1.5::DOUBLE), (TIMESTAMPTZ '2024-01-02 00:00:00+00', NULL)) rows(obs_time, value)`,
  );
  const version = '2026-01-02T00-00-09';
  const manifest = JSON.stringify({
    version_id: version,
    run_id: INGEST,
    row_count: 2,
    series_codes: ['T'],
    parquet_files: [OUTPUT],
  });
  const files = { discovered: 2, succeeded: 1, failed: 1, skipped: 0, left: 0, missing: 0 };
  const said = { status: 'PARTIAL', files, rows: 2, datasetManifest: `${DATASET}current/manifest.json` };
  const event = { type: 'ingest_run_completed', requestId: INGEST, ingestionId: 'in', ...said };
  scribe.message(INGEST, 'ingest', JSON.stringify(request), 'ingest', () => {
    scribe.publish({ type: 'ingest_run_started', requestId: INGEST });
    scribe.put(`${DATASET}projections/${OUTPUT}`, bytes);
    scribe.put(`${DATASET}${version}/manifest.json`, manifest);
    scribe.put(`${DATASET}current/manifest.json`, manifest);
    scribe.publish(event);
  });
  const file = { ingestion_id: 'in', run_id: INGEST, error_type: null, error_message: null };
  const told = 'row 2, column "t": "many" is not a number';
  scribe.history.ledger = {
    processed_files: [
      { ...file, id: 1, file_path: `s3://${BUCKET}/${good}`, file_etag: etag(good), status: 'SUCCESS' },
      {
        ...file,
        id: 2,
        file_path: `s3://${BUCKET}/${bad}`,
        file_etag: etag(bad),
        status: 'FAILED',
        error_message: told,
      },
    ],
    file_loads: [
      { file_id: 1, ingestion_id: 'in', digest: 'abc', file_etag: etag(good), records_ingested: 2 },
    ],
    file_outputs: [{ file_id: 1, path: OUTPUT, series_code: 'T', records: 2, bytes: bytes.length }],
    load_log: [{ source: 'in', idempotency_key: 'k', status: 'success', payload_meta: {} }],
    runs: [
      {
        id: INGEST,
        status: 'PARTIAL',
        files_discovered: 2,
        files_succeeded: 1,
        files_failed: 1,
        files_skipped: 0,
        records_ingested: 2,
        result: event,
      },
    ],
  };
}

/** The whole of it, its objects in `directory`. */
export async function madeHistory(directory: string): Promise<Scribe> {
  const scribe = new Scribe(directory);
  const parquet = await openParquetMaker(directory);
  try {
    await metricRun(scribe, parquet);
    await tiers(scribe, parquet);
    await ingest(scribe, parquet);
    scribe.message('poison', 'poison', 'no JSON', 'poison', () => scribe.deadLetter('no JSON', 'no_json'));
  } finally {
    parquet.close();
  }
  return scribe;
}
