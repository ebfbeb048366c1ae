/** A line through points, and how sure its slope is: for memory over time. */

export interface Line {
  readonly slope: number;
  readonly intercept: number;
  /** The slope's 95 % confidence interval, points taken as independent. */
  readonly low: number;
  readonly high: number;
}

/** Student's t for 95 %, two-sided, by degrees of freedom; above the last the normal distribution's. */
const T95 = [
  12.71, 4.3, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.2, 2.18, 2.16, 2.14, 2.13, 2.12, 2.11,
];
const T95_MANY = 1.96;

/** The line of least squares; throws where there are fewer than three points or all have one x. */
export function lineThrough(points: readonly (readonly [x: number, y: number])[]): Line {
  const n = points.length;
  if (n < 3) throw new RangeError(`a line with an interval needs three points, there are ${n}`);
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / n;
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / n;
  const squares = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  if (squares === 0) throw new RangeError('all points have one x');
  const slope = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0) / squares;
  const intercept = meanY - slope * meanX;
  const residuals = points.reduce((sum, [x, y]) => sum + (y - intercept - slope * x) ** 2, 0);
  const margin = (T95[n - 3] ?? T95_MANY) * Math.sqrt(residuals / (n - 2) / squares);
  return { slope, intercept, low: slope - margin, high: slope + margin };
}
