/**
 * The order of a table's rows by key columns, and which of equal rows stays.
 *
 * Every key column's values are replaced by their ranks, which are small numbers, and the rows are sorted
 * by them one column after the other, least significant first, each by counting: a few passes over
 * integers, whatever the keys look like.
 */

import { CEASED } from '../contract/tier-provider.ts';
import { distinctWords } from '../lake/tier-table/distinct-words.ts';
import {
  type Column,
  columnOf,
  NULL_FLAG,
  type Table,
  TRUE,
  type WideColumn,
} from '../lake/tier-table/table.ts';

interface Ranked {
  readonly ranks: Int32Array;
  /** Ranks are below this. */
  readonly count: number;
}

/**
 * The rows that stay, in order of the key columns, nulls first. Of rows with equal keys stays a living one
 * (Ceased false) before an unknown and a ceased one, then the first.
 *
 * @param keys names of text and timestamp columns of the table, most significant first
 */
export function distinctRows(table: Table, keys: readonly string[]): Uint32Array {
  const ranked = keys.map((name) => {
    const column = columnOf(table, name);
    if (column === undefined) throw new Error(`the table has no column ${name}`);
    return rankColumn(column, table.rows);
  });
  const ceased = columnOf(table, CEASED);
  let rows = new Uint32Array(table.rows);
  for (let row = 0; row < table.rows; row++) rows[row] = row;
  if (ceased !== undefined) rows = sortBy(rows, rankColumn(ceased, table.rows));
  for (const column of ranked.toReversed()) rows = sortBy(rows, column);
  return firstOfEqual(rows, ranked);
}

function rankColumn(column: Column, rows: number): Ranked {
  if (column.kind === 'text') return rankTexts(column.codes, column.pool.rank(), rows);
  if (column.kind === 'boolean') return rankFlags(column.flags, rows);
  return rankTimes(column, rows);
}

function rankTexts(codes: Int32Array, texts: Ranked, rows: number): Ranked {
  const ranks = new Int32Array(rows);
  for (let row = 0; row < rows; row++) ranks[row] = texts.ranks[codes[row]!]!;
  return { ranks, count: texts.count };
}

/** False before null before true. */
function rankFlags(flags: Uint8Array, rows: number): Ranked {
  const ranks = new Int32Array(rows);
  for (let row = 0; row < rows; row++) {
    const flag = flags[row]!;
    ranks[row] = flag === NULL_FLAG ? 1 : flag === TRUE ? 2 : 0;
  }
  return { ranks, count: 3 };
}

/** The times of an upload are mostly few: each distinct one is found once and sorted once. */
function rankTimes({ words, valid }: WideColumn, rows: number): Ranked {
  const { indices, words: distinct } = distinctWords(words.subarray(0, rows * 2), rows)!;
  const count = distinct.length / 2;
  const order = Uint32Array.from({ length: count }, (_, index) => index);
  order.sort(
    (a, b) =>
      distinct[a * 2 + 1]! - distinct[b * 2 + 1]! || (distinct[a * 2]! >>> 0) - (distinct[b * 2]! >>> 0),
  );
  const rankOf = new Int32Array(count);
  order.forEach((index, rank) => {
    rankOf[index] = rank + 1;
  });
  for (let row = 0; row < rows; row++) indices[row] = valid[row] === 0 ? 0 : rankOf[indices[row]!]!;
  return { ranks: indices, count: count + 1 };
}

/** A stable counting sort. */
function sortBy(rows: Uint32Array<ArrayBuffer>, { ranks, count }: Ranked): Uint32Array<ArrayBuffer> {
  const total = rows.length;
  const starts = new Uint32Array(count + 1);
  for (let i = 0; i < total; i++) starts[ranks[i]! + 1]!++;
  if (starts.includes(total)) return rows;
  for (let rank = 0; rank < count; rank++) starts[rank + 1]! += starts[rank]!;
  const sorted = new Uint32Array(total);
  for (let i = 0; i < total; i++) {
    const row = rows[i]!;
    const rank = ranks[row]!;
    const place = starts[rank]!;
    sorted[place] = row;
    starts[rank] = place + 1;
  }
  return sorted;
}

function firstOfEqual(rows: Uint32Array, columns: readonly Ranked[]): Uint32Array {
  const differs = new Uint8Array(rows.length);
  if (rows.length > 0) differs[0] = 1;
  for (const { ranks } of columns) markChanges(rows, ranks, differs);
  let kept = 0;
  const result = new Uint32Array(rows.length);
  for (let i = 0; i < rows.length; i++) if (differs[i] === 1) result[kept++] = rows[i]!;
  return result.subarray(0, kept);
}

/** Marks the places whose rank is another than that of the place before. */
function markChanges(rows: Uint32Array, ranks: Int32Array, differs: Uint8Array): void {
  let last = rows.length > 0 ? ranks[rows[0]!]! : 0;
  for (let i = 1; i < rows.length; i++) {
    const rank = ranks[rows[i]!]!;
    if (rank !== last) differs[i] = 1;
    last = rank;
  }
}
