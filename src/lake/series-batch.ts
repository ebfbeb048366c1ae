/**
 * A batch of a series: two parallel columns in typed arrays, which cross threads by transfer.
 *
 * Invariants, wherever a batch is handed on by a source or an operator:
 * - `times` are microseconds since the epoch (UTC) as doubles, exact to the year 2255 and beyond it
 *   for any time of whole seconds; strictly ascending within a batch and from one batch to the next;
 * - `values` are doubles; null, missing and NaN are one thing, and stand as NaN;
 * - both arrays have the same length, at least 1; whoever receives a batch owns it.
 */
export interface SeriesBatch {
  readonly times: Float64Array;
  readonly values: Float64Array;
}

/** A stream of batches in order of time, pulled by its one consumer. */
export interface SeriesSource {
  /** The next batch, or undefined at the end; throws what reading throws. */
  next(): Promise<SeriesBatch | undefined>;
  /** Lets go of what the source holds; safe to call at any time, more than once. */
  close(): Promise<void>;
}

/** Rows in a batch that a source yields, but for the last one. */
export const BATCH_ROWS = 65_536;
