import { expect, test } from '@jest/globals';
import type { Terminal } from '../../src/cli/terminal.ts';
import { bar } from '../../src/demo/bar.ts';
import { table } from '../../src/demo/table.ts';

const plain: Terminal = {
  live: false,
  width: 80,
  line() {},
  write() {},
  complain() {},
  paint: (_, text) => text,
};

test('a table aligns numbers to the right and shows where rows were left out', () => {
  const columns = [
    { title: 'day', align: 'left' },
    { title: 'value', align: 'right' },
  ] as const;
  const lines = table(plain, columns, [['2012-01-01', '7.8'], 'gap', ['2015-12-31', '100.25']]);
  expect(lines.join('\n')).toBe(`day           value
──────────   ──────
2012-01-01      7.8
⋯                 ⋯
2015-12-31   100.25`);
});

test.each([
  [-1, '────'],
  [0.5, '━━──'],
  [1, '━━━━'],
  [3, '━━━━'],
])('a bar at %f', (fraction, drawn) => {
  expect(bar(plain, fraction, 4)).toBe(drawn);
});
