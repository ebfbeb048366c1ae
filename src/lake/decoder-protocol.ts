/** What a decoder thread is told, and what it answers. One series at a time; batches cross by transfer. */

import type { ErrorRecord } from '../common/errors.ts';
import type { ObjectLocation } from '../contract/object-location.ts';
import type { LakeNote } from './request-observer.ts';
import type { SeriesBatch } from './series-batch.ts';

/** A file that was opened already (its end is read, its ETag known), or one on the local disk. */
export type RemoteFile =
  | {
      readonly kind: 's3';
      readonly location: ObjectLocation;
      readonly etag: string;
      readonly size: number;
      readonly tail: Uint8Array;
    }
  | { readonly kind: 'local'; readonly path: string };

export type DecoderOrder =
  | {
      readonly kind: 'open';
      readonly files: readonly { readonly file: RemoteFile; readonly named: boolean }[];
      readonly code: string;
      /** Batches that may be sent before the first credit comes. */
      readonly credits: number;
    }
  | { readonly kind: 'credit'; readonly batches: number }
  | { readonly kind: 'cancel' };

/** `end` comes exactly once for each `open`, whether it ended well, failed or was cancelled. */
export type DecoderNews =
  | { readonly kind: 'batch'; readonly batch: SeriesBatch }
  | { readonly kind: 'end'; readonly error: ErrorRecord | undefined };

export interface DecoderAnswer {
  readonly news: DecoderNews;
  /** What the thread's lake has told since the last answer: its requests and retries. */
  readonly notes: readonly LakeNote[];
}
