/**
 * The lags: the value of an earlier row.
 *
 * - by days: that of the last row at or before `obs_time - days x 24 h`, a null included;
 * - by rows: that of the row so many before.
 *
 * Both are null where there is no such row, and hold the rows they may still look back to, and no more.
 */

import type { Kernel } from './frame.ts';

/** Microseconds of 24 h. */
const DAY = 86_400_000_000;

/** A queue of numbers: those from `first` to before `end` of `data`. */
interface Past {
  data: Float64Array;
  first: number;
  end: number;
}

/** The value at the last time at or before that of each row less `days` x 24 h. */
export function lagByDays(days: number): Kernel {
  const offset = days * DAY;
  // A null row before all others stands for "no such row", so that every row finds one.
  const pastTimes: Past = { data: Float64Array.of(Number.NEGATIVE_INFINITY), first: 0, end: 1 };
  const pastValues: Past = { data: Float64Array.of(Number.NaN), first: 0, end: 1 };
  return {
    apply(times, values, out) {
      append(pastTimes, times);
      append(pastValues, values);
      const found = lookBack(times, out, offset, pastTimes.data, pastValues.data, pastTimes.first);
      pastTimes.first = found;
      pastValues.first = found;
    },
  };
}

/** Fills `out`; gives the past row that the last row found: of those before it none is needed any more. */
function lookBack(
  times: Float64Array,
  out: Float64Array,
  offset: number,
  pastTimes: Float64Array,
  pastValues: Float64Array,
  first: number,
): number {
  const rows = times.length;
  let after = first + 1;
  for (let i = 0; i < rows; i++) {
    const target = times[i]! - offset;
    // Ends before the past does: its last time is not before times[i], and so after the target.
    while (pastTimes[after]! <= target) after++;
    out[i] = pastValues[after - 1]!;
  }
  return after - 1;
}

/** The value `count` rows before. */
export function lagByRows(count: number): Kernel {
  const past: Past = { data: new Float64Array(0), first: 0, end: 0 };
  /** Rows to come that have no row `count` before them. */
  let without = count;
  return {
    apply(_times, values, out) {
      append(past, values);
      const nulls = Math.min(without, values.length);
      const found = values.length - nulls;
      without -= nulls;
      out.fill(Number.NaN, 0, nulls);
      out.set(past.data.subarray(past.first, past.first + found), nulls);
      past.first += found;
    },
  };
}

/**
 * Puts `rows` at the end. Where there is no room, the queue moves to the front, of a larger array if less
 * than half of this one would stay free: so each number is moved about once.
 */
function append(past: Past, rows: Float64Array): void {
  if (past.end + rows.length > past.data.length) {
    const needed = past.end - past.first + rows.length;
    if (2 * needed <= past.data.length) {
      past.data.copyWithin(0, past.first, past.end);
    } else {
      const larger = new Float64Array(2 * needed);
      larger.set(past.data.subarray(past.first, past.end));
      past.data = larger;
    }
    past.end -= past.first;
    past.first = 0;
  }
  past.data.set(rows, past.end);
  past.end += rows.length;
}
