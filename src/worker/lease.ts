/**
 * The lease on a message: SQS keeps it invisible to others for a while, and we renew that while its job
 * runs, shutdown included. A lease that SQS refuses to renew, or that ran out because it could not be
 * renewed in time, is lost: another worker may have the message, and the job must stop.
 */

import type { Clock } from '../common/clock.ts';
import { messageOf } from '../common/errors.ts';
import { LeaseLostError } from './queue.ts';

export interface Lease {
  /** Ends the renewing; the message stays invisible for what is left of the lease. */
  stop(): Promise<void>;
}

export interface LeaseOptions {
  /** How long one renewal lasts, in seconds. */
  readonly visibilitySeconds: number;
  readonly renew: (seconds: number, signal: AbortSignal) => Promise<void>;
  /** Called once, when the lease is lost. */
  readonly onLost: (why: string) => void;
  /** Told of renewals that failed and will be tried again. */
  readonly onError: (error: unknown) => void;
  readonly clock: Clock;
}

/** Starts to renew a lease that began with the message's receipt, just now. */
export function holdLease(options: LeaseOptions): Lease {
  const { visibilitySeconds, renew, onLost, onError, clock } = options;
  const lengthMs = visibilitySeconds * 1000;
  const stopped = new AbortController();
  let endsAt = clock.monotonic() + lengthMs;

  async function run(): Promise<void> {
    let pause = lengthMs / 3;
    while (!stopped.signal.aborted) {
      await clock.sleep(pause, stopped.signal);
      const asked = clock.monotonic();
      const timeout = clock.timeout(
        Math.max(500, endsAt - asked),
        () => new Error('the renewal took too long'),
      );
      try {
        await renew(visibilitySeconds, AbortSignal.any([stopped.signal, timeout.signal]));
        endsAt = asked + lengthMs;
        pause = lengthMs / 3;
      } catch (error) {
        if (stopped.signal.aborted) return;
        if (error instanceof LeaseLostError) {
          onLost(error.message);
          return;
        }
        if (clock.monotonic() >= endsAt) {
          onLost(`it ran out, since renewing failed: ${messageOf(error)}`);
          return;
        }
        onError(error);
        pause = Math.max(200, Math.min(lengthMs / 10, endsAt - clock.monotonic()));
      } finally {
        timeout.clear();
      }
    }
  }

  const running = run().catch(() => {
    // Only the sleep rejects, when the lease is stopped.
  });
  return {
    async stop() {
      stopped.abort(new Error('the lease is no longer needed'));
      await running;
    },
  };
}
