/**
 * The tiers' cases: hot uploads and merges of eight hot files against DuckDB on the same files, a slot on its
 * whole way, and what a month's manifest comes to.
 */

import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { BenchCase, Side } from './case.ts';
import { duckdbSide } from './duckdb-side.ts';
import { HOT_WARM_UPS, hotSide } from './hot-side.ts';
import { manifestSide } from './manifest-side.ts';
import { slotSide } from './slot-side.ts';
import { makeTierFiles, makeUploads, TIER_FILES, uploadFile } from './tier-data.ts';
import { tierSide } from './tier-side.ts';

const MILLION = 1_000_000;
const KEY = 'InstanceType, Region, AZ, "Time"';

const out = (dir: string) => join(dir, 'duckdb-out.parquet');

/** What DuckDB writes, and how large it is; FILES and UPLOAD in `select` stand for the paths. */
function duckdbCopy(name: string, select: string, warmUps?: number): Side {
  const copy = (dir: string) => `
    COPY (${select.replaceAll('FILES', `'${join(dir, 'slot-*.parquet')}'`).replaceAll('UPLOAD', `'${uploadFile(dir)}'`)})
    TO '${out(dir)}' (FORMAT parquet, COMPRESSION zstd)`;
  const side = duckdbSide(name, copy, warmUps);
  return {
    name,
    async run(dist, dir) {
      const result = await side.run(dist, dir);
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
  duckdbCopy(
    'duckdb, lag',
    `SELECT * FROM (SELECT * FROM FILES ORDER BY ${KEY}, Ceased) QUALIFY NOT coalesce(${REPEATS}, false)`,
  ),
  duckdbCopy('duckdb, distinct on', `SELECT DISTINCT ON (${KEY}) * FROM FILES ORDER BY ${KEY}, Ceased`),
  duckdbCopy(
    'duckdb, row_number',
    `SELECT * FROM FILES QUALIFY row_number() OVER (PARTITION BY ${KEY} ORDER BY Ceased) = 1 ORDER BY ${KEY}`,
  ),
];

const TYPES = `{InstanceType: 'VARCHAR', Region: 'VARCHAR', AZ: 'VARCHAR', "Time": 'TIMESTAMP', SPS: 'BIGINT', T3: 'BIGINT',
  T2: 'BIGINT', "IF": 'DOUBLE', OndemandPrice: 'DOUBLE', SpotPrice: 'DOUBLE', Savings: 'BIGINT', Ceased: 'BOOLEAN'}`;

export const TIER_CASES: readonly BenchCase[] = [
  {
    name: 'hot-upload',
    about: 'hot upload of 60,000 rows of the aws schema from JSON lines: read, cast, sort, encode',
    prepare: (dir) => makeUploads(dir, 60_000, 1),
    sides: [
      hotSide,
      duckdbCopy(
        'duckdb, types told',
        `SELECT * FROM read_json(UPLOAD, format = 'newline_delimited', columns = ${TYPES}) ORDER BY ${KEY}`,
        HOT_WARM_UPS,
      ),
      duckdbCopy('duckdb, types inferred', `SELECT * FROM read_json(UPLOAD) ORDER BY ${KEY}`, HOT_WARM_UPS),
    ],
    aim: 'at least twice as fast as read_json + sort + copy',
  },
  {
    name: 'slot',
    about: 'slots of 60,000 rows from the upload request to the compaction completed event, local AWS; p95',
    prepare: (dir) => makeUploads(dir, 60_000, TIER_FILES),
    sides: [slotSide],
    aim: 'p95 at most 400 ms',
  },
  {
    name: 'manifest',
    about: "a month's manifest: opened, planned by, committed and put into text again, the last 200 slots",
    prepare: async () => {},
    sides: [manifestSide('every slot', 1), manifestSide('every other slot', 2)],
    aim: 'at most 100 kB at month end, rewritten in at most 10 ms',
  },
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
