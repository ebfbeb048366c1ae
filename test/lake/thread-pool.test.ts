/** The thread pool, in a process of its own: a thread that fails or dies fails its task, and nothing else. */

import { beforeAll, describe, expect, test } from '@jest/globals';
import type { OddInput } from './apart/odd-task.ts';
import type { Besides, Outcome } from './apart/pool.ts';
import { runApart } from './apart/run-apart.ts';

const POOL = new URL('apart/pool.ts', import.meta.url);
const SMALL_HEAP = { execArgv: ['--max-old-space-size=128'] };

interface InTurn {
  readonly outcome: Outcome;
  readonly after: Outcome;
}

const inTurn = (...acts: OddInput['act'][]) => runApart<InTurn[]>(POOL, 'inTurn', acts, SMALL_HEAP);

test('errors keep their kind, code, fields and causes on their way', async () => {
  const causes = ['Error: Error: deeper', 'Error: TypeError: deepest'];
  const outcomes = await inTurn('answer', 'invalid', 'retryable', 'no request', 'fault', 'throw text');
  expect(outcomes.map(({ outcome }) => outcome)).toMatchObject([
    { value: { got: undefined } },
    {
      error: {
        name: 'InvalidRequestError',
        code: 'INPUT_READ_ERROR',
        message: 'no good',
        causes,
        fields: { bucket: 'b', n: 1 },
      },
    },
    { error: { name: 'RetryableError', code: 'OUTPUT_WRITE_ERROR', message: 'not now', causes } },
    { error: { name: 'NotARequestError', message: 'what is this' } },
    { error: { name: 'Error', code: undefined, message: 'a fault of ours' } },
    { error: { name: 'Error', code: undefined, message: 'only text' } },
  ]);
});

describe('a task is the only one that fails when its thread', () => {
  const cases: readonly (readonly [string, OddInput['act'], RegExp])[] = [
    ['exits', 'exit', /exited with code: 7/],
    ['exits as if all were well', 'exit well', /exit/],
    ['throws where nobody catches', 'uncaught', /nobody catches this/],
    ['rejects where nobody hears', 'reject unheard', /nobody hears this/],
    ['runs out of memory', 'run out of memory', /memory/],
    ['overflows its stack', 'overflow the stack', /stack/],
    ['answers what can not cross', 'answer what can not cross', /^/],
  ];
  let outcomes: readonly Besides[];

  beforeAll(async () => {
    const acts = cases.map(([, act]) => act);
    outcomes = await runApart<Besides[]>(POOL, 'besides', acts, SMALL_HEAP);
  }, 60_000);

  test.each(cases)('%s', (_, act, message) => {
    const { dying, beside, progress } = outcomes[cases.findIndex((one) => one[1] === act)]!;
    expect(dying.error?.message).toMatch(message);
    expect(dying.error?.name).not.toMatch(/Request|Retryable/); // A fault of ours, and retried as such.
    expect(beside).toEqual({ value: undefined });
    expect(progress.at(-1)).toBe(1);
    expect(progress).toEqual(progress.toSorted((a, b) => a - b));
  });

  test('died, and the next task has a new one', async () => {
    const acts = ['exit', 'uncaught', 'run out of memory'] as const;
    const turns = await inTurn(...acts);
    expect(turns.map(({ after }) => after)).toEqual(acts.map((got) => ({ value: { got } })));
    expect(turns.every(({ outcome }) => outcome.error !== undefined)).toBe(true);
  });
});

test('a thread is kept between tasks', async () => {
  expect(await runApart(POOL, 'kept', undefined)).toEqual([1, 2, 3]);
});

test('a task leaves no message port behind, on either side', async () => {
  const { here, there } = await runApart<{ here: [number, number]; there: [number, number] }>(
    POOL,
    'portsAfter',
    50,
  );
  expect(here[1] - here[0]).toBeLessThan(5);
  expect(there[1] - there[0]).toBeLessThan(5);
});

test('heaps are marked as they grow: else what is promoted and then dies comes to many times what is alive', async () => {
  const heap = new URL('apart/heap.ts', import.meta.url);
  // As in the container.
  const execArgv = ['--max-semi-space-size=8'];
  expect(await runApart<number | undefined>(heap, 'marked', undefined, { execArgv })).toBeDefined();
});

test('a signal that aborts ends its task with its reason, wherever the task is', async () => {
  const { outcomes, after, ms } = await runApart<{ outcomes: Outcome[]; after: Outcome; ms: number }>(
    POOL,
    'aborted',
    undefined,
  );
  expect(outcomes.map(({ error }) => error?.message)).toEqual(['too early', 'midway', 'while queued']);
  expect(after).toEqual({ value: { got: undefined } });
  expect(ms).toBeLessThan(10_000);
});

test('closing ends the threads that are at work', async () => {
  const outcome = await runApart<Outcome>(POOL, 'closed', undefined);
  expect(outcome.error).toBeDefined();
});

test('no S3 request of a task is lost on its way to the metrics', async () => {
  const tasks = 40;
  const { told, conflicts } = await runApart<{ told: Record<string, number>; conflicts: string[] }>(
    POOL,
    'observed',
    tasks,
  );
  const { 'HeadObject 200': found = 0, 'HeadObject 404': missing = 0, ...rest } = told;
  // Three looks of each task, and one of each whose create met another's.
  expect(found + missing).toBe(3 * tasks + tasks - 1);
  expect(rest).toEqual({ 'Relayed 200': tasks, 'PutObject 200': 1, 'PutObject 412': tasks - 1 });
  expect(conflicts).toHaveLength(tasks - 1);
});

test('a thread that idles sees S3 close its connections, and does not write into them', async () => {
  const told = await runApart<string[]>(POOL, 'afterIdling', 4);
  expect(new Set(told)).toEqual(new Set(['HeadObject 200', 'PutObject 200', 'Relayed 200']));
});
