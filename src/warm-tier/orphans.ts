/**
 * Orphans: files of a month's folder that its manifest neither names nor lists for deletion. A killed worker
 * leaves them. One that is younger than the longest job may yet be committed, and is none.
 *
 * They are removed as every other file is: listed in the manifest as pending first, which also keeps a worker
 * that was about to commit one from doing so, and deleted only then.
 */

import type { Clock } from '../common/clock.ts';
import type { Random } from '../common/ids.ts';
import { type TierRoot, warmFileId, warmFolder } from '../contract/tier-keys.ts';
import type { Lake } from '../lake/lake.ts';
import { type ListedObject, listAll } from '../lake/object-store.ts';
import { bury } from './compact.ts';
import type { MonthStore } from './month-store.ts';
import { unlistedKeys } from './snapshot.ts';

export interface OrphanParts {
  readonly lake: Lake;
  readonly bucket: string;
  readonly root: TierRoot;
  readonly store: MonthStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
}

/** The orphans that are older than `olderThanMs`. The folder is listed first: what is written later is no orphan. */
export async function findOrphans(olderThanMs: number, parts: OrphanParts): Promise<ListedObject[]> {
  const { lake, bucket, root, store, clock, signal } = parts;
  const prefix = { bucket, key: `${warmFolder(root, store.provider.name, store.month)}/` };
  const objects: ListedObject[] = [];
  for await (const object of listAll(lake.store, prefix, { signal })) objects.push(object);
  const { manifest } = await store.read(signal);
  const unlisted = new Set(
    unlistedKeys(
      root,
      manifest,
      objects.map(({ key }) => key),
    ),
  );
  const youngest = clock.now() - olderThanMs;
  return objects.filter(
    ({ key, lastModified }) => unlisted.has(key) && warmFileId(key) !== undefined && lastModified <= youngest,
  );
}

/** Removes orphans that `findOrphans` has found; returns the keys that are gone. */
export async function removeOrphans(
  orphans: readonly ListedObject[],
  parts: OrphanParts,
): Promise<readonly string[]> {
  const keys = new Set(orphans.map(({ key }) => key));
  const { store, signal } = parts;
  const listed = await bury(keys, { ...parts, readerGraceMs: 0, warn: () => {} });
  for (const key of listed) await store.remove(key, signal);
  return listed;
}
