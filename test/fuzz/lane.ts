/**
 * A lane: one process's part of a fuzz run. It has each target run in a thread and watches it from outside:
 * an input that takes more than a second of the processor, or that nothing comes of, is a hang; a thread
 * that dies is a crash; both are told by the input, and the run goes on behind it. What fails is made as
 * small as it can be in a bounded time.
 */

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { systemClock } from '../../src/common/clock.ts';
import { corpusOf } from './corpus.ts';
import { growth, type MemorySample } from './memory.ts';
import { minimised } from './minimise.ts';
import { targetNamed } from './targets.ts';
import {
  type Failure,
  inputOf,
  SHARED,
  SHARED_LENGTH,
  type ThreadData,
  type ThreadNews,
  type ThreadOrder,
} from './thread.ts';

export interface LaneJob {
  readonly target: string;
  readonly seed: number;
  readonly from: number;
  readonly count: number;
}

export interface LaneOrder {
  readonly jobs: readonly LaneJob[];
  /** Where the number of the input under way is kept, for when the whole process dies of it. */
  readonly statusFile: string;
}

export interface TargetReport {
  readonly target: string;
  readonly inputs: number;
  /** Of the whole process, in seconds. */
  readonly cpuSeconds: number;
  readonly outcomes: Readonly<Record<string, number>>;
  /** The first of each signature, minimised. */
  readonly failures: readonly Failure[];
  /** How often each signature was met. */
  readonly counts: Readonly<Record<string, number>>;
  readonly samples: readonly MemorySample[];
  readonly growth: readonly string[];
}

/** Of the processor: the machine may be busy. */
const HANG_CPU_MICROS = 1_000_000;
/** Waiting for what does not come. */
const HANG_WALL_MS = 30_000;
/** A thread's start, with its modules and whatever its target starts. */
const START_WALL_MS = 60_000;
const WATCH_EVERY_MS = 50;
const MAX_HEAP_MB = 768;
const SAMPLES = 24;
/** A sample costs two collections, and fewer inputs than these do not tell growth. */
const FEWEST_BETWEEN = 100;
const FEWEST_SAMPLED = 1_200;
const MINIMISE = { hang: { attempts: 6, ms: 30_000 }, failure: { attempts: 400, ms: 10_000 } } as const;
/** Where a target fails all the time, there is nothing more to learn. */
const MAX_SIGNATURES = 12;
const MAX_LOSSES = 8;

type Ending =
  | { readonly kind: 'done'; readonly outcomes: Readonly<Record<string, number>> }
  | { readonly kind: 'probed'; readonly signature: string | undefined }
  | { readonly kind: 'lost'; readonly number: number; readonly signature: string; readonly detail: string };

/** A thread under watch. */
class WatchedThread {
  readonly #worker: Worker;
  readonly #gone: Promise<unknown>;
  readonly #marks: Int32Array;

