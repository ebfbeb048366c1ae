/**
 * The thread's side of the pool: each thread opens its own lake once, so that bytes do not cross
 * threads, and tells the main thread of its S3 requests and its progress.
 */

import { receiveMessageOnPort, workerData } from 'node:worker_threads';
import { systemClock } from '../common/clock.ts';
import { toErrorRecord } from '../common/errors.ts';
import { type Lake, openLake } from './lake.ts';
import type { LakeObserver, RequestObservation } from './request-observer.ts';
import type { ThreadNote, ThreadOrder, ThreadResult, ThreadSettings, ThreadTask } from './thread-task.ts';

export interface ThreadContext {
  /** Its observer passes on to the main thread, while the task runs, what threads of the task's own tell too. */
  readonly lake: Lake;
  readonly settings: ThreadSettings;
  readonly signal: AbortSignal;
  /** From 0 to 1; cheap to call often. */
  readonly progress: (fraction: number) => void;
}

const TELL_EVERY_MS = 200;

/** Who hears of the lake's requests now: the task under way in this thread. */
let listener: { tell(note: ThreadNote): void; requests: RequestObservation[] } | undefined;

const observer: LakeObserver = {
  request: (observation) => void listener?.requests.push(observation),
  conflict: (operation) => listener?.tell({ kind: 'conflict', operation }),
  retry: (operation, sleepSeconds) => listener?.tell({ kind: 'retry', operation, sleepSeconds }),
};

let lake: Lake | undefined;

/** The settings that the pool started this thread with: piscina wraps them. */
function threadSettings(): ThreadSettings {
  const data = workerData as ThreadSettings | readonly [unknown, ThreadSettings];
  return Array.isArray(data) ? (data[1] as ThreadSettings) : (data as ThreadSettings);
}

/** Makes a pool's task of `work`: its result or error as plain data, its notes by the task's port. */
export function defineTask<I, O>(
  work: (input: I, context: ThreadContext) => Promise<O>,
): (task: ThreadTask) => Promise<ThreadResult> {
  return async ({ input, port }) => {
    const abort = new AbortController();
    const { signal } = abort;
    const onOrder = (_: ThreadOrder) => abort.abort();
    if (receiveMessageOnPort(port) !== undefined) onOrder('abort'); // While the task waited for a thread.
    port.on('message', onOrder);
    const settings = threadSettings();
    lake ??= openLake(settings.s3, systemClock, observer);
    const requests: RequestObservation[] = [];
    const tell = (note: ThreadNote) => port.postMessage(note);
    let fraction = -1;
    let told = -1;
    const flush = () => {
      if (requests.length > 0) tell({ kind: 'requests', requests: requests.splice(0) });
      if (fraction !== told) tell({ kind: 'progress', fraction });
      told = fraction;
    };
    const stop = systemClock.every(TELL_EVERY_MS, flush);
    listener = { tell, requests };
    try {
      signal.throwIfAborted();
      const progress = (next: number) => {
        fraction = next;
      };
      return { ok: true, value: await work(input as I, { lake, settings, signal, progress }) };
    } catch (error) {
      return { ok: false, error: toErrorRecord(error) };
    } finally {
      stop();
      flush();
      listener = undefined;
      port.close();
    }
  };
}
