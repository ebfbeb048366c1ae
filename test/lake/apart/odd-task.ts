/** A task of the thread pool that does what it is told, and dies in every way. */

import { queryObjects } from 'node:v8';
import { MessagePort } from 'node:worker_threads';
import { InvalidRequestError, NotARequestError, RetryableError } from '../../../src/common/errors.ts';
import { defineTask } from '../../../src/lake/thread-context.ts';

export interface OddInput {
  readonly act: keyof typeof ACTS;
  readonly [more: string]: unknown;
}

type Context = Parameters<Parameters<typeof defineTask>[0]>[1];

const cause = new Error('deeper', { cause: new TypeError('deepest') });
const forever = () => new Promise<never>((_, reject) => void setTimeout(reject, 1e9));

const ACTS = {
  answer: async (input: OddInput) => ({ got: input.value }),
  invalid: async () => {
    throw new InvalidRequestError('INPUT_READ_ERROR', 'no good', { cause, fields: { bucket: 'b', n: 1 } });
  },
  retryable: async () => {
    throw new RetryableError('OUTPUT_WRITE_ERROR', 'not now', { cause });
  },
  'no request': async () => {
    throw new NotARequestError('not_json', 'what is this');
  },
  fault: async () => {
    throw new TypeError('a fault of ours');
  },
  'throw text': async () => {
    throw 'only text';
  },
  exit: async () => process.exit(7),
  'exit well': async () => process.exit(0),
  uncaught: async () => {
    setTimeout(() => {
      throw new Error('nobody catches this');
    }, 10);
    return await forever();
  },
  'reject unheard': async () => {
    void Promise.reject(new Error('nobody hears this'));
    return await forever();
  },
  'run out of memory': async () => {
    const held: unknown[] = [];
    for (;;) held.push(Array.from({ length: 10_000 }, (_, i) => ({ i })));
  },
  'overflow the stack': async () => {
    const deeper = (n: number): number => 1 + deeper(n + 1);
    return deeper(0);
  },
  'answer what can not cross': async () => () => 'a function',
  'wait for the signal': async (_: OddInput, { signal }: Context) => {
    await new Promise((resolve) => {
      signal.addEventListener('abort', resolve, { once: true });
    });
    throw signal.reason;
  },
  'tell progress': async ({ steps }: OddInput, { progress }: Context) => {
    for (let i = 1; i <= Number(steps); i++) {
      progress(i / Number(steps));
      await new Promise((resolve) => {
        setTimeout(resolve, 30);
      });
    }
  },
  'ask S3': async ({ bucket, key, times }: OddInput, { lake }: Context) => {
    const location = { bucket: String(bucket), key: String(key) };
    for (let i = 0; i < Number(times); i++) await lake.store.head(location);
    lake.observer.request({ operation: 'Relayed', status: '200', seconds: 0, bytesIn: 0, bytesOut: 0 });
    await lake.writer.create(location, Buffer.from('x'));
  },
  count: async () => ++counter,
  // A turn of the loop sees closed what the last task has closed.
  'count ports': async () => {
    await new Promise((resolve) => setImmediate(resolve));
    return queryObjects(MessagePort, { format: 'count' });
  },
} as const;

let counter = 0;

export const task = defineTask<OddInput, unknown>(async (input, context) => {
  const act: (input: OddInput, context: Context) => Promise<unknown> = ACTS[input.act];
  return await act(input, context);
});
