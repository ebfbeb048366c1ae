/** Which files of a dataset hold a series, decided from its manifest alone. Pure. */

import { InvalidRequestError } from '../common/errors.ts';
import { type DatasetManifest, seriesOfPath } from '../contract/dataset-manifest.ts';
import {
  type BucketPolicy,
  hasScheme,
  type ObjectLocation,
  parseLocation,
} from '../contract/object-location.ts';

export interface SeriesFileChoice {
  readonly location: ObjectLocation;
  /** Whether the path names the series; otherwise the file's rows are filtered. */
  readonly named: boolean;
}

/** Every file that may hold series of the dataset, by the series its path names; '' for those that name none. */
export type FilesBySeries = ReadonlyMap<string, readonly SeriesFileChoice[]>;

/**
 * Sorts a manifest's files by the series that their paths name; the order of the listing is kept.
 * CONFIG_ERROR, naming the manifest (`name`) and the place in it, for a path that climbs or a bucket
 * that is not allowed.
 */
export function filesBySeries(
  manifest: DatasetManifest,
  projections: ObjectLocation,
  policy: BucketPolicy,
  name: string,
): {
  readonly files: FilesBySeries;
  /** Place of each file in the listing, by key. */
  readonly order: ReadonlyMap<SeriesFileChoice, number>;
} {
  const known = new Set(manifest.series_codes ?? []);
  const files = new Map<string, SeriesFileChoice[]>();
  const order = new Map<SeriesFileChoice, number>();
  manifest.parquet_files.forEach((path, index) => {
    const where = `${name}: parquet_files[${index}]`;
    // Any scheme, so that another one than s3 is refused, and not taken for a folder.
    const full = hasScheme(path) || path.startsWith(projections.key);
    const location = full
      ? parseLocation(path, where, policy)
      : parseLocation(`s3://${projections.bucket}/${projections.key}${path.replace(/^\/+/, '')}`, where, {
          ...policy,
          allowedBuckets: new Set([...policy.allowedBuckets, projections.bucket]),
        });
    const inBucket = location.bucket === projections.bucket;
    const relative =
      inBucket && location.key.startsWith(projections.key)
        ? location.key.slice(projections.key.length)
        : location.key;
    const series = seriesOfPath(relative, known);
    const choice: SeriesFileChoice = { location, named: series !== undefined };
    order.set(choice, index);
    const group = files.get(series ?? '');
    if (group === undefined) files.set(series ?? '', [choice]);
    else group.push(choice);
  });
  return { files, order };
}

/** The files to read for `code`, in listing order; INPUT_READ_ERROR where the dataset does not have it. */
export function chooseFiles(
  manifest: DatasetManifest,
  sorted: ReturnType<typeof filesBySeries>,
  code: string,
  datasetId: string,
): readonly SeriesFileChoice[] {
  const listed = manifest.series_codes;
  const missing = (why: string) =>
    new InvalidRequestError('INPUT_READ_ERROR', `Failed to read input series: ${code} (${why})`);
  if (listed !== null && listed !== undefined && !listed.includes(code)) {
    throw missing(`dataset "${datasetId}" has no such series`);
  }
  const named = code === '' ? [] : (sorted.files.get(code) ?? []);
  const unnamed = sorted.files.get('') ?? [];
  const chosen = [...named, ...unnamed].sort((a, b) => sorted.order.get(a)! - sorted.order.get(b)!);
  if (chosen.length === 0) throw missing(`dataset "${datasetId}" lists no file for it`);
  return chosen;
}
