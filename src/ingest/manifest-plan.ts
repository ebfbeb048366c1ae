/**
 * The next manifest of a dataset, from the current one and from what the ledger has loaded. Pure.
 *
 * Which files stay: those of other writers and of other ingestions; those of our own files that the
 * ledger does not know (it may have been lost); for the others what the ledger says is what is.
 * Order decides which of two rows with one time wins in a metric run, the later: within a series and
 * month, files are in the order in which their sources were last modified.
 */

import { seriesOfPath } from '../contract/dataset-manifest.ts';
import { digestOfPath, type IngestManifest, type ManifestSource } from '../contract/ingest-manifest.ts';
import type { LoadedFile } from '../ledger/file-ledger.ts';

export interface ManifestPlan {
  readonly changed: boolean;
  readonly parquetFiles: readonly string[];
  readonly seriesCodes: readonly string[];
  readonly sources: Readonly<Record<string, ManifestSource>>;
  readonly newSeries: readonly string[];
  readonly rowCount: number;
}

const compare = <T extends string | number>(a: T, b: T) => (a < b ? -1 : a > b ? 1 : 0);

export function planManifest(
  current: IngestManifest | undefined,
  ingestionId: string,
  loaded: readonly LoadedFile[],
): ManifestPlan {
  const before = current?.parquet_files ?? [];
  const sourcesBefore = current?.sources ?? {};
  const inLedger = new Set(loaded.map(({ path }) => path));
  const sourceOf = (path: string): [string, ManifestSource] | undefined => {
    const digest = digestOfPath(path);
    const source =
      digest !== undefined && Object.hasOwn(sourcesBefore, digest) ? sourcesBefore[digest] : undefined;
    return digest === undefined || source === undefined ? undefined : [digest, source];
  };

  const sources = new Map<string, ManifestSource>();
  const kept = before.filter((path) => {
    const found = sourceOf(path);
    if (found === undefined) return true;
    const [digest, source] = found;
    if (source.ingestion_id === ingestionId && inLedger.has(source.file)) return false;
    sources.set(digest, source);
    return true;
  });
  const codes = new Set<string>();
  const made: string[] = [];
  for (const { path, digest, etag, modified, records, outputs } of loaded) {
    sources.set(digest, {
      ingestion_id: ingestionId,
      file: path,
      etag,
      modified_at: modified,
      rows: records,
    });
    for (const output of outputs) {
      made.push(output.path);
      codes.add(output.series);
    }
  }

  const known = new Set(current?.series_codes ?? []);
  for (const path of kept) {
    const code = seriesOfPath(path, known);
    if (code !== undefined) codes.add(code);
    else for (const each of known) codes.add(each);
  }

  const parquetFiles = [...new Set([...kept, ...made])]
    .map((path, place) => {
      const digest = digestOfPath(path);
      const source = digest === undefined ? undefined : sources.get(digest);
      const folder = path.slice(0, path.lastIndexOf('/') + 1);
      return { path, place, folder, modified: source?.modified_at ?? 0, file: source?.file ?? '' };
    })
    .sort((a, b) => {
      const order = compare(a.folder, b.folder) || a.modified - b.modified || compare(a.file, b.file);
      // Parts of one file: a shorter name is an earlier part.
      return order || a.path.length - b.path.length || compare(a.path, b.path) || a.place - b.place;
    })
    .map(({ path }) => path);

  const same = parquetFiles.length === before.length && parquetFiles.every((path, i) => path === before[i]);
  const seriesCodes = [...codes].sort(compare);
  return {
    changed: current === undefined ? parquetFiles.length > 0 : !same,
    parquetFiles,
    seriesCodes,
    sources: Object.fromEntries([...sources].sort(([a], [b]) => compare(a, b))),
    newSeries: current === undefined ? [] : seriesCodes.filter((code) => !known.has(code)),
    rowCount: [...sources.values()].reduce((sum, { rows }) => sum + rows, 0),
  };
}
