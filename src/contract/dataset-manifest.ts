/**
 * The dataset manifest: which Parquet files make up a dataset, and which series they hold. Written by
 * the ingesters (the original one, and ours); unknown fields pass.
 */

import { z } from 'zod';
import { InvalidRequestError } from '../common/errors.ts';
import { check } from './issues.ts';

const path = z.string().min(1).max(2048);

/** What every writer's manifest holds; ours adds to it (ingest-manifest.ts). */
export const datasetManifestSchema = z.looseObject({
  version_id: z.union([z.string(), z.number()]).nullish(),
  dataset_id: z.string().nullish(),
  /** Absent: what series there are is known from the paths and rows alone. */
  series_codes: z.array(z.string()).nullish(),
  /** Paths below the projections folder, keys or s3:// URIs. */
  parquet_files: z.array(path),
  partition_strategy: z.unknown().optional(),
});

export type DatasetManifest = z.infer<typeof datasetManifestSchema>;

/** Parses the bytes of a manifest; MANIFEST_VALIDATION_ERROR names `where` and every field that is wrong. */
export function parseDatasetManifest(bytes: Uint8Array, where: string): DatasetManifest {
  return parseManifestAs(datasetManifestSchema, bytes, where);
}

/** The same with the fields of `schema`, which extends the dataset manifest's. */
export function parseManifestAs<T extends z.ZodType>(
  schema: T,
  bytes: Uint8Array,
  where: string,
): z.infer<T> {
  const invalid = (what: string, cause?: unknown) =>
    new InvalidRequestError('MANIFEST_VALIDATION_ERROR', `The dataset manifest ${where} ${what}`, { cause });
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw invalid('is not JSON', error);
  }
  const checked = check(schema, value);
  if (checked.ok) return checked.value;
  throw invalid(`is invalid: ${checked.problems.join('; ')}`);
}

const HIVE = /^(?:series|series_code|internal_series_code)=(.*)$/s;

function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

/**
 * The series that a file's path names, or undefined where it names none: a segment `series=CODE` (as
 * Hive writes partitions), else a segment that is one of the `known` codes, or one percent-encoded. The last segment, the file
 * itself, names none. By whole segments, never by substring.
 */
export function seriesOfPath(filePath: string, known: ReadonlySet<string>): string | undefined {
  const folders = filePath.split('/').slice(0, -1);
  for (const segment of folders) {
    const hive = HIVE.exec(segment)?.[1];
    if (hive !== undefined) return decoded(hive);
  }
  const exact = folders.find((segment) => known.has(segment));
  // A code that is no plain name stands percent-encoded.
  return exact ?? folders.map(decoded).find((segment) => known.has(segment));
}
