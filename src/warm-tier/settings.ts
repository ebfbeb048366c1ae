/** What the warm tier is set to; plain data, so that it crosses to threads. */

import type { TierRoot } from '../contract/tier-keys.ts';

export interface WarmTierSettings {
  readonly bucket: string;
  readonly root: TierRoot;
  /** How long a reader may hold an older manifest, in milliseconds (WARM_READER_GRACE_SECONDS). */
  readonly readerGraceMs: number;
  /** How often a compaction plans anew after another writer was first (COMPACTION_MAX_RACES). */
  readonly maxRaces: number;
  /** Who writes the files, as `tidemill 0.1.0`. */
  readonly createdBy: string;
}
