/** What crosses between the main thread and a worker thread of the pool. Plain data and one port. */

import type { MessagePort } from 'node:worker_threads';
import type { ErrorRecord } from '../common/errors.ts';
import type { LakeNote } from './request-observer.ts';
import type { S3Settings } from './s3-client.ts';

/** What every thread is started with (`workerData`). */
export interface ThreadSettings {
  readonly s3: S3Settings;
}

export interface ThreadTask {
  readonly input: unknown;
  /**
   * Notes go out by it while the task runs, and an order may come in. (Not a transferred AbortSignal: each
   * has a port of its own on both sides, which nothing ever closes.)
   */
  readonly port: MessagePort;
}

/** What a thread is told while it works: to give up. */
export type ThreadOrder = 'abort';

/** What a thread tells while it works. */
export type ThreadNote = { readonly kind: 'progress'; readonly fraction: number } | LakeNote;

export type ThreadResult =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly error: ErrorRecord };
