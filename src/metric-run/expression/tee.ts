/**
 * A tee: one flow read by several consumers, each at its own pace, evaluated once.
 *
 * Invariants: each consumer sees every frame in order; a frame is kept until the last consumer has taken it,
 * so what is held is the skew between the fastest and the slowest; a consumer that is ahead never waits for
 * one that is behind, so no shape of consumers can deadlock; the end and an error reach all of them. The
 * frames are shared: none of the consumers may write to them.
 */

import type { Flow, Frame } from './frame.ts';

/** `consumers` flows, each of all frames of `input`. */
export function tee(input: Flow, consumers: number): Flow[] {
  const kept: Frame[] = [];
  /** How many frames were dropped from the front of `kept`. */
  let dropped = 0;
  let ended = false;
  let pulling: Promise<void> | undefined;
  /** For each consumer, how many frames it has taken. */
  const taken = new Array<number>(consumers).fill(0);

  async function pull(): Promise<void> {
    const frame = await input.next();
    if (frame === undefined) ended = true;
    else kept.push({ times: frame.times, values: frame.values, ownsValues: false });
    // On an error the rejected promise stays, and with it the error for every consumer.
    pulling = undefined;
  }

  function take(consumer: number): Frame | undefined {
    const at = taken[consumer]!;
    const frame = kept[at - dropped];
    if (frame === undefined) return undefined;
    taken[consumer] = at + 1;
    if (at === dropped && Math.min(...taken) > dropped) {
      kept.shift();
      dropped++;
    }
    return frame;
  }

  return taken.map((_, consumer) => ({
    async next() {
      for (;;) {
        const frame = take(consumer);
        if (frame !== undefined || ended) return frame;
        pulling ??= pull();
        await pulling;
      }
    },
  }));
}
