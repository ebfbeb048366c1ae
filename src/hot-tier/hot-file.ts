/** A hot file: an upload's rows, sorted by key and time, each key and time once, as Parquet. */

import { sortColumns, type TierProvider } from '../contract/tier-provider.ts';
import { ROW_GROUP_ROWS, TierFileWriter } from '../lake/tier-file-writer.ts';
import { type Column, columnOf, type Table, type TextColumn, takeRows } from '../lake/tier-table/table.ts';
import { distinctRows } from './sort-rows.ts';

/** The rows that are stored, in their order: sorted, without rows whose key and time another row has. */
export function hotRows(table: Table, provider: TierProvider): Uint32Array {
  return distinctRows(table, sortColumns(provider));
}

/** The table as it is stored. */
export function hotTable(table: Table, provider: TierProvider): Table {
  return takeRows(table, hotRows(table, provider));
}

/** The file of rows of a table, in parts. */
export async function encodeHotFile(
  table: Table,
  rows: Uint32Array,
  provider: TierProvider,
  createdBy: string,
): Promise<Uint8Array[]> {
  const columns = table.columns.map(({ name, kind }) => ({ name, kind }));
  const writer = new TierFileWriter({ columns, sortedBy: sortColumns(provider), createdBy });
  const parts: Uint8Array[] = [];
  for (let at = 0; at < rows.length; at += ROW_GROUP_ROWS) {
    parts.push(...(await writer.rowGroup(takeRows(table, rows.subarray(at, at + ROW_GROUP_ROWS)))));
  }
  parts.push(...writer.finish());
  return parts;
}

/** Whether two tables have the same columns, in whatever order, and the same rows in the same order. */
export function sameContent(a: Table, b: Table): boolean {
  if (a.rows !== b.rows || a.columns.length !== b.columns.length) return false;
  return a.columns.every((column) => {
    const other = columnOf(b, column.name);
    return other !== undefined && sameValues(column, other, a.rows);
  });
}

function sameValues(a: Column, b: Column, rows: number): boolean {
  if (a.kind === 'text') return b.kind === 'text' && sameTexts(a, b, rows);
  if (a.kind === 'boolean') return b.kind === 'boolean' && sameArrays(a.flags, b.flags, rows);
  return a.kind === b.kind && sameArrays(a.words, b.words, rows * 2) && sameArrays(a.valid, b.valid, rows);
}

function sameArrays(a: Int32Array | Uint8Array, b: Int32Array | Uint8Array, length: number): boolean {
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Each text of one pool is looked up in the other once. */
function sameTexts(a: TextColumn, b: TextColumn, rows: number): boolean {
  const codeInB = new Int32Array(a.pool.size);
  for (let row = 0; row < rows; row++) {
    const code = a.codes[row]!;
    if (code !== 0 && codeInB[code] === 0) {
      const bytes = a.pool.bytesOf(code);
      codeInB[code] = b.pool.intern(bytes, 0, bytes.length);
    }
    if (codeInB[code] !== b.codes[row]) return false;
  }
  return true;
}
