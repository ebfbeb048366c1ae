/** The requests that load cases send, and the data that they read: small, and different every time. */

import { ingestRequest } from '../support/ingest-scene.ts';
import { plainRequest } from '../support/metric-requests.ts';
import { parquetOf } from '../support/parquet.ts';
import { hotKey, uploadRequest } from '../support/tiers.ts';
import type { Outgoing, Stage } from './stage.ts';

const CODES = ['A', 'B', 'C', 'D'] as const;
const DAYS = 4_000;
const SLOTS = 4_464;
const DAY = 'INTERVAL 1 DAY';

/** Puts a dataset `d` of four daily series, one file each. */
export async function putDataset(stage: Stage): Promise<void> {
  const files: string[] = [];
  for (const [i, code] of CODES.entries()) {
    const bytes = await parquetOf(
      `SELECT TIMESTAMPTZ '2015-01-01' + i * ${DAY} AS obs_time, 100 + sin(i / 58.0 + ${i}) AS value
       FROM range(${DAYS}) t(i)`,
    );
    files.push(`${code}/part.parquet`);
    await stage.put(`datasets/d/projections/${code}/part.parquet`, bytes);
  }
  const manifest = { version_id: 'v1', dataset_id: 'd', series_codes: CODES, parquet_files: files };
  await stage.put('datasets/d/current/manifest.json', Buffer.from(JSON.stringify(manifest)));
}

/** The nth metric run, of one of a few shapes; its group is its metric, one of `groups`. */
export function metricRun(name: string, n: number, groups: number): Outgoing {
  const left = { seriesCode: CODES[n % CODES.length] };
  const right = { seriesCode: CODES[(n * 3 + 1) % CODES.length] };
  const metricCode = `metric.${n % groups}`;
  const shapes = [
    ['series_math', { op: 'ratio', left, right }],
    ['window_op', { op: 'sma', series: left, window: 30 }],
    ['window_op', { op: 'ema', series: { op: 'subtract', left, right }, window: 12 }],
  ] as const;
  const [expressionType, expressionJson] = shapes[n % shapes.length]!;
  const runId = `${name}-${n}`;
  return {
    id: runId,
    group: metricCode,
    body: plainRequest({ runId, metricCode, expressionType, expressionJson }),
  };
}

/** The nth upload, each into a slot of its own, month after month; it asks for its compaction itself. */
export function hotUpload(name: string, n: number): Outgoing {
  const id = `${name}-${n}`;
  const month = { year: 2026 + Math.floor(n / SLOTS / 12), month: 1 + (Math.floor(n / SLOTS) % 12) };
  const start = Date.UTC(month.year, month.month - 1, 1) + (n % SLOTS) * 600_000;
  const timestamp = new Date(start).toISOString();
  const rows = Array.from({ length: 50 }, (_, i) => ({
    InstanceType: `m${i % 7}.large`,
    Region: `region-${i % 5}`,
    AZ: `az${i}`,
    Time: new Date(start + i * 1_000).toISOString().slice(0, 19).replace('T', ' '),
    SPS: (i + n) % 10,
  }));
  return {
    id,
    group: 'hot:aws',
    body: { ...uploadRequest(id, 0), timestamp, changed: { rows }, compact: true },
  };
}

/** A compaction of a slot that nobody uploaded: refused. */
export function badCompaction(name: string, n: number): Outgoing {
  const id = `${name}-${n}`;
  const body = { type: 'compaction_requested', requestId: id, provider: 'nobody', hotKey: hotKey(n % SLOTS) };
  return { id, group: 'warm:nobody', body };
}

/** The nth ingest run, of one new file each time, which is to be put first. */
export function ingestRun(
  name: string,
  n: number,
): { readonly message: Outgoing; readonly key: string; readonly file: Buffer } {
  const id = `${name}-${n}`;
  const key = `raw/${name}/${n}/days.csv`;
  const lines = Array.from({ length: 200 }, (_, i) => {
    return `${new Date(Date.UTC(2020, 0, 1 + i)).toISOString().slice(0, 10)},${i + n},${i - n}`;
  });
  const request = ingestRequest({
    requestId: id,
    ingestionId: `load-${n % 10}`,
    source: { prefix: `raw/${name}/${n}/` },
    target: { datasetId: `loaded-${n % 10}` },
  });
  const file = Buffer.from(['date,max,min', ...lines].join('\n'));
  return { key, file, message: { id, group: `ingest:${n % 10}`, body: request } };
}

/** No request at all: goes to the dead-letter queue, and nothing is said of it. */
export function poison(name: string, n: number): Outgoing {
  return { id: `${name}-${n}`, group: `poison-${n % 5}`, body: `this is no JSON: ${n}` };
}
