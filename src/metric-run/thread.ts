/** The thread's side of the metric run: what one thread keeps between runs, and the task the pool calls. */

import { systemClock } from '../common/clock.ts';
import type { BucketPolicy } from '../contract/object-location.ts';
import { createDecoderThreads, type DecoderThreads } from '../lake/decoder-threads.ts';
import { defineTask, type ThreadContext } from '../lake/thread-context.ts';
import { createDatasetOpener, oncePerRun } from './dataset.ts';
import { type Executed, type ExecuteInput, executeRun } from './execute.ts';
import { createRunBudget } from './run-budget.ts';
import { createSeriesCache } from './series-cache.ts';
import { openInput } from './series-inputs.ts';
import type { MetricRunSettings } from './settings.ts';

export interface MetricRunTask extends ExecuteInput {
  readonly settings: MetricRunSettings;
}

interface Kept {
  readonly policy: BucketPolicy;
  readonly openDataset: ReturnType<typeof createDatasetOpener>;
  readonly cache: ReturnType<typeof createSeriesCache>;
  readonly decoders: DecoderThreads;
}

let kept: Kept | undefined;

function keep(settings: MetricRunSettings, context: ThreadContext): Kept {
  const policy = { defaultBucket: settings.bucket, allowedBuckets: new Set(settings.allowedBuckets) };
  return {
    policy,
    openDataset: createDatasetOpener(context.lake, policy),
    cache: createSeriesCache(settings.cache, () => systemClock.now()),
    decoders: createDecoderThreads(context.settings, context.lake.observer),
  };
}

export const task = defineTask<MetricRunTask, Executed>(async ({ settings, ...input }, context) => {
  kept ??= keep(settings, context);
  const { policy, cache, decoders } = kept;
  const openDataset = oncePerRun(kept.openDataset);
  const { lake, signal, progress } = context;
  const budget = createRunBudget(settings.inputs);
  const parts = { lake, openDataset, cache, decoders, policy, budget, signal };
  return await executeRun(input, {
    lake,
    clock: systemClock,
    settings,
    policy,
    openInput: (code) => openInput(input.request, code, parts),
    signal,
    progress,
  });
});
