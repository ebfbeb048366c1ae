/**
 * The one retry policy of the product: exponential, jittered, bounded, abortable (p-retry beneath).
 * Only errors of kind `retryable` are tried again, unless the caller says otherwise.
 */

import pRetry from 'p-retry';
import { RetryableError } from './errors.ts';

export interface RetryPolicy {
  /** How many times work is done at most, the first one included. */
  readonly attempts: number;
  /** The delay before the second attempt, in milliseconds; it doubles from then on. */
  readonly firstDelayMs: number;
  /** The longest delay, in milliseconds. */
  readonly maxDelayMs: number;
}

export const DEFAULT_RETRY_POLICY: RetryPolicy = { attempts: 4, firstDelayMs: 50, maxDelayMs: 2_000 };

/** Told of each failed attempt that will be tried again: the operation's bounded name, and the sleep to come. */
export type RetryObserver = (operation: string, sleepSeconds: number) => void;

export interface RetryOptions {
  /** A short, bounded name for metrics, as `s3_get`. */
  readonly operation: string;
  readonly policy?: RetryPolicy;
  readonly signal?: AbortSignal | undefined;
  readonly observe?: RetryObserver | undefined;
  /** Whether to try again after this error; default: it is a `RetryableError`. */
  readonly shouldRetry?: (error: unknown) => boolean;
}

/** Does `work` until it succeeds, fails for good, or the policy is used up; then throws its last error. */
export async function retry<T>(work: (attempt: number) => Promise<T>, options: RetryOptions): Promise<T> {
  const policy = options.policy ?? DEFAULT_RETRY_POLICY;
  const shouldRetry = options.shouldRetry ?? ((error) => error instanceof RetryableError);
  return await pRetry(work, {
    retries: policy.attempts - 1,
    minTimeout: policy.firstDelayMs,
    maxTimeout: policy.maxDelayMs,
    factor: 2,
    randomize: true,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    shouldRetry: ({ error }) => shouldRetry(error),
    onFailedAttempt: ({ error, retriesLeft, retryDelay }) => {
      if (retriesLeft > 0 && shouldRetry(error)) options.observe?.(options.operation, retryDelay / 1000);
    },
  });
}

/**
 * The delay before a message's next attempt, in whole seconds: doubles from `firstSeconds` to
 * `maxSeconds`, and half of it is jitter. `attempt` counts from 1; `random` is in [0, 1).
 */
export function backoffSeconds(
  attempt: number,
  firstSeconds: number,
  maxSeconds: number,
  random: number,
): number {
  const full = Math.min(maxSeconds, firstSeconds * 2 ** Math.min(attempt - 1, 30));
  return Math.round(full / 2 + (full / 2) * random);
}
