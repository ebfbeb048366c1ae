/** What turns the measurements of load cases into documents: lines, ticks, figures, sections. */

import { describe, expect, test } from '@jest/globals';
import { lineThrough } from '../support/least-squares.ts';
import { figures, latenciesOf, quantile, table } from './report.ts';
import { withSection } from './run.ts';
import { roundStep, svgOf, ticksOf } from './svg-plot.ts';

describe('a line through points', () => {
  test('is that of the textbook, its interval too', () => {
    // Anscombe's first quartet: slope 0.50009 with a standard error of 0.11791, t for nine degrees 2.262.
    const x = [10, 8, 13, 9, 11, 14, 6, 4, 12, 7, 5];
    const y = [8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68];
    const { slope, intercept, low, high } = lineThrough(x.map((each, i) => [each, y[i]!] as const));
    expect(slope).toBeCloseTo(0.50009, 5);
    expect(intercept).toBeCloseTo(3.00009, 5);
    expect((high - low) / 2).toBeCloseTo(2.26 * 0.11791, 3);
  });

  test('needs three points, not all above one another', () => {
    expect(() =>
      lineThrough([
        [0, 1],
        [1, 2],
      ]),
    ).toThrow(RangeError);
    expect(() =>
      lineThrough([
        [1, 1],
        [1, 2],
        [1, 3],
      ]),
    ).toThrow(RangeError);
  });
});

describe('an axis', () => {
  test.each([
    [100, 20],
    [7, 2],
    [0.3, 0.1],
    [4_100, 1_000],
  ])('of %d has steps of %d', (span, step) => {
    expect(roundStep(span)).toBeCloseTo(step, 9);
  });

  test('has ticks from 0 to above the greatest value', () => {
    expect(ticksOf(3, 98)).toEqual([0, 20, 40, 60, 80, 100]);
    expect(ticksOf(-30, 55)).toEqual([-40, -20, 0, 20, 40, 60]);
    expect(ticksOf(0, 0).length).toBeGreaterThan(1);
  });
});

test('a plot is well-formed, whatever its names are, and keeps within its frame', () => {
  const points = Array.from({ length: 5_000 }, (_, i) => [i, Math.sin(i / 300) * 40] as const);
  const svg = svgOf({ title: 'a < b & c', x: 'x', y: 'y', lines: [{ name: '<one>', points }] });
  expect(svg).toContain('a &lt; b &amp; c');
  expect(svg).not.toMatch(/NaN|Infinity|<one>/);
  expect(svg.length).toBeLessThan(8_000);
  const drawn = [...svg.matchAll(/([\d.]+),([\d.]+)[ "]/g)];
  expect(drawn.length).toBeGreaterThan(100);
  for (const [, x, y] of drawn) {
    expect(Number(x)).toBeLessThanOrEqual(640);
    expect(Number(y)).toBeLessThanOrEqual(260);
  }
});

test('figures have three digits, and quantiles are values that occur', () => {
  expect([0.1234, 12.345, 1234.5, Number.NaN].map(figures)).toEqual(['0.12', '12.3', '1,235', '-']);
  const values = Array.from({ length: 100 }, (_, i) => 99 - i);
  expect([0, 0.5, 0.95, 1].map((part) => quantile(values, part))).toEqual([0, 50, 95, 99]);
  expect(latenciesOf([{ sentAt: 5, at: 25 }])).toEqual({ p50: 20, p95: 20, p99: 20, most: 20 });
  expect(table(['a', 'b'], [['1', '2']])).toEqual(['| a | b |', '|---|---:|', '| 1 | 2 |']);
});

test('a section is put at the end of a document once, and then in its own place', () => {
  const first = withSection('# Title\n\ntext\n', 'one', 'old');
  const both = withSection(first, 'two', 'other');
  const again = withSection(both, 'one', 'new');
  expect(again).toContain('# Title\n\ntext\n\n<!-- load one');
  expect(again).not.toContain('old');
  expect(again.indexOf('new')).toBeLessThan(again.indexOf('other'));
  expect(again.match(/<!-- load one/g)).toHaveLength(1);
});
