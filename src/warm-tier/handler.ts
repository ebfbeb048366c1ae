/**
 * The compaction as a handler of the worker. The main thread reads and writes manifests and lists; merges
 * run in threads of the pool.
 */

import type { Clock } from '../common/clock.ts';
import { messageOf } from '../common/errors.ts';
import type { Random } from '../common/ids.ts';
import { type CompactionResult, compactionResultOf, NO_CHANGES } from '../contract/compaction-result.ts';
import type { JsonObject } from '../contract/envelope.ts';
import { hasSlot } from '../contract/slot-ranges.ts';
import { type TierSpeaker, takeTierRequests } from '../contract/tier-events.ts';
import { parseHotKey, type TierMonth } from '../contract/tier-keys.ts';
import { findProvider, type TierProvider, type TierProviders } from '../contract/tier-provider.ts';
import {
  COMPACTION_REQUESTED,
  type CompactionTarget,
  parseCompactionRequest,
} from '../contract/tier-requests.ts';
import type { WarmFileFacts } from '../contract/warm-manifest.ts';
import type { Lake } from '../lake/lake.ts';
import type { LakeObserver } from '../lake/request-observer.ts';
import type { ThreadPool } from '../lake/thread-pool.ts';
import type { Answer, Handler, Job, JobContext } from '../worker/handler.ts';
import {
  answerIn,
  type Compacted,
  type CompactParts,
  compact,
  type ForRequest,
  type Wanted,
} from './compact.ts';
import { openHotFiles } from './hot-files.ts';
import type { MergeOutcome } from './merge-files.ts';
import { type MonthStore, type OpenedMonth, openMonthStore } from './month-store.ts';
import type { WarmTierSettings } from './settings.ts';
import type { WarmTask } from './thread.ts';

export interface CompactionObserver extends LakeObserver {
  /** Files and rows of one kind of output, as `warm_l1`. */
  wrote(output: string, files: number, rows: number): void;
  /** Another writer was first, so that a compaction planned anew. */
  replanned(times: number): void;
  deleted(files: number): void;
}

export interface CompactionParts {
  readonly lake: Lake;
  readonly pool: ThreadPool;
  readonly providers: TierProviders;
  readonly clock: Clock;
  readonly random: Random;
  readonly observer: CompactionObserver;
}

const FAMILY = 'compaction';
const EXTENSION = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
const THREAD_MODULE = new URL(`./thread.${EXTENSION}`, import.meta.url);
/** So long after a month's end what is due of it is deleted along with the next month's work: two days. */
const SWEPT_SLOTS = 288;

interface Target {
  readonly month: TierMonth;
  readonly wanted: Wanted;
  /** Whether the month before may have files that wait for their deletion. */
  readonly sweeps: boolean;
}

export function createCompactionHandler(settings: WarmTierSettings, parts: CompactionParts): Handler {
  const { lake, pool, clock, random, observer } = parts;

  function targetOf(provider: TierProvider, target: CompactionTarget): Target {
    if (!('hotKey' in target)) {
      return { month: target.month, wanted: { mode: target.mode }, sweeps: true };
    }
    const { slot, ...month } = parseHotKey(settings.root, provider.name, target.hotKey);
    return { month, wanted: { hot: { key: target.hotKey, slot } }, sweeps: slot < SWEPT_SLOTS };
  }

  function partsOf(
    store: MonthStore,
    { signal, progress, logger }: JobContext,
    request?: ForRequest,
  ): CompactParts {
    const { provider, month } = store;
    const run = <T>(task: WarmTask, tell: (fraction: number) => void) =>
      pool.run<T>(THREAD_MODULE, task, { signal, progress: tell, observer });
    const readFacts = (keys: readonly string[]) => {
      const { bucket } = settings;
      return run<WarmFileFacts[]>({ kind: 'facts', bucket, keys, timeColumn: provider.timeColumn }, () => {});
    };
    return {
      request,
      store,
      hotFiles: openHotFiles(lake, settings, provider.name, month, readFacts),
      merge: (key, inputs, tell) => {
        const { bucket, createdBy } = settings;
        return run<MergeOutcome>({ kind: 'merge', bucket, key, inputs, provider, createdBy }, tell);
      },
      readerGraceMs: settings.readerGraceMs,
      maxRaces: settings.maxRaces,
      clock,
      random,
      signal,
      progress,
      warn: (message, fields) => logger.warn(fields, message),
    };
  }

  function tell({ written, races, deleted }: Compacted): void {
    for (const { level, rows } of written) observer.wrote(`warm_l${level}`, 1, rows);
    observer.replanned(races);
    observer.deleted(deleted.length);
  }

  /** Deletes what is due of the month before: after its last slot nobody else would. */
  async function sweep(provider: TierProvider, after: TierMonth, context: JobContext) {
    const store = openMonthStore(lake, settings, provider, monthBefore(after));
    try {
      const compacted = await compact({ mode: 'sweep' }, partsOf(store, context));
      tell(compacted);
      return compacted;
    } catch (error) {
      context.signal.throwIfAborted();
      context.logger.warn({ key: store.key, cause: messageOf(error) }, 'could not sweep the month before');
      return undefined;
    }
  }

  function jobOf(body: JsonObject, speaker: TierSpeaker): Job {
    const request = parseCompactionRequest(body);
    const provider = findProvider(parts.providers, request.provider);
    const { month, wanted, sweeps } = targetOf(provider, request.target);
    const store = openMonthStore(lake, settings, provider, month);
    const answerOf = (result: CompactionResult): Answer => ({
      event: speaker.succeeded(result),
      outcome: result.outcome,
    });
    let opened: OpenedMonth | undefined;

    return {
      started: speaker.started,
      heartbeat: speaker.heartbeat,

      async answer({ signal }) {
        opened = await store.read(signal);
        const { manifest } = opened;
        const before = answerIn(manifest, request.requestId);
        if (before !== undefined) return answerOf(before);
        if (!('hot' in wanted) || !hasSlot(manifest.processed, wanted.hot.slot)) return undefined;
        const levels = manifest.levels.map((files) => files.length);
        return answerOf(compactionResultOf(NO_CHANGES, levels));
      },

      async run(context) {
        const swept = sweeps ? await sweep(provider, month, context) : undefined;
        const forRequest = { requestId: request.requestId, swept };
        const compacted = await compact(wanted, partsOf(store, context, forRequest), opened);
        tell(compacted);
        const { result, races } = compacted;
        context.logger.info({ ...result.counts, levels: result.levels, races }, 'month compacted');
        return answerOf(result);
      },
    };
  }

  return { type: COMPACTION_REQUESTED, ...takeTierRequests(FAMILY, jobOf) };
}

function monthBefore({ year, month }: TierMonth): TierMonth {
  return month === 1 ? { year: year - 1, month: 12 } : { year, month: month - 1 };
}
