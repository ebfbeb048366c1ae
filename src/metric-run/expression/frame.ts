/**
 * A frame: a batch of a series on its way through the engine. A flow: frames in order, pulled by one operator.
 *
 * Invariants, beside those of a `SeriesBatch`:
 * - nobody writes to `times`: frames of one tee, or of a window and its input, may share them;
 * - `values` may be written to by whoever pulled the frame, but only where `ownsValues` says so;
 * - a flow that has ended (undefined) or thrown is not pulled again.
 */

export interface Frame {
  readonly times: Float64Array;
  readonly values: Float64Array;
  readonly ownsValues: boolean;
}

export interface Flow {
  /** The next frame, of at least one row; undefined at the end; throws what reading throws. */
  next(): Promise<Frame | undefined>;
}

/** An operator on one flow that keeps its rows: what it holds between frames is its window, and no more. */
export interface Kernel {
  /** Fills `out` with one value for each of `values`; `out` may be `values` itself. */
  apply(times: Float64Array, values: Float64Array, out: Float64Array): void;
}

/** The flow of `kernel` over `input`: the same times, other values. */
export function kernelFlow(input: Flow, kernel: Kernel): Flow {
  return {
    async next() {
      const frame = await input.next();
      if (frame === undefined) return undefined;
      const { times, values } = frame;
      const out = frame.ownsValues ? values : new Float64Array(values.length);
      kernel.apply(times, values, out);
      return { times, values: out, ownsValues: true };
    },
  };
}
