/** Tables and files for tests of the tiers: made from plain rows, and read back as plain rows. */

import type { ColumnSpec } from '../../../src/contract/column-spec.ts';
import type { EncodeColumn } from '../../../src/lake/column-encoder.ts';
import type { RandomAccess } from '../../../src/lake/random-access.ts';
import { openFile } from '../../../src/lake/tier-file-reader.ts';
import { TierFileWriter } from '../../../src/lake/tier-file-writer.ts';
import { putDouble, putNull, putValue, putWhole } from '../../../src/lake/tier-table/cell.ts';
import {
  type AnyTable,
  allocateColumn,
  type Column,
  type Table,
  valueAt,
} from '../../../src/lake/tier-table/table.ts';
import { TextPool } from '../../../src/lake/tier-table/text-pool.ts';
import { memoryFile } from '../memory-file.ts';

export type Value = string | bigint | number | boolean | null;
export type Row = readonly Value[];

/** Puts a value as `valueAt` gives it: microseconds of a timestamp as a bigint too. */
function put(column: Column, row: number, value: Value): void {
  if (value === null) putNull(column, row);
  else if (column.kind === 'timestamp' && typeof value === 'bigint') putWhole(column, row, Number(value));
  else if (column.kind === 'float64' && typeof value === 'number') putDouble(column, row, value);
  else {
    const problem = putValue(column, row, value);
    if (problem !== undefined) throw new Error(problem);
  }
}

export function tableOf(specs: readonly ColumnSpec[], rows: readonly Row[]): Table {
  const columns = specs.map((spec) => allocateColumn(spec, rows.length, () => new TextPool()));
  rows.forEach((row, i) => {
    columns.forEach((column, j) => {
      put(column, i, row[j]!);
    });
  });
  return { rows: rows.length, columns };
}

export function rowsOf(table: AnyTable): Value[][] {
  return Array.from({ length: table.rows }, (_, row) => table.columns.map((column) => valueAt(column, row)));
}

/** A file of the rows, `rowGroupRows` in each row group. */
export async function fileOf(
  specs: readonly ColumnSpec[],
  rows: readonly Row[],
  options: {
    readonly sortedBy?: readonly string[];
    readonly rowGroupRows?: number;
    readonly encode?: EncodeColumn;
  } = {},
): Promise<Uint8Array> {
  const { sortedBy = [], rowGroupRows = Math.max(1, rows.length), encode } = options;
  const writer = new TierFileWriter({ columns: specs, sortedBy, createdBy: 'tidemill test' }, encode);
  const parts: Uint8Array[] = [];
  for (let at = 0; at < rows.length; at += rowGroupRows) {
    parts.push(...(await writer.rowGroup(tableOf(specs, rows.slice(at, at + rowGroupRows)))));
  }
  parts.push(...writer.finish());
  return Buffer.concat(parts);
}

/** A file in memory. */
export function inMemory(bytes: Uint8Array, name = 'a.parquet') {
  return { file: memoryFile(name, bytes) };
}

/** All rows of a file, as columns of the given kinds. */
export async function readRows(
  file: RandomAccess,
  specs: readonly ColumnSpec[],
  atOnce = Number.POSITIVE_INFINITY,
): Promise<Value[][]> {
  const opened = await openFile(file);
  opened.select(specs.map(({ name }) => name));
  const rows: Value[][] = [];
  for (let available = await opened.available(); available > 0; available = await opened.available()) {
    const count = Math.min(available, atOnce);
    const columns = specs.map((spec) => allocateColumn(spec, count, () => new TextPool()));
    opened.read(columns, 0, count);
    for (const row of rowsOf({ rows: count, columns })) rows.push(row);
  }
  return rows;
}
