/** What one run may take of a worker through its inputs: files opened, and rows in memory at once. */

import { InvalidRequestError } from '../common/errors.ts';

export interface BudgetLimits {
  /** Most Parquet files that one run may open: each has its last 64 KiB in memory. */
  readonly maxInputFiles: number;
  /** Most rows of all inputs together that one run may have in memory at once, at 16 bytes each. */
  readonly maxHeldRows: number;
}

/** Of one series so many rows at most are in memory at once, however many it has: a row group. */
const HELD_ROWS_A_SERIES = 1_048_576;

export interface RunBudget {
  /** Counts files that are to be opened; CONFIG_ERROR beyond the limit. */
  takeFiles(count: number): void;
  /** Counts the rows of a series that is to be read; CONFIG_ERROR beyond the limit. */
  takeRows(rows: number): void;
}

export function createRunBudget({ maxInputFiles, maxHeldRows }: BudgetLimits): RunBudget {
  let files = 0;
  let held = 0;
  const refuse = (why: string): never => {
    throw new InvalidRequestError('CONFIG_ERROR', why);
  };
  return {
    takeFiles(count) {
      files += count;
      if (files > maxInputFiles) {
        refuse(`The inputs have ${files} files or more; METRIC_MAX_INPUT_FILES allows ${maxInputFiles}`);
      }
    },
    takeRows(rows) {
      held += Math.min(rows, HELD_ROWS_A_SERIES);
      if (held > maxHeldRows) {
        refuse(`The inputs have ${held} rows in memory at once; METRIC_MAX_HELD_ROWS allows ${maxHeldRows}`);
      }
    },
  };
}
