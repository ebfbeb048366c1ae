/**
 * Hot files of the aws provider as DuckDB makes them: change points of 700 instance types in 17 regions
 * of 6 zones each, the file of slot k with times in slot k but for one row in 200, which is a row of the
 * slot before with the same key and time, come late. And the same rows as uploads: JSON lines, in no order.
 */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { duckdb } from './duckdb-side.ts';

export const TIER_FILES = 8;

/** The pools there are: a file of no more rows than these has each at most once. */
const POOLS = 700 * 17 * 6;
const SLOT_SECONDS = 600;
/** The day of all slots; the first is at noon. */
export const DAY = '2026-01-23';

export function tierFile(dir: string, slot: number): string {
  return join(dir, `slot-${slot}.parquet`);
}

export function tierFiles(dir: string): string[] {
  return Array.from({ length: TIER_FILES }, (_, slot) => tierFile(dir, slot));
}

/** Row `i` of a slot: a pool by a walk that meets each once, then, in later rounds, at a later second. */
function rowsSql(slot: number, rows: number): string {
  const round = Math.ceil(rows / POOLS);
  return `
    WITH n AS (SELECT range AS i, hash(range, ${slot}) AS h FROM range(${rows})),
    p AS (SELECT i, h, (i * 15485863 + ${slot} * 7919) % ${POOLS} AS pool,
                 CASE WHEN ${slot} > 0 AND h % 200 = 0 THEN ${slot - 1} ELSE ${slot} END AS slot FROM n),
    t AS (SELECT *, hash(pool, 1) AS ph, pool // 102 AS kind, pool // 6 % 17 AS region, pool % 6 AS zone,
                 (i // ${POOLS}) * ${SLOT_SECONDS} // ${round} + hash(pool, slot) % (${SLOT_SECONDS} // ${round}) AS second FROM p)
    SELECT ['m','c','r','t','x','i','d','g','p','z','u','inf'][1 + kind % 12] || (1 + kind // 12 % 8) ||
             ['', 'a', 'g', 'i', 'n'][1 + kind % 5] || '.' ||
             ['large','xlarge','2xlarge','4xlarge','8xlarge','12xlarge','16xlarge','24xlarge','metal'][1 + kind % 9] || kind AS InstanceType,
           ['us-east-1','us-east-2','us-west-1','us-west-2','ca-central-1','eu-west-1','eu-west-2','eu-west-3','eu-central-1',
            'eu-north-1','ap-south-1','ap-southeast-1','ap-southeast-2','ap-northeast-1','ap-northeast-2','ap-northeast-3',
            'sa-east-1'][1 + region] AS Region,
           ['use1','use2','usw1','usw2','cac1','euw1','euw2','euw3','euc1','eun1','aps1','apse1','apse2','apne1','apne2','apne3',
            'sae1'][1 + region] || '-az' || (1 + zone) AS AZ,
           make_timestamptz(2026, 1, 23, 12, 0, 0) + to_seconds(slot * ${SLOT_SECONDS} + second) AS "Time",
           (1 + ph % 10)::BIGINT AS SPS, (h % 4)::BIGINT AS T3, (h // 7 % 4)::BIGINT AS T2,
           (5 * (1 + ph // 11 % 5))::DOUBLE AS "IF",
           round(0.0104 * (1 + kind) * (1 + region / 20), 4) AS OndemandPrice,
           round(0.0104 * (1 + kind) * (0.2 + (h // 13 % 60000) / 100000.0), 4) AS SpotPrice,
           (20 + h // 17 % 70)::BIGINT AS Savings, h % 53 = 0 AND slot = ${slot} AS Ceased
    FROM t`;
}

/** Makes a file for each of the slots, sorted as a hot upload sorts it, where it is not there yet. */
export async function makeTierFiles(dir: string, rows: number): Promise<void> {
  for (let slot = 0; slot < TIER_FILES; slot++) {
    const path = tierFile(dir, slot);
    if (existsSync(path)) continue;
    await duckdb([
      "SET TimeZone = 'UTC'",
      `COPY (SELECT * FROM (${rowsSql(slot, rows)}) ORDER BY InstanceType, Region, AZ, "Time")
       TO '${path}' (FORMAT parquet, COMPRESSION zstd)`,
    ]);
  }
}

export function uploadFile(dir: string, slot = 0): string {
  return join(dir, `slot-${slot}.jsonl`);
}

/** Makes the first slots' rows as a collector stages them. */
export async function makeUploads(dir: string, rows: number, slots: number): Promise<void> {
  for (let slot = 0; slot < slots; slot++) {
    const path = uploadFile(dir, slot);
    if (existsSync(path)) continue;
    await duckdb([
      "SET TimeZone = 'UTC'",
      `COPY (SELECT * REPLACE (strftime("Time", '%Y-%m-%d %H:%M:%S') AS "Time") FROM (${rowsSql(slot, rows)})
             ORDER BY hash(InstanceType, Region, AZ))
       TO '${path}' (FORMAT json)`,
    ]);
  }
}
