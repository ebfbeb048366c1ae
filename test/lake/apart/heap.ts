/** Whether V8 marks incrementally in a process that has the thread pool's settings. */

import { constants, PerformanceObserver } from 'node:perf_hooks';
import { systemClock } from '../../../src/common/clock.ts';
import '../../../src/lake/thread-pool.ts';

const KEPT = 20_000;
const A_TURN = 500;
const TURNS = 1_000;

/**
 * After how many turns it first did, of objects that live long enough to be promoted, and then die, as those
 * of a job that waits for S3 do; undefined: not at all.
 */
export async function marked(): Promise<number | undefined> {
  let marking = false;
  const observer = new PerformanceObserver((list) => {
    for (const { detail } of list.getEntries() as { detail?: unknown }[]) {
      const { kind } = detail as { readonly kind: number };
      if (kind === constants.NODE_PERFORMANCE_GC_INCREMENTAL) marking = true;
    }
  });
  observer.observe({ entryTypes: ['gc'] });
  const kept: unknown[] = new Array(KEPT).fill(undefined);
  let turns = 0;
  for (let made = 0; turns < TURNS && !marking; turns++) {
    for (let i = 0; i < A_TURN; i++, made++) {
      kept[made % KEPT] = Array.from({ length: 40 }, (_, of) => ({ made, of }));
    }
    await systemClock.turn();
  }
  observer.disconnect();
  if (kept.length !== KEPT) throw new Error('kept to the end');
  return marking ? turns : undefined;
}