  constructor(statusFile: string) {
    const shared = new SharedArrayBuffer(SHARED_LENGTH * 4);
    this.#marks = new Int32Array(shared);
    this.#worker = new Worker(new URL('thread.ts', import.meta.url), {
      workerData: { shared, statusFile } satisfies ThreadData,
      resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB },
    });
    this.#worker.on('error', () => {}); // Who asks hears of it.
    this.#gone = new Promise((resolve) => this.#worker.once('exit', resolve));
  }

  async ask(order: ThreadOrder, onNews: (news: ThreadNews) => void = () => {}): Promise<Ending> {
    const worker = this.#worker;
    const ending = Promise.withResolvers<Ending>();
    const onMessage = (news: ThreadNews) => {
      if (news.kind === 'done' || news.kind === 'probed') ending.resolve(news);
      else onNews(news);
    };
    const lost = (signature: string, detail: string) => {
      ending.resolve({ kind: 'lost', number: Atomics.load(this.#marks, SHARED.number), signature, detail });
    };
    let why = '';
    let stack = '';
    const onError = (error: unknown) => {
      const { code, stack: trace } = error as { code?: string; stack?: string };
      why = `the thread died: ${code ?? String(error)}`;
      stack = trace ?? '';
    };
    // What it said before its death has come by now.
    const onExit = (code: number) => lost(why || `the thread ended with code ${code}`, stack);
    worker.on('message', onMessage).on('error', onError).on('exit', onExit);
    const stop = this.#watch(lost);
    worker.postMessage(order);
    try {
      return await ending.promise;
    } finally {
      stop();
      worker.off('message', onMessage).off('error', onError).off('exit', onExit);
    }
  }

  #watch(lost: (signature: string, detail: string) => void): () => void {
    const now = () => ({ at: systemClock.monotonic(), cpu: process.cpuUsage() });
    const begun = Atomics.load(this.#marks, SHARED.sequence);
    let sequence = -1;
    let since = now();
    const started = systemClock.monotonic();
    return systemClock.every(WATCH_EVERY_MS, () => {
      const seen = Atomics.load(this.#marks, SHARED.sequence);
      const running = Atomics.load(this.#marks, SHARED.running) === 1;
      if (seen === begun && systemClock.monotonic() - started > START_WALL_MS) {
        lost('the target did not open', '');
      }
      if (seen !== sequence || !running) {
        sequence = seen;
        since = now();
        return;
      }
      const { user, system } = process.cpuUsage(since.cpu);
      const wall = systemClock.monotonic() - since.at;
      if (user + system > HANG_CPU_MICROS)
        lost('it takes more than a second', `${user + system} us of the processor`);
      else if (wall > HANG_WALL_MS) lost('nothing comes of it', `for ${wall} ms`);
    });
  }

  /** Inputs that were begun in it. */
  get inputs(): number {
    return Atomics.load(this.#marks, SHARED.sequence);
  }

  /** Ends it, in order where it still answers. */
  async end(inOrder: boolean): Promise<void> {
    if (inOrder) this.#worker.postMessage({ kind: 'end' } satisfies ThreadOrder);
    else await this.#worker.terminate();
    await this.#gone;
  }
}

/** Does jobs one after the other, in one thread as long as it lives; tells of each when it is done. */
export async function runJobs(
  { jobs, statusFile }: LaneOrder,
  tell: (report: TargetReport) => void,
): Promise<void> {
  let thread = new WatchedThread(statusFile);
  const renew = async () => {
    await thread.end(false);
    thread = new WatchedThread(statusFile);
    return thread;
  };
  for (const job of jobs) tell(await runJob(job, () => thread, renew));
  await thread.end(true);
}

async function runJob(
  { target, seed, from, count }: LaneJob,
  thread: () => WatchedThread,
  renew: () => Promise<WatchedThread>,
): Promise<TargetReport> {
  const cpu = process.cpuUsage();
  const outcomes: Record<string, number> = {};
  const counts: Record<string, number> = {};
  const found = new Map<string, Failure>();
  const samples: MemorySample[] = [];
  const corpusSize = corpusOf(targetNamed(target)).length;
  const sampleEvery =
    count < FEWEST_SAMPLED ? count + 1 : Math.max(FEWEST_BETWEEN, Math.ceil(count / SAMPLES));
  const to = from + count;

  const note = (failure: Failure) => {
    counts[failure.signature] = (counts[failure.signature] ?? 0) + 1;
    if (!found.has(failure.signature) && found.size < MAX_SIGNATURES) found.set(failure.signature, failure);
  };
  const onNews = (news: ThreadNews) => {
    if (news.kind === 'failure') note(news.failure);
    if (news.kind === 'sample') samples.push(news.sample);
  };

  let inputs = 0;
  let next = from;
  let corpusFrom = 0;
  for (let losses = 0; (next < to || corpusFrom < corpusSize) && losses < MAX_LOSSES; losses++) {
    const before = thread().inputs;
    const order = { kind: 'run', target, seed, from: next, to, sampleEvery, corpusFrom } as const;
    const ending = await thread().ask(order, onNews);
    inputs += thread().inputs - before;
    if (ending.kind === 'done') {
      for (const [word, times] of Object.entries(ending.outcomes)) {
        outcomes[word] = (outcomes[word] ?? 0) + times;
      }
      break;
    }
    if (ending.kind !== 'lost') throw new Error('the thread answered what it was not asked');
    const { number, signature, detail } = ending;
    note({ number, signature, detail, input: inputOf(target, seed, number) });
    await renew();
    corpusFrom = number < 0 ? -number : corpusSize;
    next = Math.max(from, number + 1);
  }

  async function probe(input: Uint8Array): Promise<string | undefined> {
    const ending = await thread().ask({ kind: 'probe', target, input });
    if (ending.kind === 'probed') return ending.signature;
    await renew();
    return ending.kind === 'lost' ? ending.signature : undefined;
  }
  const failures: Failure[] = [];
  for (const failure of found.values()) {
    const isLoss = !failure.detail.startsWith(failure.signature);
    const bounds = isLoss ? MINIMISE.hang : MINIMISE.failure;
    failures.push({ ...failure, input: await minimised(failure.input, failure.signature, probe, bounds) });
  }
  const { user, system } = process.cpuUsage(cpu);
  const cpuSeconds = (user + system) / 1e6;
  return { target, inputs, cpuSeconds, outcomes, failures, counts, samples, growth: growth(samples) };
}

/** The lane's side of run-lane.ts: jobs come as a message, reports go back one by one. */
async function main(): Promise<void> {
  const [order] = (await once(process, 'message')) as [LaneOrder];
  await runJobs(order, (report) => process.send?.(report));
  process.disconnect();
}

if (import.meta.main) await main();
