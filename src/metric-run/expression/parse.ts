/**
 * From a request's `expressionType` and `expressionJson` to a typed expression, or to one clear error.
 *
 * The outermost form is named by `expressionType`; the form of a nested expression is seen from its shape:
 * `series` and `window` make a window_op, `operands` a composite, `left` and `right` a series_math. Where
 * several shapes fit, the first that knows the op is taken. An operand with a series code is that series,
 * whatever else it holds.
 *
 * Invariants: only own properties are read, so `__proto__` and inherited ones are without effect; unknown
 * fields are ignored; null is the same as absent; an op is checked before its operands; the recursion ends
 * at `maxDepth`, so no nesting overflows the stack. Each error is an `InvalidRequestError` with
 * EXPRESSION_EVAL_ERROR whose message begins with the path, as in
 * `expressionJson.left.window: must be a whole number of at least 1, got text "3"`.
 */

import { described } from '../../common/described.ts';
import { InvalidRequestError } from '../../common/errors.ts';
import {
  COMPOSITE_OPS,
  type Expression,
  LAG_UNITS,
  type LagUnit,
  MATH_OPS,
  WINDOW_OPS,
} from './expression.ts';

export interface ExpressionLimits {
  /** Operations inside one another; never above `DEEPEST`. */
  readonly maxDepth: number;
  /** Operations and series named, in all. */
  readonly maxNodes: number;
  /** The largest `window`, in rows or days. */
  readonly maxWindow: number;
}

export const DEFAULT_EXPRESSION_LIMITS: ExpressionLimits = {
  maxDepth: 64,
  maxNodes: 1000,
  maxWindow: 1_000_000,
};

/** What `maxDepth` is held to, since parsing and evaluating go as deep as the expression does. */
const DEEPEST = 1000;

const FORMS = {
  series_math: { ops: MATH_OPS, fields: ['left', 'right'] },
  window_op: { ops: WINDOW_OPS, fields: ['series', 'window'] },
  composite: { ops: COMPOSITE_OPS, fields: ['operands'] },
} as const;

type Form = keyof typeof FORMS;

const FORM_NAMES = ['series_math', 'window_op', 'composite'] as const satisfies readonly Form[];

/** In the order in which nested shapes are tried. */
const SHAPE_ORDER = ['window_op', 'composite', 'series_math'] as const satisfies readonly Form[];

interface Progress extends ExpressionLimits {
  nodes: number;
}

/**
 * The expression that a request asks for.
 *
 * `expressionType` is `series_math`, `window_op` or `composite`; `expressionJson` the parsed JSON.
 * Limits left out are those of `DEFAULT_EXPRESSION_LIMITS`. Throws `InvalidRequestError`
 * (EXPRESSION_EVAL_ERROR) on anything that is no valid expression. Source: docs/CONTRACT.md, metric semantics.
 */
export function parseExpression(
  expressionType: unknown,
  expressionJson: unknown,
  limits: Partial<ExpressionLimits> = {},
): Expression {
  const form = oneOf(expressionType, FORM_NAMES, 'expressionType');
  const progress: Progress = { ...DEFAULT_EXPRESSION_LIMITS, ...limits, nodes: 0 };
  countNode(progress);
  return parseForm(form, objectAt(expressionJson, 'expressionJson'), 'expressionJson', 1, progress);
}

function parseForm(form: Form, json: object, path: string, depth: number, progress: Progress): Expression {
  const maxDepth = Math.min(progress.maxDepth, DEEPEST);
  if (depth > maxDepth) fail('expressionJson', `nests operations more than ${maxDepth} deep`);
  if (form === 'series_math') return parseMath(json, path, depth, progress);
  if (form === 'window_op') return parseWindow(json, path, depth, progress);
  return parseComposite(json, path, depth, progress);
}

function parseMath(json: object, path: string, depth: number, progress: Progress): Expression {
  const op = oneOf(own(json, 'op'), MATH_OPS, `${path}.op`);
  const scale = own(json, 'scale') ?? 1;
  if (typeof scale !== 'number' || !Number.isFinite(scale)) {
    fail(`${path}.scale`, `must be a finite number, got ${described(scale)}`);
  }
  const left = parseOperand(own(json, 'left'), `${path}.left`, depth, progress);
  const right = parseOperand(own(json, 'right'), `${path}.right`, depth, progress);
  return { kind: 'math', op, left, right, scale };
}

