/**
 * Time as a component, so that no other module reads a clock or starts a timer of its own.
 * Wall time is in milliseconds since the epoch; durations are measured on the monotonic clock.
 */

export interface Clock {
  /** Wall time, milliseconds since the epoch. */
  now(): number;
  /** Monotonic milliseconds, for durations only. */
  monotonic(): number;
  /** Resolves after `ms`; rejects with the signal's reason when it aborts first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Resolves after the event loop has turned: timers and messages that are due come first. */
  turn(): Promise<void>;
  /** Calls `work` every `ms` until the returned function is called; never overlaps a slow call with the next. */
  every(ms: number, work: () => Promise<void> | void): () => void;
  /** An AbortSignal that aborts after `ms`, and a function that calls it off. */
  timeout(ms: number, reason: () => Error): { signal: AbortSignal; clear(): void };
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep(ms, signal) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const onAbort = () => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      }, ms);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  },
  turn: () => new Promise((resolve) => setImmediate(resolve)),
  every(ms, work) {
    let busy = false;
    const timer = setInterval(async () => {
      if (busy) return;
      busy = true;
      try {
        await work();
      } finally {
        busy = false;
      }
    }, ms);
    return () => clearInterval(timer);
  },
  timeout(ms, reason) {
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(reason()), ms);
    return { signal: controller.signal, clear: () => clearTimeout(timer) };
  },
};

/** Calls `work` if the process still runs after `ms`, which this does not make it do. */
export function unlessEnded(ms: number, work: () => void): void {
  setTimeout(work, ms).unref();
}

/** Milliseconds of the machine's monotonic clock: unlike `monotonic`, the same for all its processes and threads. */
export function machineMonotonic(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

const TURN_EVERY_MS = 50;

/**
 * A function to await between the pieces of long work whose promises never wait for anything: without
 * it, neither timers nor messages would be heard in its thread before its end. Turns the event loop at
 * most every `TURN_EVERY_MS`.
 */
export function breather(clock: Clock): () => Promise<void> {
  let last = clock.monotonic();
  return async () => {
    if (clock.monotonic() - last < TURN_EVERY_MS) return;
    await clock.turn();
    last = clock.monotonic();
  };
}

/** `2025-01-15T10:30:10Z`: UTC, whole seconds, as the events carry it. */
export function isoSeconds(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

/** `2025-01-15T10-30-10`: UTC, whole seconds, as versions are named; sorts as text in order of time. */
export function versionStamp(ms: number): string {
  return new Date(ms).toISOString().slice(0, 19).replaceAll(':', '-');
}
