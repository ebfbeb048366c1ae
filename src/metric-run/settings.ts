/** What the metric-run feature is told of the configuration. Plain data: it crosses to worker threads. */

import type { OutputCompression } from '../contract/output-compression.ts';
import type { ExpressionLimits } from './expression/parse.ts';
import type { BudgetLimits } from './run-budget.ts';

export interface MetricRunSettings {
  readonly bucket: string;
  readonly allowedBuckets: readonly string[];
  readonly compression: OutputCompression;
  readonly limits: ExpressionLimits;
  /** Most rows that one run may read. */
  readonly maxInputRows: number;
  readonly inputs: BudgetLimits;
  readonly cache: {
    /** Memory for decoded small series, in bytes, for each thread; 0: none. */
    readonly bytes: number;
    readonly seconds: number;
  };
}
