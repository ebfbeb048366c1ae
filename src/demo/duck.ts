/** DuckDB as an independent writer and reader of Parquet: nothing of Tidemill's own is involved. */

import { DuckDBInstance, type DuckDBValue } from '@duckdb/node-api';

export type DuckRow = Readonly<Record<string, DuckDBValue>>;

export interface Duck {
  run(sql: string): Promise<void>;
  rows(sql: string): Promise<DuckRow[]>;
  close(): void;
}

/** An empty database in memory, in UTC. */
export async function openDuck(): Promise<Duck> {
  const instance = await DuckDBInstance.create(':memory:', { threads: '2' });
  const connection = await instance.connect();
  await connection.run("SET TimeZone = 'UTC'");
  return {
    run: async (sql) => {
      await connection.run(sql);
    },
    rows: async (sql) => {
      const reader = await connection.runAndReadAll(sql);
      return reader.getRowObjects();
    },
    close() {
      connection.closeSync();
      instance.closeSync();
    },
  };
}

/** `text` as a literal of SQL. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
