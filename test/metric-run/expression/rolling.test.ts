import { describe, expect, test } from '@jest/globals';
import { ema } from '../../../src/metric-run/expression/ema.ts';
import type { Kernel } from '../../../src/metric-run/expression/frame.ts';
import { lagByDays, lagByRows } from '../../../src/metric-run/expression/lag.ts';
import {
  rollingMax,
  rollingMean,
  rollingMin,
  rollingSum,
} from '../../../src/metric-run/expression/rolling.ts';

const INF = Number.POSITIVE_INFINITY;
const MINUTE = 60_000_000;

/** Numbers that look random and are the same every time: 0 to 1. */
function noise(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** The kernel's answer to `values`, given in batches of `size` rows a minute apart, in place. */
function applied(kernel: Kernel, values: Float64Array, size = 65_536): Float64Array {
  const times = new Float64Array(values.length);
  for (let i = 0; i < times.length; i++) times[i] = i * MINUTE;
  const out = values.slice();
  for (let at = 0; at < out.length; at += size) {
    const part = out.subarray(at, at + size);
    kernel.apply(times.subarray(at, at + size), part, part);
  }
  return out;
}

/** The sum of multiples of 2^-16, without any error but that of the last rounding. */
function exactSum(values: Float64Array): number {
  let sum = 0n;
  for (const value of values) sum += BigInt(value * 65_536);
  return Number(sum) / 65_536;
}

describe('rolling sums do not drift', () => {
  test('over ten million rows, with 1e16 coming and going among small values', () => {
    const random = noise(7);
    const values = Float64Array.from({ length: 500_000 }, () => {
      const x = random();
      return x > 0.999 ? 1e16 : x < 0.001 ? -1e16 : Math.round(x * 65_536) / 65_536;
    });
    const window = 30;
    const kernel = rollingSum(window);
    let sums: Float64Array = new Float64Array(0);
    for (let round = 0; round < 20; round++) sums = applied(kernel, values);
    for (let i = window - 1; i < values.length; i += 97) {
      const expected = exactSum(values.subarray(i - window + 1, i + 1));
      if (!(Math.abs(sums[i]! - expected) <= 1e-12 * Math.abs(expected))) expect(sums[i]).toBe(expected);
    }
  });

  test('over windows of every kind of size', () => {
    const random = noise(3);
    const values = Float64Array.from({ length: 30_000 }, () => {
      const scale = random() < 0.01 ? 1e12 : 1;
      return Math.round((random() - 0.5) * 65_536 * scale) / 65_536;
    });
    for (const window of [1, 2, 3, 1023, 1024, 1025, 2048, 5000, 29_999, 30_000, 30_001]) {
      const sums = applied(rollingSum(window), values, 777);
      const means = applied(rollingMean(window), values, 4096);
      expect(sums.findIndex((sum) => !Number.isNaN(sum))).toBe(window > values.length ? -1 : window - 1);
      for (let i = window - 1; i < values.length; i += 501) {
        const sum = exactSum(values.subarray(i - window + 1, i + 1));
        const mean = sum / window;
        expect(Math.abs(sums[i]! - sum)).toBeLessThanOrEqual(1e-12 * Math.abs(sum));
        expect(Math.abs(means[i]! - mean)).toBeLessThanOrEqual(1e-12 * Math.abs(mean));
      }
    }
  });

  test('what cancels out within a window leaves the small values', () => {
    const sums = applied(rollingSum(3), Float64Array.of(1e16, 1, -1e16, 2, 3));
    expect([...sums]).toEqual([Number.NaN, Number.NaN, 1, -1e16 + 3, -1e16 + 5]);
  });
});

describe('infinities stay values, and leave no trace', () => {
  const values = Float64Array.of(1, INF, 2, 3, 4, -INF, INF, 5, 6, 7);
  const none = Number.NaN;
  test.each<[string, Kernel, number[]]>([
    ['sum', rollingSum(2), [none, INF, INF, 5, 7, -INF, none, INF, 11, 13]],
    ['mean', rollingMean(2), [none, INF, INF, 2.5, 3.5, -INF, none, INF, 5.5, 6.5]],
    ['max', rollingMax(2), [none, INF, INF, 3, 4, 4, INF, INF, 6, 7]],
    ['min', rollingMin(2), [none, 1, 2, 2, 3, -INF, -INF, 5, 5, 6]],
    ['ema', ema(3), [1, INF, INF, INF, INF, none, INF, INF, INF, INF]],
    ['ema of one row', ema(1), [...values]],
  ])('%s', (_, kernel, expected) => {
    expect([...applied(kernel, values)]).toEqual(expected);
    expect(expected).toHaveLength(values.length);
  });

  test('a sum beyond the largest double is infinite, and finite again', () => {
    const sums = applied(rollingSum(2), Float64Array.of(1.7e308, 1.7e308, 1, 2));
    expect([...sums]).toEqual([none, INF, 1.7e308, 3]);
  });
});

describe('large windows', () => {
  test('maximum and minimum are those of the window', () => {
    const random = noise(11);
    const values = Float64Array.from({ length: 20_000 }, () => Math.floor(random() * 1000));
    for (const window of [2, 7, 1024, 1025, 3000, 20_000]) {
      const largest = applied(rollingMax(window), values, 999);
      const smallest = applied(rollingMin(window), values, 5000);
      expect(largest.findIndex((value) => !Number.isNaN(value))).toBe(window - 1);
      for (let i = window - 1; i < values.length; i += 313) {
        const seen = values.subarray(i - window + 1, i + 1);
        expect([largest[i], smallest[i]]).toEqual([Math.max(...seen), Math.min(...seen)]);
      }
    }
  });

  test('over a short series they take little room, and give nulls', () => {
    const kernels = Array.from({ length: 2000 }, () => [rollingSum(1_000_000), rollingMax(1_000_000)]).flat();
    for (const kernel of kernels) {
      expect([...applied(kernel, Float64Array.of(1, 2))]).toEqual([Number.NaN, Number.NaN]);
    }
  });

  test.each([1, 100, 65_536])('lags look back over batches of %p rows', (size) => {
    const values = Float64Array.from({ length: 4000 }, (_, i) => i);
    const day = 1440;
    const expected = values.map((i) => (i < day ? Number.NaN : i - day));
    expect(applied(lagByDays(1), values, size)).toEqual(expected);
    expect(applied(lagByRows(day), values, size)).toEqual(expected);
  });
});

test('an ema of a constant stays that constant, and one of nulls alone is null', () => {
  const constant = applied(ema(30), new Float64Array(10_000).fill(0.1));
  for (const value of constant) expect(Math.abs(value - 0.1)).toBeLessThan(1e-15);
  expect([...applied(ema(5), new Float64Array(3).fill(Number.NaN))]).toEqual([
    Number.NaN,
    Number.NaN,
    Number.NaN,
  ]);
});

test('after a long gap an ema is the new value', () => {
  const values = new Float64Array(5000).fill(Number.NaN);
  values[0] = 10;
  values[4999] = 4;
  const averages = applied(ema(3), values, 700);
  expect(averages[4998]).toBe(10);
  expect(averages[4999]).toBe(4);
});
