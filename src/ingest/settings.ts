/** What the ingest feature is told of the configuration. */

import type { OutputCompression } from '../contract/output-compression.ts';

export interface IngestSettings {
  readonly bucket: string;
  readonly allowedBuckets: readonly string[];
  readonly compression: OutputCompression;
  /** Files at once in one run, where the request does not say. */
  readonly concurrency: number;
  /** A file above this is read in chunks. */
  readonly streamingBytes: number;
  /** Memory of one file's rows that wait to be written. */
  readonly budgetBytes: number;
  /** A file in work without a sign of life for this long may be taken over. */
  readonly leaseSeconds: number;
  /** Who this worker is, for people. */
  readonly workerName: string;
}
