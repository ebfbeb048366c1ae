import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { InvalidRequestError, RetryableError } from '../../src/common/errors.ts';
import { backoffSeconds, retry } from '../../src/common/retry.ts';

const policy = { attempts: 4, firstDelayMs: 1, maxDelayMs: 4 };
const passing = () => new RetryableError('INPUT_READ_ERROR', 'not now');

/** Work that fails so often, and what was heard of it. */
function failing(times: number, error: () => unknown) {
  const heard: string[] = [];
  let calls = 0;
  const work = async (attempt: number) => {
    calls++;
    expect(attempt).toBe(calls);
    if (calls <= times) throw error();
    return 'done';
  };
  const observe = (operation: string, seconds: number) => {
    heard.push(operation);
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThanOrEqual(0.008);
  };
  return { work, options: { operation: 'op', policy, observe }, heard, calls: () => calls };
}

describe('work', () => {
  test('that passes in the end is done, and each failure before is told', async () => {
    const { work, options, heard } = failing(3, passing);
    expect(await retry(work, options)).toBe('done');
    expect(heard).toEqual(['op', 'op', 'op']);
  });

  test('that never passes throws its last error after so many attempts', async () => {
    const { work, options, heard, calls } = failing(9, passing);
    await expect(retry(work, options)).rejects.toThrow('not now');
    expect(calls()).toBe(4);
    expect(heard).toHaveLength(3);
  });

  test.each([
    ['is invalid', () => new InvalidRequestError('CONFIG_ERROR', 'never')],
    ['is a fault of ours', () => new TypeError('never')],
  ])('that %s is not tried again', async (_, error) => {
    const { work, options, heard, calls } = failing(9, error);
    await expect(retry(work, options)).rejects.toThrow('never');
    expect({ calls: calls(), heard }).toEqual({ calls: 1, heard: [] });
  });

  test('may say for itself what is tried again', async () => {
    const { work, options } = failing(2, () => new Error('odd'));
    const shouldRetry = (error: unknown) => (error as Error).message === 'odd';
    expect(await retry(work, { ...options, shouldRetry })).toBe('done');
  });

  test('that is aborted between two attempts ends with the reason', async () => {
    const abort = new AbortController();
    const reason = new Error('the lease is lost');
    const { work, options, calls } = failing(9, passing);
    const slow = { attempts: 4, firstDelayMs: 10_000, maxDelayMs: 10_000 };
    const running = retry(work, { ...options, observe: () => {}, policy: slow, signal: abort.signal });
    setImmediate(() => abort.abort(reason));
    await expect(running).rejects.toBe(reason);
    expect(calls()).toBe(1);
  });

  test('that is aborted before it begins is not begun', async () => {
    const { work, options, calls } = failing(0, passing);
    await expect(retry(work, { ...options, signal: AbortSignal.abort(new Error('late')) })).rejects.toThrow(
      'late',
    );
    expect(calls()).toBe(0);
  });
});

describe('the delay of a message', () => {
  test.each([
    [1, 0, 3],
    [1, 0.999, 5],
    [2, 0, 5],
    [3, 0, 10],
    [4, 0.5, 30],
    [7, 0, 150],
    [7, 0.999, 300],
    [1000, 0.999, 300],
  ])('after attempt %d with jitter %d is %d seconds', (attempt, random, seconds) => {
    expect(backoffSeconds(attempt, 5, 300, random)).toBe(seconds);
  });

  test('is a whole number of seconds, between half of it and all, and never beyond the longest', () => {
    const most = fc.integer({ min: 0, max: 43_200 });
    const random = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1000 }),
        fc.integer({ min: 0, max: 900 }),
        most,
        random,
        (...given) => {
          const [attempt, first, longest] = given;
          const seconds = backoffSeconds(...given);
          const full = Math.min(longest, first * 2 ** Math.min(attempt - 1, 30));
          expect(Number.isInteger(seconds)).toBe(true);
          expect(seconds).toBeGreaterThanOrEqual(Math.floor(full / 2));
          expect(seconds).toBeLessThanOrEqual(full);
        },
      ),
    );
  });
});
