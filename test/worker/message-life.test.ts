/** Every end that a message can come to, with the services as ports that answer or fail as told. */

import { describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { InvalidRequestError, RetryableError } from '../../src/common/errors.ts';
import type { OutgoingEvent } from '../../src/contract/outgoing-event.ts';
import { JobAbortedError } from '../../src/worker/abort-reason.ts';
import { createRegistry, type Handler, type Job, type JobContext } from '../../src/worker/handler.ts';
import { createMessageLife, type LifeParts, type LifeSettings } from '../../src/worker/message-life.ts';
import { type Delivery, LeaseLostError, type RequestQueue } from '../../src/worker/queue.ts';
import type { WorkerObserver } from '../../src/worker/worker-observer.ts';
import { ManualClock } from '../support/manual-clock.ts';

const SETTINGS: LifeSettings = {
  visibilitySeconds: 30,
  heartbeatEnabled: true,
  heartbeatSeconds: 5,
  deadlineSeconds: 100,
  maxAttempts: 3,
  retryFirstSeconds: 4,
  retryMaxSeconds: 60,
};

interface Given {
  readonly body?: string;
  readonly attempt?: number;
  /** Of the queue's redrive policy; null: it has none. */
  readonly maxReceiveCount?: number | null;
  readonly accept?: () => void;
  readonly answer?: () => Promise<string | undefined>;
  readonly run?: (context: JobContext) => Promise<string>;
  /** Whether publishing an event of this kind fails. */
  readonly unpublished?: (kind: string) => boolean;
  readonly renew?: (signal: AbortSignal | undefined, tell: (what: string) => void) => Promise<void>;
  /** Whether the dead-letter queue takes messages; null: there is none. */
  readonly deadLetters?: boolean | null;
}

/** A message's life up to its fate, and what was done on the way; `meanwhile` runs beside it. */
async function live(
  given: Given,
  meanwhile: (clock: ManualClock, stop: () => void) => Promise<void> = async () => {},
) {
  const { attempt = 1, maxReceiveCount = 3, deadLetters = true } = given;
  const clock = new ManualClock();
  const done: string[] = [];
  const event = (kind: OutgoingEvent['kind'], text: string): OutgoingEvent => ({
    kind,
    family: 'test',
    body: { type: `test_${kind}`, text },
    attributes: {},
    groupId: 'g',
    deduplicationId: 'd',
  });
  const answered = (text: string) => ({ event: event('completed', text), outcome: 'succeeded' });
  const job: Job = {
    started: (at) => event('started', at),
    heartbeat: (progress, _, tries, beat) => event('heartbeat', `${progress} ${tries}:${beat}`),
    async answer() {
      const text = await given.answer?.();
      return text === undefined ? undefined : answered(text);
    },
    run: async (context) => answered(await (given.run?.(context) ?? Promise.resolve('SUCCESS'))),
  };
  const handler: Handler = {
    type: 'test_requested',
    identify: () => ({
      logFields: {},
      failed: (code, message) => event('completed', `FAILURE ${code}: ${message}`),
    }),
    accept() {
      given.accept?.();
      return job;
    },
  };
  const queue = {
    async setVisibility(_: string, seconds: number, signal?: AbortSignal) {
      if (seconds === SETTINGS.visibilitySeconds) await given.renew?.(signal, (what) => done.push(what));
      else done.push(`visible in ${seconds}`);
    },
    async deadLetter(_: Delivery, reason: string) {
      if (deadLetters === null) return false;
      if (!deadLetters) throw new RetryableError('INTERNAL_ERROR', 'no');
      done.push(`dead letter: ${reason}`);
      return true;
    },
  } as unknown as RequestQueue;
  const observer: WorkerObserver = {
    received: (type) => done.push(`received ${type}`),
    started() {},
    finished: (_, outcome) => done.push(outcome),
    rejected: (reason) => done.push(`rejected: ${reason}`),
    retry() {},
    published() {},
  };
  const parts: LifeParts = {
    queue,
    publisher: {
      async publish({ kind, body }) {
        if (given.unpublished?.(kind)) throw new Error(`no ${kind}`);
        if (kind !== 'started') done.push(kind === 'heartbeat' ? `beat ${body.text}` : String(body.text));
      },
      check: async () => {},
      close() {},
    },
    registry: createRegistry([handler]),
    observer,
    clock,
    random: () => 0.5,
    logger: pino({ level: 'silent' }),
  };
  const shutdown = new AbortController();
  const handle = createMessageLife(
    SETTINGS,
    { maxReceiveCount: maxReceiveCount === null ? undefined : maxReceiveCount },
    parts,
  );
  const delivery: Delivery = {
    messageId: 'm',
    receiptHandle: 'r',
    body: given.body ?? '{"type": "test_requested"}',
    typeAttribute: undefined,
    groupId: 'g',
    attempt,
    firstReceivedAt: 0,
  };
  const living = handle(delivery, shutdown.signal);
  await meanwhile(clock, () => shutdown.abort(new JobAbortedError('shutdown', 'the worker shuts down')));
  const fate = await living;
  return { fate, done: done.filter((one) => one !== 'received test_requested'), pending: clock.pending };
}

/** Work that ends only when it is aborted. */
const endless = ({ signal }: JobContext) =>
  new Promise<string>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
const failing = (error: unknown) => async (): Promise<never> => {
  throw error;
};
/** Nothing is stored at first; then this is, or cannot be seen. */
const onSecondLook = (stored: string | Error) => {
  let looks = 0;
  return async () => {
    if (looks++ === 0) return undefined;
    if (typeof stored !== 'string') throw stored;
    return stored;
  };
};
const later = new RetryableError('INPUT_READ_ERROR', 'later');
const never = new InvalidRequestError('CONFIG_ERROR', 'never');
const bug = new TypeError('oops');

describe('a message comes to its end', () => {
  test.each<[what: string, given: Given, fate: string, done: string[]]>([
    ['done', {}, 'acknowledge', ['SUCCESS', 'succeeded']],
    ['done before', { answer: async () => 'STORED' }, 'acknowledge', ['STORED', 'answered']],
    [
      'refused',
      {
        accept: () => {
          throw never;
        },
      },
      'acknowledge',
      ['FAILURE CONFIG_ERROR: never', 'failed'],
    ],
    [
      'refused in its work',
      { run: failing(never) },
      'acknowledge',
      ['FAILURE CONFIG_ERROR: never', 'failed'],
    ],
    [
      'refused in its work at last',
      { run: failing(never), attempt: 3 },
      'acknowledge',
      ['FAILURE CONFIG_ERROR: never', 'failed'],
    ],
    [
      'refused, but SNS is away',
      { run: failing(never), unpublished: () => true, answer: async () => undefined },
      'keep',
      ['visible in 3', 'retry'],
    ],
    ['to be tried again', { run: failing(later) }, 'keep', ['visible in 3', 'retry']],
    [
      'to be tried again, more slowly',
      { run: failing(later), attempt: 2 },
      'keep',
      ['visible in 6', 'retry'],
    ],
    [
      'tried for the last time',
      { run: failing(later), attempt: 3 },
      'keep',
      ['FAILURE INPUT_READ_ERROR: later', 'visible in 0', 'exhausted'],
    ],
    [
      'tried for the last time, but SNS is away',
      { answer: failing(later), attempt: 3, unpublished: () => true },
      'keep',
      ['visible in 12', 'exhausted'],
    ],
    [
      'tried for the last time, with no redrive policy',
      { run: failing(later), attempt: 3, maxReceiveCount: null },
      'acknowledge',
      ['FAILURE INPUT_READ_ERROR: later', 'dead letter: attempts_exhausted', 'exhausted'],
    ],
    [
      'tried for the last time, with neither redrive policy nor dead-letter queue',
      { run: failing(later), attempt: 3, maxReceiveCount: null, deadLetters: null },
      'keep',
      ['FAILURE INPUT_READ_ERROR: later', 'visible in 12', 'exhausted'],
    ],
    [
      'done after all, though its last attempt failed',
      { run: failing(later), answer: onSecondLook('STORED'), attempt: 3 },
      'acknowledge',
      ['STORED', 'answered'],
    ],
    [
      'done after all, but SNS is away to the last: no FAILURE contradicts the result',
      {
        answer: onSecondLook('STORED'),
        attempt: 3,
        unpublished: (kind) => kind === 'completed',
      },
      'keep',
      ['visible in 12', 'exhausted'],
    ],
    [
      'tried for the last time, and what became of it cannot be seen',
      { run: failing(later), answer: onSecondLook(later), attempt: 3 },
      'keep',
      ['FAILURE INPUT_READ_ERROR: later', 'visible in 0', 'exhausted'],
    ],
    ['hit by a fault of ours', { run: failing(bug) }, 'keep', ['visible in 3', 'retry']],
    [
      'hit by a fault of ours at last',
      { run: failing(bug), attempt: 3 },
      'keep',
      ['FAILURE INTERNAL_ERROR: oops', 'visible in 0', 'exhausted'],
    ],
    ['without its started', { unpublished: (kind) => kind === 'started' }, 'keep', ['visible in 3', 'retry']],
    [
      'without its completed',
      { unpublished: (kind) => kind === 'completed' },
      'keep',
      ['visible in 3', 'retry'],
    ],
    [
      'no JSON',
      { body: 'x' },
      'acknowledge',
      ['received unknown', 'rejected: no_json', 'dead letter: no_json'],
    ],
    [
      'no known type',
      { body: '{"type":"x"}' },
      'acknowledge',
      ['received unknown', 'rejected: unknown_type', 'dead letter: unknown_type'],
    ],
    [
      'no JSON, and no dead-letter queue',
      { body: 'x', deadLetters: null },
      'keep',
      ['received unknown', 'rejected: no_json', 'visible in 3'],
    ],
    [
      'no JSON, and a dead-letter queue that refuses',
      { body: 'x', deadLetters: false, attempt: 2 },
      'keep',
      ['received unknown', 'rejected: no_json', 'visible in 6'],
    ],
  ])('%s', async (_, given, fate, done) => {
    const lived = await live(given);
    expect(lived).toMatchObject({ fate, pending: 0 });
    expect(lived.done).toEqual(done);
  });
});

describe('a job under way', () => {
  test('beats with its latest progress, held between 0 and 1', async () => {
    let progress: (fraction: number) => void = () => {};
    const finish = new AbortController();
    const run = async (context: JobContext) => {
      progress = context.progress;
      await new Promise<void>((resolve) => finish.signal.addEventListener('abort', () => resolve()));
      return 'SUCCESS';
    };
    const { done } = await live({ run, attempt: 2 }, async (clock) => {
      await clock.advance(5_000);
      progress(0.123_456);
      await clock.advance(5_000);
      progress(7);
      await clock.advance(5_000);
      finish.abort();
    });
    expect(done).toEqual(['beat 0 2:1', 'beat 0.123 2:2', 'beat 1 2:3', 'SUCCESS', 'succeeded']);
  });

  test('that is told to go gives its message back at once', async () => {
    const { fate, done } = await live({ run: endless }, async (clock, stop) => {
      await clock.advance(1_000);
      stop();
    });
    expect({ fate, done }).toEqual({ fate: 'keep', done: ['visible in 0', 'shutdown'] });
  });

  test('that gives its message back first gives up a renewal on its way, which would hide it again', async () => {
    const renew: Given['renew'] = (signal, tell) =>
      new Promise<void>((_, reject) =>
        signal?.addEventListener('abort', () => {
          tell('renewal given up');
          reject(signal.reason);
        }),
      );
    const { done } = await live(
      { run: endless, renew, unpublished: (kind) => kind === 'heartbeat' },
      async (clock, stop) => {
        await clock.advance(10_000);
        stop();
      },
    );
    expect(done).toEqual(['renewal given up', 'visible in 0', 'shutdown']);
  });

  test('whose lease is lost leaves its message alone, and says nothing', async () => {
    const renew = failing(new LeaseLostError('gone'));
    const { fate, done } = await live({ run: endless, renew }, (clock) => clock.advance(11_000));
    expect({ fate, done }).toEqual({ fate: 'keep', done: ['beat 0 1:1', 'lease_lost'] });
  });

  test('that takes longer than its deadline is stopped, and tried again', async () => {
    const { done } = await live({ run: endless, attempt: 2 }, (clock) => clock.advance(100_000));
    expect(done.filter((one) => !one.startsWith('beat'))).toEqual(['visible in 6', 'retry']);
  });

  test('that takes no notice of being stopped counts as what it came to', async () => {
    let finish: (text: string) => void = () => {};
    const run = () =>
      new Promise<string>((resolve) => {
        finish = resolve;
      });
    const { fate, done } = await live({ run }, async (clock, stop) => {
      await clock.advance(1_000);
      stop();
      finish('SUCCESS');
    });
    expect(['keep', 'acknowledge']).toContain(fate);
    if (fate === 'acknowledge') expect(done).toEqual(['SUCCESS', 'succeeded']);
  });
});

test('two handlers for one type are a fault of the wiring', () => {
  const handler = { type: 'a' } as Handler;
  expect(() => createRegistry([handler, handler])).toThrow('two handlers for a');
});
