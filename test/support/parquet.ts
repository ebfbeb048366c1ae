/**
 * Parquet by DuckDB: files written and read by a hand that is not ours. One in-memory instance for each
 * test file; closed with `closeDuckDb`, or with the rig.
 */

import { randomUUID } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import type { Row } from './conformance-cases.ts';

let opening: Promise<{ instance: DuckDBInstance; connection: DuckDBConnection }> | undefined;

async function open() {
  const instance = await DuckDBInstance.create(':memory:', { threads: '2' });
  const connection = await instance.connect();
  await connection.run("SET TimeZone = 'UTC'");
  return { instance, connection };
}

export async function duckDb(): Promise<DuckDBConnection> {
  opening ??= open();
  return (await opening).connection;
}

export async function closeDuckDb(): Promise<void> {
  if (opening === undefined) return;
  const { instance, connection } = await opening;
  opening = undefined;
  connection.closeSync();
  instance.closeSync();
}

async function withFile<T>(work: (path: string) => Promise<T>): Promise<T> {
  const path = join(tmpdir(), `tidemill-test-${randomUUID()}.parquet`);
  try {
    return await work(path);
  } finally {
    await rm(path, { force: true });
  }
}

/** The Parquet file that `COPY (select) TO … (FORMAT parquet, options)` makes. */
export function parquetOf(select: string, options = ''): Promise<Buffer> {
  return withFile(async (path) => {
    const connection = await duckDb();
    await connection.run(`COPY (${select}) TO '${path}' (FORMAT parquet${options && `, ${options}`})`);
    return await readFile(path);
  });
}

/** A series as a query: `obs_time` TIMESTAMPTZ and `value` DOUBLE, in the order given. */
export function seriesSql(rows: readonly Row[]): string {
  if (rows.length === 0)
    return 'SELECT make_timestamptz(0) AS obs_time, 0::DOUBLE AS value FROM range(0) WHERE false';
  const values = rows.map(([time, value]) => `(${time}, ${value === null ? 'NULL' : `'${value}'::DOUBLE`})`);
  return `SELECT make_timestamptz(us::BIGINT) AS obs_time, v::DOUBLE AS value FROM (VALUES ${values.join(', ')}) rows(us, v)`;
}

export interface ParquetContents {
  /** Name and DuckDB type of each column, in order, as `obs_time TIMESTAMP WITH TIME ZONE`. */
  readonly columns: readonly string[];
  readonly rows: Row[];
}

/** What DuckDB sees in a metric's Parquet file: its columns, and its rows in the file's order. */
export function readMetric(bytes: Uint8Array): Promise<ParquetContents> {
  return withFile(async (path) => {
    await writeFile(path, bytes);
    const connection = await duckDb();
    const described = await connection.runAndReadAll(`DESCRIBE SELECT * FROM '${path}'`);
    const columns = described.getRowObjectsJS().map((row) => `${row.column_name} ${row.column_type}`);
    const result = await connection.runAndReadAll(
      `SELECT epoch_us(obs_time)::DOUBLE AS us, value FROM '${path}'`,
    );
    const [times = [], values = []] = result.getColumnsJS();
    const rows = times.map((time, i): Row => [Number(time), values[i] as number | null]);
    return { columns, rows };
  });
}

/** What DuckDB says to a query over one file, `{file}` in the query, as plain objects. */
export function queryParquet(bytes: Uint8Array, query: string): Promise<Record<string, unknown>[]> {
  return withFile(async (path) => {
    await writeFile(path, bytes);
    const connection = await duckDb();
    const result = await connection.runAndReadAll(query.replaceAll('{file}', `'${path}'`));
    return result.getRowObjectsJS();
  });
}
