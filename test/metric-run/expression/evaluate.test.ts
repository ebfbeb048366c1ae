import { describe, expect, jest, test } from '@jest/globals';
import { codeOf, InvalidRequestError } from '../../../src/common/errors.ts';
import type { SeriesBatch, SeriesSource } from '../../../src/lake/series-batch.ts';
import { evaluate } from '../../../src/metric-run/expression/evaluate.ts';
import type { Expression } from '../../../src/metric-run/expression/expression.ts';
import { parseExpression } from '../../../src/metric-run/expression/parse.ts';
import type { Row } from '../../support/conformance-cases.ts';
import { naiveResult } from '../../support/naive-evaluation.ts';
import { drained, resultOf, rowsOf, sourceOf } from '../../support/series-sources.ts';

const A = { series_code: 'A' };
const B = { series_code: 'B' };
const C = { series_code: 'C' };

const DAY = 86_400_000_000;

const add = (left: object, right: object) => ({ op: 'add', left, right });

function math(op: string, left: object, right: object): Expression {
  return parseExpression('series_math', { op, left, right });
}

/** A day apart, from `first` on. */
function daily(count: number, first = 0, value: (i: number) => number | null = (i) => i): Row[] {
  return Array.from({ length: count }, (_, i): Row => [(first + i) * DAY, value(i)]);
}

async function batchesOf(source: SeriesSource): Promise<SeriesBatch[]> {
  const batches: SeriesBatch[] = [];
  for (let batch = await source.next(); batch !== undefined; batch = await source.next()) batches.push(batch);
  await source.close();
  return batches;
}

/** Sources that remember what is done to them. */
function watchedSources(series: Readonly<Record<string, readonly Row[]>>, sizes: readonly number[] = [2]) {
  const opened: string[] = [];
  const closed: string[] = [];
  const open = (code: string): SeriesSource => {
    const rows = series[code];
    if (rows === undefined) throw new InvalidRequestError('INPUT_READ_ERROR', `no series ${code}`);
    opened.push(code);
    return {
      ...sourceOf(rows, sizes),
      async close() {
        closed.push(code);
      },
    };
  };
  return { opened, closed, open };
}

describe('series that are not in step', () => {
  const series = new Map([
    ['A', daily(50)],
    ['B', daily(50, 30, (i) => -1 - i)],
    ['C', [...daily(5, 3), ...daily(5, 200)]],
    ['EMPTY', []],
    ['LATE', daily(20, 500)],
  ]);
  test.each(
    ['A', 'B', 'C', 'EMPTY', 'LATE'].flatMap((left) =>
      ['A', 'C', 'EMPTY', 'LATE'].map((right) => [left, right]),
    ),
  )('%s and %s are joined on time', async (left, right) => {
    const sides = [{ series_code: left }, { series_code: right }] as const;
    const asked = [
      math('add', ...sides),
      parseExpression('composite', { op: 'sum', operands: [...sides, B] }),
    ];
    for (const expression of asked) {
      for (const batchRows of [1, 7, 64, 65_536]) {
        const actual = await resultOf(expression, series, { batchRows, sizes: [7, 1, 4] });
        expect(actual).toEqual(naiveResult(expression, series));
      }
    }
  });
});

