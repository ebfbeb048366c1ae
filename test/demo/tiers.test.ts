import { afterAll, expect, jest, test } from '@jest/globals';
import { POOLS, poolChanges } from '../../src/demo/pools.ts';
import { makeDirectory, runCli } from '../cli/run-cli.ts';

// Seconds on a machine of one's own; more where many share it.
jest.setTimeout(90_000);

const directory = makeDirectory();
afterAll(() => directory.remove());

/** What must be seen, in this order. */
const SEEN = [
  /2,000 pools; each slot is uploaded once/,
  /09:00 {2}uploaded +2,000 rows +\S+ kB {2}added +L0 ▪\n/,
  /10:00 {2}uploaded .* L0 ▪▪▪▪▪▪▪\n/,
  /10:00 {2}unchanged .* unchanged .* again\n/,
  /10:10 {2}uploaded .* compacted {2}L1 █ {2}L0 ·\n/,
  /11:30 {2}uploaded/,
  /10:50 {2}uploaded .* compacted {2}L1 ██ {2}L0 · +late\n/,
  /12:00 {2}uploaded .* L1 ██ {2}L0 ▪▪▪\n/,
  /aws 2026-01 {2}revision 19 {2}19 of 4,464 slots {2}6,190 rows {2}\d+ kB in 5 files/,
  /L1 {2}█+▒+ +2 files +5,533 rows/,
  /L0 +█+▒+█+ +3 files +657 rows/,
  /L1 +L1_0001_00008-00015\.parquet +1,820/,
  /revision 19 of the manifest names 5 files/,
  /✓ every row once +6,190 change points, as many as were uploaded/,
  /✓ the market +2,000 pools, 09:00 to 12:09/,
  /✓ all of this in \d+\.\d s\n/,
];

test('the demo shows slots as they come, the levels they make, and what a reader counts', async () => {
  const { code, stdout, stderr } = await runCli(['demo', 'tiers'], { cwd: directory.path });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  let from = 0;
  for (const pattern of SEEN) {
    const found = stdout.slice(from).search(pattern);
    if (found === -1) throw new Error(`${pattern} is not there, or not in its place:\n${stdout}`);
    from += found + 1;
  }
  expect(stdout).not.toContain('\u001b');
  expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThan(80);
});

test('the market is the same every time, and each pool leaves it at most once', () => {
  const changes = poolChanges(0, 19);
  expect(changes).toEqual(poolChanges(0, 19));
  expect(changes[0]!.changed).toHaveLength(POOLS);
  const gone = changes.flatMap(({ removed }) =>
    removed.map(({ InstanceType, AZ }) => `${InstanceType} ${AZ}`),
  );
  expect(new Set(gone).size).toBe(gone.length);
});
