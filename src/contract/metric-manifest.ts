/**
 * What a metric run leaves in S3 beside its data: the version's manifest, and the marker that says the
 * run is done. Field names are the originals'; readers of the originals find theirs, ours come beside.
 */

import { z } from 'zod';

const inputSchema = z.object({
  series_code: z.string(),
  dataset_id: z.string(),
  dataset_version: z.string().nullable(),
  manifest: z.string(),
  manifest_etag: z.string(),
  /** Parquet files that were read for the series, and their sizes in all. */
  files: z.number().int(),
  bytes: z.number().int(),
});

const manifestSchema = z.object({
  run_id: z.string(),
  metric_code: z.string(),
  version_ts: z.string(),
  created_at: z.string(),
  row_count: z.number().int().nonnegative(),
  outputs: z.object({
    /** Key of the folder that holds the data, with a slash at its end. */
    data_prefix: z.string(),
    files: z.array(
      z.object({ path: z.string(), rows: z.number().int(), bytes: z.number().int(), etag: z.string() }),
    ),
  }),
  inputs: z.array(inputSchema),
  expression: z.object({ type: z.string(), json: z.unknown() }),
  quality: z.object({ nulls: z.number().int(), divisions_by_zero: z.number().int() }),
});

export type MetricManifest = z.infer<typeof manifestSchema>;
export type MetricInput = z.infer<typeof inputSchema>;

const markerSchema = z.looseObject({
  run_id: z.string(),
  metric_code: z.string(),
  version_ts: z.string(),
  /** Key of the version's manifest, in the marker's own bucket. */
  output_manifest: z.string(),
  row_count: z.number().int().nonnegative(),
  created_at: z.string(),
});

export type RunMarker = z.infer<typeof markerSchema>;

function decode(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}

/** Longer JSON is for programs; indented, a deep expression could be a thousand times as long. */
const MAX_INDENTED = 16_384;

/** JSON as it is stored: for people with two blanks of indent, unless it is long, and a line end. */
export function encodeJson(value: MetricManifest | RunMarker): Uint8Array {
  const compact = JSON.stringify(value);
  const text = compact.length > MAX_INDENTED ? compact : JSON.stringify(value, null, 2);
  return new TextEncoder().encode(`${text}\n`);
}

/** The manifest in `bytes`, or undefined where they hold none. */
export function decodeMetricManifest(bytes: Uint8Array): MetricManifest | undefined {
  return manifestSchema.safeParse(decode(bytes)).data;
}

/** The marker in `bytes`, or undefined where they hold none. */
export function decodeRunMarker(bytes: Uint8Array): RunMarker | undefined {
  return markerSchema.safeParse(decode(bytes)).data;
}

/** Whether the bytes are a dataset's manifest (dataset-manifest.ts), and so not ours to replace. */
export function isDatasetManifest(bytes: Uint8Array): boolean {
  return z.looseObject({ parquet_files: z.array(z.unknown()) }).safeParse(decode(bytes)).success;
}

/** The version that a `current` alias points to, or undefined where it can not be told. */
export function versionOfAlias(bytes: Uint8Array): string | undefined {
  return z.looseObject({ version_ts: z.string() }).safeParse(decode(bytes)).data?.version_ts;
}