describe('batches', () => {
  const rows = daily(40_000);

  test('of one row are put together', async () => {
    const evaluation = evaluate(math('add', A, B), () => sourceOf(rows, [1]), { batchRows: 4096 });
    const sizes = (await batchesOf(evaluation)).map(({ times }) => times.length);
    expect(Math.min(...sizes.slice(0, -1))).toBeGreaterThanOrEqual(1024);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(8192);
  });

  test('of all rows are cut', async () => {
    const rows = daily(40_961);
    const sma = parseExpression('window_op', { op: 'sma', series: A, window: 2 });
    const sizes = (await batchesOf(evaluate(sma, () => sourceOf(rows), { batchRows: 4096 }))).map(
      ({ times }) => times.length,
    );
    expect(Math.min(...sizes)).toBeGreaterThanOrEqual(1024);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(8192);
    expect(sizes.reduce((a, b) => a + b)).toBe(40_961);
  });

  test('of sparse series beside dense ones stay large', async () => {
    const sparse = daily(400).map(([time, value]): Row => [time * 100 + 1, value]);
    const open = (code: string) => sourceOf(code === 'A' ? rows : sparse, [3]);
    const sizes = (await batchesOf(evaluate(math('add', A, B), open, { batchRows: 4096 }))).map(
      ({ times }) => times.length,
    );
    expect(sizes.length).toBeLessThan(40);
    expect(sizes.reduce((a, b) => a + b)).toBe(40_400);
  });

  test('of nothing are passed over', async () => {
    const empty = { times: new Float64Array(0), values: new Float64Array(0) };
    const left = [empty, { times: Float64Array.of(1), values: Float64Array.of(2) }, empty];
    const source: SeriesSource = { next: async () => left.shift(), close: async () => {} };
    expect(await drained(evaluate(math('add', A, A), () => source))).toEqual([[1, 4]]);
  });

  const growth = math(
    'ratio',
    { op: 'subtract', left: A, right: { op: 'lag', series: A, window: 30 } },
    { op: 'lag', series: A, window: 30 },
  );
  test.each<[string, Expression]>([
    ['arithmetic', math('add', A, B)],
    ['a shared series', math('add', { op: 'sma', series: A, window: 2 }, A)],
    ['a shared lag', growth],
    ['a shared series, once out of step', math('add', { op: 'max', operands: [A, C] }, A)],
    ['a window of one row', parseExpression('window_op', { op: 'max', series: A, window: 1 })],
    ['a series alone', { kind: 'series', code: 'A' }],
  ])('belong to the receiver, who may transfer them: %s', async (_, expression) => {
    const series = new Map([
      ['A', daily(300)],
      ['B', daily(300)],
      ['C', daily(300).filter((_, i) => i % 3 === 0)],
    ]);
    const expected = await resultOf(expression, series);
    // Frames that are whole batches, and frames cut from one batch of all rows.
    const received = await Promise.all([[16], [300]].map((sizes) => transferred(expression, series, sizes)));
    expect(received).toEqual([expected, expected]);
  });

  async function transferred(
    expression: Expression,
    series: ReadonlyMap<string, readonly Row[]>,
    sizes: readonly number[],
  ): Promise<Row[]> {
    const evaluation = evaluate(expression, (code) => sourceOf(series.get(code)!, sizes), { batchRows: 16 });
    const received: Row[] = [];
    for (let batch = await evaluation.next(); batch !== undefined; batch = await evaluation.next()) {
      const { times, values } = structuredClone(batch, {
        transfer: [batch.times.buffer as ArrayBuffer, batch.values.buffer as ArrayBuffer],
      });
      received.push(...rowsOf({ times, values }));
    }
    await evaluation.close();
    return received;
  }

  test('of two series may lie in one buffer, and be in step for a while', async () => {
    const times = new Float64Array(200).map((_, i) => (i < 150 ? i % 100 : i));
    const open = (code: string) => {
      const at = code === 'A' ? 0 : 100;
      const batches = [{ times: times.subarray(at, at + 100), values: new Float64Array(100).fill(1) }];
      return { next: async () => batches.shift(), close: async () => {} };
    };
    const rows = await drained(evaluate(math('add', A, B), open, { batchRows: 32 }));
    const expected = [...Array(100).keys(), ...Array.from({ length: 50 }, (_, i) => 150 + i)];
    expect(rows).toEqual(expected.map((time): Row => [time, time < 50 ? 2 : null]));
  });
});

