/**
 * What a metric's base path holds, read and changed: versions, run markers, the `current` alias.
 *
 * Invariants: a marker is made once, after its version is whole; the alias is replaced only by a newer
 * version, by compare-and-set; a version that no marker names is removed by who made it, or by the run's
 * next attempt.
 */

import { versionStamp } from '../common/clock.ts';
import { InvalidRequestError, RetryableError } from '../common/errors.ts';
import {
  decodeMetricManifest,
  decodeRunMarker,
  encodeJson,
  isDatasetManifest,
  type RunMarker,
  versionOfAlias,
} from '../contract/metric-manifest.ts';
import { type ObjectLocation, uriOf } from '../contract/object-location.ts';
import type { Lake } from '../lake/lake.ts';
import {
  aliasLocation,
  dataLocation,
  manifestLocation,
  markerLocation,
  versionOfKey,
} from './output-keys.ts';

/** User metadata of a version's data: the run that wrote it. */
export const RUN_ID_METADATA = 'tidemill-run-id';
const JSON_TYPE = { contentType: 'application/json' } as const;
const MAX_ALIAS_RACES = 20;
/** Clocks of workers may differ by this much. */
const CLOCK_SKEW_MS = 3_600_000;

/** The run's marker, or undefined where the run is not done. */
export async function readMarker(
  lake: Lake,
  base: ObjectLocation,
  runId: string,
  signal?: AbortSignal,
): Promise<RunMarker | undefined> {
  const location = markerLocation(base, runId);
  const stored = await lake.store.get(location, { signal });
  if (stored === undefined) return undefined;
  const marker = decodeRunMarker(stored.bytes);
  if (marker === undefined)
    throw new RetryableError('OUTPUT_WRITE_ERROR', `${uriOf(location)} is no run marker`);
  return marker;
}

/** Makes the marker; undefined where it is ours, else the winner's. */
export async function createMarker(
  lake: Lake,
  base: ObjectLocation,
  marker: RunMarker,
  signal?: AbortSignal,
): Promise<RunMarker | undefined> {
  const options = { ...JSON_TYPE, signal };
  const outcome = await lake.writer.create(markerLocation(base, marker.run_id), encodeJson(marker), options);
  if (outcome.outcome === 'written') return undefined;
  const winner = await readMarker(lake, base, marker.run_id, signal);
  if (winner === undefined)
    throw new RetryableError('OUTPUT_WRITE_ERROR', `the marker of run ${marker.run_id} went away`);
  return winner;
}

/**
 * Throws CONFIG_ERROR where the base path is a dataset's: its manifest has the alias' name, and a run that
 * replaced it would take the dataset from all who read it.
 */
export async function refuseDataset(lake: Lake, base: ObjectLocation, signal: AbortSignal): Promise<void> {
  const location = aliasLocation(base);
  const alias = await lake.store.get(location, { signal });
  if (alias === undefined || !isDatasetManifest(alias.bytes)) return;
  const why = `${uriOf(location)} is the manifest of a dataset`;
  throw new InvalidRequestError('CONFIG_ERROR', `output.basePath: must not be a dataset's; ${why}`);
}

/** Points `current` to the version of `manifest`, unless it points to that or a newer one already. */
async function advanceCurrent(
  lake: Lake,
  base: ObjectLocation,
  version: string,
  manifest: () => Promise<Uint8Array | undefined>,
  signal?: AbortSignal,
): Promise<void> {
  const location = aliasLocation(base);
  const options = { ...JSON_TYPE, signal };
  for (let race = 0; race < MAX_ALIAS_RACES; race++) {
    const alias = await lake.store.get(location, { signal });
    const pointsTo = alias === undefined ? undefined : versionOfAlias(alias.bytes);
    if (pointsTo !== undefined && pointsTo >= version) return;
    if (alias !== undefined && isDatasetManifest(alias.bytes)) return; // It came to be meanwhile.
    const bytes = await manifest();
    if (bytes === undefined) return; // The version was removed by people: nothing to point to.
    const outcome =
      alias === undefined
        ? await lake.writer.create(location, bytes, options)
        : await lake.writer.replace(location, bytes, alias.etag, options);
    if (outcome.outcome === 'written') return;
  }
  throw new RetryableError('CONCURRENCY_CONFLICT', `${uriOf(location)} kept being replaced by others`);
}

/**
 * What follows the marker, done again as often as wanted: `current` points to the run's version or a
 * newer one, and, of a run that was delivered before (`firstReceivedAt`, in milliseconds), nothing is
 * left of earlier attempts.
 */
export async function settleAfterMarker(
  lake: Lake,
  base: ObjectLocation,
  marker: RunMarker,
  firstReceivedAt: number | undefined,
  signal?: AbortSignal,
): Promise<void> {
  const location = { bucket: base.bucket, key: marker.output_manifest };
  const manifest = async () => (await lake.store.get(location, { signal }))?.bytes;
  await advanceCurrent(lake, base, marker.version_ts, manifest, signal);
  if (firstReceivedAt === undefined) return;
  await sweepLeftovers(lake, base, marker, versionStamp(firstReceivedAt - CLOCK_SKEW_MS), signal);
}

/** The versions from `from` on that exist in any part, one listing. */
export async function versionsFrom(
  lake: Lake,
  base: ObjectLocation,
  from: string,
  signal?: AbortSignal,
): Promise<Set<string>> {
  const versions = new Set<string>();
  let token: string | undefined;
  do {
    const startAfter = `${base.key}${from}`;
    const page = await lake.store.list(base, { delimiter: '/', startAfter, token, signal });
    for (const prefix of page.prefixes) {
      const version = versionOfKey(base, prefix);
      if (version !== undefined) versions.add(version);
    }
    token = page.next;
  } while (token !== undefined);
  return versions;
}

/** Removes a version that no marker names: the manifest first, so that no manifest names missing data. */
export async function removeVersion(lake: Lake, base: ObjectLocation, version: string): Promise<void> {
  await lake.store.delete(manifestLocation(base, version));
  await lake.store.delete(dataLocation(base, version));
}

/**
 * Removes what earlier attempts of a run left behind: its versions, from `from` on, but for the one its
 * marker names. To be called only when the marker is made: then none of them can win any more.
 */
async function sweepLeftovers(
  lake: Lake,
  base: ObjectLocation,
  marker: RunMarker,
  from: string,
  signal?: AbortSignal,
): Promise<void> {
  for (const version of await versionsFrom(lake, base, from, signal)) {
    if (version === marker.version_ts) continue;
    const data = await lake.store.head(dataLocation(base, version), { signal });
    let owner = data?.metadata[RUN_ID_METADATA];
    if (data === undefined) {
      const manifest = await lake.store.get(manifestLocation(base, version), { signal });
      owner = manifest === undefined ? undefined : decodeMetricManifest(manifest.bytes)?.run_id;
    }
    if (owner === marker.run_id) await removeVersion(lake, base, version);
  }
}
