/**
 * Orphans of a dataset: what ingest wrote and no reader needs any more. A file that was read again leaves
 * the Parquet files and bad rows of its former load; a killed worker leaves those of a load that it did
 * not finish.
 *
 * A load's objects carry its digest in their names, which are never used again. They stay while
 * - the ledger has the load, whether its manifest was committed or not yet;
 * - the current manifest names it, or a version that was the current one within the time given;
 * - a manifest in a folder that is no version's names it: so a version is pinned, by a copy of its manifest;
 * - they are younger than the time given, which is longer than any job: its load may yet be settled.
 *
 * A version whose files go goes first, so that no manifest names what is not there.
 */

import type { Clock } from '../common/clock.ts';
import { digestOfPath, parseIngestManifest } from '../contract/ingest-manifest.ts';
import { type ObjectLocation, uriOf } from '../contract/object-location.ts';
import type { Lake } from '../lake/lake.ts';
import { type ListedObject, listAll } from '../lake/object-store.ts';
import type { Ledger } from '../ledger/database.ts';
import { loadedDigests } from '../ledger/reports.ts';
import { badRowsPrefixOf, currentOf, type Dataset, projectionsOf, timeOfVersion } from './dataset-store.ts';

export interface OrphanParts {
  readonly lake: Lake;
  readonly ledger: Ledger;
  readonly dataset: Dataset;
  readonly clock: Clock;
  /** How long readers of a version that is not the current one any more may take; longer than any job. */
  readonly olderThanMs: number;
  readonly signal: AbortSignal;
}

export interface Orphans {
  /** Parquet files and bad rows. */
  readonly objects: readonly ListedObject[];
  /** Manifests of former versions that name one of them. */
  readonly versions: readonly ObjectLocation[];
}

const BAD_ROWS = /\/([0-9a-f]{40})\.jsonl$/;
const DELETES_AT_ONCE = 8;
/** Deleted between two looks at the current manifest. */
const BATCH = 400;

const digestOf = (key: string) => digestOfPath(key) ?? BAD_ROWS.exec(key)?.[1];

/** The digests that a manifest names; undefined where there is no manifest. */
async function digestsIn(location: ObjectLocation, { lake, signal }: OrphanParts) {
  const stored = await lake.store.get(location, { signal });
  if (stored === undefined) return undefined;
  const manifest = parseIngestManifest(stored.bytes, uriOf(location));
  const digests = new Set(Object.keys(manifest.sources ?? {}));
  for (const path of manifest.parquet_files) {
    const digest = digestOfPath(path);
    if (digest !== undefined) digests.add(digest);
  }
  return { digests, etag: stored.etag };
}

/** The manifests beside the current one: those that protect what they name, and those of former versions. */
async function manifestsOf({ lake, dataset, clock, olderThanMs, signal }: OrphanParts) {
  const versions: { readonly manifest: ObjectLocation; readonly at: number }[] = [];
  const protecting: ObjectLocation[] = [];
  let token: string | undefined;
  do {
    const page = await lake.store.list(dataset.base, { delimiter: '/', token, signal });
    for (const prefix of page.prefixes) {
      const folder = { bucket: dataset.base.bucket, key: prefix };
      if ([projectionsOf(dataset), badRowsPrefixOf(dataset)].some(({ key }) => key === prefix)) continue;
      const manifest = { ...folder, key: `${prefix}manifest.json` };
      const at = timeOfVersion(prefix.slice(dataset.base.key.length, -1));
      if (at === undefined) protecting.push(manifest);
      else versions.push({ manifest, at });
    }
    token = page.next;
  } while (token !== undefined);
  versions.sort((a, b) => a.at - b.at);
  const former: ObjectLocation[] = [];
  versions.forEach(({ manifest }, i) => {
    // A version is read until the next one comes, and by who began before that.
    const until = versions[i + 1]?.at ?? Number.POSITIVE_INFINITY;
    (until > clock.now() - olderThanMs ? protecting : former).push(manifest);
  });
  return { protecting, former };
}

/** All digests that something stands on, and the ETag of the current manifest. The ledger is asked first. */
async function living(parts: OrphanParts) {
  const { ledger, dataset, signal } = parts;
  const digests = await loadedDigests(ledger, uriOf(dataset.base), signal);
  const { protecting, former } = await manifestsOf(parts);
  for (const manifest of protecting) {
    for (const digest of (await digestsIn(manifest, parts))?.digests ?? []) digests.add(digest);
  }
  const current = await digestsIn(currentOf(dataset), parts);
  for (const digest of current?.digests ?? []) digests.add(digest);
  return { digests, former, etag: current?.etag };
}

export async function findOrphans(parts: OrphanParts): Promise<Orphans> {
  const { lake, dataset, clock, olderThanMs, signal } = parts;
  const youngest = clock.now() - olderThanMs;
  const before = await living(parts);
  const candidates: ListedObject[] = [];
  for (const prefix of [projectionsOf(dataset), badRowsPrefixOf(dataset)]) {
    for await (const object of listAll(lake.store, prefix, { signal })) {
      const digest = digestOf(object.key);
      if (digest === undefined || object.lastModified > youngest || before.digests.has(digest)) continue;
      candidates.push(object);
    }
  }
  // Asked again after the listing: what was settled meanwhile is none.
  const { digests, former } = await living(parts);
  const objects = candidates.filter(({ key }) => !digests.has(digestOf(key)!));
  const going = new Set(objects.map(({ key }) => digestOf(key)!));
  const versions: ObjectLocation[] = [];
  for (const manifest of former) {
    const named = (await digestsIn(manifest, parts))?.digests;
    if (named !== undefined && [...named].some((digest) => going.has(digest))) versions.push(manifest);
  }
  return { objects, versions };
}

/**
 * Deletes orphans that `findOrphans` has found, the manifests first; resolves to how many objects are
 * gone. Fewer than all where the dataset changed meanwhile: then what has become needed stays.
 */
export async function removeOrphans(orphans: Orphans, parts: OrphanParts): Promise<number> {
  const { lake, dataset, signal } = parts;
  for (const manifest of orphans.versions) await lake.store.delete(manifest, signal);
  let now = await living(parts);
  let gone = 0;
  for (let start = 0; start < orphans.objects.length; start += BATCH) {
    const current = await lake.store.head(currentOf(dataset), { signal });
    if (current?.etag !== now.etag) now = await living(parts);
    const batch = orphans.objects
      .slice(start, start + BATCH)
      .filter(({ key }) => !now.digests.has(digestOf(key)!));
    let next = 0;
    const lane = async () => {
      for (let at = next++; at < batch.length; at = next++) {
        await lake.store.delete({ bucket: dataset.base.bucket, key: batch[at]!.key }, signal);
        gone++;
      }
    };
    await Promise.all(Array.from({ length: DELETES_AT_ONCE }, lane));
  }
  return gone;
}
