/** All fuzz targets, and their shares of a run. What a target needs is loaded when it is opened. */

import { FAULTY, LEAKING } from './faulty.ts';
import type { FuzzTarget } from './target.ts';

const TIER_FIXTURES = 'lake/tier-fixtures';
const PARQUET = ['fuzz/corpus/parquet'];

export const TARGETS: readonly FuzzTarget[] = [
  {
    name: 'message',
    kind: 'json',
    share: 36,
    open: async () => (await import('./targets/message.ts')).openMessages(),
  },
  {
    name: 'expression',
    kind: 'json',
    share: 24,
    open: async () => (await import('./targets/expression.ts')).openExpressions(),
  },
  {
    name: 'dataset-manifest',
    kind: 'json',
    share: 14,
    open: async () => (await import('./targets/manifests.ts')).openDatasetManifests(),
  },
  {
    name: 'warm-manifest',
    kind: 'json',
    share: 18,
    open: async () => (await import('./targets/manifests.ts')).openWarmManifests(),
  },
  {
    name: 'metric-manifest',
    kind: 'json',
    share: 8,
    open: async () => (await import('./targets/manifests.ts')).openMetricManifests(),
  },
  {
    name: 'settings',
    kind: 'json',
    share: 8,
    open: async () => (await import('./targets/settings.ts')).openSettings(),
  },
  {
    name: 'providers',
    kind: 'json',
    share: 8,
    open: async () => (await import('./targets/settings.ts')).openProviders(),
  },
  {
    name: 'series-parquet',
    kind: 'bytes',
    share: 20,
    seeds: PARQUET,
    open: async () => (await import('./targets/parquet.ts')).openSeriesFiles(),
  },
  {
    name: 'tier-parquet',
    kind: 'bytes',
    share: 14,
    seeds: [...PARQUET, TIER_FIXTURES],
    open: async () => (await import('./targets/parquet.ts')).openTierFiles(),
  },
  {
    name: 'upload',
    kind: 'bytes',
    share: 22,
    open: async () => (await import('./targets/files.ts')).openUploads(),
  },
  {
    name: 'ingest',
    kind: 'bytes',
    share: 22,
    open: async () => (await import('./targets/files.ts')).openIngests(),
  },
  {
    name: 'jobs',
    kind: 'bytes',
    share: 6,
    open: async () => (await import('./targets/jobs.ts')).openJobs(),
  },
];

/** @throws Error where there is no such target */
export function targetNamed(name: string): FuzzTarget {
  const target = [...TARGETS, FAULTY, LEAKING].find((each) => each.name === name);
  if (target !== undefined) return target;
  throw new Error(`no target ${name}; there are: ${TARGETS.map((each) => each.name).join(', ')}`);
}
