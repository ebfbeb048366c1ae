/** Waiting for what happens by itself, with an error that says what did not. */

import { systemClock } from '../../src/common/clock.ts';

export interface Patience {
  /** Default 15,000. */
  readonly timeoutMs?: number | undefined;
  /** Default 10. */
  readonly everyMs?: number | undefined;
}

/**
 * Asks until the answer is neither undefined nor false, and gives that answer.
 * `what` is named in the error when the time is up; a function is asked then, so that it can tell the state.
 */
export async function eventually<T>(
  what: string | (() => string),
  ask: () => T | undefined | false | Promise<T | undefined | false>,
  { timeoutMs = 15_000, everyMs = 10 }: Patience = {},
): Promise<T> {
  const deadline = systemClock.monotonic() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (systemClock.monotonic() > deadline) {
      throw new Error(`not within ${timeoutMs} ms: ${typeof what === 'string' ? what : what()}`);
    }
    await systemClock.sleep(everyMs);
  }
}

/** Passes when `wrong` stays undefined all the time; throws what it gives otherwise. */
export async function never(
  forMs: number,
  wrong: () => string | undefined | Promise<string | undefined>,
): Promise<void> {
  const deadline = systemClock.monotonic() + forMs;
  while (systemClock.monotonic() < deadline) {
    const found = await wrong();
    if (found !== undefined) throw new Error(found);
    await systemClock.sleep(20);
  }
}
