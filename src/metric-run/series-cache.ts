/**
 * Decoded small series, kept between runs: least recently used ones go first, none is used for longer
 * than its time. A key names the dataset manifest's ETag, so a new manifest means new reading; the time
 * limit bounds the harm where someone rewrites a file behind its manifest.
 */

import type { SeriesBatch } from '../lake/series-batch.ts';

export interface CachedSeries {
  readonly batches: readonly SeriesBatch[];
  readonly rows: number;
  /** What the manifest of a run tells of its inputs. */
  readonly files: number;
  readonly bytes: number;
}

export interface SeriesCache {
  get(key: string): CachedSeries | undefined;
  set(key: string, series: CachedSeries): void;
}

interface Entry {
  readonly series: CachedSeries;
  readonly until: number;
}

const BYTES_A_ROW = 16;
/** One series may take up to this share of the cache. */
const LARGEST_SHARE = 0.25;

export function createSeriesCache(
  settings: { bytes: number; seconds: number },
  now: () => number,
): SeriesCache {
  const entries = new Map<string, Entry>();
  let held = 0;

  function drop(key: string): void {
    const entry = entries.get(key);
    if (entry === undefined) return;
    entries.delete(key);
    held -= entry.series.rows * BYTES_A_ROW;
  }

  return {
    get(key) {
      const entry = entries.get(key);
      if (entry === undefined) return undefined;
      if (entry.until < now()) {
        drop(key);
        return undefined;
      }
      entries.delete(key);
      entries.set(key, entry);
      return entry.series;
    },
    set(key, series) {
      const size = series.rows * BYTES_A_ROW;
      if (size > settings.bytes * LARGEST_SHARE) return;
      drop(key);
      entries.set(key, { series, until: now() + settings.seconds * 1000 });
      held += size;
      for (const oldest of entries.keys()) {
        if (held <= settings.bytes) break;
        drop(oldest);
      }
    },
  };
}
