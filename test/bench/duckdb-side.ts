/** DuckDB with two threads, as a side: one statement, warmed up once. It is loaded where it is used, and so measured. */

import { ownPeakMb, type Side } from './case.ts';

async function openDuckdb() {
  const { DuckDBInstance } = await import('@duckdb/node-api');
  return await DuckDBInstance.create(':memory:', { threads: '2' });
}

/** Runs `statements` on a fresh in-memory database with two threads; returns the last one's count, if it has one. */
export async function duckdb(statements: readonly string[]): Promise<number> {
  const instance = await openDuckdb();
  const connection = await instance.connect();
  try {
    let count = 0;
    for (const statement of statements) {
      const reader = await connection.runAndReadAll(statement);
      count = Number(reader.getRows()[0]?.[0] ?? 0);
    }
    return count;
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

/**
 * `statement(dir)` must be a COPY, whose answer is its row count.
 *
 * @param warmUps passes before the measured one: as many as ours has; default 1
 */
export function duckdbSide(name: string, statement: (dir: string) => string, warmUps = 1): Side {
  return {
    name,
    async run(_dist, dir) {
      const instance = await openDuckdb();
      const connection = await instance.connect();
      const pass = async () => Number((await connection.runAndReadAll(statement(dir))).getRows()[0]?.[0]);
      for (let i = 0; i < warmUps; i++) await pass();
      const started = performance.now();
      const rows = await pass();
      const seconds = (performance.now() - started) / 1000;
      return { seconds, rows, peakMb: ownPeakMb() };
    },
  };
}
