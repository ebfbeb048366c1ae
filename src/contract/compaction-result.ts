/**
 * What a compaction did: what its completed event tells, and what the month's manifest remembers, so that
 * a request that is delivered again is answered in the same words.
 */

import { z } from 'zod';

const count = z.int().min(0);
const keys = z.array(z.string());

export const compactionResult = z.object({
  /** `added`: hot files were let in, nothing was merged. `unchanged`: there was nothing to do. */
  outcome: z.enum(['compacted', 'added', 'unchanged']),
  /** Months whose manifests were written, by key and revision. */
  manifests: z.array(z.object({ key: z.string(), revision: count })),
  /** Hot keys that were let in. */
  added: keys,
  written: z.array(z.object({ key: z.string(), level: count, rows: count, bytes: count })),
  /** How many files each level has now, from level 0 on. */
  levels: z.array(count),
  deleted: keys,
  /** How many there were, where a list above is cut. */
  counts: z.object({ added: count, written: count, deleted: count }),
});

export type CompactionResult = Readonly<z.infer<typeof compactionResult>>;

/** What was done to one month. */
export interface MonthChanges {
  readonly manifests: readonly Readonly<CompactionResult['manifests'][number]>[];
  readonly added: readonly string[];
  readonly written: readonly Readonly<CompactionResult['written'][number]>[];
  readonly deleted: readonly string[];
}

export const NO_CHANGES = { manifests: [], added: [], written: [], deleted: [] } as const;

/** Each list names this many at most: a whole month's keys would be more than SNS takes in a message. */
const MAX_LISTED = 100;

/** @param levels how many files each level has afterwards, from level 0 on */
export function compactionResultOf(
  changes: MonthChanges,
  levels: readonly number[],
  swept?: MonthChanges,
): CompactionResult {
  const { added, written } = changes;
  const deleted = [...changes.deleted, ...(swept?.deleted ?? [])];
  return {
    outcome: written.length > 0 ? 'compacted' : added.length > 0 ? 'added' : 'unchanged',
    manifests: [...changes.manifests, ...(swept?.manifests ?? [])],
    added: added.slice(0, MAX_LISTED),
    written: written.slice(0, MAX_LISTED).map(({ key, level, rows, bytes }) => ({ key, level, rows, bytes })),
    levels: [...levels],
    deleted: deleted.slice(0, MAX_LISTED),
    counts: { added: added.length, written: written.length, deleted: deleted.length },
  };
}

/** A request that was carried out, and what it is answered with. */
export interface AnsweredRequest {
  readonly requestId: string;
  readonly result: CompactionResult;
}

/** As many as may be under way at once, and again on their way: a redelivery comes soon. */
const MAX_REMEMBERED = 16;
/** As JSON. The newest one is kept, however large. */
const MAX_REMEMBERED_BYTES = 16_384;

/** The answers with a newer one, oldest first; a request has one. */
export function remember(answers: readonly AnsweredRequest[], newer: AnsweredRequest): AnsweredRequest[] {
  const others = answers.filter(({ requestId }) => requestId !== newer.requestId);
  const kept = [newer];
  let bytes = 0;
  for (const answer of others.toReversed()) {
    bytes += JSON.stringify(answer).length;
    if (kept.length === MAX_REMEMBERED || bytes > MAX_REMEMBERED_BYTES) break;
    kept.unshift(answer);
  }
  return kept;
}
