/** What one run may take of a worker through its inputs. */

import { expect, test } from '@jest/globals';
import { createRunBudget } from '../../src/metric-run/run-budget.ts';

test('files of all inputs are counted together', () => {
  const budget = createRunBudget({ maxInputFiles: 5, maxHeldRows: 1 });
  budget.takeFiles(3);
  budget.takeFiles(2);
  expect(() => budget.takeFiles(1)).toThrow(
    'The inputs have 6 files or more; METRIC_MAX_INPUT_FILES allows 5',
  );
});

test('of a long series a row group counts, so that two of a billion rows are no burden', () => {
  const budget = createRunBudget({ maxInputFiles: 1, maxHeldRows: 3_000_000 });
  budget.takeRows(1_000_000_000);
  budget.takeRows(1_000_000_000);
  budget.takeRows(900_000);
  expect(() => budget.takeRows(100_000)).toThrow(
    'The inputs have 3097152 rows in memory at once; METRIC_MAX_HELD_ROWS allows 3000000',
  );
});
