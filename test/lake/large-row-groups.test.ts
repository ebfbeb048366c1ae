/** Row groups that are too large to be held: scanned first, then streamed or sorted. */

import { afterAll, describe, expect, test } from '@jest/globals';
import { openSeries } from '../../src/lake/series-reader.ts';
import { closeDuckDb, parquetOf } from '../support/parquet.ts';
import { memoryFile } from './memory-file.ts';

afterAll(closeDuckDb);

describe('a row group of more than a million rows', () => {
  const COUNT = 1_100_000;
  const select = (order: string, code = '') =>
    `SELECT make_timestamp(i // 2 * 2 + i % 2) AS obs_time, i::DOUBLE AS value ${code} FROM range(${COUNT}) t(i) ${order}`;
  const one = `ROW_GROUP_SIZE ${2 * COUNT}`;

  async function checked(bytes: Uint8Array, named: boolean): Promise<{ rows: number; batches: number }> {
    const reader = await openSeries([{ access: memoryFile('a', bytes), named }], 'A');
    expect(reader.plan.units.map(({ group }) => group.rows)).toEqual([COUNT]);
    const source = await reader.open();
    let rows = 0;
    let batches = 0;
    let last = -1;
    for (let batch = await source.next(); batch !== undefined; batch = await source.next()) {
      batches++;
      rows += batch.times.length;
      for (let i = 0; i < batch.times.length; i++) {
        if (!(batch.times[i]! > last) || batch.values[i] !== batch.times[i])
          throw new Error(`row ${rows} is wrong`);
        last = batch.times[i]!;
      }
    }
    await reader.close();
    return { rows, batches };
  }

  test('that is sorted is streamed', async () => {
    const { rows, batches } = await checked(await parquetOf(select(''), one), true);
    expect(rows).toBe(COUNT);
    expect(batches).toBeGreaterThan(10);
  });

  test('that is not sorted is sorted', async () => {
    const bytes = await parquetOf(select('ORDER BY hash(i)'), one);
    expect((await checked(bytes, true)).rows).toBe(COUNT);
  });

  test('that holds other series too is filtered', async () => {
    const code = ", CASE WHEN i % 10 = 3 THEN 'A' ELSE 'B' END AS internal_series_code";
    const bytes = await parquetOf(select('', code), one);
    expect((await checked(bytes, false)).rows).toBe(COUNT / 10);
  });
});
