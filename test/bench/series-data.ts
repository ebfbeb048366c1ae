/** Series for benchmarks: minute by minute from the year 2000, random values, one file a series, by DuckDB. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { duckdb } from './duckdb-side.ts';

export const seriesFile = (dir: string, code: string) => join(dir, `${code}.parquet`);

export async function makeSeries(dir: string, codes: readonly string[], rows: number): Promise<void> {
  for (const code of codes) {
    const file = seriesFile(dir, code);
    if (existsSync(file)) continue;
    await duckdb([
      `COPY (SELECT TIMESTAMPTZ '2000-01-01 00:00:00+00' + INTERVAL (i) MINUTE AS obs_time,
               random() * 100 + 1 AS value, '${code}' AS internal_series_code
             FROM range(${rows}) t(i)) TO '${file}' (FORMAT parquet)`,
    ]);
  }
}
