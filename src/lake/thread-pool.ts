/**
 * The pool of worker threads for heavy work (decode, evaluate, merge, encode), on piscina. The main
 * thread hands in plain data and gets plain data back; a thread that dies fails its task alone.
 *
 * A task is a module that exports `task` (see thread-context.ts). Threads start when they are needed
 * and end when they idle, so an idle worker is small.
 */

import { setFlagsFromString } from 'node:v8';
import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { fromErrorRecord } from '../common/errors.ts';
import { type LakeObserver, tell } from './request-observer.ts';
import type { ThreadNote, ThreadOrder, ThreadResult, ThreadSettings, ThreadTask } from './thread-task.ts';

export interface ThreadPool {
  /** Runs the task of a module with `input`; rejects with a domain error of the thread, or with what killed it. */
  run<T>(module: URL, input: unknown, options: RunOptions): Promise<T>;
  /** Ends all threads, those at work too. */
  close(): Promise<void>;
}

export interface RunOptions {
  readonly signal: AbortSignal;
  readonly progress: (fraction: number) => void;
  readonly observer: LakeObserver;
}

const IDLE_MS = 60_000;
/** Without a limit each thread's heap would hold some hundred megabytes of young garbage. */
const LIMITS = { maxYoungGenerationSizeMb: 8 } as const;

// What the process was started with is meant for the main thread, and would stand above LIMITS.
setFlagsFromString('--max-semi-space-size=0');

export function createThreadPool(threads: number, settings: ThreadSettings): ThreadPool {
  const pool = new Piscina({
    filename: new URL(
      import.meta.url.endsWith('.ts') ? './thread-context.ts' : './thread-context.js',
      import.meta.url,
    ).href,
    minThreads: 0,
    maxThreads: threads,
    idleTimeout: IDLE_MS,
    concurrentTasksPerWorker: 1,
    workerData: settings,
    resourceLimits: LIMITS,
    recordTiming: false,
    // A thread that waits for its next task by Atomics does not see its idle connections being closed.
    atomics: 'disabled',
  });
  pool.on('error', () => {}); // A thread's death is told by its task's rejection.

  function hear(note: ThreadNote, { observer, progress }: RunOptions): void {
    if (note.kind === 'progress') progress(note.fraction);
    else tell(observer, note);
  }

  return {
    async run<T>(module: URL, input: unknown, options: RunOptions): Promise<T> {
      options.signal.throwIfAborted();
      const { port1, port2 } = new MessageChannel();
      port1.on('message', (note: ThreadNote) => hear(note, options));
      const onAbort = () => port1.postMessage('abort' satisfies ThreadOrder);
      options.signal.addEventListener('abort', onAbort, { once: true });
      const task: ThreadTask = { input, port: port2 };
      try {
        const result = (await pool.run(task, {
          filename: module.href,
          name: 'task',
          transferList: [port2],
        })) as ThreadResult;
        options.signal.throwIfAborted();
        if (!result.ok) throw fromErrorRecord(result.error);
        return result.value as T;
      } finally {
        options.signal.removeEventListener('abort', onAbort);
        // The last notes were sent before the result, but come by another port.
        for (let left = receiveMessageOnPort(port1); left !== undefined; left = receiveMessageOnPort(port1)) {
          hear(left.message as ThreadNote, options);
        }
        port1.close();
      }
    },
    close: () => pool.destroy(),
  };
}
