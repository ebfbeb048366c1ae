/** All load cases, in the order in which they run. */

import type { LoadCase } from './load-case.ts';
import { SLOW_S3 } from './slow-s3.ts';
import { SOAK } from './soak.ts';
import { THROUGHPUT_CASES } from './throughput-cases.ts';

export const LOAD_CASES: readonly LoadCase[] = [...THROUGHPUT_CASES, SLOW_S3, SOAK];
