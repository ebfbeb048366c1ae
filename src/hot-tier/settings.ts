/** What the hot tier is set to; plain data, so that it crosses to threads. */

import type { TierRoot } from '../contract/tier-keys.ts';

export interface HotTierLimits {
  /** Most rows of an upload's changed rows, and of its removed ones (HOT_MAX_ROWS). */
  readonly maxRows: number;
  /** Most bytes that a source may have once its compression is undone (HOT_MAX_DECODED_MB). */
  readonly maxDecodedBytes: number;
}

export interface HotTierSettings {
  readonly bucket: string;
  /** Buckets beside the default one that a source may lie in. */
  readonly allowedBuckets: readonly string[];
  readonly root: TierRoot;
  readonly limits: HotTierLimits;
  /** Who writes the files, as `tidemill 0.1.0`. */
  readonly createdBy: string;
}
