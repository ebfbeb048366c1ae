/**
 * Encoding columns in threads of their own. Orders wait in one queue, and a thread gets the next when it
 * has answered, so that long and short columns share the cores evenly. Threads start when they are needed
 * and stay for the next file; idle ones do not hold the process.
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

/** An encoder makes few small objects: room for many of them would only be memory held. */
const LIMITS = { maxYoungGenerationSizeMb: 4 } as const;

/** @param threads how many at most */
export function createEncoderThreads(threads: number): EncoderThreads {
  const waiting: Job[] = [];
  const idle: Worker[] = [];
  /** Each thread with the job it is at. */
  const all = new Map<Worker, Job | undefined>();
  let closed = false;

  function start(): Worker {
    const file = import.meta.url.endsWith('.ts') ? './encoder-thread.ts' : './encoder-thread.js';
    const thread = new Worker(new URL(file, import.meta.url), { resourceLimits: LIMITS });
    let cause: unknown;
    thread.on('message', (answer: EncoderAnswer) => {
      const job = all.get(thread);
      all.set(thread, undefined);
      thread.unref();
      idle.push(thread);
      if (answer.ok) job?.resolve(answer.chunk);
      else job?.reject(fromErrorRecord(answer.error));
      assign();
    });
    thread.once('error', (error) => {
      cause = error;
    });
    thread.once('exit', () => {
      const job = all.get(thread);
      all.delete(thread);
      const at = idle.indexOf(thread);
      if (at >= 0) idle.splice(at, 1);
      job?.reject(new Error('the encoder thread died', { cause }));
      assign();
    });
    all.set(thread, undefined);
    return thread;
  }

  function assign(): void {
    while (waiting.length > 0 && !closed) {
      const thread = idle.pop() ?? (all.size < threads ? start() : undefined);
      if (thread === undefined) return;
      const job = waiting.shift()!;
      all.set(thread, job);
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
