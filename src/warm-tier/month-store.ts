/**
 * One provider's month in the lake: its manifest, read with its ETag and replaced by compare-and-set, and
 * the deletion of its files.
 */

import { InvalidRequestError } from '../common/errors.ts';
import { MERGE_WAYS, manifestKey, type TierMonth, type TierRoot, warmFolder } from '../contract/tier-keys.ts';
import type { TierProvider } from '../contract/tier-provider.ts';
import {
  emptyManifest,
  parseManifest,
  serializeManifest,
  type WarmManifest,
} from '../contract/warm-manifest.ts';
import type { Lake } from '../lake/lake.ts';

/** A manifest as it was read. */
export interface OpenedMonth {
  readonly manifest: WarmManifest;
  /** Undefined where there is none yet: the manifest is then an empty one. */
  readonly etag: string | undefined;
}

export interface MonthStore {
  readonly provider: TierProvider;
  readonly month: TierMonth;
  /** The manifest's key. */
  readonly key: string;
  /** The key of a file of the month's folder, from its name. */
  keyOf(name: string): string;
  read(signal?: AbortSignal): Promise<OpenedMonth>;
  /** Writes the manifest over the one that was read; false when another writer was first. */
  write(manifest: WarmManifest, etag: string | undefined, signal?: AbortSignal): Promise<boolean>;
  exists(key: string, signal?: AbortSignal): Promise<boolean>;
  remove(key: string, signal?: AbortSignal): Promise<void>;
}

const decoder = new TextDecoder();
const encoder = new TextEncoder();

export function openMonthStore(
  lake: Lake,
  { bucket, root }: { readonly bucket: string; readonly root: TierRoot },
  provider: TierProvider,
  month: TierMonth,
): MonthStore {
  const key = manifestKey(root, provider.name, month);
  const folder = warmFolder(root, provider.name, month);
  const location = { bucket, key };
  return {
    provider,
    month,
    key,
    keyOf: (name) => `${folder}/${name}`,

    async read(signal) {
      const stored = await lake.store.get(location, { signal });
      if (stored === undefined) {
        const { name, keyColumns } = provider;
        return { manifest: emptyManifest(MERGE_WAYS, name, keyColumns, month), etag: undefined };
      }
      const manifest = parseManifest(decoder.decode(stored.bytes), key, provider.name, month);
      checkKeyColumns(manifest, provider, key);
      // Who may write a manifest must not thereby be able to have anything else deleted.
      const pending = manifest.pending.filter((one) => one.key.startsWith(`${folder}/`));
      return { manifest: { ...manifest, pending }, etag: stored.etag };
    },

    async write(manifest, etag, signal) {
      const body = encoder.encode(serializeManifest(manifest));
      const options = { contentType: 'application/json', signal };
      const outcome =
        etag === undefined
          ? await lake.writer.create(location, body, options)
          : await lake.writer.replace(location, body, etag, options);
      return outcome.outcome === 'written';
    },

    exists: async (one, signal) => (await lake.store.head({ bucket, key: one }, { signal })) !== undefined,
    remove: (one, signal) => lake.store.delete({ bucket, key: one }, signal),
  };
}

/** Files that were sorted by another key can not be merged by this one. */
function checkKeyColumns(manifest: WarmManifest, provider: TierProvider, key: string): void {
  const wanted = provider.keyColumns.join(', ');
  const found = manifest.keyColumns.join(', ');
  if (found === wanted) return;
  throw new InvalidRequestError(
    'MANIFEST_VALIDATION_ERROR',
    `${key} is sorted by ${found}; the key columns of ${provider.name} are ${wanted}`,
    { fields: { key } },
  );
}
