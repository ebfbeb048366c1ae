/** The tiers' cases: a merge of eight hot files against DuckDB on the same files, and its memory. */

import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { BenchCase, Side } from './case.ts';
import { duckdbSide } from './duckdb-side.ts';
import { makeTierFiles } from './tier-data.ts';
import { tierSide } from './tier-side.ts';

const MILLION = 1_000_000;
const KEY = 'InstanceType, Region, AZ, "Time"';

const out = (dir: string) => join(dir, 'duckdb-out.parquet');

/** What DuckDB writes, and how large it is. */
function duckdbMerge(name: string, select: string): Side {
  const copy = (dir: string) => `
    COPY (${select.replaceAll('FILES', `'${join(dir, 'slot-*.parquet')}'`)})
    TO '${out(dir)}' (FORMAT parquet, COMPRESSION zstd)`;
  const side = duckdbSide(name, copy);
  return {
    name,
    async run(root, dir) {
      const result = await side.run(root, dir);
      return { ...result, extra: { MB: statSync(out(dir)).size / 1e6, ...result.extra } };
    },
  };
}

/** Whether a row has the key and time of the one before it. */
const REPEATS = KEY.split(', ')
  .toReversed()
  .map((name) => `lag(${name}) OVER () = ${name}`)
  .join(' AND ');

/**
 * The same rows, sorted and each key and time once, in the ways that SQL has. The first is the fastest by far,
 * a pass over what was sorted; it leans on DuckDB's keeping the order of a subquery.
 */
const DUCKDB: readonly Side[] = [
  duckdbMerge(
    'duckdb, lag',
    `SELECT * FROM (SELECT * FROM FILES ORDER BY ${KEY}, Ceased) QUALIFY NOT coalesce(${REPEATS}, false)`,
  ),
  duckdbMerge('duckdb, distinct on', `SELECT DISTINCT ON (${KEY}) * FROM FILES ORDER BY ${KEY}, Ceased`),
  duckdbMerge(
    'duckdb, row_number',
    `SELECT * FROM FILES QUALIFY row_number() OVER (PARTITION BY ${KEY} ORDER BY Ceased) = 1 ORDER BY ${KEY}`,
  ),
];

export const TIER_CASES: readonly BenchCase[] = [
  {
    name: 'merge-60k',
    about: 'merge of 8 hot files of 60,000 rows of the aws schema',
    prepare: (dir) => makeTierFiles(dir, 60_000),
    sides: [tierSide(), ...DUCKDB],
    aim: 'at least as fast as sort + dedupe + zstd copy, at most half its memory and below 300 MB, file at most 1.05 x',
  },
  {
    name: 'merge-1m',
    about: 'merge of 8 hot files of a million rows',
    prepare: (dir) => makeTierFiles(dir, MILLION),
    sides: [tierSide(), ...DUCKDB],
    aim: 'at least as fast, a third of the memory, file at most 1.05 x',
  },
  {
    name: 'merge-5m',
    about: 'merge of 8 hot files of 5 million rows, for its memory',
    prepare: (dir) => makeTierFiles(dir, 5 * MILLION),
    sides: [tierSide({ warmUp: false })],
    aim: 'below 512 MB',
  },
];
