/**
 * Arithmetic on two aligned columns: add, subtract, multiply, ratio.
 *
 * A null on either side gives null. Numbers are IEEE doubles throughout (1e308 x 10 is infinite), but that
 * a division of a value by zero, 0 / 0 too, gives null and is counted. Infinities of which nothing can be
 * said (infinity less infinity) are null.
 */

import { discard } from '../../common/discard.ts';
import type { AlignedFlow } from './align.ts';
import type { MathOp } from './expression.ts';
import type { Flow } from './frame.ts';
import type { Quality } from './quality.ts';

/** The flow of `op` on the two columns of `input`, times `scale`; divisions by zero are added to `quality`. */
export function seriesMath(op: MathOp, scale: number, input: AlignedFlow, quality: Quality): Flow {
  return {
    async next() {
      const rows = await input.next();
      if (rows === undefined) return undefined;
      const [left, right] = rows.columns as readonly [Float64Array, Float64Array];
      const out = rows.owned[0] ? left : rows.owned[1] ? right : new Float64Array(left.length);
      if (op === 'add') add(left, right, out);
      else if (op === 'subtract') subtract(left, right, out);
      else if (op === 'multiply') multiply(left, right, out);
      else quality.divisionsByZero += divide(left, right, out);
      if (scale !== 1) scaleBy(out, scale);
      if (out === left && rows.owned[1]) discard(right);
      return { times: rows.times, values: out, ownsValues: true };
    },
  };
}

function add(left: Float64Array, right: Float64Array, out: Float64Array): void {
  const rows = out.length;
  for (let i = 0; i < rows; i++) out[i] = left[i]! + right[i]!;
}

function subtract(left: Float64Array, right: Float64Array, out: Float64Array): void {
  const rows = out.length;
  for (let i = 0; i < rows; i++) out[i] = left[i]! - right[i]!;
}

function multiply(left: Float64Array, right: Float64Array, out: Float64Array): void {
  const rows = out.length;
  for (let i = 0; i < rows; i++) out[i] = left[i]! * right[i]!;
}

/** Gives how many values were to be divided by zero. */
function divide(left: Float64Array, right: Float64Array, out: Float64Array): number {
  const rows = out.length;
  let byZero = 0;
  for (let i = 0; i < rows; i++) {
    const dividend = left[i]!;
    const divisor = right[i]!;
    if (divisor === 0) {
      if (!Number.isNaN(dividend)) byZero++;
      out[i] = Number.NaN;
    } else {
      out[i] = dividend / divisor;
    }
  }
  return byZero;
}

function scaleBy(out: Float64Array, scale: number): void {
  const rows = out.length;
  for (let i = 0; i < rows; i++) out[i] = out[i]! * scale;
}
