/**
 * A metric expression as a typed tree: what is asked, with every default filled in and nothing left to check.
 *
 * Terms: an operation (math, window, composite) has operands; a leaf is a series. `parse.ts` makes these
 * trees from a request, `evaluate.ts` carries them out. They are plain data and cross threads as such.
 */

export const MATH_OPS = ['add', 'subtract', 'multiply', 'ratio'] as const;
export const WINDOW_OPS = ['sma', 'sum', 'max', 'min', 'ema', 'lag'] as const;
export const COMPOSITE_OPS = ['sum', 'avg', 'max', 'min'] as const;
export const LAG_UNITS = ['days', 'observations'] as const;

export type MathOp = (typeof MATH_OPS)[number];
export type WindowOp = (typeof WINDOW_OPS)[number];
export type CompositeOp = (typeof COMPOSITE_OPS)[number];
export type LagUnit = (typeof LAG_UNITS)[number];

export interface SeriesExpression {
  readonly kind: 'series';
  readonly code: string;
}

export interface MathExpression {
  readonly kind: 'math';
  readonly op: MathOp;
  readonly left: Expression;
  readonly right: Expression;
  /** Multiplies the result; 1 where the request gave none. */
  readonly scale: number;
}

export interface WindowExpression {
  readonly kind: 'window';
  readonly op: WindowOp;
  readonly series: Expression;
  /** Rows, or days of 24 h for a lag by days; at least 1. */
  readonly window: number;
  /** What `window` counts: `days` only for a lag, where it is the default. */
  readonly unit: LagUnit;
}

export interface CompositeExpression {
  readonly kind: 'composite';
  readonly op: CompositeOp;
  /** Two or more. */
  readonly operands: readonly Expression[];
}

export type Expression = SeriesExpression | MathExpression | WindowExpression | CompositeExpression;

/** The operands of an expression, left to right; none for a series. */
export function operandsOf(expression: Expression): readonly Expression[] {
  switch (expression.kind) {
    case 'series':
      return [];
    case 'math':
      return [expression.left, expression.right];
    case 'window':
      return [expression.series];
    case 'composite':
      return expression.operands;
  }
}

/** The series codes an expression reads: each once, in the order in which they are first named. */
export function seriesCodesOf(expression: Expression): string[] {
  const codes = new Set<string>();
  const waiting: Expression[] = [expression];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (next.kind === 'series') codes.add(next.code);
    else waiting.push(...operandsOf(next).toReversed());
  }
  return [...codes];
}
