/** A load case: what it does to a worker, and what it tells of it. */

export interface LoadOptions {
  /** How long the soak lasts. */
  readonly minutes: number;
  /** Tells how far it is. */
  readonly say: (line: string) => void;
}

export interface PlotLine {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface Plot {
  readonly title: string;
  /** What the axes show, with units. */
  readonly x: string;
  readonly y: string;
  readonly lines: readonly PlotLine[];
}

export interface LoadReport {
  /** Markdown. */
  readonly lines: readonly string[];
  readonly plot: Plot;
}

export interface LoadCase {
  readonly name: string;
  readonly about: string;
  run(options: LoadOptions): Promise<LoadReport>;
}