describe('what occurs twice is evaluated once', () => {
  test('a series is opened once, when it is first pulled', async () => {
    const { opened, open } = watchedSources({ A: daily(9), B: daily(9), C: daily(9) });
    const lag = { op: 'lag', series: A, window: 1 };
    const evaluation = evaluate(
      parseExpression('composite', { op: 'sum', operands: [A, lag, B, add(A, C), lag] }),
      open,
    );
    expect(opened).toEqual([]);
    await drained(evaluation);
    expect(opened.toSorted()).toEqual(['A', 'B', 'C']);
  });

  test('a division by zero in a shared part is counted once, in different parts each time', async () => {
    const series = { A: daily(4), B: daily(4, 0, () => 0), C: daily(4, 0, () => 0) };
    const ratio = (right: object) => ({ op: 'ratio', left: A, right });
    for (const [right, expected] of [
      [B, 4],
      [C, 8],
    ] as const) {
      const evaluation = evaluate(math('add', ratio(B), ratio(right)), watchedSources(series).open);
      expect(await drained(evaluation)).toEqual(daily(4, 0, () => null));
      expect(evaluation.quality()).toEqual({ nulls: 4, divisionsByZero: expected });
    }
  });

  test('sums differ by their scale, lags by their unit', async () => {
    const scaled = (scale: number) => ({ ...add(A, A), scale });
    const lag = (unit: string) => ({ op: 'lag', series: A, window: 1, unit });
    const series = new Map([['A', [...daily(1, 0, () => 1), ...daily(2, 5, () => 10)]]]);
    const sums = await resultOf(math('subtract', scaled(1), scaled(2)), series);
    expect(sums.map(([, value]) => value)).toEqual([-2, -20, -20]);
    const lags = parseExpression('composite', { op: 'sum', operands: [lag('days'), lag('observations')] });
    expect((await resultOf(lags, series)).map(([, value]) => value)).toEqual([null, 2, 20]);
  });
});

describe('quality', () => {
  test.each<[string, Expression, number, number]>([
    ['ratio', math('ratio', A, B), 4, 2],
    ['a ratio scaled', parseExpression('series_math', { op: 'ratio', left: A, right: B, scale: 0 }), 5, 2],
    ['add', math('add', A, B), 2, 0],
    ['composite', parseExpression('composite', { op: 'max', operands: [A, B] }), 0, 0],
  ])('of %s', async (_, expression, nulls, divisionsByZero) => {
    const left = [5, 0, null, 7, Number.POSITIVE_INFINITY];
    const right = [0, -0, 0, null, 3];
    const series = { A: daily(5, 0, (i) => left[i]!), B: daily(5, 0, (i) => right[i]!) };
    const evaluation = evaluate(expression, watchedSources(series).open);
    await drained(evaluation);
    expect(evaluation.quality()).toEqual({ nulls, divisionsByZero });
  });

  test('infinities of both signs have no sum', async () => {
    const infinite = (sign: number) => daily(1, 0, () => sign * Number.POSITIVE_INFINITY);
    const series = new Map([
      ['A', infinite(1)],
      ['B', infinite(-1)],
      ['C', daily(1, 0, () => 5)],
    ]);
    for (const operands of [
      [A, B],
      [A, B, C],
    ]) {
      expect(await resultOf(parseExpression('composite', { op: 'sum', operands }), series)).toEqual([
        [0, null],
      ]);
    }
  });

  test('an overflow is infinite, no null', async () => {
    const series = new Map([['A', daily(1, 0, () => 1e200)]]);
    expect(await resultOf(math('multiply', A, A), series)).toEqual([[0, Number.POSITIVE_INFINITY]]);
  });
});

