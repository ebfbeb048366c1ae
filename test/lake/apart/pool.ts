/** The thread pool at work in a process of its own: what came of each task, as plain data. */

import { queryObjects } from 'node:v8';
import { MessagePort } from 'node:worker_threads';
import { systemClock } from '../../../src/common/clock.ts';
import { causesOf } from '../../../src/common/errors.ts';
import type { LakeObserver } from '../../../src/lake/request-observer.ts';
import { createThreadPool, type ThreadPool } from '../../../src/lake/thread-pool.ts';
import { openFaultLake } from '../fault-lake.ts';
import { startStallingS3 } from '../stalling-s3.ts';
import type { OddInput } from './odd-task.ts';

export interface Outcome {
  readonly value?: unknown;
  readonly error?: {
    readonly name: string;
    readonly code: string | undefined;
    readonly message: string;
    readonly causes: readonly string[];
    readonly fields: unknown;
  };
}

const TASK = new URL('odd-task.ts', import.meta.url);
const S3 = { region: 'us-east-1', forcePathStyle: true, connectTimeoutMs: 1_000, idleTimeoutMs: 5_000 };

const silent: LakeObserver = { request() {}, conflict() {}, retry() {} };

function settled(running: Promise<unknown>): Promise<Outcome> {
  return running.then(
    (value) => ({ value }),
    (error: Error & { code?: string; fields?: unknown }) => ({
      error: {
        name: error.name,
        code: error.code,
        message: error.message,
        causes: causesOf(error),
        fields: error.fields,
      },
    }),
  );
}

interface Extras {
  readonly signal?: AbortSignal;
  readonly progress?: (fraction: number) => void;
  readonly observer?: LakeObserver;
}

async function withPool<T>(
  threads: number,
  work: (run: (input: OddInput, extras?: Extras) => Promise<Outcome>, pool: ThreadPool) => Promise<T>,
): Promise<T> {
  const pool = createThreadPool(threads, { s3: S3 });
  const never = new AbortController().signal;
  const run = (input: OddInput, { signal = never, progress = () => {}, observer = silent }: Extras = {}) =>
    settled(pool.run(TASK, input, { signal, progress, observer }));
  try {
    return await work(run, pool);
  } finally {
    await pool.close();
  }
}

/** Runs the acts one after the other in one thread, and an answer after each. */
export function inTurn(acts: readonly OddInput['act'][]): Promise<{ outcome: Outcome; after: Outcome }[]> {
  return withPool(1, async (run) => {
    const outcomes = [];
    for (const act of acts) {
      const outcome = await run({ act });
      outcomes.push({ outcome, after: await run({ act: 'answer', value: act }) });
    }
    return outcomes;
  });
}

/** Message ports, on this side and in the thread, before and after so many tasks. */
export function portsAfter(tasks: number): Promise<{ here: [number, number]; there: [number, number] }> {
  return withPool(1, async (run) => {
    const here = () => Number(queryObjects(MessagePort, { format: 'count' }));
    const there = async () => Number((await run({ act: 'count ports' })).value);
    const some = async (count: number) => {
      for (let n = 0; n < count; n++) await run({ act: 'answer' });
      const inThread = await there();
      await systemClock.turn();
      return [here(), inThread] as const;
    };
    const before = await some(5);
    const after = await some(tasks);
    return { here: [before[0], after[0]], there: [before[1], after[1]] };
  });
}

export interface Besides {
  readonly dying: Outcome;
  readonly beside: Outcome;
  readonly progress: readonly number[];
}

/** Tasks that die, each beside one that goes on. */
export function besides(acts: readonly OddInput['act'][]): Promise<Besides[]> {
  return withPool(2, async (run) => {
    const outcomes: Besides[] = [];
    for (const act of acts) {
      const progress: number[] = [];
      const told = (part: number) => void progress.push(part);
      const beside = run({ act: 'tell progress', steps: 10 }, { progress: told });
      const dying = await run({ act });
      outcomes.push({ dying, beside: await beside, progress });
    }
    return outcomes;
  });
}

/** A thread is kept between tasks. */
export function kept(): Promise<unknown[]> {
  return withPool(1, async (run) => {
    const counts = [];
    for (let i = 0; i < 3; i++) counts.push((await run({ act: 'count' })).value);
    return counts;
  });
}

/** Aborted before it begins, in its course, and while it waits for a thread. */
export function aborted(): Promise<{ outcomes: Outcome[]; after: Outcome; ms: number }> {
  return withPool(1, async (run) => {
    const controllers = [0, 1, 2].map(() => new AbortController());
    const [early, midway, queued] = controllers.map(({ signal }) => signal);
    controllers[0]!.abort(new Error('too early'));
    const first = await run({ act: 'answer' }, { signal: early! });
    const waiting = run({ act: 'wait for the signal' }, { signal: midway! });
    const behind = run({ act: 'wait for the signal' }, { signal: queued! });
    await systemClock.sleep(300);
    const started = systemClock.monotonic();
    controllers[2]!.abort(new Error('while queued'));
    controllers[1]!.abort(new Error('midway'));
    const outcomes = [first, await waiting, await behind];
    const ms = systemClock.monotonic() - started;
    return { outcomes, after: await run({ act: 'answer' }), ms };
  });
}

/** Closing a pool whose thread is at work. */
export async function closed(): Promise<Outcome> {
  const pool = createThreadPool(1, { s3: S3 });
  const running = settled(
    pool.run(
      TASK,
      { act: 'wait for the signal' },
      {
        signal: new AbortController().signal,
        progress() {},
        observer: silent,
      },
    ),
  );
  await systemClock.sleep(300);
  await pool.close();
  return await running;
}

/** The S3 requests of tasks, as told, and those that S3 saw. */
export async function observed(
  tasks: number,
): Promise<{ told: Record<string, number>; conflicts: string[] }> {
  const rig = await openFaultLake();
  try {
    return await withPool(2, async (run) => {
      const told: Record<string, number> = {};
      const conflicts: string[] = [];
      const observer: LakeObserver = {
        request: ({ operation, status }) => {
          const name = `${operation} ${status}`;
          told[name] = (told[name] ?? 0) + 1;
        },
        conflict: (operation) => void conflicts.push(operation),
        retry() {},
      };
      const input: OddInput = { act: 'ask S3', bucket: rig.bucket, key: 'one', times: 3 };
      const outcomes = await Promise.all(Array.from({ length: tasks }, () => run(input, { observer })));
      const failed = outcomes.find(({ error }) => error !== undefined);
      if (failed !== undefined) throw new Error(failed.error?.message);
      return { told, conflicts };
    });
  } finally {
    await rig.close();
  }
}

/** The S3 requests of tasks between which S3 closed the idle connections. */
export async function afterIdling(tasks: number): Promise<string[]> {
  const server = await startStallingS3();
  const keys = { AWS_ACCESS_KEY_ID: 'k', AWS_SECRET_ACCESS_KEY: 's' };
  Object.assign(process.env, { AWS_ENDPOINT_URL: server.endpoint, ...keys });
  try {
    return await withPool(1, async (run) => {
      const told: string[] = [];
      const request: LakeObserver['request'] = ({ operation, status }) =>
        void told.push(`${operation} ${status}`);
      for (let i = 0; i < tasks; i++) {
        const input: OddInput = { act: 'ask S3', bucket: 'b', key: 'k', times: 2 };
        const { error } = await run(input, { observer: { ...silent, request } });
        if (error !== undefined) throw new Error(error.message);
        await systemClock.sleep(50);
        server.dropIdle();
        await systemClock.sleep(50);
      }
      return told;
    });
  } finally {
    await server.close();
  }
}
