/** A clock that stands until it is moved. */

import type { Clock } from '../../src/common/clock.ts';

interface Timer {
  at: number;
  readonly fire: () => void;
}

export class ManualClock implements Clock {
  #now = 0;
  readonly #epoch: number;
  readonly #timers = new Set<Timer>();

  constructor(epoch = Date.parse('2025-01-15T10:30:00Z')) {
    this.#epoch = epoch;
  }

  now(): number {
    return this.#epoch + this.#now;
  }

  monotonic(): number {
    return this.#now;
  }

  turn(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const timer = this.#set(ms, () => {
        this.#timers.delete(timer);
        resolve();
      });
      signal?.addEventListener('abort', () => {
        this.#timers.delete(timer);
        reject(signal.reason);
      });
    });
  }

  every(ms: number, work: () => Promise<void> | void): () => void {
    let busy = false;
    const timer = this.#set(ms, async () => {
      timer.at += ms;
      if (busy) return;
      busy = true;
      try {
        await work();
      } finally {
        busy = false;
      }
    });
    return () => this.#timers.delete(timer);
  }

  timeout(ms: number, reason: () => Error): { signal: AbortSignal; clear(): void } {
    const controller = new AbortController();
    const timer = this.#set(ms, () => {
      this.#timers.delete(timer);
      controller.abort(reason());
    });
    return { signal: controller.signal, clear: () => this.#timers.delete(timer) };
  }

  /** Moves on, timer by timer; what each brings about is done before the next. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    await this.turn();
    for (;;) {
      const next = [...this.#timers].filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#now = next.at;
      next.fire();
      await this.turn();
    }
    this.#now = until;
  }

  /** Moves on without a timer being fired, as while a thread is busy. */
  move(ms: number): void {
    this.#now += ms;
  }

  /** Timers that are set. */
  get pending(): number {
    return this.#timers.size;
  }

  #set(ms: number, fire: () => void): Timer {
    const timer = { at: this.#now + ms, fire };
    this.#timers.add(timer);
    return timer;
  }
}
