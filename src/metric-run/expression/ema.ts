/**
 * The exponential moving average: alpha = 2 / (window + 1), seeded with the first value.
 *
 * Leading nulls are null; a null row repeats the last average, whose weight goes on falling: a value k rows
 * after the last one gives ((1 - alpha)^k x ema + alpha x value) / ((1 - alpha)^k + alpha), which for k = 1
 * is the plain recursion (pandas `ewm(span, adjust=False, ignore_na=False)`). An average that is no number
 * any more (infinities of both signs) is null, and the next value seeds it anew, as in pandas.
 */

import type { Kernel } from './frame.ts';

/** The exponential moving average of span `window`. */
export function ema(window: number): Kernel {
  const alpha = 2 / (window + 1);
  const beta = 1 - alpha;
  /** NaN before the first value. */
  let average = Number.NaN;
  /** (1 - alpha)^k for the next row. */
  let weight = beta;
  return {
    apply(_times, values, out) {
      const rows = values.length;
      let ema = average;
      let old = weight;
      for (let i = 0; i < rows; i++) {
        const value = values[i]!;
        if (Number.isNaN(value)) {
          old *= beta;
        } else {
          // Where the old average has no weight it counts for nothing, even if it is infinite.
          if (Number.isNaN(ema) || old === 0) ema = value;
          else if (old === beta) ema = beta * ema + alpha * value;
          else ema = (old * ema + alpha * value) / (old + alpha);
          old = beta;
        }
        out[i] = ema;
      }
      average = ema;
      weight = old;
    },
  };
}