function parseWindow(json: object, path: string, depth: number, progress: Progress): Expression {
  const op = oneOf(own(json, 'op'), WINDOW_OPS, `${path}.op`);
  const window = own(json, 'window');
  if (typeof window !== 'number' || !Number.isInteger(window) || window < 1) {
    fail(`${path}.window`, `must be a whole number of at least 1, got ${described(window)}`);
  }
  if (window > progress.maxWindow) {
    fail(`${path}.window`, `must be at most ${progress.maxWindow}, got ${described(window)}`);
  }
  // Only a lag can count days: to count rows where days were asked for would be wrong without a word.
  const units: readonly LagUnit[] = op === 'lag' ? LAG_UNITS : ['observations'];
  const unit = oneOf(own(json, 'unit') ?? units[0], units, `${path}.unit`);
  const series = parseOperand(own(json, 'series'), `${path}.series`, depth, progress);
  return { kind: 'window', op, series, window, unit };
}

function parseComposite(json: object, path: string, depth: number, progress: Progress): Expression {
  const op = oneOf(own(json, 'op'), COMPOSITE_OPS, `${path}.op`);
  const listed = own(json, 'operands');
  if (!Array.isArray(listed)) {
    fail(`${path}.operands`, `must be a list of two operands or more, got ${described(listed)}`);
  }
  if (listed.length < 2) {
    fail(`${path}.operands`, `must hold two operands or more, got ${listed.length}`);
  }
  const operands: Expression[] = [];
  for (let i = 0; i < listed.length; i++) {
    operands.push(parseOperand(listed[i], `${path}.operands[${i}]`, depth, progress));
  }
  return { kind: 'composite', op, operands };
}

/** An operand of an operation at `depth`: a series, or an operation one deeper. */
function parseOperand(json: unknown, path: string, depth: number, progress: Progress): Expression {
  countNode(progress);
  if (json === undefined || json === null) {
    fail(path, `must be a series or an expression, got ${described(json)}`);
  }
  const operand = objectAt(json, path);
  for (const name of ['series_code', 'seriesCode'] as const) {
    const code = own(operand, name);
    if (typeof code === 'string' && code !== '') return { kind: 'series', code };
  }
  return parseForm(formOf(operand, path), operand, path, depth + 1, progress);
}

/** The form of a nested expression, seen from the fields it has. */
function formOf(json: object, path: string): Form {
  const has = (name: string): boolean => (own(json, name) ?? null) !== null;
  const op = own(json, 'op');
  const whole = SHAPE_ORDER.filter((form) => FORMS[form].fields.every(has));
  const known = whole.find((form) => (FORMS[form].ops as readonly unknown[]).includes(op));
  // A shape that lacks a field still tells which form was meant, and so which field to name.
  const form = known ?? whole[0] ?? SHAPE_ORDER.find((form) => FORMS[form].fields.some(has));
  if (form !== undefined) return form;
  for (const name of ['series_code', 'seriesCode']) {
    const code = own(json, name);
    if (code !== undefined)
      fail(`${path}.${name}`, `must be a text that is not empty, got ${described(code)}`);
  }
  return fail(
    path,
    'must hold series_code, or an op with left and right, with series and window, or with operands',
  );
}

function countNode(progress: Progress): void {
  progress.nodes++;
  if (progress.nodes > progress.maxNodes) {
    fail('expressionJson', `holds more than ${progress.maxNodes} operations and series`);
  }
}

function own(json: object, name: string): unknown {
  return Object.hasOwn(json, name) ? (json as Record<string, unknown>)[name] : undefined;
}

function objectAt(value: unknown, path: string): object {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  return fail(path, `must be an object, got ${described(value)}`);
}

function oneOf<T extends string>(value: unknown, allowed: readonly T[], path: string): T {
  const found = allowed.find((name) => name === value);
  if (found !== undefined) return found;
  return fail(
    path,
    `must be ${allowed.length > 1 ? 'one of ' : ''}${allowed.join(', ')}, got ${described(value)}`,
  );
}

function fail(path: string, problem: string): never {
  throw new InvalidRequestError('EXPRESSION_EVAL_ERROR', `${path}: ${problem}`, { fields: { path } });
}
