/**
 * Sum, average, maximum and minimum across two aligned columns or more.
 *
 * Nulls are skipped; a row where all are null is null. Values are added in the order of the operands.
 */

import type { AlignedFlow } from './align.ts';
import type { CompositeOp } from './expression.ts';
import type { Flow } from './frame.ts';

/** The flow of `op` across the columns of `input`. */
export function composite(op: CompositeOp, input: AlignedFlow): Flow {
  return {
    async next() {
      const rows = await input.next();
      if (rows === undefined) return undefined;
      const { columns, owned } = rows;
      const out = owned[0] ? columns[0]! : columns[0]!.slice();
      combine(op, out, columns.slice(1));
      return { times: rows.times, values: out, ownsValues: true };
    },
  };
}

/** Puts the `others` to `out`, which holds the first column. */
function combine(op: CompositeOp, out: Float64Array, others: readonly Float64Array[]): void {
  if (op === 'max') for (const other of others) keepLarger(out, other);
  else if (op === 'min') for (const other of others) keepSmaller(out, other);
  else if (others.length === 1) addOne(out, others[0]!, op === 'avg' ? 2 : 1);
  else addMany(out, others, op === 'avg');
}

function addOne(out: Float64Array, other: Float64Array, divisor: number): void {
  const rows = out.length;
  for (let i = 0; i < rows; i++) {
    const left = out[i]!;
    const right = other[i]!;
    const sum = left + right;
    if (!Number.isNaN(sum)) out[i] = sum / divisor;
    else if (Number.isNaN(left)) out[i] = right;
    else if (!Number.isNaN(right)) out[i] = sum;
  }
}

function addMany(out: Float64Array, others: readonly Float64Array[], mean: boolean): void {
  const rows = out.length;
  /** How many values each row has. */
  const counts = new Uint32Array(rows);
  for (let i = 0; i < rows; i++) {
    if (Number.isNaN(out[i]!)) out[i] = 0;
    else counts[i] = 1;
  }
  for (const other of others) addColumn(out, other, counts);
  for (let i = 0; i < rows; i++) {
    const count = counts[i]!;
    if (count === 0) out[i] = Number.NaN;
    else if (mean) out[i] = out[i]! / count;
  }
}

function addColumn(out: Float64Array, column: Float64Array, counts: Uint32Array): void {
  const rows = out.length;
  for (let i = 0; i < rows; i++) {
    const value = column[i]!;
    if (Number.isNaN(value)) continue;
    out[i] = out[i]! + value;
    counts[i] = counts[i]! + 1;
  }
}

function keepLarger(out: Float64Array, column: Float64Array): void {
  const rows = out.length;
  for (let i = 0; i < rows; i++) {
    const value = column[i]!;
    const largest = out[i]!;
    if (value > largest || Number.isNaN(largest)) out[i] = value;
  }
}

function keepSmaller(out: Float64Array, column: Float64Array): void {
  const rows = out.length;
  for (let i = 0; i < rows; i++) {
    const value = column[i]!;
    const smallest = out[i]!;
    if (value < smallest || Number.isNaN(smallest)) out[i] = value;
  }
}
