/**
 * The oracle of the expression engine: each rule of the metric semantics in the plainest way there is, on
 * whole arrays, every window looked at afresh.
 */

import type { Expression } from '../../src/metric-run/expression/expression.ts';
import type { Row } from './conformance-cases.ts';

type Value = number | null;

const DAY = 86_400_000_000;

/** The result of `expression` over sorted series with distinct times; a series that is missing is empty. */
export function naiveResult(expression: Expression, series: ReadonlyMap<string, readonly Row[]>): Row[] {
  switch (expression.kind) {
    case 'series':
      return [...(series.get(expression.code) ?? [])];
    case 'math': {
      const sides = [naiveResult(expression.left, series), naiveResult(expression.right, series)];
      return joined(sides, ([left, right]) => {
        if (left === null || right === null || left === undefined || right === undefined) return null;
        return numberOrNull(mathOf(expression.op, left, right) * expression.scale);
      });
    }
    case 'composite': {
      const sides = expression.operands.map((operand) => naiveResult(operand, series));
      return joined(sides, (values) => {
        const present = values.filter((value) => value !== null);
        if (present.length === 0) return null;
        if (expression.op === 'max') return Math.max(...present);
        if (expression.op === 'min') return Math.min(...present);
        const sum = present.reduce((a, b) => a + b, 0);
        return numberOrNull(expression.op === 'avg' ? sum / present.length : sum);
      });
    }
    case 'window': {
      const rows = naiveResult(expression.series, series);
      const { op, window } = expression;
      if (op === 'ema') return naiveEma(rows, window);
      return rows.map(([time], i): Row => {
        if (op === 'lag') {
          if (expression.unit === 'observations') return [time, rows[i - window]?.[1] ?? null];
          return [time, rows.findLast(([earlier]) => earlier <= time - window * DAY)?.[1] ?? null];
        }
        const seen = rows.slice(Math.max(0, i - window + 1), i + 1).map(([, value]) => value);
        const values = seen.filter((value) => value !== null);
        if (values.length < window) return [time, null];
        if (op === 'max') return [time, Math.max(...values)];
        if (op === 'min') return [time, Math.min(...values)];
        return [time, numberOrNull(op === 'sma' ? carefulSum(values) / window : carefulSum(values))];
      });
    }
  }
}

/** The full outer join, by maps. */
function joined(sides: readonly Row[][], valueAt: (values: readonly Value[]) => Value): Row[] {
  const maps = sides.map((rows) => new Map(rows));
  const times = [...new Set(sides.flatMap((rows) => rows.map(([time]) => time)))].sort((a, b) => a - b);
  return times.map((time): Row => [time, valueAt(maps.map((map) => map.get(time) ?? null))]);
}

function mathOf(op: 'add' | 'subtract' | 'multiply' | 'ratio', left: number, right: number): number {
  if (op === 'add') return left + right;
  if (op === 'subtract') return left - right;
  if (op === 'multiply') return left * right;
  return right === 0 ? Number.NaN : left / right;
}

/** By weights: each new value weighs alpha, what went before (1 - alpha)^k, if it is a number and counts. */
function naiveEma(rows: readonly Row[], window: number): Row[] {
  const alpha = 2 / (window + 1);
  let last: Value = null;
  let old = 1;
  return rows.map(([time, value]): Row => {
    old *= 1 - alpha;
    if (value !== null) {
      if (last === null || old === 0) last = value;
      else if (old === 1 - alpha) last = numberOrNull(old * last + alpha * value);
      else last = numberOrNull((old * last + alpha * value) / (old + alpha));
      old = 1;
    }
    return [time, last];
  });
}

/** Neumaier's sum, in order. */
export function carefulSum(values: readonly number[]): number {
  let sum = 0;
  let lost = 0;
  for (const value of values) {
    const next = sum + value;
    lost += Math.abs(sum) >= Math.abs(value) ? sum - next + value : value - next + sum;
    sum = next;
  }
  return Number.isNaN(lost) ? sum : sum + lost;
}

function numberOrNull(result: number): Value {
  return Number.isNaN(result) ? null : result;
}
