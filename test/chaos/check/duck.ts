/** DuckDB over what lies in a history's directory: the checker's only reader of Parquet, and its oracle. */

import { join } from 'node:path';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import type { History, StoredObject } from '../history.ts';

export type Row = Readonly<Record<string, unknown>>;

export interface Lake {
  /** The stored object of a key. */
  find(key: string): StoredObject | undefined;
  /** The file that holds an object's bytes; throws for a key that is not there. */
  path(key: string): string;
  /** The same as DuckDB takes it, in quotes. */
  file(key: string): string;
  /** Name and type of each column, as `value DOUBLE`. */
  columnsOf(key: string): Promise<string[]>;
  rows(query: string): Promise<Row[]>;
  close(): void;
}

export function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

export async function openLake(history: Pick<History, 'directory' | 'objects'>): Promise<Lake> {
  // One thread: what is read is small, and seeds are checked side by side.
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
  const connection: DuckDBConnection = await instance.connect();
  await connection.run("SET TimeZone = 'UTC'");
  const objects = new Map(history.objects.map((object) => [object.key, object]));
  const rows = async (query: string) => (await connection.runAndReadAll(query)).getRowObjectsJS();
  const path = (key: string) => {
    const object = objects.get(key);
    if (object === undefined) throw new Error(`${key} is not in the bucket`);
    return join(history.directory, object.path);
  };
  const file = (key: string) => quoted(path(key));
  return {
    find: (key) => objects.get(key),
    path,
    file,
    rows,
    async columnsOf(key) {
      const described = await rows(
        `DESCRIBE SELECT * FROM read_parquet(${file(key)}, hive_partitioning = false)`,
      );
      return described.map(({ column_name, column_type }) => `${column_name} ${column_type}`);
    },
    close() {
      connection.closeSync();
      instance.closeSync();
    },
  };
}
