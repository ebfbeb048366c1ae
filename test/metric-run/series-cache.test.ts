import { expect, test } from '@jest/globals';
import { type CachedSeries, createSeriesCache } from '../../src/metric-run/series-cache.ts';

const series = (rows: number): CachedSeries => ({ batches: [], rows, files: 1, bytes: 100 });

/** A cache of 1,000 rows for 60 s, and its clock. */
function open(rows = 1000) {
  let now = 0;
  const cache = createSeriesCache({ bytes: rows * 16, seconds: 60 }, () => now);
  const wait = (seconds: number) => {
    now += seconds * 1000;
  };
  const held = (...keys: string[]) => keys.filter((key) => cache.get(key) !== undefined);
  return { cache, wait, held };
}

test('a series is kept until its time is over, counted from when it was read', () => {
  const { cache, wait, held } = open();
  const kept = series(10);
  cache.set('a', kept);
  wait(60);
  expect(cache.get('a')).toBe(kept);
  wait(0.001);
  expect(held('a')).toEqual([]);
});

test('the one that was used least lately goes first', () => {
  const { cache, held } = open();
  for (const key of ['a', 'b', 'c', 'd']) cache.set(key, series(250));
  cache.get('a');
  cache.set('e', series(250));
  expect(held('a', 'b', 'c', 'd', 'e')).toEqual(['a', 'c', 'd', 'e']);
});

test('one that takes more than a quarter is not kept, and drives out none', () => {
  const { cache, held } = open();
  cache.set('a', series(250));
  cache.set('big', series(251));
  expect(held('a', 'big')).toEqual(['a']);
});

test('one that is set again counts once', () => {
  const { cache, held } = open();
  for (let i = 0; i < 10; i++) cache.set('a', series(250));
  for (const key of ['b', 'c', 'd']) cache.set(key, series(250));
  expect(held('a', 'b', 'c', 'd')).toEqual(['a', 'b', 'c', 'd']);
});

test('a cache of no bytes keeps nothing but what weighs nothing', () => {
  const { cache, held } = open(0);
  cache.set('a', series(1));
  cache.set('empty', series(0));
  expect(held('a', 'empty')).toEqual(['empty']);
});
