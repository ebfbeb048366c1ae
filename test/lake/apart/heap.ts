/** How far the main thread's heap rises above what is alive in it, in a process that has the thread pool's settings. */

import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { systemClock } from '../../../src/common/clock.ts';
import '../../../src/lake/thread-pool.ts';

/** Of the old generation's objects, in bytes. */
export interface HeapReport {
  /** At most, garbage included. */
  readonly most: number;
  /** After a collection. */
  readonly alive: number;
}

const KEPT = 20_000;
const A_TURN = 500;
/** Until all places were taken twice, and the heap has been collected a few times. */
const SETTLED = (2 * KEPT) / A_TURN;

function oldObjects(): number {
  return getHeapSpaceStatistics().find(({ space_name }) => space_name === 'old_space')!.space_used_size;
}

/** Objects that live long enough to be promoted, and then die: as those of a job that waits for S3 do. */
export async function risen(turns: number): Promise<HeapReport> {
  const kept: unknown[] = new Array(KEPT).fill(undefined);
  let most = 0;
  for (let turn = 0, made = 0; turn < turns; turn++) {
    for (let i = 0; i < A_TURN; i++, made++) {
      kept[made % KEPT] = Array.from({ length: 40 }, (_, of) => ({ made, of }));
    }
    await systemClock.turn();
    if (turn > SETTLED) most = Math.max(most, oldObjects());
  }
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  const alive = oldObjects();
  if (kept.length !== KEPT) throw new Error('kept to the end');
  return { most, alive };
}
