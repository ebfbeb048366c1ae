import { expect, test } from '@jest/globals';
import { holdLease } from '../../src/worker/lease.ts';
import { LeaseLostError } from '../../src/worker/queue.ts';
import { ManualClock } from '../support/manual-clock.ts';

type Answer = 'renewed' | 'refused' | 'failed' | 'silent';

/** Holds a lease of 30 s whose renewals get these answers by turns, the last one for ever. */
function hold(...answers: Answer[]) {
  const clock = new ManualClock();
  const renewals: number[] = [];
  const lost: string[] = [];
  const errors: string[] = [];
  const lease = holdLease({
    visibilitySeconds: 30,
    clock,
    async renew(seconds, signal) {
      expect(seconds).toBe(30);
      const answer = answers[Math.min(renewals.length, answers.length - 1)];
      renewals.push(clock.monotonic() / 1000);
      if (answer === 'refused') throw new LeaseLostError('the lease is gone: MessageNotInflight');
      if (answer === 'failed') throw new Error('no connection');
      if (answer === 'silent') {
        await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
      }
    },
    onLost: (why) => lost.push(`${clock.monotonic() / 1000}: ${why}`),
    onError: (error) => errors.push((error as Error).message),
  });
  return { clock, lease, renewals, lost, errors };
}

test('a lease is renewed at every third of its length', async () => {
  const { clock, lease, renewals, lost } = hold('renewed');
  await clock.advance(100_000);
  expect(renewals).toEqual([10, 20, 30, 40, 50, 60, 70, 80, 90, 100]);
  expect(lost).toEqual([]);
  await lease.stop();
});

test('nothing is renewed after stop, and no timer is left', async () => {
  const { clock, lease, renewals } = hold('renewed');
  await clock.advance(15_000);
  await lease.stop();
  await clock.advance(60_000);
  expect(renewals).toEqual([10]);
  expect(clock.pending).toBe(0);
});

test('a renewal that SQS refuses loses the lease at once, and for good', async () => {
  const { clock, lease, renewals, lost, errors } = hold('renewed', 'refused');
  await clock.advance(100_000);
  expect(renewals).toEqual([10, 20]);
  expect(lost).toEqual(['20: the lease is gone: MessageNotInflight']);
  expect(errors).toEqual([]);
  await lease.stop();
});

test('a renewal that failed is tried again sooner, and the lease goes on', async () => {
  const { clock, lease, renewals, lost, errors } = hold('failed', 'failed', 'renewed');
  await clock.advance(40_000);
  expect(renewals).toEqual([10, 13, 16, 26, 36]);
  expect(errors).toEqual(['no connection', 'no connection']);
  expect(lost).toEqual([]);
  await lease.stop();
});

test('a lease that could not be renewed until its end is lost then', async () => {
  const { clock, lease, renewals, lost } = hold('renewed', 'failed');
  await clock.advance(100_000);
  expect(renewals[0]).toBe(10);
  expect(lost).toEqual(['40: it ran out, since renewing failed: no connection']);
  expect(renewals.at(-1)).toBeLessThanOrEqual(40);
  await lease.stop();
});

test('a renewal without an answer is given up when the lease ends', async () => {
  const { clock, lease, lost } = hold('silent');
  await clock.advance(29_000);
  expect(lost).toEqual([]);
  await clock.advance(2_000);
  expect(lost).toEqual(['30: it ran out, since renewing failed: the renewal took too long']);
  await lease.stop();
});

test('stop does not wait for a renewal without an answer', async () => {
  const { clock, lease, lost, errors } = hold('silent');
  await clock.advance(12_000);
  await lease.stop();
  expect({ lost, errors, pending: clock.pending }).toEqual({ lost: [], errors: [], pending: 0 });
});
