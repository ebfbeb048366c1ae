/**
 * The demos, by name. A demo is a module src/demo/<name>.ts that exports a `Demo`; it gets a stage with
 * AWS and a worker running (stage.ts) and shows on it what it wants. It is loaded only when it is played.
 */

import type { Values } from '../cli/document.ts';
import type { Terminal } from '../cli/terminal.ts';
import type { Releasers } from '../common/releasers.ts';
import type { SampleRequest } from './sample-request.ts';
import type { Stage } from './stage.ts';

export interface Demo {
  /** One line above everything, as `A metric run, from queue message to Parquet`. */
  readonly title: string;
  /** Starts what the worker needs beside AWS; returns its settings for that. Opened things go on `releasers`. */
  prepare?(terminal: Terminal, directory: string, releasers: Releasers): Promise<Values>;
  /** Plays it; throws what goes wrong. Every wait takes `stage.signal`. */
  play(stage: Stage): Promise<void>;
  /** Requests for a person to send while the demo is kept up; data of `play` is there. */
  samples(stage: Stage): readonly SampleRequest[];
}

export interface DemoEntry {
  readonly name: string;
  readonly summary: string;
  load(): Promise<Demo>;
}

/** The demo that is played where none is named. */
export const DEFAULT_DEMO = 'metric';

export const DEMOS: readonly DemoEntry[] = [
  {
    name: DEFAULT_DEMO,
    summary: 'metric runs over four years of daily weather (the default)',
    load: async () => (await import('./metric.ts')).metricDemo,
  },
  {
    name: 'ingest',
    summary: 'CSV files become a dataset, and the dataset a metric',
    load: async () => (await import('./ingest.ts')).ingestDemo,
  },
  {
    name: 'tiers',
    summary: 'change points of spot prices, compacted as they come',
    load: async () => (await import('./tiers.ts')).tiersDemo,
  },
];
