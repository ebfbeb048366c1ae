import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { InvalidRequestError } from '../../../src/common/errors.ts';
import { type Expression, seriesCodesOf } from '../../../src/metric-run/expression/expression.ts';
import { type ExpressionLimits, parseExpression } from '../../../src/metric-run/expression/parse.ts';

const A = { series_code: 'A' };
const B = { seriesCode: 'B' };
const a: Expression = { kind: 'series', code: 'A' };
const b: Expression = { kind: 'series', code: 'B' };

/** The message of the error that parsing throws, which must be of the right kind and code. */
function complaint(type: unknown, json: unknown, limits?: Partial<ExpressionLimits>): string {
  let thrown: unknown;
  try {
    parseExpression(type, json, limits);
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(InvalidRequestError);
  const { code, message } = thrown as InvalidRequestError;
  expect(code).toBe('EXPRESSION_EVAL_ERROR');
  return message;
}

/** `levels` operations inside one another, along `field`. */
function nested(levels: number, wrap: (inner: unknown) => unknown): unknown {
  let json: unknown = A;
  for (let i = 0; i < levels; i++) json = wrap(json);
  return json;
}

const sumOf = (inner: unknown) => ({ op: 'add', left: inner, right: B });

describe('an expression is read as', () => {
  const math = { kind: 'math', op: 'add', left: a, right: b, scale: 1 } as const;
  const sma = { kind: 'window', op: 'sma', series: a, window: 3, unit: 'observations' } as const;
  const lag = { kind: 'window', op: 'lag', series: a, window: 3, unit: 'days' } as const;
  const avg = { kind: 'composite', op: 'avg', operands: [a, b] } as const;

  test.each<[string, unknown, unknown, Expression]>([
    ['arithmetic, either spelling of a code', 'series_math', { op: 'add', left: A, right: B }, math],
    ['scale null is none', 'series_math', { op: 'add', left: A, right: B, scale: null }, math],
    ['scale 0', 'series_math', { op: 'add', left: A, right: B, scale: 0 }, { ...math, scale: 0 }],
    ['scale below 0', 'series_math', { op: 'add', left: A, right: B, scale: -2.5 }, { ...math, scale: -2.5 }],
    ['unknown fields', 'series_math', { op: 'add', left: A, right: B, operands: 7, note: {} }, math],
    ['a window', 'window_op', { op: 'sma', series: A, window: 3 }, sma],
    ['a window that says rows', 'window_op', { op: 'sma', series: A, window: 3, unit: 'observations' }, sma],
    ['a lag counts days', 'window_op', { op: 'lag', series: A, window: 3 }, lag],
    ['a lag with unit null', 'window_op', { op: 'lag', series: A, window: 3, unit: null }, lag],
    [
      'a lag by rows',
      'window_op',
      { op: 'lag', series: A, window: 3, unit: 'observations' },
      { ...lag, unit: 'observations' },
    ],
    ['a composite', 'composite', { op: 'avg', operands: [A, B] }, avg],
    [
      'nested forms by their shape',
      'composite',
      {
        op: 'sum',
        operands: [
          { op: 'sum', series: { op: 'sum', operands: [A, B] }, window: 2 },
          { op: 'ratio', left: { op: 'max', operands: [A, B] }, right: { op: 'max', series: A, window: 4 } },
        ],
      },
      {
        kind: 'composite',
        op: 'sum',
        operands: [
          {
            kind: 'window',
            op: 'sum',
            series: { kind: 'composite', op: 'sum', operands: [a, b] },
            window: 2,
            unit: 'observations',
          },
          {
            kind: 'math',
            op: 'ratio',
            left: { kind: 'composite', op: 'max', operands: [a, b] },
            right: { kind: 'window', op: 'max', series: a, window: 4, unit: 'observations' },
            scale: 1,
          },
        ],
      },
    ],
    [
      'an operand with a code is that series, whatever else it holds',
      'series_math',
      { op: 'add', left: { ...A, op: 'lag', series: B, window: 1 }, right: { seriesCode: 'B', left: 1 } },
      math,
    ],
    [
      'series_code before seriesCode',
      'series_math',
      { op: 'add', left: { seriesCode: 'Z', series_code: 'A' }, right: { seriesCode: 'B', series_code: '' } },
      math,
    ],
    [
      'where two shapes fit, the one that knows the op',
      'series_math',
      { op: 'add', left: { op: 'avg', operands: [A, B], series: A, window: 3 }, right: B },
      { ...math, left: avg },
    ],
    [
      'where both know it, the window',
      'series_math',
      { op: 'add', left: { op: 'sum', operands: [A, B], series: A, window: 3 }, right: B },
      { ...math, left: { ...sma, op: 'sum' } },
    ],
    [
      'fields that are null are not there',
      'series_math',
      { op: 'add', left: { op: 'avg', operands: [A, B], series: null, window: null }, right: B },
      { ...math, left: avg },
    ],
  ])('%s', (_, type, json, expected) => {
    expect(parseExpression(type, json)).toEqual(expected);
  });
});

describe('what is no expression is refused with the path', () => {
  const right = 'series_math';
  test.each<[unknown, unknown, string]>([
    [
      'unknown_type',
      {},
      'expressionType: must be one of series_math, window_op, composite, got text "unknown_type"',
    ],
    [undefined, {}, 'expressionType: must be one of series_math, window_op, composite, got nothing'],
    [
      '__proto__',
      {},
      'expressionType: must be one of series_math, window_op, composite, got text "__proto__"',
    ],
    [['composite'], {}, 'expressionType: must be one of series_math, window_op, composite, got a list'],
    [right, undefined, 'expressionJson: must be an object, got nothing'],
    [right, null, 'expressionJson: must be an object, got null'],
    [right, '{}', 'expressionJson: must be an object, got text "{}"'],
    [right, [A, B], 'expressionJson: must be an object, got a list'],
    [right, A, 'expressionJson.op: must be one of add, subtract, multiply, ratio, got nothing'],
    [
      right,
      { op: 'ADD' },
      'expressionJson.op: must be one of add, subtract, multiply, ratio, got text "ADD"',
    ],
    [right, { op: ['add'] }, 'expressionJson.op: must be one of add, subtract, multiply, ratio, got a list'],
    [
      right,
      { op: `x${'y'.repeat(100_000)}` },
      `expressionJson.op: must be one of add, subtract, multiply, ratio, got text "x${'y'.repeat(39)}…"`,
    ],
    [right, { op: 'add', left: A }, 'expressionJson.right: must be a series or an expression, got nothing'],
    [
      right,
      { op: 'add', left: null, right: B },
      'expressionJson.left: must be a series or an expression, got null',
    ],
    [right, { op: 'add', left: 'A', right: B }, 'expressionJson.left: must be an object, got text "A"'],
    [right, { op: 'add', left: 7, right: B }, 'expressionJson.left: must be an object, got number 7'],
    [
      right,
      { op: 'add', left: A, right: B, scale: '2' },
      'expressionJson.scale: must be a finite number, got text "2"',
    ],
    [
      right,
      { op: 'add', left: A, right: B, scale: true },
      'expressionJson.scale: must be a finite number, got boolean true',
    ],
    [
      right,
      { op: 'add', left: A, right: B, scale: 2n },
      'expressionJson.scale: must be a finite number, got bigint 2',
    ],
    [
      right,
      { op: 'add', left: A, right: B, scale: Number.POSITIVE_INFINITY },
      'expressionJson.scale: must be a finite number, got number Infinity',
    ],
    [
      right,
      { op: 'add', left: A, right: B, scale: Number.NaN },
      'expressionJson.scale: must be a finite number, got number NaN',
    ],
    [
      right,
      { op: 'add', left: A, right: { value: 2 } },
      'expressionJson.right: must hold series_code, or an op with left and right, with series and window, or with operands',
    ],
    [
      right,
      { op: 'add', left: A, right: { op: '' } },
      'expressionJson.right: must hold series_code, or an op with left and right, with series and window, or with operands',
    ],
    [
      right,
      { op: 'add', left: { series_code: '' }, right: B },
      'expressionJson.left.series_code: must be a text that is not empty, got text ""',
    ],
    [
      right,
      { op: 'add', left: { seriesCode: 5 }, right: B },
      'expressionJson.left.seriesCode: must be a text that is not empty, got number 5',
    ],
    [
      right,
      { op: 'add', left: A, right: { series: A } },
      'expressionJson.right.op: must be one of sma, sum, max, min, ema, lag, got nothing',
    ],
    [
      right,
      { op: 'add', left: A, right: { op: 'sum', series: A } },
      'expressionJson.right.window: must be a whole number of at least 1, got nothing',
    ],
    [
      right,
      { op: 'add', left: { op: 'sma', series: A, window: '3' }, right: B },
      'expressionJson.left.window: must be a whole number of at least 1, got text "3"',
    ],
    [
      right,
      { op: 'add', left: { op: 'avg', left: A, right: B }, right: B },
      'expressionJson.left.op: must be one of add, subtract, multiply, ratio, got text "avg"',
    ],
    [
      right,
      { op: 'add', left: { op: 'bad', operands: [A, B], series: A }, right: B },
      'expressionJson.left.op: must be one of sum, avg, max, min, got text "bad"',
    ],
    [
      'window_op',
      { series: A, window: 3 },
      'expressionJson.op: must be one of sma, sum, max, min, ema, lag, got nothing',
    ],
    [
      'window_op',
      { op: 'sma', window: 3 },
      'expressionJson.series: must be a series or an expression, got nothing',
    ],
    [
      'window_op',
      { op: 'sma', series: [], window: 3 },
      'expressionJson.series: must be an object, got a list',
    ],
    ...[0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY].map((window): [string, object, string] => [
      'window_op',
      { op: 'sma', series: A, window },
      `expressionJson.window: must be a whole number of at least 1, got number ${window}`,
    ]),
    [
      'window_op',
      { op: 'sma', series: A, window: 1e300 },
      'expressionJson.window: must be at most 1000000, got number 1e+300',
    ],
    [
      'window_op',
      { op: 'lag', series: A, window: 1, unit: 'weeks' },
      'expressionJson.unit: must be one of days, observations, got text "weeks"',
    ],
    [
      'window_op',
      { op: 'sma', series: A, window: 3, unit: 'days' },
      'expressionJson.unit: must be observations, got text "days"',
    ],
    [
      'composite',
      { op: 'sum' },
      'expressionJson.operands: must be a list of two operands or more, got nothing',
    ],
    [
      'composite',
      { op: 'sum', operands: { 0: A, 1: B } },
      'expressionJson.operands: must be a list of two operands or more, got an object',
    ],
    [
      'composite',
      { op: 'sum', operands: [] },
      'expressionJson.operands: must hold two operands or more, got 0',
    ],
    [
      'composite',
      { op: 'sum', operands: [A] },
      'expressionJson.operands: must hold two operands or more, got 1',
    ],
    [
      'composite',
      { op: 'sum', operands: [A, null] },
      'expressionJson.operands[1]: must be a series or an expression, got null',
    ],
    [
      'composite',
      { op: 'sum', operands: [A, { op: 'max', operands: [B] }] },
      'expressionJson.operands[1].operands: must hold two operands or more, got 1',
    ],
    [
      'composite',
      { op: 'sum', operands: new Array(3) },
      'expressionJson.operands[0]: must be a series or an expression, got nothing',
    ],
    [
      'composite',
      { op: 'toString', operands: [A, B] },
      'expressionJson.op: must be one of sum, avg, max, min, got text "toString"',
    ],
  ])('%p %p', (type, json, message) => {
    expect(complaint(type, json)).toBe(message);
  });

  test('an op before its operands', () => {
    expect(complaint('series_math', { op: 'bad', left: { op: 'worse' }, right: 7 })).toMatch(
      /^expressionJson\.op:/,
    );
    expect(complaint('composite', { op: 'bad', operands: 7 })).toMatch(/^expressionJson\.op:/);
  });

  test('inherited and __proto__ fields are not there', () => {
    const inherited = Object.create({ series_code: 'A', op: 'add', left: A, right: B });
    expect(complaint('series_math', inherited)).toMatch(/^expressionJson\.op: .* got nothing$/);
    expect(complaint('series_math', { op: 'add', left: inherited, right: B })).toMatch(
      /^expressionJson\.left: must hold/,
    );
    const poisoned = JSON.parse(
      '{"op":"add","left":{"__proto__":{"series_code":"A"}},"right":{"series_code":"B"}}',
    );
    expect(complaint('series_math', poisoned)).toMatch(/^expressionJson\.left: must hold/);
    expect(({} as { series_code?: string }).series_code).toBeUndefined();
  });

  test('whatever JSON comes', () => {
    const json = fc.jsonValue({ maxDepth: 4 });
    fc.assert(
      fc.property(fc.constantFrom('series_math', 'window_op', 'composite'), json, (type, value) => {
        expect(complaint(type, value)).toMatch(/^expression(Json|Type)/);
      }),
    );
  });
});

describe('limits', () => {
  test.each([
    ['left', sumOf],
    ['series', (inner: unknown) => ({ op: 'sma', series: inner, window: 2 })],
    ['operands', (inner: unknown) => ({ op: 'max', operands: [B, inner] })],
  ])('10,000 levels along %s are refused, and 64 are not', (_, wrap) => {
    const type = { add: 'series_math', sma: 'window_op', max: 'composite' }[(wrap(A) as { op: string }).op];
    expect(complaint(type, nested(10_000, wrap))).toBe('expressionJson: nests operations more than 64 deep');
    expect(complaint(type, nested(65, wrap))).toBe('expressionJson: nests operations more than 64 deep');
    expect(parseExpression(type, nested(64, wrap))).toBeDefined();
    expect(complaint(type, nested(3, wrap), { maxDepth: 2 })).toMatch(/more than 2 deep/);
  });

  test('no setting lets the stack overflow', () => {
    const limits = { maxDepth: 1e9, maxNodes: 1e9 };
    expect(complaint('series_math', nested(100_000, sumOf), limits)).toMatch(/more than 1000 deep/);
    expect(seriesCodesOf(parseExpression('series_math', nested(1000, sumOf), limits))).toEqual(['A', 'B']);
  });

  test('a ring ends at the depth', () => {
    const ring: Record<string, unknown> = { op: 'add', right: B };
    ring.left = ring;
    expect(complaint('series_math', ring)).toMatch(/more than 64 deep/);
  });

  test('an expression of many parts ends at their number, shared ones counted each time', () => {
    const wide = { op: 'sum', operands: Array.from({ length: 1000 }, () => A) };
    expect(complaint('composite', wide)).toBe('expressionJson: holds more than 1000 operations and series');
    expect(parseExpression('composite', wide, { maxNodes: 1001 })).toBeDefined();
    const doubling = nested(60, (inner) => ({ op: 'add', left: inner, right: inner }));
    expect(complaint('series_math', doubling)).toMatch(/more than 1000 operations/);
  });

  test('a window may be as large as the limit', () => {
    const json = { op: 'max', series: A, window: 1_000_000 };
    expect(parseExpression('window_op', json)).toMatchObject({ window: 1_000_000 });
    expect(complaint('window_op', json, { maxWindow: 10 })).toMatch(
      /^expressionJson\.window: must be at most 10/,
    );
  });
});

test('series codes come once each, in the order in which they are named', () => {
  const json = {
    op: 'sum',
    operands: [
      { op: 'add', left: { series_code: 'C' }, right: A },
      { op: 'lag', series: B, window: 1 },
      { op: 'max', operands: [{ series_code: '__proto__' }, A] },
    ],
  };
  expect(seriesCodesOf(parseExpression('composite', json))).toEqual(['C', 'A', 'B', '__proto__']);
});
