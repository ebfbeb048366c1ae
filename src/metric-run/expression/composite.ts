/**
 * Sum, average, maximum and minimum across two aligned columns or more.
 *
 * Nulls are skipped; a row where all are null is null. Values are added in the order of the operands.
 */

import type { AlignedFlow, AlignedRows } from './align.ts';
import type { CompositeOp } from './expression.ts';
import type { Flow } from './frame.ts';

/** The flow of `op` across the columns of `input`. */
export function composite(op: CompositeOp, input: AlignedFlow): Flow {
  /** How many values each row has; kept from frame to frame. */
  let counts = new Uint32Array(0);
  return {
    async next() {
      const rows = await input.next();
      if (rows === undefined) return undefined;
      const out = firstColumn(rows);
      if (op === 'sum' || op === 'avg') {
        if (counts.length < out.length) counts = new Uint32Array(out.length);
        addUp(rows.columns, out, counts, op === 'avg');
      } else {
        for (let k = 1; k < rows.columns.length; k++) {
          if (op === 'max') keepLarger(out, rows.columns[k]!);
          else keepSmaller(out, rows.columns[k]!);
        }
      }
      return { times: rows.times, values: out, ownsValues: true };
    },
  };
}

/** The first column, to write on. */
function firstColumn(rows: AlignedRows): Float64Array {
  const first = rows.columns[0]!;
  return rows.owned[0] ? first : first.slice();
}

/** `out` holds the first column, and in the end the sums, or the means. */
function addUp(
  columns: readonly Float64Array[],
  out: Float64Array,
  counts: Uint32Array,
  mean: boolean,
): void {
  const rows = out.length;
  for (let i = 0; i < rows; i++) {
    const value = out[i]!;
    const present = !Number.isNaN(value);
    counts[i] = present ? 1 : 0;
    if (!present) out[i] = 0;
  }
  for (let k = 1; k < columns.length; k++) addColumn(out, columns[k]!, counts);
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
    if (!Number.isNaN(value)) {
      out[i] = out[i]! + value;
      counts[i] = counts[i]! + 1;
    }
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
