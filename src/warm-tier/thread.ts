/** The thread's side of a compaction: merges, and the facts of files that do not tell them. */

import type { WarmFileFacts } from '../contract/warm-manifest.ts';
import { createEncoderThreads, type EncoderThreads } from '../lake/encoder-threads.ts';
import { defineTask } from '../lake/thread-context.ts';
import { type MergeOutcome, type MergeTask, mergeFiles, readFileFacts } from './merge-files.ts';

export interface FactsTask {
  readonly bucket: string;
  readonly keys: readonly string[];
  readonly timeColumn: string;
}

export type WarmTask = ({ readonly kind: 'merge' } & MergeTask) | ({ readonly kind: 'facts' } & FactsTask);

export type WarmTaskResult = MergeOutcome | readonly WarmFileFacts[];

const FILES_AT_ONCE = 8;
/** It keeps up with the merging thread: each takes about half of the time. */
const ENCODERS = 1;

/** Of this thread, kept for the next merge; they start when one is large. */
let encoders: EncoderThreads | undefined;

export const task = defineTask<WarmTask, WarmTaskResult>(async (input, context) => {
  if (input.kind === 'merge') {
    encoders ??= createEncoderThreads(ENCODERS);
    return await mergeFiles(input, { ...context, encode: encoders.encode });
  }
  const { bucket, keys, timeColumn } = input;
  const facts: WarmFileFacts[] = [];
  for (let at = 0; at < keys.length; at += FILES_AT_ONCE) {
    const some = keys.slice(at, at + FILES_AT_ONCE);
    facts.push(...(await Promise.all(some.map((key) => readFileFacts(bucket, key, timeColumn, context)))));
  }
  return facts;
});
