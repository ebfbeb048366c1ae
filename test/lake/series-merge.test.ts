/** Merging sorted units: the right rows, in order, and no unit open before its time. */

import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { BATCH_ROWS, type SeriesBatch } from '../../src/lake/series-batch.ts';
import { mergeUnits, type SortedUnit } from '../../src/lake/series-merge.ts';
import { isAscending, sortSeries } from '../../src/lake/series-sort.ts';
import type { Row } from '../support/conformance-cases.ts';
import { drained, rowsOf, sourceOf } from '../support/series-sources.ts';

interface Log {
  readonly units: SortedUnit[];
  /** Names of units, as they were opened. */
  readonly opened: string[];
  readonly prefetched: string[];
  open: number;
  mostOpen: number;
}

/** Units of these rows, in listing order, with their true minimum or another lower bound. */
function unitsOf(lists: readonly (readonly Row[])[], sizes = [3], bound = (min: number) => min): Log {
  const log: Log = { units: [], opened: [], prefetched: [], open: 0, mostOpen: 0 };
  lists.forEach((rows, order) => {
    const name = `unit ${order}`;
    log.units.push({
      name,
      order,
      min: rows.length === 0 ? Number.NEGATIVE_INFINITY : bound(rows[0]![0]),
      prefetch: () => void log.prefetched.push(name),
      open() {
        const source = sourceOf(rows, sizes);
        let open = true;
        log.opened.push(name);
        log.mostOpen = Math.max(log.mostOpen, ++log.open);
        const close = async () => {
          if (open) log.open--;
          open = false;
        };
        return { next: () => source.next(), close };
      },
    });
  });
  return log;
}

/** Times from `from` on, each with the value `value`. */
const run = (from: number, count: number, value: number): Row[] =>
  Array.from({ length: count }, (_, i) => [from + i, value]);

test('units after one another are opened one after the other', async () => {
  const log = unitsOf(Array.from({ length: 20 }, (_, i) => run(i * 100, 10, i)));
  const source = mergeUnits(log.units);
  expect(log.opened).toEqual([]);
  await source.next();
  expect(log.opened).toEqual(['unit 0']);
  expect(log.prefetched).toEqual(['unit 1']);
  const rows = await drained(source);
  expect(rows).toHaveLength(197);
  expect(log.mostOpen).toBe(1);
  expect(log.open).toBe(0);
  expect(log.prefetched).toEqual(log.units.slice(1).map(({ name }) => name));
});

test('no more units are open than overlap, in whatever order they are listed', async () => {
  // Each unit reaches over the next two: three at most at one time.
  const lists = Array.from({ length: 30 }, (_, i) => run(((i * 7) % 30) * 10, 25, i));
  const log = unitsOf(lists, [4]);
  const rows = await drained(mergeUnits(log.units));
  expect(rows.map(([time]) => time)).toEqual(Array.from({ length: 315 }, (_, i) => i));
  expect(log.mostOpen).toBeLessThanOrEqual(3);
  expect(log.open).toBe(0);
});

test('the batches of a unit that nothing overlaps pass untouched', async () => {
  const batches: SeriesBatch[] = [0, 1, 2].map((i) => ({
    times: Float64Array.of(i * 10, i * 10 + 1),
    values: Float64Array.of(1, 2),
  }));
  let next = 0;
  const unit: SortedUnit = {
    name: 'u',
    min: 0,
    order: 0,
    prefetch() {},
    open: () => ({ next: async () => batches[next++], close: async () => {} }),
  };
  const source = mergeUnits([unit]);
  expect(await source.next()).toBe(batches[0]);
  expect(await source.next()).toBe(batches[1]);
  expect(await source.next()).toBe(batches[2]);
  expect(await source.next()).toBeUndefined();
});

test.each<[string, Row[][], Row[]]>([
  ['nothing', [], []],
  ['empty units', [[], []], []],
  ['of rows with one time the last listed stays', [[[1, 10]], [[1, 20]], [[1, 15]]], [[1, 15]]],
  [
    'also where the last listed begins first',
    [
      [[5, 1]],
      [
        [1, 2],
        [5, 3],
      ],
    ],
    [
      [1, 2],
      [5, 3],
    ],
  ],
  ['also where it is null', [[[1, 10]], [[1, null]]], [[1, null]]],
  [
    'units inside one another',
    [
      [
        [1, 1],
        [5, 1],
        [9, 1],
      ],
      [
        [4, 2],
        [5, 2],
        [6, 2],
      ],
    ],
    [
      [1, 1],
      [4, 2],
      [5, 2],
      [6, 2],
      [9, 1],
    ],
  ],
  [
    'units that touch',
    [
      [
        [1, 1],
        [2, 1],
      ],
      [
        [2, 2],
        [3, 2],
      ],
    ],
    [
      [1, 1],
      [2, 2],
      [3, 2],
    ],
  ],
])('%s', async (_, lists, expected) => {
  for (const sizes of [[1], [2], [100]]) {
    expect(await drained(mergeUnits(unitsOf(lists, sizes).units))).toEqual(expected);
    const lowered = unitsOf(lists, sizes, (min) => min - 3).units;
    expect(await drained(mergeUnits(lowered))).toEqual(expected);
  }
});

