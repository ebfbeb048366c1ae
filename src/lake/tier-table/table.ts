/**
 * A tier's rows in memory: a table of typed columns, as the tiers sort, merge and write it.
 *
 * Terms and invariants:
 * - a wide column holds 64 bits a row as two 32-bit words, low word first, so that int64, timestamps
 *   and doubles move through the same loops without a BigInt or a NaN being made on the way (the words
 *   of a Float64Array or BigInt64Array on the same memory: little-endian machines only, as all of ours);
 * - a timestamp is microseconds since the epoch, UTC;
 * - `valid` has a byte for each row, 1 for a value and 0 for null; the words beneath a null are 0;
 * - a text column holds codes of its pool, 0 for null; a boolean column FALSE, TRUE or NULL_FLAG;
 * - arrays may be longer than `rows`: what lies behind is no part of the table.
 */

import { discard } from '../../common/discard.ts';
import type { ColumnSpec, WideKind } from '../../contract/column-spec.ts';
import type { TextPool } from './text-pool.ts';

export const FALSE = 0;
export const TRUE = 1;
export const NULL_FLAG = 2;

export interface TextColumn {
  readonly name: string;
  readonly kind: 'text';
  readonly pool: TextPool;
  readonly codes: Int32Array;
}

export interface WideColumn {
  readonly name: string;
  readonly kind: WideKind;
  readonly words: Int32Array;
  readonly valid: Uint8Array;
}

export interface BooleanColumn {
  readonly name: string;
  readonly kind: 'boolean';
  readonly flags: Uint8Array;
}

export type Column = TextColumn | WideColumn | BooleanColumn;

export interface Table {
  readonly rows: number;
  readonly columns: readonly Column[];
}

export function columnOf(table: Table, name: string): Column | undefined {
  return table.columns.find((column) => column.name === name);
}

/** An empty column with room for `capacity` rows, all of them null. */
export function allocateColumn(spec: ColumnSpec, capacity: number, pool: () => TextPool): Column {
  const { name, kind } = spec;
  if (kind === 'text') return { name, kind, pool: pool(), codes: new Int32Array(capacity) };
  if (kind === 'boolean') return { name, kind, flags: new Uint8Array(capacity).fill(NULL_FLAG) };
  return { name, kind, words: new Int32Array(capacity * 2), valid: new Uint8Array(capacity) };
}

/** An empty column of the same kind and, for text, with the same pool. */
export function emptyLike(column: Column, capacity: number): Column {
  return allocateColumn(column, capacity, () => (column as TextColumn).pool);
}

/** Gives back the memory of a column, which nobody may use any more. Its pool stays. */
export function discardColumn(column: Column): void {
  if (column.kind === 'text') discard(column.codes);
  else if (column.kind === 'boolean') discard(column.flags);
  else {
    discard(column.words);
    discard(column.valid);
  }
}

/** Gives back the memory of a table, which nobody may use any more. Its pools stay. */
export function discardTable({ columns }: Table): void {
  for (const column of columns) discardColumn(column);
}

/** Makes rows [at, at + rows) of a column null. */
export function clearRows(column: Column, at: number, rows: number): void {
  if (column.kind === 'text') column.codes.fill(0, at, at + rows);
  else if (column.kind === 'boolean') column.flags.fill(NULL_FLAG, at, at + rows);
  else {
    column.words.fill(0, at * 2, (at + rows) * 2);
    column.valid.fill(0, at, at + rows);
  }
}

/**
 * Copies rows between columns of one kind (and, for text, one pool): row rows[i] of `source`, for
 * i in [0, count), becomes row at + i of `target`.
 */
export function gather(source: Column, rows: Uint32Array, count: number, target: Column, at: number): void {
  if (source.kind === 'text' && target.kind === 'text')
    gatherInts(source.codes, rows, count, target.codes, at);
  else if (source.kind === 'boolean' && target.kind === 'boolean') {
    gatherBytes(source.flags, rows, count, target.flags, at);
  } else if ('words' in source && 'words' in target) {
    gatherWords(source.words, rows, count, target.words, at);
    gatherBytes(source.valid, rows, count, target.valid, at);
  } else {
    throw new TypeError(`column ${target.name} is ${target.kind}, its source is ${source.kind}`);
  }
}

// One small loop for each array type, so that each stays monomorphic.

function gatherInts(
  source: Int32Array,
  rows: Uint32Array,
  count: number,
  target: Int32Array,
  at: number,
): void {
  for (let i = 0; i < count; i++) target[at + i] = source[rows[i]!]!;
}

function gatherBytes(
  source: Uint8Array,
  rows: Uint32Array,
  count: number,
  target: Uint8Array,
  at: number,
): void {
  for (let i = 0; i < count; i++) target[at + i] = source[rows[i]!]!;
}

function gatherWords(
  source: Int32Array,
  rows: Uint32Array,
  count: number,
  target: Int32Array,
  at: number,
): void {
  for (let i = 0, to = at * 2; i < count; i++, to += 2) {
    const from = rows[i]! * 2;
    target[to] = source[from]!;
    target[to + 1] = source[from + 1]!;
  }
}

/** A table of the given rows of `table`, in that order. */
export function takeRows(table: Table, rows: Uint32Array): Table {
  const columns = table.columns.map((source) => {
    const target = emptyLike(source, rows.length);
    gather(source, rows, rows.length, target, 0);
    return target;
  });
  return { rows: rows.length, columns };
}

/** One value, for people and tests: text, a bigint of an int64 or of microseconds, a double, a boolean, null. */
export function valueAt(column: Column, row: number): string | bigint | number | boolean | null {
  if (column.kind === 'text') return column.pool.textOf(column.codes[row]!);
  if (column.kind === 'boolean') {
    const flag = column.flags[row]!;
    return flag === NULL_FLAG ? null : flag === TRUE;
  }
  if (column.valid[row] === 0) return null;
  const low = column.words[row * 2]!;
  const high = column.words[row * 2 + 1]!;
  if (column.kind === 'float64') return new Float64Array(new Int32Array([low, high]).buffer)[0]!;
  return (BigInt(high) << 32n) | BigInt(low >>> 0);
}
