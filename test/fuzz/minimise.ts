/** Making a failing input small: parts are left out, and bytes made plain, as long as it fails in the same way. */

import { systemClock } from '../../src/common/clock.ts';

export interface MinimiseBounds {
  readonly attempts: number;
  readonly ms: number;
}

/**
 * A smaller input of which `probe` says `signature`; `input` itself where none is found, or where it does
 * not fail any more when it is run alone.
 */
export async function minimised(
  input: Uint8Array,
  signature: string,
  probe: (input: Uint8Array) => Promise<string | undefined>,
  { attempts, ms }: MinimiseBounds,
): Promise<Uint8Array> {
  const deadline = systemClock.monotonic() + ms;
  let left = attempts;
  const fails = async (candidate: Uint8Array) => {
    left--;
    return (await probe(candidate)) === signature;
  };
  const mayGoOn = () => left > 0 && systemClock.monotonic() < deadline;
  let best = input;
  for (let parts = 2; parts <= best.length * 2 && mayGoOn(); ) {
    const size = Math.max(1, Math.ceil(best.length / parts));
    let shrunk = false;
    for (let at = 0; at < best.length && mayGoOn(); ) {
      const candidate = Buffer.concat([best.subarray(0, at), best.subarray(at + size)]);
      if (await fails(candidate)) {
        best = candidate;
        shrunk = true;
      } else at += size;
    }
    if (size === 1 && !shrunk) break;
    if (!shrunk) parts *= 2;
  }
  return best;
}
