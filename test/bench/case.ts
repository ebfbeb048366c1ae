/**
 * A benchmark case: the same work done by several sides, each in a process of its own.
 *
 * A side has `run(dist, dir)`: `dist` is the build that is measured (builds.ts),
 * `dir` the folder with the case's data. It warms up, does the work once more, and returns how long that
 * took and what came of it, so that sides can be held against one another.
 */

export interface SideResult {
  /** Seconds of the measured pass. */
  readonly seconds: number;
  /** Peak resident memory of the process that did the work, in MiB. */
  readonly peakMb: number;
  /** Rows that came out: sides of one case must agree. */
  readonly rows: number;
  /** Other figures worth a column, by name. */
  readonly extra?: Readonly<Record<string, number>>;
}

export interface Side {
  /** `tidemill` sides are also measured at the base commit. */
  readonly name: string;
  /** Options of the process that does the work, before the script. Default none. */
  readonly nodeOptions?: readonly string[];
  readonly run: (dist: string, dir: string) => Promise<SideResult>;
}

export interface BenchCase {
  readonly name: string;
  readonly about: string;
  /** Makes the data in `dir`, once. */
  readonly prepare: (dir: string) => Promise<void>;
  /** The first is ours. */
  readonly sides: readonly Side[];
  /** What is aimed at, for people. */
  readonly aim: string;
}

/** Peak resident memory of this process so far, in MiB. */
export function ownPeakMb(): number {
  return process.resourceUsage().maxRSS / 1024;
}

/**
 * For a side that does in its main thread what a worker does in a thread of its pool: with as little room for
 * young garbage as src/lake/thread-pool.ts gives those (8 MB: two semi-spaces and a third of their size).
 */
export const AS_POOL_THREAD: readonly string[] = ['--max-semi-space-size=2'];
