/**
 * The worker: as many consumer loops as it may run jobs at once, and their orderly end.
 *
 * States: starting -> running -> draining -> stopped. While draining no message is received; jobs in
 * hand get the grace period, then they are aborted and their messages made visible at once.
 */

import { messageOf } from '../common/errors.ts';
import { JobAbortedError } from './abort-reason.ts';
import { type ConsumerLoop, createConsumerLoop } from './consumer-loop.ts';
import { createMessageLife, type Fate, type LifeParts, type LifeSettings } from './message-life.ts';
import type { Delivery } from './queue.ts';

export interface WorkerSettings extends LifeSettings {
  readonly concurrency: number;
  readonly waitSeconds: number;
  readonly shutdownGraceSeconds: number;
}

export type WorkerState = 'starting' | 'running' | 'draining' | 'stopped';

export interface Worker {
  start(): Promise<void>;
  /** Drains and stops; safe to call more than once. */
  stop(): Promise<void>;
  readonly state: WorkerState;
  /** Whether every loop turns. */
  isAlive(): boolean;
}

/** How long an aborted job may take to let go before its message is given back over its head. */
const LET_GO_MS = 3_000;
const GIVE_BACK_MS = 1_000;
/** A loop that has not turned for its wait and this long is stuck. */
const STUCK_AFTER_MS = 60_000;
/** Pauses between readings of a redrive policy that could not be read: the first, doubling up to the longest. */
const REDRIVE_FIRST_MS = 1_000;
const REDRIVE_LONGEST_MS = 60_000;

export function createWorker(settings: WorkerSettings, parts: LifeParts): Worker {
  const { queue, clock, logger } = parts;
  const shutdown = new AbortController();
  let state: WorkerState = 'starting';
  let loops: ConsumerLoop[] = [];
  let stopping: Promise<void> | undefined;
  const inHand = new Set<Delivery>();
  const redrive: { maxReceiveCount: number | undefined } = { maxReceiveCount: undefined };
  const asking = new AbortController();

  async function drain(): Promise<void> {
    state = 'draining';
    asking.abort(new Error('the worker is draining'));
    logger.info({ grace_seconds: settings.shutdownGraceSeconds }, 'draining');
    const drained = Promise.all(loops.map((loop) => loop.drain()));
    const hurry = new AbortController();
    const grace = clock.sleep(settings.shutdownGraceSeconds * 1000, hurry.signal).then(
      () => 'late' as const,
      () => 'done' as const,
    );
    const first = await Promise.race([drained.then(() => 'done' as const), grace]);
    if (first === 'late') {
      logger.warn('the grace period is over: jobs in hand are aborted and given back');
      shutdown.abort(new JobAbortedError('shutdown', 'the worker shuts down'));
      await Promise.race([drained, clock.sleep(LET_GO_MS, hurry.signal).catch(() => {})]);
      // Another attempt may begin beside what does not let go: handlers make their effects but once.
      await Promise.all([...inHand].map(giveBack));
    }
    hurry.abort(new Error('drained'));
    state = 'stopped';
  }

  return {
    async start() {
      if (!(await readRedrive())) void keepReading();
      const live = createMessageLife(settings, redrive, parts);
      const handle = async (delivery: Delivery): Promise<Fate> => {
        if (state === 'draining') {
          await giveBack(delivery);
          return 'keep';
        }
        inHand.add(delivery);
        try {
          return await live(delivery, shutdown.signal);
        } finally {
          inHand.delete(delivery);
        }
      };
      loops = Array.from({ length: settings.concurrency }, () =>
        createConsumerLoop(settings, queue, handle, parts),
      );
      for (const loop of loops) loop.start();
      state = 'running';
    },
    stop() {
      stopping ??= drain();
      return stopping;
    },
    get state() {
      return state;
    },
    isAlive: () => loops.every((loop) => loop.isAlive(settings.waitSeconds * 1000 + STUCK_AFTER_MS)),
  };

  async function giveBack({ receiptHandle }: Delivery): Promise<void> {
    const timeout = clock.timeout(GIVE_BACK_MS, () => new Error('giving the message back took too long'));
    await queue.setVisibility(receiptHandle, 0, timeout.signal).catch(() => {});
    timeout.clear();
  }

  /** Whether it could be read. */
  async function readRedrive(): Promise<boolean> {
    try {
      redrive.maxReceiveCount = await queue.maxReceiveCount(asking.signal);
      return true;
    } catch (error) {
      logger.warn(
        { cause: messageOf(error) },
        "could not read the queue's redrive policy: WORKER_MAX_ATTEMPTS counts",
      );
      return false;
    }
  }

  /** Reads the policy later: what passes must not decide for good when requests are given up. */
  async function keepReading(): Promise<void> {
    for (let pause = REDRIVE_FIRST_MS; ; pause = Math.min(2 * pause, REDRIVE_LONGEST_MS)) {
      await clock.sleep(pause, asking.signal).catch(() => {});
      if (asking.signal.aborted) return;
      if (!(await readRedrive())) continue;
      logger.info({ max_receive_count: redrive.maxReceiveCount }, "the queue's redrive policy is known now");
      return;
    }
  }
}
