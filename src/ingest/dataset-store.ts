/**
 * A dataset's manifests in the lake:
 *
 *   <base>/<version>/manifest.json    each version, made once
 *   <base>/current/manifest.json      what readers begin with: replaced by compare-and-set
 *   <base>/projections/               the Parquet files
 *
 * The current manifest is read before the ledger is, so that what is written never falls behind what
 * another worker has committed: had the ledger grown since, the compare-and-set fails and all is read anew.
 */

import { type Clock, isoSeconds, versionStamp } from '../common/clock.ts';
import { RetryableError } from '../common/errors.ts';
import { type IngestManifest, parseIngestManifest } from '../contract/ingest-manifest.ts';
import { type ObjectLocation, uriOf } from '../contract/object-location.ts';
import type { Lake } from '../lake/lake.ts';
import type { LoadedFile } from '../ledger/file-ledger.ts';
import { planManifest } from './manifest-plan.ts';

export interface Dataset {
  readonly datasetId: string;
  /** Ends with a slash. */
  readonly base: ObjectLocation;
}

const below = ({ base }: Dataset, rest: string): ObjectLocation => ({
  bucket: base.bucket,
  key: `${base.key}${rest}`,
});
export const projectionsOf = (dataset: Dataset) => below(dataset, 'projections/');
export const currentOf = (dataset: Dataset) => below(dataset, 'current/manifest.json');
export const badRowsPrefixOf = (dataset: Dataset) => below(dataset, 'bad-rows/');
export const badRowsOf = (dataset: Dataset, digest: string) => below(dataset, `bad-rows/${digest}.jsonl`);

/**
 * Whether an object is the dataset's own and so never a source: a Parquet file, bad rows, or a manifest in
 * any folder right below the base, as orphans.ts takes each such for one of a version or a pin.
 */
export function isOfDataset(base: ObjectLocation, { bucket, key }: ObjectLocation): boolean {
  if (bucket !== base.bucket || !key.startsWith(base.key)) return false;
  return /^(?:projections\/|bad-rows\/|[^/]+\/manifest\.json$)/.test(key.slice(base.key.length));
}

const versionOf = (dataset: Dataset, version: string) => below(dataset, `${version}/manifest.json`);

const MAX_RACES = 40;
const VERSION = /^\d{4}-\d{2}-\d{2}T\d{2}-\d{2}-\d{2}$/;

/** When a version was made, by its name; undefined for what is no version's name. */
export function timeOfVersion(name: string): number | undefined {
  return VERSION.test(name) ? Date.parse(name.replace(/T(\d\d)-(\d\d)-/, 'T$1:$2:').concat('Z')) : undefined;
}

const JSON_TYPE = 'application/json';
const PARTITION_STRATEGY = 'series/year/month';

export interface Committed {
  /** Undefined where there was nothing to change. */
  readonly version: ObjectLocation | undefined;
  /** The current manifest; undefined where the dataset has none. */
  readonly current: ObjectLocation | undefined;
  readonly newSeries: readonly string[];
}

async function readCurrent(lake: Lake, dataset: Dataset, signal: AbortSignal) {
  const location = currentOf(dataset);
  const stored = await lake.store.get(location, { signal });
  if (stored === undefined) return undefined;
  return { etag: stored.etag, manifest: parseIngestManifest(stored.bytes, uriOf(location)) };
}

/** Makes a version that no one has, later than `after`; resolves to its place and its bytes. */
async function makeVersion(
  lake: Lake,
  clock: Clock,
  dataset: Dataset,
  after: string,
  manifest: Omit<IngestManifest, 'version_id' | 'created_at'>,
  signal: AbortSignal,
): Promise<{ location: ObjectLocation; bytes: Uint8Array }> {
  // A later version sorts later, even when the clock of who made the last one was ahead of ours.
  const last = timeOfVersion(after) ?? 0;
  for (let at = Math.max(clock.now(), last + 1000), race = 0; race < MAX_RACES; at += 1000, race++) {
    const version = versionStamp(at);
    const location = versionOf(dataset, version);
    const body = { version_id: version, created_at: isoSeconds(at), ...manifest };
    const bytes = Buffer.from(`${JSON.stringify(body)}\n`);
    const outcome = await lake.writer.create(location, bytes, { contentType: JSON_TYPE, signal });
    if (outcome.outcome === 'written') return { location, bytes };
  }
  throw new RetryableError(
    'CONCURRENCY_CONFLICT',
    `others kept taking the versions of ${uriOf(dataset.base)}`,
  );
}

/**
 * Commits what the ledger has loaded as the dataset's next version, or finds that it is committed.
 * `loaded` reads the ledger; it is called after the current manifest was read, in each try.
 */
export async function commitDataset(
  lake: Lake,
  clock: Clock,
  dataset: Dataset,
  run: { readonly ingestionId: string; readonly runId: string },
  loaded: () => Promise<readonly LoadedFile[]>,
  signal: AbortSignal,
): Promise<Committed> {
  const location = currentOf(dataset);
  for (let race = 0; race < MAX_RACES; race++) {
    const current = await readCurrent(lake, dataset, signal);
    const plan = planManifest(current?.manifest, run.ingestionId, await loaded());
    if (!plan.changed) {
      // A crash may have come between this run's commit and its telling: then it is told again.
      const ours = current?.manifest.run_id === run.runId && typeof current.manifest.version_id === 'string';
      const version = ours ? versionOf(dataset, String(current.manifest.version_id)) : undefined;
      return { version, current: current === undefined ? undefined : location, newSeries: [] };
    }
    const after = String(current?.manifest.version_id ?? '');
    const made = await makeVersion(
      lake,
      clock,
      dataset,
      after,
      {
        dataset_id: dataset.datasetId,
        run_id: run.runId,
        row_count: plan.rowCount,
        partition_strategy: PARTITION_STRATEGY,
        series_codes: [...plan.seriesCodes],
        parquet_files: [...plan.parquetFiles],
        sources: plan.sources,
      },
      signal,
    );
    const options = { contentType: JSON_TYPE, signal };
    const outcome =
      current === undefined
        ? await lake.writer.create(location, made.bytes, options)
        : await lake.writer.replace(location, made.bytes, current.etag, options);
    if (outcome.outcome === 'written')
      return { version: made.location, current: location, newSeries: plan.newSeries };
    await lake.store.delete(made.location, signal);
  }
  throw new RetryableError('CONCURRENCY_CONFLICT', `${uriOf(location)} kept being replaced by others`);
}
