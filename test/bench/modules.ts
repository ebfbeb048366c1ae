/** The modules that the sides measure. */

import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** The modules that sides load by themselves, below src. */
export const MODULES = [
  'common/discard.ts',
  'contract/compaction-result.ts',
  'contract/tier-keys.ts',
  'contract/tier-provider.ts',
  'contract/warm-manifest.ts',
  'hot-tier/hot-file.ts',
  'hot-tier/json-lines.ts',
  'hot-tier/object-bytes.ts',
  'hot-tier/row-builder.ts',
  'ingest/load-file.ts',
  'lake/decoder-threads.ts',
  'lake/encoder-threads.ts',
  'lake/random-access.ts',
  'lake/series-encoder.ts',
  'lake/tier-file-reader.ts',
  'lake/tier-file-writer.ts',
  'lake/tier-table/table.ts',
  'local/local-aws-process.ts',
  'metric-run/expression/evaluate.ts',
  'metric-run/expression/parse.ts',
  'warm-tier/merge-files.ts',
  'warm-tier/merge.ts',
  'warm-tier/plan.ts',
] as const;

export type Module = (typeof MODULES)[number];

/** Loads the modules of a build (builds.ts), by their places below src. */
export function modulesOf(dist: string) {
  return async <T>(path: Module) =>
    (await import(pathToFileURL(join(dist, path.replace(/ts$/, 'js'))).href)) as T;
}
