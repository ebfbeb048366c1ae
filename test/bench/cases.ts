/** All benchmark cases, in the order in which they run. */

import type { BenchCase } from './case.ts';
import { INGEST_CASES } from './ingest-cases.ts';
import { METRIC_CASES } from './metric-cases.ts';
import { TIER_CASES } from './tier-cases.ts';
import { WORKER_CASES } from './worker-cases.ts';

export const BENCH_CASES: readonly BenchCase[] = [
  ...METRIC_CASES,
  ...WORKER_CASES,
  ...TIER_CASES,
  ...INGEST_CASES,
];
