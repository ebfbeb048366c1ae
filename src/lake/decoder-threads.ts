/**
 * Decoding a series in a thread of its own: batches come by transfer, and no more than `CREDITS` are
 * on their way, so a slow consumer slows the decoder. Threads are kept for the next series.
 */

import { Worker } from 'node:worker_threads';
import { fromErrorRecord } from '../common/errors.ts';
import type { DecoderAnswer, DecoderOrder, RemoteFile } from './decoder-protocol.ts';
import { type LakeObserver, tell } from './request-observer.ts';
import type { SeriesBatch, SeriesSource } from './series-batch.ts';
import type { ThreadSettings } from './thread-task.ts';

export interface DecoderThreads {
  /** A source of the series' rows, decoded elsewhere. `files` are in listing order. */
  open(
    files: readonly { file: RemoteFile; named: boolean }[],
    code: string,
    signal: AbortSignal,
  ): SeriesSource;
  /** Ends all threads. */
  close(): Promise<void>;
}

/** Batches under way from a decoder: enough to keep it busy, 1 MiB each. */
const CREDITS = 4;
/** Credits are given this many at a time: a message between threads has its price. */
const CREDITS_AT_ONCE = 2;

/** A decoder makes few small objects: room for many of them would only be memory held. */
const LIMITS = { maxYoungGenerationSizeMb: 4 } as const;

function startThread(settings: ThreadSettings): Worker {
  const file = import.meta.url.endsWith('.ts') ? './decoder-thread.ts' : './decoder-thread.js';
  return new Worker(new URL(file, import.meta.url), { workerData: settings, resourceLimits: LIMITS });
}

/** @param observer hears what the threads' lakes tell */
export function createDecoderThreads(settings: ThreadSettings, observer: LakeObserver): DecoderThreads {
  const idle: Worker[] = [];
  const all = new Set<Worker>();

  function take(): Worker {
    const free = idle.pop();
    if (free !== undefined) return free;
    const thread = startThread(settings);
    thread.unref();
    const forget = () => {
      all.delete(thread);
      const at = idle.indexOf(thread);
      if (at >= 0) idle.splice(at, 1);
    };
    thread.once('exit', forget);
    thread.on('error', forget); // Whose series it reads hears of it, if there is one.
    all.add(thread);
    return thread;
  }

  return {
    open(files, code, signal) {
      const thread = take();
      const arrived: SeriesBatch[] = [];
      let failure: unknown;
      let ended = false;
      let closed = false;
      let owed = 0;
      // A pull may wait, and a close beside it.
      let waiting: (() => void)[] = [];

      const wake = () => {
        const woken = waiting;
        waiting = [];
        for (const resolve of woken) resolve();
      };
      const news = () =>
        new Promise<void>((resolve) => {
          waiting.push(resolve);
        });
      const order = (message: DecoderOrder) => thread.postMessage(message);
      const onMessage = ({ news: told, notes }: DecoderAnswer) => {
        for (const note of notes) tell(observer, note);
        if (told.kind === 'batch') arrived.push(told.batch);
        else {
          ended = true;
          if (told.error !== undefined) failure = fromErrorRecord(told.error);
          giveBack();
        }
        wake();
      };
      const onDeath = (error: unknown) => {
        failure = new Error('the decoder thread died', { cause: error });
        ended = true;
        detach();
        wake();
      };
      const onAbort = () => {
        failure ??= signal.reason ?? new Error('aborted');
        order({ kind: 'cancel' });
        wake();
      };
      function detach(): void {
        thread.off('message', onMessage);
        thread.off('error', onDeath);
        thread.off('exit', onDeath);
        signal.removeEventListener('abort', onAbort);
      }
      function giveBack(): void {
        detach();
        if (all.has(thread)) idle.push(thread);
      }

      thread.on('message', onMessage);
      thread.once('error', onDeath);
      thread.once('exit', onDeath);
      signal.addEventListener('abort', onAbort, { once: true });
      order({ kind: 'open', files, code, credits: CREDITS });
      if (signal.aborted) onAbort();

      return {
        async next() {
          for (;;) {
            if (failure !== undefined) throw failure;
            const batch = arrived.shift();
            if (batch !== undefined) {
              owed++;
              if (owed === CREDITS_AT_ONCE && !ended) {
                order({ kind: 'credit', batches: owed });
                owed = 0;
              }
              return batch;
            }
            if (ended) return undefined;
            await news();
          }
        },
        async close() {
          if (closed) return;
          closed = true;
          if (!ended) order({ kind: 'cancel' });
          while (!ended) await news();
          arrived.length = 0;
        },
      };
    },

    async close() {
      await Promise.all([...all].map((thread) => thread.terminate()));
      idle.length = 0;
    },
  };
}
