import { expect, test } from '@jest/globals';
import type { Terminal } from '../../src/cli/terminal.ts';
import { plot } from '../../src/demo/plot.ts';
import { timeTicks } from '../../src/demo/time-ticks.ts';

const plain: Terminal = {
  live: false,
  width: 80,
  line() {},
  write() {},
  complain() {},
  paint: (_, text) => text,
};

const DAY = 86_400_000;

test('a line climbs in steps between labelled axes', () => {
  const times = Array.from({ length: 21 }, (_, i) => Date.parse('2024-01-01') + i * DAY);
  const values = times.map((_, i) => i / 2);
  const lines = plot(plain, [{ times, values, mark: 'line', tone: 'accent' }], {
    width: 25,
    height: 9,
    unit: 'mm',
  });
  expect(lines.join('\n')).toBe(`mm
10 ┤                  ┏━━
   │              ┏━━━┛
   │          ┏━━━┛
 5 ┤      ┏━━━┛
   │  ┏━━━┛
 0 ┤━━┛
   └┬────────────────────
    2024-01`);
});

test('dots stay where a line does not pass, and missing values leave gaps', () => {
  const times = [0, 1, 2, 3].map((i) => i * DAY);
  const lines = plot(
    plain,
    [
      { times, values: [0, 5, Number.NaN, 5], mark: 'dots', tone: 'faint' },
      { times, values: [5, Number.NaN, Number.NaN, Number.NaN], mark: 'line', tone: 'accent' },
    ],
    { width: 7, height: 5, unit: '' },
  );
  expect(lines.slice(1, 3)).toEqual(['5 ┤━⠁ ⠈', '0 ┤⡀']);
});

test.each([
  ['no values', []],
  ['one value', [7]],
  ['equal values', [7, 7, 7]],
  ['tiny values', [0.001, 0.002, 0.0015]],
  ['huge values of both signs', [-4e9, 5e9, 0]],
])('%s make a plot of the size that was asked for', (_, values) => {
  const times = values.map((_value, i) => i * DAY);
  const lines = plot(plain, [{ times, values, mark: 'dots', tone: 'faint' }], {
    width: 60,
    height: 12,
    unit: 'x',
  });
  expect(lines).toHaveLength(12);
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(60);
});

test.each([
  ['2012-01-01', '2015-12-31', 6, ['2012', '2013', '2014', '2015']],
  ['2012-03-05', '2013-02-01', 6, ['2012-04', '2012-07', '2012-10', '2013-01']],
  ['2024-01-30', '2024-02-04', 6, ['01-30', '01-31', '02-01', '02-02', '02-03', '02-04']],
  ['2024-01-30T22:30Z', '2024-01-31T00:10Z', 3, ['23:00', '00:00']],
])('from %s to %s there are at most %i marks, at round times', (from, to, most, labels) => {
  const ticks = timeTicks(Date.parse(from), Date.parse(to), most);
  expect(ticks.map(({ label }) => label)).toEqual(labels);
});
