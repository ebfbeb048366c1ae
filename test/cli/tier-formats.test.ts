/** What `tidemill tier files --format duckdb` prints, run by DuckDB. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { formatSnapshot } from '../../src/cli/tier-formats.ts';
import { findProvider, tierProviders } from '../../src/contract/tier-provider.ts';
import { closeDuckDb, duckDb, parquetOf } from '../support/parquet.ts';

const directory = mkdtempSync(join(tmpdir(), "tidemill's-formats-"));

afterAll(async () => {
  rmSync(directory, { recursive: true });
  await closeDuckDb();
});

/** A file of rows of one time: what stands in AZ, in SPS and in Ceased. */
async function file(name: string, rows: readonly (readonly [string, number, boolean | null])[]) {
  const values = rows.map(
    ([az, sps, ceased]) => `('a', 'r', '${az}', TIMESTAMPTZ '2026-01-01', ${sps}, ${ceased})`,
  );
  const columns = 'InstanceType, Region, AZ, "Time", SPS, Ceased';
  const uri = join(directory, name);
  writeFileSync(uri, await parquetOf(`SELECT * FROM (VALUES ${values.join(', ')}) v(${columns})`));
  return {
    uri,
    key: name,
    level: 0,
    hotRange: [0, 0] as const,
    rows: rows.length,
    bytes: null,
    minTime: null,
    maxTime: null,
  };
}

test('of a row that was collected twice DuckDB takes the one that merges keep', async () => {
  const first = await file('z.parquet', [
    ['living before unknown', 1, null],
    ['unknown before ceased', 2, true],
    ['the last to come', 3, false],
    ['ceased is no less', 4, false],
  ]);
  const last = await file('a.parquet', [
    ['living before unknown', 11, false],
    ['unknown before ceased', 12, null],
    ['the last to come', 13, false],
    ['ceased is no less', 14, true],
  ]);
  const provider = findProvider(tierProviders(), 'aws');
  const lines = formatSnapshot({ provider, manifests: [], files: [first, last], span: undefined }, 'duckdb');
  const connection = await duckDb();
  const [list = '', query = ''] = lines.join('\n').split(';\n');
  await connection.run(list);
  const rows = (await connection.runAndReadAll(query)).getRowObjectsJS();
  expect(Object.fromEntries(rows.map(({ AZ, SPS }) => [AZ, SPS]))).toEqual({
    'living before unknown': 11,
    'unknown before ceased': 12,
    'the last to come': 13,
    'ceased is no less': 4,
  });
  expect(Object.keys(rows[0]!)).toEqual(['InstanceType', 'Region', 'AZ', 'Time', 'SPS', 'Ceased']);
});
