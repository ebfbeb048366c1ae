/** The lake as one handle: what a thread opens once and hands to the features' code. */

import { HeadBucketCommand } from '@aws-sdk/client-s3';
import type { Clock } from '../common/clock.ts';
import { type ConditionalWriter, createConditionalWriter } from './conditional-write.ts';
import { createObjectStore, type ObjectStore } from './object-store.ts';
import type { LakeObserver } from './request-observer.ts';
import { createS3Client, type S3Settings } from './s3-client.ts';
import { createUploads, type OpenUpload } from './upload.ts';

export interface Lake {
  readonly store: ObjectStore;
  readonly writer: ConditionalWriter;
  readonly openUpload: OpenUpload;
  readonly observer: LakeObserver;
  /** Whether the bucket answers; rejects where it does not. */
  checkBucket(bucket: string, signal: AbortSignal): Promise<void>;
  /** Closes the connections. */
  close(): void;
}

export function openLake(settings: S3Settings, clock: Clock, observer: LakeObserver): Lake {
  const client = createS3Client(settings, clock, observer);
  const store = createObjectStore(client, observer);
  const writer = createConditionalWriter(client, store, observer);
  return {
    store,
    writer,
    openUpload: createUploads(client, store, writer, observer),
    observer,
    checkBucket: async (bucket, signal) => {
      await client.send(new HeadBucketCommand({ Bucket: bucket }), { abortSignal: signal });
    },
    close: () => client.destroy(),
  };
}
