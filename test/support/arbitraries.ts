/** What the property tests draw from: series, how they are cut, and expressions over them. */

import fc from 'fast-check';
import {
  COMPOSITE_OPS,
  type Expression,
  LAG_UNITS,
  MATH_OPS,
} from '../../src/metric-run/expression/expression.ts';
import type { Row } from './conformance-cases.ts';

export const CODES = ['A', 'B', 'C'] as const;

/** Six hours: some lags by days hit a row, others fall between two. */
const STEP = 21_600_000_000;

const value = fc.oneof(
  { weight: 20, arbitrary: fc.integer({ min: -4, max: 9 }) },
  { weight: 6, arbitrary: fc.double({ min: 0.1, max: 1000, noNaN: true }) },
  { weight: 6, arbitrary: fc.constant(null) },
  { weight: 1, arbitrary: fc.constantFrom(Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY) },
);

/** Sorted rows with distinct times, of which about every second is there. */
export function rows(most = 40): fc.Arbitrary<Row[]> {
  return fc
    .uniqueArray(fc.integer({ min: 0, max: 2 * most }), { maxLength: most, size: 'max' })
    .chain((steps) =>
      fc
        .array(value, { minLength: steps.length, maxLength: steps.length })
        .map((values) => steps.sort((a, b) => a - b).map((step, i): Row => [step * STEP, values[i]!])),
    );
}

export const seriesByCode: fc.Arbitrary<Map<string, Row[]>> = fc
  .tuple(rows(), rows(), rows())
  .map((lists) => new Map(CODES.map((code, i) => [code, lists[i]!])));

/** Sizes of batches, used over and over. */
export const cuts: fc.Arbitrary<number[]> = fc.array(fc.integer({ min: 1, max: 12 }), {
  minLength: 1,
  maxLength: 4,
});

const window = fc.integer({ min: 1, max: 9 });

export const { operation } = fc.letrec<{ expression: Expression; operation: Expression }>((tie) => ({
  expression: fc.oneof(
    { depthSize: 'medium', withCrossShrink: true },
    fc.constantFrom(...CODES).map((code): Expression => ({ kind: 'series', code })),
    tie('operation'),
  ),
  operation: fc.oneof(
    fc
      .tuple(
        fc.constantFrom(...MATH_OPS),
        tie('expression'),
        tie('expression'),
        fc.constantFrom(1, 0, -2, 0.5),
      )
      .map(([op, left, right, scale]): Expression => ({ kind: 'math', op, left, right, scale })),
    fc.tuple(fc.constantFrom('sma', 'sum', 'max', 'min', 'ema'), tie('expression'), window).map(
      ([op, series, rows]): Expression => ({
        kind: 'window',
        op,
        series,
        window: rows,
        unit: 'observations',
      }),
    ),
    fc
      .tuple(fc.constantFrom(...LAG_UNITS), tie('expression'), window)
      .map(
        ([unit, series, count]): Expression => ({ kind: 'window', op: 'lag', series, window: count, unit }),
      ),
    fc
      .tuple(fc.constantFrom(...COMPOSITE_OPS), fc.array(tie('expression'), { minLength: 2, maxLength: 4 }))
      .map(([op, operands]): Expression => ({ kind: 'composite', op, operands })),
  ),
}));
