/**
 * The dataset manifest as ingest writes it: what metric runs read (dataset-manifest.ts), and beside it
 * which source file each Parquet file is from, by the digest in its name.
 */

import { z } from 'zod';
import { InvalidRequestError } from '../common/errors.ts';
import { issueTexts } from './issues.ts';

const source = z.object({
  ingestion_id: z.string(),
  /** `s3://bucket/key` of what was ingested. */
  file: z.string(),
  etag: z.string(),
  /** Milliseconds since the epoch. */
  modified_at: z.number(),
  rows: z.number(),
});

const schema = z.looseObject({
  version_id: z.string().nullish(),
  dataset_id: z.string().nullish(),
  created_at: z.string().nullish(),
  run_id: z.string().nullish(),
  series_codes: z.array(z.string()).nullish(),
  parquet_files: z.array(z.string()),
  partition_strategy: z.unknown().optional(),
  row_count: z.number().nullish(),
  sources: z.record(z.string(), source).nullish(),
});

export type IngestManifest = z.infer<typeof schema>;
export type ManifestSource = z.infer<typeof source>;

/** Parses a manifest of whatever writer; MANIFEST_VALIDATION_ERROR names `where` and what is wrong. */
export function parseIngestManifest(bytes: Uint8Array, where: string): IngestManifest {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw new InvalidRequestError('MANIFEST_VALIDATION_ERROR', `The dataset manifest ${where} is not JSON`, {
      cause: error,
    });
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new InvalidRequestError(
    'MANIFEST_VALIDATION_ERROR',
    `The dataset manifest ${where} is invalid: ${issueTexts(parsed.error).join('; ')}`,
  );
}

const DIGEST = /\/([0-9a-f]{40})(?:\.\d+)?\.parquet$/;

/** The digest that names the source of a Parquet file, or undefined where another writer named it. */
export function digestOfPath(path: string): string | undefined {
  return DIGEST.exec(path)?.[1];
}
