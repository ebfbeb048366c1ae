/** The tiers as commands reach them: the lake and the providers of the environment, of a running demo, or of .env. */

import { systemClock } from '../common/clock.ts';
import { VARIABLES } from '../config.ts';
import { parseMonth, type TierMonth, type TierRoot, tierRoot, warmPrefix } from '../contract/tier-keys.ts';
import type { TierProvider, TierProviders } from '../contract/tier-provider.ts';
import type { Lake } from '../lake/lake.ts';
import type { MonthStore, OpenedMonth } from '../warm-tier/month-store.ts';
import { CommandFailure, UsageError } from './command.ts';
import { instantOf } from './instant.ts';
import { findTarget } from './target.ts';

export interface TierAccess {
  readonly lake: Lake;
  readonly bucket: string;
  readonly root: TierRoot;
  readonly providers: TierProviders;
  /** Of WORKER_JOB_DEADLINE_SECONDS: no job takes longer. */
  readonly deadlineSeconds: number;
  store(provider: TierProvider, month: TierMonth): MonthStore;
  /** The months that have a manifest, oldest first. */
  months(provider: TierProvider): Promise<TierMonth[]>;
  /** The month's manifest; throws where there is none. */
  open(provider: TierProvider, month: TierMonth): Promise<OpenedMonth>;
}

const A_BUCKET = { name: VARIABLES.bucket.name, what: 'no lake to look at' };

/** Opens the lake, and closes it when `work` is done. */
export async function withTiers<T>(
  env: string | undefined,
  work: (access: TierAccess) => Promise<T>,
): Promise<T> {
  const { environment } = findTarget(env, A_BUCKET);
  const { DEFAULT_S3_TIMEOUTS } = await import('../lake/s3-client.ts');
  const { openLake } = await import('../lake/lake.ts');
  const { silentObserver } = await import('../lake/request-observer.ts');
  const { openMonthStore } = await import('../warm-tier/month-store.ts');
  const { readProviders } = await import('../tier-handlers.ts');
  const setting = ({ name, fallback }: { name: string; fallback: string | undefined }) =>
    environment[name] || fallback || '';
  const bucket = setting(VARIABLES.bucket);
  const region = setting(VARIABLES.region);
  const root = tierRoot(setting(VARIABLES.environment));
  const forcePathStyle = VARIABLES.forcePathStyle.schema.parse(setting(VARIABLES.forcePathStyle));
  const lake = openLake({ region, forcePathStyle, ...DEFAULT_S3_TIMEOUTS }, systemClock, silentObserver);
  const store = (provider: TierProvider, month: TierMonth) =>
    openMonthStore(lake, { bucket, root }, provider, month);

  async function below(prefix: string): Promise<string[]> {
    const names: string[] = [];
    let token: string | undefined;
    do {
      const page = await lake.store.list({ bucket, key: prefix }, { delimiter: '/', token });
      names.push(...page.prefixes.map((one) => one.slice(prefix.length, -1)));
      token = page.next;
    } while (token !== undefined);
    return names;
  }

  const access: TierAccess = {
    lake,
    bucket,
    root,
    providers: readProviders(environment[VARIABLES.tierProvidersFile.name] || undefined),
    deadlineSeconds: Number(setting(VARIABLES.deadlineSeconds)),
    store,
    async months(provider) {
      const prefix = `${warmPrefix(root, provider.name)}/`;
      const months: TierMonth[] = [];
      for (const year of await below(prefix)) {
        for (const month of await below(`${prefix}${year}/`)) {
          if (!/^\d{4}$/.test(year) || !/^\d\d$/.test(month)) continue;
          months.push({ year: Number(year), month: Number(month) });
        }
      }
      return months;
    },
    async open(provider, month) {
      const opened = await store(provider, month).read();
      if (opened.etag !== undefined) return opened;
      throw new CommandFailure(
        `error: ${provider.name} has no warm files of ${monthText(month)}: ` +
          `there is no s3://${bucket}/${store(provider, month).key}`,
      );
    },
  };
  try {
    return await work(access);
  } finally {
    lake.close();
  }
}

/** `2026-01`. */
export function monthText({ year, month }: TierMonth): string {
  return `${year}-${String(month).padStart(2, '0')}`;
}

/** A provider's name or a month of an argument; UsageError for one that is none. */
export function argument<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

export function monthArgument(text: string): TierMonth {
  return argument(() => parseMonth(text));
}

/** A time of an option, in microseconds since the epoch; without an offset it is UTC. */
export function instantOption(name: string): (text: string) => number {
  return (text) => {
    const ms = instantOf(text);
    if (ms === undefined) {
      throw new UsageError(`${name} must be a time, as 2026-01-23 or 2026-01-23T14:20Z, got "${text}"`);
    }
    return ms * 1_000;
  };
}
