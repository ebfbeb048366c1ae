/** Memory of a thread and its process after a collection, and whether it grew over a run. */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { systemClock } from '../../src/common/clock.ts';
import { lineThrough } from '../support/least-squares.ts';

export interface MemorySample {
  /** Inputs that were run before it. */
  readonly inputs: number;
  /** Of this thread: used heap, and memory outside of it (buffers, WASM). Bytes. */
  readonly heap: number;
  readonly external: number;
  /** Of the process. Bytes. */
  readonly resident: number;
}

let collect: (() => void) | undefined;

export async function sampleMemory(inputs: number): Promise<MemorySample> {
  if (collect === undefined) {
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as () => void;
  }
  for (let i = 0; i < 2; i++) {
    collect();
    await systemClock.turn(); // Finalisers run between collections.
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  return { inputs, heap: heapUsed, external, resident: rss };
}

/** Samples of a run's beginning, when caches fill and code is compiled, do not count. */
const SETTLED = 0.34;
const FEWEST = 8;
/**
 * Growth over the settled part of a run that is surely no noise. The process's memory goes up and down by
 * hundreds of MiB with the large inputs that happen to come, while what is used of it stays the same.
 */
const THREAD_BOUND = 8 << 20;
const PROCESS_BOUND = 384 << 20;

/** What grew without bound, in words; empty where nothing did, or where there are too few samples to tell. */
export function growth(samples: readonly MemorySample[]): string[] {
  const settled = samples.slice(Math.floor(samples.length * SETTLED));
  if (settled.length < FEWEST) return [];
  const span = settled.at(-1)!.inputs - settled[0]!.inputs;
  const grew = (what: string, bound: number, of: (sample: MemorySample) => number): string[] => {
    const { low } = lineThrough(settled.map((sample) => [sample.inputs, of(sample)] as const));
    const bytes = low * span;
    const mb = (value: number) => `${(value / 2 ** 20).toFixed(1)} MiB`;
    return bytes > bound ? [`${what} grew by at least ${mb(bytes)} in ${span} inputs`] : [];
  };
  return [
    ...grew("the thread's heap and buffers", THREAD_BOUND, ({ heap, external }) => heap + external),
    ...grew("the process's resident memory", PROCESS_BOUND, ({ resident }) => resident),
  ];
}