describe('sources are closed once', () => {
  const series = { A: daily(9), B: daily(9) };

  test('by close, however often it is called', async () => {
    const { closed, open } = watchedSources(series);
    const evaluation = evaluate(math('add', A, B), open);
    await evaluation.next();
    await Promise.all([evaluation.close(), evaluation.close()]);
    await evaluation.close();
    expect(closed.toSorted()).toEqual(['A', 'B']);
    await expect(evaluation.next()).rejects.toThrow('closed');
  });

  test('never if they were not opened', async () => {
    const { opened, open } = watchedSources(series);
    const evaluation = evaluate(math('add', A, B), open);
    await evaluation.close();
    await expect(evaluation.next()).rejects.toThrow('closed');
    expect(opened).toEqual([]);
  });

  test('when one cannot be opened', async () => {
    const { opened, closed, open } = watchedSources(series);
    const evaluation = evaluate(math('add', A, C), open);
    const thrown = await evaluation.next().catch((error: unknown) => error);
    expect(codeOf(thrown)).toBe('INPUT_READ_ERROR');
    expect([opened, closed]).toEqual([['A'], ['A']]);
    await expect(evaluation.next()).rejects.toBe(thrown);
    await evaluation.close();
    expect(closed).toEqual(['A']);
  });

  test('when reading one fails, whatever shares it, and though closing fails too', async () => {
    const { closed, open } = watchedSources(series);
    const failure = new Error('connection lost');
    const close = jest.fn(() => Promise.reject(new Error('not closed')));
    let batches = 0;
    const failing: SeriesSource = {
      async next() {
        if (batches++ === 2) throw failure;
        return { times: Float64Array.of(batches), values: Float64Array.of(1) };
      },
      close,
    };
    const shared = { op: 'lag', series: B, window: 1 };
    const evaluation = evaluate(
      math('add', add(A, B), add(shared, B)),
      (code) => (code === 'B' ? failing : open(code)),
      { batchRows: 1 },
    );
    await expect(drained(evaluation)).rejects.toThrow();
    await expect(evaluation.next()).rejects.toBe(failure);
    await expect(evaluation.close()).rejects.toThrow('not closed');
    expect(close).toHaveBeenCalledTimes(1);
    expect(closed).toEqual(['A']);
  });

  test('while a batch is awaited, which is then not handed out', async () => {
    const waiting = Promise.withResolvers<SeriesBatch | undefined>();
    const close = jest.fn(async () =>
      waiting.resolve({ times: Float64Array.of(1), values: Float64Array.of(1) }),
    );
    const evaluation = evaluate(
      { kind: 'series', code: 'A' },
      () => ({ next: () => waiting.promise, close }),
      {
        batchRows: 1,
      },
    );
    const next = evaluation.next();
    await evaluation.close();
    await expect(next).rejects.toThrow('closed');
    expect(close).toHaveBeenCalledTimes(1);
  });
});

describe('limits', () => {
  test('more rows than allowed are an error, as many are not', async () => {
    const series = new Map([['A', daily(100)]]);
    const asked = math('add', A, A);
    expect(await resultOf(asked, series, { maxRows: 100, batchRows: 8 })).toHaveLength(100);
    const thrown = await resultOf(asked, series, { maxRows: 99, batchRows: 8 }).catch(
      (error: unknown) => error,
    );
    expect(thrown).toBeInstanceOf(InvalidRequestError);
    expect(thrown).toMatchObject({
      code: 'EXPRESSION_EVAL_ERROR',
      message: 'The result has more than 99 rows.',
    });
  });

  test('the deepest expression there can be is evaluated', async () => {
    let json: object = A;
    for (let i = 0; i < 1000; i++) json = { op: 'add', left: json, right: A };
    const deep = parseExpression('series_math', json, { maxDepth: 1000, maxNodes: 1e6 });
    const rows = await resultOf(deep, new Map([['A', daily(50)]]), { batchRows: 8, sizes: [3] });
    expect(rows).toEqual(daily(50, 0, (i) => 1001 * i));
  });

  test('the widest composite too, over series in step and not', async () => {
    const operands = Array.from({ length: 999 }, (_, i) => ({ series_code: String(i) }));
    const wide = parseExpression('composite', { op: 'sum', operands });
    const open = (shift: number) => (code: string) => sourceOf(daily(50, Number(code) % shift), [7]);
    const inStep = await drained(evaluate(wide, open(1)));
    expect(inStep).toEqual(daily(50, 0, (i) => 999 * i));
    const shifted = await drained(evaluate(wide, open(3), { batchRows: 8 }));
    expect(shifted).toHaveLength(52);
    expect(shifted[2]![1]).toBe(333 * (2 + 1));
  });
});
