/**
 * Encoding columns in threads of their own. Orders wait in one queue, and a thread has a few of them at a time,
 * so that long and short columns share the cores evenly and yet no thread waits for this one to hear its
 * answer. Threads start when they are needed and stay for the next file; idle ones do not hold the process.
 */

import { Worker } from 'node:worker_threads';
import { fromErrorRecord } from '../common/errors.ts';
import type { EncodeColumn, EncodedColumn } from './column-encoder.ts';
import type { EncoderAnswer, EncoderOrder } from './encoder-protocol.ts';
import { buffersOf, type ColumnMessage } from './tier-table/column-message.ts';

export interface EncoderThreads {
  readonly encode: EncodeColumn;
  /** Ends all threads; what they have not answered fails. */
  close(): Promise<void>;
}

interface Job {
  readonly column: ColumnMessage;
  readonly resolve: (chunk: EncodedColumn) => void;
  readonly reject: (error: unknown) => void;
}

/** Orders that a thread has at a time: the one it is at, and two at hand, since columns can be short. */
const DEPTH = 3;

/** An encoder makes few small objects: room for many of them would only be memory held. */
const LIMITS = { maxYoungGenerationSizeMb: 4 } as const;

/** @param threads how many at most */
export function createEncoderThreads(threads: number): EncoderThreads {
  const waiting: Job[] = [];
  /** Each thread with the jobs that it has, in the order in which it will answer. */
  const all = new Map<Worker, Job[]>();
  let closed = false;

  function start(): Worker {
    const file = import.meta.url.endsWith('.ts') ? './encoder-thread.ts' : './encoder-thread.js';
    const thread = new Worker(new URL(file, import.meta.url), { resourceLimits: LIMITS });
    const jobs: Job[] = [];
    let cause: unknown;
    thread.on('message', (answer: EncoderAnswer) => {
      const job = jobs.shift();
      if (jobs.length === 0) thread.unref();
      if (answer.ok) job?.resolve(answer.chunk);
      else job?.reject(fromErrorRecord(answer.error));
      assign();
    });
    thread.once('error', (error) => {
      cause = error;
    });
    thread.once('exit', () => {
      all.delete(thread);
      for (const job of jobs) job.reject(new Error('the encoder thread died', { cause }));
      assign();
    });
    all.set(thread, jobs);
    return thread;
  }

  /** The thread that has the fewest orders, a new one before any gets a second; undefined when all have enough. */
  function free(): Worker | undefined {
    const [thread, jobs] = [...all].toSorted(([, a], [, b]) => a.length - b.length)[0] ?? [];
    if (all.size < threads && jobs?.length !== 0) return start();
    return jobs !== undefined && jobs.length < DEPTH ? thread : undefined;
  }

  function assign(): void {
    while (waiting.length > 0 && !closed) {
      const thread = free();
      if (thread === undefined) return;
      const job = waiting.shift()!;
      all.get(thread)!.push(job);
      thread.ref();
      const { column } = job;
      thread.postMessage({ column } satisfies EncoderOrder, buffersOf(column));
    }
  }

  return {
    encode: (column) =>
      new Promise((resolve, reject) => {
        if (closed) {
          reject(new Error('the encoder threads are closed'));
          return;
        }
        waiting.push({ column, resolve, reject });
        assign();
      }),

    async close() {
      closed = true;
      for (const job of waiting.splice(0)) job.reject(new Error('the encoder threads are closed'));
      await Promise.all([...all.keys()].map((thread) => thread.terminate()));
    },
  };
}
