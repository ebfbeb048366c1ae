/**
 * What a reader needs of a month: the files that one revision of its manifest names, and what may go wrong
 * with them. Pure.
 */

import { manifestKey, type TierMonth, type TierRoot, warmFolder } from '../contract/tier-keys.ts';
import type { WarmFileFacts, WarmManifest } from '../contract/warm-manifest.ts';

export interface SnapshotFile extends WarmFileFacts {
  readonly level: number;
  readonly key: string;
  readonly hotRange: readonly [number, number];
}

/** From `from`, and before `to`; microseconds since the epoch. */
export interface TimeSpan {
  readonly from: number;
  readonly to: number;
}

/** The files of a manifest, highest level first, oldest first within one; only those that may have rows of a span. */
export function snapshotFiles(root: TierRoot, manifest: WarmManifest, span?: TimeSpan): SnapshotFile[] {
  const folder = warmFolder(root, manifest.provider, manifest);
  const files = manifest.levels.flatMap((named, level) =>
    named.map(
      ({ file, ...facts }): SnapshotFile => ({
        level,
        key: level === 0 ? file : `${folder}/${file}`,
        ...facts,
      }),
    ),
  );
  const wanted = span === undefined ? files : files.filter((file) => mayHaveRowsOf(file, span));
  return wanted.toSorted((a, b) => b.level - a.level || a.hotRange[0] - b.hotRange[0]);
}

/** A file that does not tell its times may have rows of any. */
function mayHaveRowsOf({ minTime, maxTime }: WarmFileFacts, { from, to }: TimeSpan): boolean {
  return minTime === null || maxTime === null || (minTime < to && maxTime >= from);
}

/**
 * The months whose files may have rows of a span: those that it touches, and the one after, where rows
 * that were collected late lie.
 */
export function monthsOf({ from, to }: TimeSpan): TierMonth[] {
  const index = (micros: number) => {
    const date = new Date(Math.floor(micros / 1_000));
    return date.getUTCFullYear() * 12 + date.getUTCMonth();
  };
  const first = index(from);
  const last = index(Math.max(from, to - 1)) + 1;
  return Array.from({ length: last - first + 1 }, (_, i) => ({
    year: Math.floor((first + i) / 12),
    month: ((first + i) % 12) + 1,
  }));
}

/** The keys of a month's folder that its manifest neither names nor has listed for deletion. */
export function unlistedKeys(root: TierRoot, manifest: WarmManifest, keys: readonly string[]): string[] {
  const listed = new Set([
    ...snapshotFiles(root, manifest).map(({ key }) => key),
    ...manifest.pending.map(({ key }) => key),
    manifestKey(root, manifest.provider, manifest),
  ]);
  return keys.filter((key) => !listed.has(key));
}
