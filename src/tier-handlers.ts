/** The handlers of the tiers, wired from a Config. */

import { readFileSync } from 'node:fs';
import { systemClock } from './common/clock.ts';
import { messageOf } from './common/errors.ts';
import { systemRandom } from './common/ids.ts';
import { type Config, ConfigurationError, VARIABLES } from './config.ts';
import { tierRoot } from './contract/tier-keys.ts';
import { parseProvidersFile, type TierProviders, tierProviders } from './contract/tier-provider.ts';
import { createHotUploadHandler } from './hot-tier/index.ts';
import type { Lake } from './lake/lake.ts';
import type { ThreadPool } from './lake/thread-pool.ts';
import type { Metrics } from './observability/metrics.ts';
import { observeTiers } from './observability/observers.ts';
import { createCompactionHandler } from './warm-tier/index.ts';
import type { Handler } from './worker/handler.ts';
import type { RequestQueue } from './worker/queue.ts';

const BYTES_A_MB = 1_048_576;

/** The built-in providers and those of TIER_PROVIDERS_FILE. Throws `ConfigurationError`. */
export function readProviders(path: string | undefined): TierProviders {
  if (path === undefined) return tierProviders();
  try {
    return tierProviders(parseProvidersFile(readFileSync(path, 'utf8'), path));
  } catch (error) {
    throw new ConfigurationError([`${VARIABLES.tierProvidersFile.name}: ${messageOf(error)}`]);
  }
}

/**
 * Counted from before a manifest's PUT, while its predecessor is read until that has been carried out: so
 * long a PUT, its retries included, takes nothing from a reader's time.
 */
const MANIFEST_PUT_MS = 30_000;

function graceMs(seconds: number): number {
  return seconds * 1_000 + Math.min(seconds * 1_000, MANIFEST_PUT_MS);
}

export function createTierHandlers(
  config: Config,
  version: string,
  parts: {
    readonly lake: Lake;
    readonly pool: ThreadPool;
    readonly queue: RequestQueue;
    readonly metrics: Metrics;
    readonly providers: TierProviders;
  },
): readonly Handler[] {
  const { lake, pool, queue, metrics, providers } = parts;
  const { bucket, allowedBuckets } = config;
  const root = tierRoot(config.environment);
  const createdBy = `tidemill ${version}`;
  const observer = observeTiers(metrics);
  const hotUpload = createHotUploadHandler(
    {
      bucket,
      allowedBuckets,
      root,
      limits: { maxRows: config.hotMaxRows, maxDecodedBytes: config.hotMaxDecodedMb * BYTES_A_MB },
      createdBy,
    },
    {
      lake,
      pool,
      providers,
      observer,
      send: (body, groupId, deduplicationId) => queue.send(body, groupId, deduplicationId),
    },
  );
  const compaction = createCompactionHandler(
    {
      bucket,
      root,
      readerGraceMs: graceMs(config.warmReaderGraceSeconds),
      maxRaces: config.compactionMaxRaces,
      createdBy,
    },
    { lake, pool, providers, clock: systemClock, random: systemRandom, observer },
  );
  return [hotUpload, compaction];
}
