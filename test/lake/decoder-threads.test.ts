/** Decoder threads, in a process of its own: the same rows, the same errors, and no thread lost or left. */

import { expect, test } from '@jest/globals';
import { runApart } from './apart/run-apart.ts';

const DECODERS = new URL('apart/decoders.ts', import.meta.url);
const apart = <T>(name: string) => runApart<T>(DECODERS, name, undefined);

interface Outcomes {
  readonly outcomes: Readonly<Record<string, unknown>>;
  readonly threads: number;
}

test('series are decoded side by side, and threads are kept for the next', async () => {
  const { right, threads, counted } = await apart<{
    right: boolean[];
    threads: number;
    counted: { told: number; seen: number };
  }>('atOnce');
  expect(right).toEqual([true, true, true, true]);
  expect(threads).toBe(3);
  // Every request but the few of before the count began.
  expect(counted.told).toBeGreaterThanOrEqual(counted.seen);
  expect(counted.seen).toBeGreaterThan(50);
});

test('retries within a decoder are told, as its requests are', async () => {
  const { right, retries } = await apart<{ right: boolean; retries: string[] }>('brokenOff');
  expect(right).toBe(true);
  expect(retries).toEqual(['retry s3_read_body', 'retry s3_read_body']);
});

test('errors keep their kind and code, and the thread is good for another series', async () => {
  const { wrong, afterwards, threads } = await apart<{
    wrong: Readonly<Record<string, string>>;
    afterwards: boolean[];
    threads: number;
  }>('failures');
  const s3 = 's3://tidemill-lake';
  expect(wrong).toEqual({
    broken: expect.stringMatching(`^InvalidRequestError INPUT_READ_ERROR: ${s3}/broken can not be decoded: `),
    forbidden: `InvalidRequestError INPUT_READ_ERROR: Failed to read ${s3}/good: AccessDenied (HTTP 403)`,
    failing: `RetryableError INPUT_READ_ERROR: Failed to read ${s3}/good: InternalError (HTTP 500)`,
    dropping: expect.stringMatching(`^RetryableError INPUT_READ_ERROR: Failed to read ${s3}/good: `),
    changed: `RetryableError INPUT_READ_ERROR: ${s3}/changing changed while it was being read`,
    deleted: `RetryableError INPUT_READ_ERROR: ${s3}/going was deleted while it was being read`,
  });
  expect(afterwards).toEqual([true, true, true, true]);
  expect(threads).toBe(1);
});

test('a source that is left, in whatever way, ends at once and gives its thread back', async () => {
  const { outcomes, threads } = await apart<Outcomes>('leaving');
  expect(outcomes).toEqual({
    'closed at once': true,
    'closed after a batch': true,
    'closed after many batches': true,
    'aborted midway': 'Error : told to stop',
    'aborted for good': 'Error : told to stop',
    'after an abort': true,
    'aborted before': 'Error : too early',
    'after an early abort': true,
    'closed while a pull waits': 'no error',
    'after that': true,
  });
  expect(threads).toBe(1);
});

test('a decoder reads no further than its consumer has room for', async () => {
  const { untaken, afterEleven, all, rows } = await apart<{
    untaken: number;
    afterEleven: number;
    all: number;
    rows: number;
  }>('backpressure');
  expect(untaken).toBeLessThanOrEqual(10);
  expect(afterEleven).toBeLessThanOrEqual(25);
  expect(all).toBeGreaterThan(100);
  expect(rows).toBe(12_000);
});

test('a thread that dies fails its series alone; idle or not, the next series has another', async () => {
  const { outcomes, threads } = await apart<Outcomes>('deaths');
  expect(outcomes).toEqual({
    'died at work': 'Error : the decoder thread died',
    'after a death': 12_000,
    'idle error': true,
    'after an idle death': 12_000,
    'closed under it': 'Error : the decoder thread died',
    'after closing': 12_000,
  });
  expect(threads).toBe(4);
});
