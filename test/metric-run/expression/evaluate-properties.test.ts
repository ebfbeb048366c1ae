import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { countNulls } from '../../../src/metric-run/expression/quality.ts';
import { cuts, operation, seriesByCode } from '../../support/arbitraries.ts';
import { closeTo, type Row } from '../../support/conformance-cases.ts';
import { naiveResult } from '../../support/naive-evaluation.ts';
import { resultOf } from '../../support/series-sources.ts';

/** The first row that differs; the oracle adds in another order, hence a tolerance. */
function difference(actual: readonly Row[], expected: readonly Row[]): unknown {
  if (actual.length !== expected.length) return { rows: actual.length, expected: expected.length };
  const at = actual.findIndex(
    ([time, value], i) => time !== expected[i]![0] || !closeTo(value, expected[i]![1], 1e-9),
  );
  return at < 0 ? undefined : { at, actual: actual[at], expected: expected[at] };
}

describe('any expression over any series', () => {
  test('is what the oracle makes of it', async () => {
    await fc.assert(
      fc.asyncProperty(operation, seriesByCode, async (asked, series) => {
        expect(difference(await resultOf(asked, series), naiveResult(asked, series))).toBeUndefined();
      }),
      { numRuns: 1500 },
    );
  });

  test('is the same to the last bit however the series are cut into batches', async () => {
    await fc.assert(
      fc.asyncProperty(
        operation,
        seriesByCode,
        cuts,
        fc.integer({ min: 1, max: 50 }),
        async (asked, series, sizes, batchRows) => {
          expect(await resultOf(asked, series, { sizes, batchRows })).toEqual(await resultOf(asked, series));
        },
      ),
      { numRuns: 1500 },
    );
  });
});

test('nulls are counted as the NaN they are', () => {
  expect(countNulls(Float64Array.of(Number.NaN, 0, Number.POSITIVE_INFINITY, Number.NaN))).toBe(2);
});
