/** The metric run's cases: our core path against DuckDB on the same files, and our memory against itself. */

import { join } from 'node:path';
import type { BenchCase } from './case.ts';
import { coreSide } from './core-side.ts';
import { duckdbSide } from './duckdb-side.ts';
import { makeSeries, seriesFile } from './series-data.ts';

const MILLION = 1_000_000;
const A = { series_code: 'A' };
const B = { series_code: 'B' };
const LAG = { op: 'lag', series: A, window: 30 };
const RATIO = { op: 'ratio', left: A, right: B };
const BASE_30D = { op: 'ratio', left: { op: 'subtract', left: A, right: LAG }, right: LAG };

const out = (dir: string) => join(dir, 'duckdb-out.parquet');
const five = (dir: string) => makeSeries(dir, ['A', 'B'], 5 * MILLION);

const ratioSql = (dir: string, order: string) => `
  COPY (SELECT coalesce(a.obs_time, b.obs_time) AS obs_time, a.value / nullif(b.value, 0) AS value
        FROM '${seriesFile(dir, 'A')}' a FULL OUTER JOIN '${seriesFile(dir, 'B')}' b
        ON a.obs_time = b.obs_time ${order}) TO '${out(dir)}' (FORMAT parquet)`;

export const METRIC_CASES: readonly BenchCase[] = [
  {
    name: 'ratio',
    about: 'ratio of two series of 5 million rows',
    prepare: five,
    sides: [
      coreSide('series_math', RATIO),
      duckdbSide('duckdb', (dir) => ratioSql(dir, '')),
      duckdbSide('duckdb, sorted', (dir) => ratioSql(dir, 'ORDER BY 1')),
    ],
    aim: 'at least 1.5 x as fast as the full outer join + copy, at most half its memory',
  },
  {
    name: 'sma',
    about: '30-row moving average of 5 million rows',
    prepare: five,
    sides: [
      coreSide('window_op', { op: 'sma', series: A, window: 30 }),
      duckdbSide(
        'duckdb',
        (dir) => `
          COPY (SELECT obs_time, CASE WHEN count(*) OVER w = 30 THEN avg(value) OVER w END AS value
                FROM '${seriesFile(dir, 'A')}'
                WINDOW w AS (ORDER BY obs_time ROWS 29 PRECEDING)) TO '${out(dir)}' (FORMAT parquet)`,
      ),
    ],
    aim: 'at least 2 x the window function',
  },
  {
    name: 'delta',
    about: 'delta.base_30d (subtract, lag 30 days twice, ratio) of 5 million rows',
    prepare: five,
    sides: [
      coreSide('series_math', BASE_30D),
      duckdbSide(
        'duckdb',
        (dir) => `
          COPY (SELECT x.obs_time, (x.value - y.value) / nullif(y.value, 0) AS value
                FROM '${seriesFile(dir, 'A')}' x ASOF LEFT JOIN '${seriesFile(dir, 'A')}' y
                ON x.obs_time - INTERVAL 30 DAY >= y.obs_time) TO '${out(dir)}' (FORMAT parquet)`,
      ),
    ],
    aim: 'at least 2 x the ASOF join',
  },
  {
    name: 'ratio-40m',
    about: 'ratio of two series of 40 million rows: its memory against that of 5 million',
    prepare: async (dir) => makeSeries(dir, ['A', 'B'], 40 * MILLION),
    sides: [coreSide('series_math', RATIO)],
    aim: 'peak memory within 1.3 x of the case "ratio"',
  },
];
