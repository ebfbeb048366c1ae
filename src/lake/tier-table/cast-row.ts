/** Casting one value of a Parquet column that is of another kind than the column wanted. */

import { type Problem, putBigInt, putDouble, putText, putValue } from './cell.ts';
import { type Column, valueAt } from './table.ts';

/** Puts row `row` of `source` into row `at` of `target`; returns what is wrong with it. */
export function castRow(source: Column, row: number, target: Column, at: number): Problem {
  if (source.kind === 'text' && source.codes[row] !== 0) {
    const bytes = source.pool.bytesOf(source.codes[row]!);
    return putText(target, at, bytes, 0, bytes.length);
  }
  const value = valueAt(source, row);
  if (value === null) return putValue(target, at, null);
  if (source.kind === 'timestamp') return 'is a time';
  if (typeof value !== 'number') return putValue(target, at, value);
  // A file's double is what was meant, however great.
  if (target.kind === 'float64') putDouble(target, at, value);
  else if (target.kind === 'int64' && Number.isFinite(value))
    return putBigInt(target, at, BigInt(Math.trunc(value)));
  else return putValue(target, at, value);
  return undefined;
}