test('a unit that begins before its bound is an error that names it', async () => {
  const { units } = unitsOf([[[0, 1]], [[5, 1]]], [1], (min) => min + 1);
  await expect(drained(mergeUnits(units))).rejects.toMatchObject({
    code: 'INPUT_READ_ERROR',
    message: 'unit 0 has times before the minimum that its statistics state',
  });
});

test('two whole units that interleave are cut into batches of the usual size', async () => {
  const half = BATCH_ROWS * 1.25;
  const lists = [0, 1].map((odd) => Array.from({ length: half }, (_, i): Row => [2 * i + odd, odd]));
  const source = mergeUnits(unitsOf(lists, [10_000]).units);
  const sizes: number[] = [];
  let last = -1;
  for (let batch = await source.next(); batch !== undefined; batch = await source.next()) {
    sizes.push(batch.times.length);
    expect(batch.times[0]).toBe(last + 1);
    expect(batch.times.byteLength).toBe(batch.times.buffer.byteLength);
    last = batch.times.at(-1)!;
  }
  expect(sizes).toEqual([BATCH_ROWS, BATCH_ROWS, BATCH_ROWS / 2]);
});

test('what is open is closed when the reader goes, and nothing more is opened', async () => {
  const log = unitsOf([run(0, 10, 1), run(5, 10, 2), run(100, 5, 3)], [2]);
  const source = mergeUnits(log.units);
  await source.next();
  await source.next();
  await source.close();
  await source.close();
  expect(log.open).toBe(0);
  expect(await source.next()).toBeUndefined();
  expect(log.opened).not.toContain('unit 2');
});

const times = fc
  .uniqueArray(fc.integer({ min: -60, max: 60 }), { maxLength: 30 })
  .map((list) => list.sort((a, b) => a - b));
const unitRows = times.chain((list) =>
  fc
    .array(fc.option(fc.integer({ min: 0, max: 99 })), { minLength: list.length, maxLength: list.length })
    .map((values) => list.map((time, i): Row => [time, values[i]!])),
);

describe('whatever the units are,', () => {
  test('the result is that of a map that is written in listing order', async () => {
    const lists = fc.array(unitRows, { maxLength: 7 });
    const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(lists, sizes, fc.nat(5), async (units, cuts, slack) => {
        const map = new Map(units.flat());
        const expected = [...map].sort(([a], [b]) => a - b);
        const log = unitsOf(units, cuts, (min) => min - slack);
        expect(await drained(mergeUnits(log.units))).toEqual(expected);
        expect(log.open).toBe(0);
      }),
      { numRuns: 300 },
    );
  });

  test('sorting a unit keeps the last row of each time', () => {
    const rows = fc.array(fc.tuple(fc.integer({ min: 0, max: 40 }), fc.integer()), { maxLength: 80 });
    fc.assert(
      fc.property(rows, fc.integer({ min: 1, max: 9 }), (list, batchRows) => {
        const batch = {
          times: Float64Array.from(list, ([t]) => t),
          values: Float64Array.from(list, ([, v]) => v),
        };
        const sorted = sortSeries([batch], batchRows);
        expect(sorted.flatMap(rowsOf)).toEqual([...new Map(list)].sort(([a], [b]) => a - b));
        expect(isAscending(sorted)).toBe(true);
        expect(sorted.every(({ times: { length } }) => length > 0 && length <= batchRows)).toBe(true);
      }),
    );
  });
});

test.each([
  [[], true],
  [[[1, 2, 3]], true],
  [[[1, 2], [3]], true],
  [[[1, 1]], false],
  [[[1, 2], [2]], false],
  [[[2, 1]], false],
  [[[Number.NEGATIVE_INFINITY, 0]], false],
])('whether %j ascends: %s', (lists, ascending) => {
  const batches = lists.map((list) => ({
    times: Float64Array.from(list),
    values: new Float64Array(list.length),
  }));
  expect(isAscending(batches)).toBe(ascending);
});
