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
 * Before the first block there is a tail of nulls, which makes the first windows null. A block starts
 * short and grows, so that a large window over a short series takes no more room than the series.
 */

import type { Kernel } from './frame.ts';

/** Rows that a block has room for at first. */
const FIRST_ROOM = 1024;

/** The sum of the last `window` rows. */
export function rollingSum(window: number): Kernel {
  return rollingTotal(window, 1);
}

/** The mean of the last `window` rows. */
export function rollingMean(window: number): Kernel {
  return rollingTotal(window, window);
}

/** The sum of the last `window` rows, divided by `divisor`. */
function rollingTotal(window: number, divisor: number): Kernel {
  let block: Float64Array = new Float64Array(Math.min(window, FIRST_ROOM));
  let tailSums = noTail(block.length, window, 0);
  let tailErrors: Float64Array = new Float64Array(tailSums.length);
  let filled = 0;
  let headSum = 0;
  let headError = 0;

  function grow(): void {
    block = larger(block, window);
    tailSums = noTail(block.length, window, 0);
    tailErrors = new Float64Array(tailSums.length);
  }

  /** Takes rows from `from` on until the block has no more room; gives the first row not taken. */
  function take(values: Float64Array, out: Float64Array, from: number): number {
    const rows = block;
    const room = rows.length;
    const sums = tailSums;
    const errors = tailErrors;
    let at = filled;
    let sum = headSum;
    let error = headError;
    let i = from;
    while (i < values.length && at < room) {
      const to = Math.min(values.length, i + room - at);
      for (; i < to; i++) {
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
      if (at < window) break;
      // The block is full: its rows become the tail, and a new one begins.
      sum = 0;
      error = 0;
      while (--at > 0) {
        const value = rows[at]!;
        const next = sum + value;
        const rest = next - sum;
        error += sum - (next - rest) + (value - rest);
        sum = next;
        sums[at] = sum;
        errors[at] = error;
      }
      sum = 0;
      error = 0;
    }
    filled = at;
    headSum = sum;
    headError = error;
    return i;
  }

  return {
    apply(_times, values, out) {
      for (let i = 0; i < values.length; ) {
        if (filled === block.length) grow();
        i = take(values, out, i);
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

/** The largest of the last `window` rows, each times `sign` (1 or -1); that times `sign` again. */
function rollingExtreme(window: number, sign: number): Kernel {
  let block: Float64Array = new Float64Array(Math.min(window, FIRST_ROOM));
  let tails = noTail(block.length, window, Number.NEGATIVE_INFINITY);
  let filled = 0;
  let head = Number.NEGATIVE_INFINITY;

  function grow(): void {
    block = larger(block, window);
    tails = noTail(block.length, window, Number.NEGATIVE_INFINITY);
  }

  /** As for sums. Math.max of a null is null, which is what is wanted. */
  function take(values: Float64Array, out: Float64Array, from: number): number {
    const rows = block;
    const room = rows.length;
    const maxima = tails;
    let at = filled;
    let largest = head;
    let i = from;
    while (i < values.length && at < room) {
      const to = Math.min(values.length, i + room - at);
      for (; i < to; i++) {
        const value = values[i]! * sign;
        rows[at++] = value;
        largest = Math.max(largest, value);
        out[i] = Math.max(maxima[at]!, largest) * sign;
      }
      if (at < window) break;
      largest = Number.NEGATIVE_INFINITY;
      while (--at > 0) {
        largest = Math.max(largest, rows[at]!);
        maxima[at] = largest;
      }
      largest = Number.NEGATIVE_INFINITY;
    }
    filled = at;
    head = largest;
    return i;
  }

  return {
    apply(_times, values, out) {
      for (let i = 0; i < values.length; ) {
        if (filled === block.length) grow();
        i = take(values, out, i);
      }
    },
  };
}

/** The tail before the first block: null from each of `rows` rows on; `nothing` from the end of the window. */
function noTail(rows: number, window: number, nothing: number): Float64Array {
  const tail = new Float64Array(rows + 1).fill(Number.NaN);
  if (rows === window) tail[window] = nothing;
  return tail;
}

/** A full block in twice its room, at most that of `window` rows. */
function larger(block: Float64Array, window: number): Float64Array {
  const roomy = new Float64Array(Math.min(window, 2 * block.length));
  roomy.set(block);
  return roomy;
}
