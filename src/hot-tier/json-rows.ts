/** Rows as JSON objects: those of a request, and single lines that the fast reader of lines gives up on. */

import { putValue } from '../lake/tier-table/cell.ts';
import type { RowBuilder } from './row-builder.ts';

/** Puts the rows of a request. Throws INPUT_READ_ERROR, naming row and column. */
export function putJsonRows(builder: RowBuilder, rows: readonly Readonly<Record<string, unknown>>[]): void {
  for (const object of rows) putObject(builder, builder.startRow(), object);
}

/** Puts an object's members into a row. */
export function putObject(builder: RowBuilder, row: number, object: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(object)) {
    const index = builder.columnIndex(name);
    if (index >= 0) builder.check(row, index, putValue(builder.columns[index]!, row, value));
  }
}

/** Node gives a reviver the source text of a number; TypeScript does not know that yet. */
type Reviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown;

const keepBigNumbers: Reviver = (_key, value, { source = '' }) => {
  if (typeof value !== 'number' || !Number.isFinite(value) || Math.abs(value) < 2 ** 53) return value;
  // A double as great as this is whole.
  return BigInt(/^-?\d+$/.test(source) ? source : value);
};

/** Parses JSON, numbers beyond 2^53 as bigints, so that whole ones stay what they are. Throws a SyntaxError. */
export function parseJson(text: string): unknown {
  return JSON.parse(text, keepBigNumbers as (key: string, value: unknown) => unknown);
}
