/** All load cases, in the order in which they run. */

import type { LoadCase } from './load-case.ts';
import { SOAK } from './soak.ts';

export const LOAD_CASES: readonly LoadCase[] = [SOAK];
