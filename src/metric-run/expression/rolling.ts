/**
 * Rolling sum, mean, maximum and minimum over the last `window` rows.
 *
 * Null until the window is full and while it holds a null. Nothing is ever taken out of a total: rows are
 * counted off in blocks of `window`, so that each window is the end of one block and the beginning of the
 * next, and its result is that of the two put together (van Herk's way for maxima, two stacks for sums).
 * A value that has left the window has left no trace, be it 1e16, infinite or null, and the work for a
 * row does not grow with the window. Sums carry the error of each addition along (Knuth's two-sum), so
 * that even within a window large values of both signs do not swallow small ones.
 *
 * Terms: the head is what of the current block has come; the tail at p is the previous block from p on.
 */

import type { Kernel } from './frame.ts';

/** The sum of the last `window` rows. */
export function rollingSum(window: number): Kernel {
  return rollingTotal(window, 1);
}

/** The mean of the last `window` rows. */
export function rollingMean(window: number): Kernel {
  return rollingTotal(window, window);
}

function rollingTotal(window: number, divisor: number): Kernel {
  let block: Float64Array = new Float64Array(0);
  let tailSums: Float64Array = new Float64Array(0);
  let tailErrors: Float64Array = new Float64Array(0);
  let filled = 0;
  let hasTail = false;
  let headSum = 0;
  let headError = 0;

  /** The rows from `from` to before `to`, which all lie in the current block; the tail must be there. */
  function full(values: Float64Array, out: Float64Array, from: number, to: number): void {
    const rows = block;
    const sums = tailSums;
    const errors = tailErrors;
    let at = filled;
    let sum = headSum;
    let error = headError;
    for (let i = from; i < to; i++) {
      const value = values[i]!;
      rows[at++] = value;
      const next = sum + value;
      const rest = next - sum;
      error += sum - (next - rest) + (value - rest);
      sum = next;
      const tail = sums[at]!;
      const total = tail + sum;
      const added = total - tail;
      const exact = total + (tail - (total - added) + (sum - added) + (errors[at]! + error));
      // The errors of an infinite total are no numbers; the total itself is right.
      out[i] = (Number.isNaN(exact) ? total : exact) / divisor;
    }
    headSum = sum;
    headError = error;
  }

  /** As `full`, for the first block, which has no tail: only its last row has a full window. */
  function filling(values: Float64Array, out: Float64Array, from: number, to: number): void {
    let at = filled;
    for (let i = from; i < to; i++) {
      const value = values[i]!;
      block[at++] = value;
      const next = headSum + value;
      const rest = next - headSum;
      headError += headSum - (next - rest) + (value - rest);
      headSum = next;
      out[i] = Number.NaN;
    }
    if (at === window) {
      const exact = headSum + headError;
      out[to - 1] = (Number.isNaN(exact) ? headSum : exact) / divisor;
    }
  }

  function turn(): void {
    if (!hasTail) {
      tailSums = new Float64Array(window + 1);
      tailErrors = new Float64Array(window + 1);
      hasTail = true;
    }
    const rows = block;
    const sums = tailSums;
    const errors = tailErrors;
    let sum = 0;
    let error = 0;
    for (let at = window - 1; at > 0; at--) {
      const value = rows[at]!;
      const next = sum + value;
      const rest = next - sum;
      error += sum - (next - rest) + (value - rest);
      sum = next;
      sums[at] = sum;
      errors[at] = error;
    }
    headSum = 0;
    headError = 0;
    filled = 0;
  }

  return {
    apply(_times, values, out) {
      const rows = values.length;
      for (let from = 0; from < rows; ) {
        const to = Math.min(rows, from + window - filled);
        block = withRoom(block, filled, to - from, window);
        if (hasTail) full(values, out, from, to);
        else filling(values, out, from, to);
        filled += to - from;
        if (filled === window) turn();
        from = to;
      }
    },
  };
}

/** The largest of the last `window` rows. */
export function rollingMax(window: number): Kernel {
  return rollingExtreme(window, 1);
}

/** The smallest of the last `window` rows. */
export function rollingMin(window: number): Kernel {
  return rollingExtreme(window, -1);
}

/** The largest of the last `window` rows, each times `sign` (1 or -1), times `sign` again. */
function rollingExtreme(window: number, sign: number): Kernel {
  let block: Float64Array = new Float64Array(0);
  let tails: Float64Array = new Float64Array(0);
  let filled = 0;
  let hasTail = false;
  let head = Number.NEGATIVE_INFINITY;

  /** As for sums. Math.max of a null is null, which is what is wanted. */
  function full(values: Float64Array, out: Float64Array, from: number, to: number): void {
    const rows = block;
    const maxima = tails;
    let at = filled;
    let largest = head;
    for (let i = from; i < to; i++) {
      const value = values[i]! * sign;
      rows[at++] = value;
      largest = Math.max(largest, value);
      out[i] = Math.max(maxima[at]!, largest) * sign;
    }
    head = largest;
  }

  function filling(values: Float64Array, out: Float64Array, from: number, to: number): void {
    let at = filled;
    for (let i = from; i < to; i++) {
      const value = values[i]! * sign;
      block[at++] = value;
      head = Math.max(head, value);
      out[i] = Number.NaN;
    }
    if (at === window) out[to - 1] = head * sign;
  }

  function turn(): void {
    if (!hasTail) {
      tails = new Float64Array(window + 1);
      tails[window] = Number.NEGATIVE_INFINITY;
      hasTail = true;
    }
    const rows = block;
    const maxima = tails;
    let largest = Number.NEGATIVE_INFINITY;
    for (let at = window - 1; at > 0; at--) {
      largest = Math.max(largest, rows[at]!);
      maxima[at] = largest;
    }
    head = Number.NEGATIVE_INFINITY;
    filled = 0;
  }

  return {
    apply(_times, values, out) {
      const rows = values.length;
      for (let from = 0; from < rows; ) {
        const to = Math.min(rows, from + window - filled);
        block = withRoom(block, filled, to - from, window);
        if (hasTail) full(values, out, from, to);
        else filling(values, out, from, to);
        filled += to - from;
        if (filled === window) turn();
        from = to;
      }
    },
  };
}

/** `block` with room for `extra` rows after the first `filled`; it grows to at most `window` rows. */
function withRoom(block: Float64Array, filled: number, extra: number, window: number): Float64Array {
  if (filled + extra <= block.length) return block;
  const larger = new Float64Array(Math.min(window, 2 * (filled + extra)));
  larger.set(block.subarray(0, filled));
  return larger;
}
