/**
 * Finding a run's files: the listing of its source, page by page, into the ledger, and with the same
 * pages what the ledger has loaded that is no longer there. Holds one page at a time.
 */

import { breather, type Clock } from '../common/clock.ts';
import type { ObjectLocation } from '../contract/object-location.ts';
import { uriOf } from '../contract/object-location.ts';
import type { ObjectStore } from '../lake/object-store.ts';
import type { Ledger } from '../ledger/database.ts';
import {
  type FileScope,
  type FindOptions,
  type FoundFile,
  GONE_AT_ONCE,
  loadedButNot,
  recordFound,
} from '../ledger/file-ledger.ts';
import { isOfDataset } from './dataset-store.ts';
import { compileGlob } from './glob.ts';

export interface SourceQuery {
  /** Any prefix of keys; the glob is of what follows its last slash. */
  readonly prefix: ObjectLocation;
  readonly glob: string;
  /** Only files modified at this time or later, in milliseconds. */
  readonly since: number | undefined;
  /** The base of the dataset, whose own objects are no source, whatever the glob says. */
  readonly target: ObjectLocation;
}

export interface Discovery {
  /** Files that the source has. */
  readonly discovered: number;
  /** Of these, the ones that this run has put up for processing. */
  readonly taken: number;
  /** Loaded before and gone from the bucket. */
  readonly missing: number;
  /** The first few of them. */
  readonly missingFiles: readonly string[];
}

const SHOWN = 20;

export async function discover(
  store: ObjectStore,
  ledger: Ledger,
  scope: FileScope,
  query: SourceQuery,
  options: FindOptions,
  clock: Clock,
  signal: AbortSignal,
): Promise<Discovery> {
  // This is the main thread, and a pattern may be made to cost milliseconds a key.
  const breathe = breather(clock);
  const { prefix, since, target } = query;
  const matches = compileGlob(query.glob);
  const base = prefix.key.lastIndexOf('/') + 1;
  const bucket = `s3://${prefix.bucket}/`;
  const wanted = (key: string) =>
    !key.endsWith('/') && matches(key.slice(base)) && !isOfDataset(target, { bucket: prefix.bucket, key });
  let discovered = 0;
  let taken = 0;
  const gone: string[] = [];
  let missing = 0;
  let after = uriOf(prefix);
  let token: string | undefined;
  do {
    const page = await store.list(prefix, { token, signal });
    token = page.next;
    const found: FoundFile[] = [];
    for (const { key, size, etag, lastModified } of page.objects) {
      await breathe();
      if (!wanted(key) || (since !== undefined && lastModified < since)) continue;
      found.push({ path: uriOf({ bucket: prefix.bucket, key }), size, modified: lastModified, etag });
    }
    discovered += found.length;
    taken += await recordFound(ledger, scope, found, options, signal);
    const last = page.objects.at(-1);
    const through =
      token === undefined || last === undefined ? `${uriOf(prefix)}\u{10ffff}` : `${bucket}${last.key}`;
    const present = page.objects.map(({ key }) => `${bucket}${key}`);
    // A folder that was emptied may have left more in the ledger than a page.
    for (let from: string | undefined = after; from !== undefined; ) {
      const range = { after: from, through };
      const unlisted = await loadedButNot(ledger, scope.ingestionId, range, present, signal);
      for (const path of unlisted) {
        await breathe();
        if (!wanted(path.slice(bucket.length))) continue;
        missing++;
        if (gone.length < SHOWN) gone.push(path);
      }
      from = unlisted.length < GONE_AT_ONCE ? undefined : unlisted.at(-1);
    }
    if (last !== undefined) after = `${bucket}${last.key}`;
  } while (token !== undefined);
  return { discovered, taken, missing, missingFiles: gone };
}
