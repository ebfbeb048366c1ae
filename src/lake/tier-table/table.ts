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
 * - a pooled column is a wide one as codes of a pool, 0 for null: what the merge makes of columns whose files
 *   have dictionaries, so that it moves four bytes a row and their encoder has nothing to look up;
 * - arrays may be longer than `rows`: what lies behind is no part of the table.
 */

import { discard } from '../../common/discard.ts';
import type { ColumnSpec, WideKind } from '../../contract/column-spec.ts';
import type { TextPool } from './text-pool.ts';
import { WordPool } from './word-pool.ts';

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

export interface PooledColumn {
  readonly name: string;
  readonly kind: 'pooled';
  /** What the values are. */
  readonly of: WideKind;
  readonly pool: WordPool;
  readonly codes: Int32Array;
}

export interface BooleanColumn {
  readonly name: string;
  readonly kind: 'boolean';
  readonly flags: Uint8Array;
}

export type Column = TextColumn | WideColumn | BooleanColumn;
/** A column as it is merged and written. */
export type AnyColumn = Column | PooledColumn;

export interface Table {
  readonly rows: number;
  readonly columns: readonly Column[];
}

/** A table as it is merged and written. */
export interface AnyTable {
  readonly rows: number;
  readonly columns: readonly AnyColumn[];
}

export function columnOf(table: Table, name: string): Column | undefined;
export function columnOf(table: AnyTable, name: string): AnyColumn | undefined;
export function columnOf(table: AnyTable, name: string): AnyColumn | undefined {
  return table.columns.find((column) => column.name === name);
}

/** An empty column with room for `capacity` rows, all of them null. */
export function allocateColumn(spec: ColumnSpec, capacity: number, pool: () => TextPool): Column {
  const { name, kind } = spec;
  if (kind === 'text') return { name, kind, pool: pool(), codes: new Int32Array(capacity) };
  if (kind === 'boolean') return { name, kind, flags: new Uint8Array(capacity).fill(NULL_FLAG) };
  return { name, kind, words: new Int32Array(capacity * 2), valid: new Uint8Array(capacity) };
}

/** An empty column of the same kind and with the same pool, if it has one. */
export function emptyLike<C extends AnyColumn>(column: C, capacity: number): C;
export function emptyLike(column: AnyColumn, capacity: number): AnyColumn {
  if (column.kind === 'pooled') return { ...column, codes: new Int32Array(capacity) };
  return allocateColumn(column, capacity, () => (column as TextColumn).pool);
}

/** An empty pooled column, of a pool of its own. */
export function pooledColumn(name: string, of: WideKind, capacity: number): PooledColumn {
  return { name, kind: 'pooled', of, pool: new WordPool(), codes: new Int32Array(capacity) };
}

/** A pooled column's rows as a wide column: all there is room for. */
export function widened({ name, of: kind, pool, codes }: PooledColumn): WideColumn {
  const words = new Int32Array(codes.length * 2);
  const valid = new Uint8Array(codes.length);
  const { words: known } = pool;
  for (let row = 0, to = 0; row < codes.length; row++, to += 2) {
    const code = codes[row]!;
    words[to] = known[code * 2]!;
    words[to + 1] = known[code * 2 + 1]!;
    valid[row] = code === 0 ? 0 : 1;
  }
  return { name, kind, words, valid };
}

/** The rows of a wide column as those of a pooled one: row i of `count` becomes row at + i. */
export function pool({ words, valid }: WideColumn, count: number, target: PooledColumn, at: number): void {
  target.pool.intern(words, count, target.codes, at);
  for (let i = 0; i < count; i++) if (valid[i] === 0) target.codes[at + i] = 0;
}

/** Gives back the memory of a column, which nobody may use any more. Its pool stays. */
export function discardColumn(column: AnyColumn): void {
  if ('codes' in column) discard(column.codes);
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
export function clearRows(column: AnyColumn, at: number, rows: number): void {
  if ('codes' in column) column.codes.fill(0, at, at + rows);
  else if (column.kind === 'boolean') column.flags.fill(NULL_FLAG, at, at + rows);
  else {
    column.words.fill(0, at * 2, (at + rows) * 2);
    column.valid.fill(0, at, at + rows);
  }
}

/**
 * Copies rows between columns of one kind (and of one pool): row rows[i] of `source`, for
 * i in [0, count), becomes row at + i of `target`.
 */
export function gather(
  source: AnyColumn,
  rows: Uint32Array,
  count: number,
  target: AnyColumn,
  at: number,
): void {
  if ('codes' in source && 'codes' in target && source.pool === target.pool)
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
export function valueAt(column: AnyColumn, row: number): string | bigint | number | boolean | null {
  if (column.kind === 'text') return column.pool.textOf(column.codes[row]!);
  if (column.kind === 'boolean') {
    const flag = column.flags[row]!;
    return flag === NULL_FLAG ? null : flag === TRUE;
  }
  const pooled = column.kind === 'pooled';
  if ((pooled ? column.codes : column.valid)[row] === 0) return null;
  const words = pooled ? column.pool.words : column.words;
  const at = 2 * (pooled ? column.codes[row]! : row);
  const low = words[at]!;
  const high = words[at + 1]!;
  if ((pooled ? column.of : column.kind) === 'float64')
    return new Float64Array(new Int32Array([low, high]).buffer)[0]!;
  return (BigInt(high) << 32n) | BigInt(low >>> 0);
}
