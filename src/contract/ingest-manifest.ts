/**
 * The dataset manifest as ingest writes it: what metric runs read (dataset-manifest.ts), and beside it
 * which source file each Parquet file is from, by the digest in its name.
 */

import { z } from 'zod';
import { datasetManifestSchema, parseManifestAs } from './dataset-manifest.ts';

const source = z.object({
  ingestion_id: z.string(),
  /** `s3://bucket/key` of what was ingested. */
  file: z.string(),
  etag: z.string(),
  /** Milliseconds since the epoch. */
  modified_at: z.number(),
  rows: z.number(),
});

const schema = datasetManifestSchema.extend({
  created_at: z.string().nullish(),
  run_id: z.string().nullish(),
  row_count: z.number().nullish(),
  sources: z.record(z.string(), source).nullish(),
});

export type IngestManifest = z.infer<typeof schema>;
export type ManifestSource = z.infer<typeof source>;

/** Parses a manifest of whatever writer; MANIFEST_VALIDATION_ERROR names `where` and what is wrong. */
export function parseIngestManifest(bytes: Uint8Array, where: string): IngestManifest {
  return parseManifestAs(schema, bytes, where);
}

const DIGEST = /\/([0-9a-f]{40})(?:\.\d+)?\.parquet$/;

/** The digest that names the source of a Parquet file, or undefined where another writer named it. */
export function digestOfPath(path: string): string | undefined {
  return DIGEST.exec(path)?.[1];
}
