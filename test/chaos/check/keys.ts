/** Where things lie, read from docs/CONTRACT.md and docs/TIERS.md a second time. */

import { type Json, textOf } from './facts.ts';

export interface Location {
  readonly bucket: string;
  readonly key: string;
}

/** A key of the bucket, or an `s3://` URI. */
export function locationOf(text: string, bucket: string): Location {
  const match = /^s3:\/\/([^/]+)\/(.*)$/s.exec(text);
  return match === null ? { bucket, key: text } : { bucket: match[1]!, key: match[2]! };
}

const slashed = (prefix: string): string => (prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`);

export interface MetricKeys {
  readonly base: string;
  readonly marker: string;
  readonly current: string;
  readonly manifestOf: (version: string) => string;
  readonly dataOf: (version: string) => string;
}

/** The keys of a metric run's output; undefined where the request names none. */
export function metricKeys(request: Json, bucket: string): MetricKeys | undefined {
  const path = textOf((request.output as Json | undefined)?.basePath);
  const runId = textOf(request.runId);
  if (path === undefined || runId === undefined) return undefined;
  const base = slashed(locationOf(path, bucket).key);
  return {
    base,
    marker: `${base}runs/${runId}.ok`,
    current: `${base}current/manifest.json`,
    manifestOf: (version) => `${base}${version}/manifest.json`,
    dataOf: (version) => `${base}${version}/data/metrics.parquet`,
  };
}

export const VERSION = /^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d$/;

/** The slot of a moment: ten minutes of its month, from 0. */
export function slotOf(ms: number): { readonly month: string; readonly slot: number } {
  const date = new Date(ms);
  const slot = (date.getUTCDate() - 1) * 144 + date.getUTCHours() * 6 + Math.floor(date.getUTCMinutes() / 10);
  return { month: date.toISOString().slice(0, 7), slot };
}

/** The hot key of an upload; undefined where its timestamp carries no offset. */
export function hotKeyOf(request: Json): string | undefined {
  const timestamp = textOf(request.timestamp);
  if (timestamp === undefined || !/(?:Z|[+-]\d\d:?\d\d)$/i.test(timestamp)) return undefined;
  const ms = Date.parse(timestamp);
  if (Number.isNaN(ms)) return undefined;
  const [day, time] = new Date(ms).toISOString().split('T') as [string, string];
  return `parquet_cp_hot/${String(request.provider)}/${day.replaceAll('-', '/')}/${time.slice(0, 2)}-${time[3]}0.parquet`;
}

export interface HotPlace {
  readonly provider: string;
  readonly month: string;
  readonly slot: number;
}

const HOT = /^parquet_cp_hot\/([^/]+)\/(\d{4})\/(\d\d)\/(\d\d)\/(\d\d)-(\d)0\.parquet$/;

export function parseHotKey(key: string): HotPlace | undefined {
  const match = HOT.exec(key);
  if (match === null) return undefined;
  const [, provider, year, month, day, hour, ten] = match;
  const slot = (Number(day) - 1) * 144 + Number(hour) * 6 + Number(ten);
  return { provider: provider!, month: `${year}-${month}`, slot };
}

const WARM = /^(parquet_warm\/([^/]+)\/m\d+\/(\d{4})\/(\d\d)\/)([^/]+)$/;

export interface WarmPlace {
  /** With a slash at its end. */
  readonly folder: string;
  readonly provider: string;
  readonly month: string;
  readonly name: string;
}

export function parseWarmKey(key: string): WarmPlace | undefined {
  const match = WARM.exec(key);
  if (match === null) return undefined;
  const [, folder, provider, year, month, name] = match;
  return { folder: folder!, provider: provider!, month: `${year}-${month}`, name: name! };
}

/** Keys that are replaced; every other key is written once. */
export function isReplaced(key: string): boolean {
  return key.endsWith('/current/manifest.json') || parseWarmKey(key)?.name === 'manifest.json';
}

export interface DatasetKeys {
  readonly base: string;
  readonly current: string;
  readonly projections: string;
}

/** Where an ingest request writes its dataset. */
export function datasetKeys(request: Json, bucket: string): DatasetKeys | undefined {
  const target = request.target as Json | undefined;
  const id = textOf(target?.datasetId);
  if (id === undefined) return undefined;
  const base = slashed(locationOf(textOf(target?.basePath) ?? `datasets/${id}/`, bucket).key);
  return { base, current: `${base}current/manifest.json`, projections: `${base}projections/` };
}
