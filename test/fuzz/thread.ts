/**
 * The thread that runs targets: mutates, gives the inputs to it, and marks in shared memory which one is
 * under way, so that the lane (lane.ts) sees from outside one that does not end.
 */

import { openSync, writeSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../../src/common/clock.ts';
import { causesOf } from '../../src/common/errors.ts';
import { corpusOf, mutation } from './corpus.ts';
import { type MemorySample, sampleMemory } from './memory.ts';
import { type OpenTarget, Violation } from './target.ts';
import { targetNamed } from './targets.ts';

/** What the lane reads while the thread may be too busy to answer: Int32 each. */
export const SHARED = { sequence: 0, running: 1, number: 2 } as const;
export const SHARED_LENGTH = 3;

export interface ThreadData {
  readonly shared: SharedArrayBuffer;
  /** The number of the input under way is written here. */
  readonly statusFile: string;
}

export type ThreadOrder =
  | {
      readonly kind: 'run';
      readonly target: string;
      readonly seed: number;
      readonly from: number;
      readonly to: number;
      /** Memory is sampled whenever so many inputs have been run. */
      readonly sampleEvery: number;
      /** The corpus is run first, as it is, from this entry on. */
      readonly corpusFrom: number;
    }
  /** Closes what is open; the thread ends by itself. */
  | { readonly kind: 'end' }
  | { readonly kind: 'probe'; readonly target: string; readonly input: Uint8Array };

export interface Failure {
  /** The mutation's number; below 0 an entry of the corpus as it is (-1 the first). */
  readonly number: number;
  readonly signature: string;
  readonly detail: string;
  readonly input: Uint8Array;
}

export type ThreadNews =
  | { readonly kind: 'failure'; readonly failure: Failure }
  | { readonly kind: 'done'; readonly outcomes: Readonly<Record<string, number>> }
  | { readonly kind: 'sample'; readonly sample: MemorySample }
  | { readonly kind: 'probed'; readonly signature: string | undefined };

const TURN_EVERY = 16;

/** The input under `number`, which the lane needs as well where the thread is gone. */
export function inputOf(targetName: string, seed: number, number: number): Uint8Array {
  const target = targetNamed(targetName);
  const corpus = corpusOf(target);
  return number < 0 ? corpus[-1 - number]!.bytes : mutation(target, corpus, seed, number);
}

async function serve({ shared, statusFile }: ThreadData): Promise<void> {
  const marks = new Int32Array(shared);
  const status = openSync(statusFile, 'w');
  let opened: { readonly name: string; readonly target: OpenTarget } | undefined;
  const tell = (news: ThreadNews) => parentPort!.postMessage(news);

  async function open(name: string): Promise<OpenTarget> {
    if (opened?.name === name) return opened.target;
    await opened?.target.close();
    const target = await targetNamed(name).open();
    opened = { name, target };
    // Unwatched once, so that modules are loaded and threads have started.
    await target.run(corpusOf(targetNamed(name))[0]!.bytes).catch(() => {});
    return target;
  }

  async function attempt(
    target: OpenTarget,
    number: number,
    input: Uint8Array,
  ): Promise<{ word: string; detail?: string }> {
    writeSync(status, `${number} `, 0);
    Atomics.store(marks, SHARED.number, number);
    Atomics.add(marks, SHARED.sequence, 1);
    Atomics.store(marks, SHARED.running, 1);
    try {
      return { word: await target.run(input) };
    } catch (error) {
      const signature = error instanceof Violation ? error.message : `not a violation: ${String(error)}`;
      const stack = error instanceof Error && error.cause instanceof Error ? error.cause.stack : undefined;
      return { word: '', detail: [signature, ...causesOf(error), stack ?? ''].join('\n') };
    } finally {
      Atomics.store(marks, SHARED.running, 0);
    }
  }

  async function run(order: Extract<ThreadOrder, { kind: 'run' }>): Promise<void> {
    const target = await open(order.target);
    const corpus = corpusOf(targetNamed(order.target));
    const outcomes: Record<string, number> = {};
    let inputs = 0;
    const one = async (number: number, input: Uint8Array) => {
      const { word, detail } = await attempt(target, number, input);
      if (detail === undefined) outcomes[word] = (outcomes[word] ?? 0) + 1;
      else {
        const signature = detail.split('\n')[0]!;
        tell({ kind: 'failure', failure: { number, signature, detail, input } });
      }
      if (++inputs % TURN_EVERY === 0) await systemClock.turn();
    };
    for (let i = order.corpusFrom; i < corpus.length; i++) await one(-1 - i, corpus[i]!.bytes);
    for (let number = order.from; number < order.to; number++) {
      await one(number, mutation(targetNamed(order.target), corpus, order.seed, number));
      if ((number + 1) % order.sampleEvery === 0) {
        tell({ kind: 'sample', sample: await sampleMemory(number + 1) });
      }
    }
    tell({ kind: 'done', outcomes });
  }

  parentPort!.on('message', async (order: ThreadOrder) => {
    if (order.kind === 'end') {
      await opened?.target.close();
      parentPort!.close();
    } else if (order.kind === 'run') await run(order);
    else {
      const { detail } = await attempt(await open(order.target), 0, order.input);
      tell({ kind: 'probed', signature: detail?.split('\n')[0] });
    }
  });
}

if (parentPort !== null) await serve(workerData as ThreadData);
