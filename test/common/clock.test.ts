import { describe, expect, test } from '@jest/globals';
import { breather, isoSeconds, systemClock, unlessEnded, versionStamp } from '../../src/common/clock.ts';
import { ManualClock } from '../support/manual-clock.ts';

test.each([
  [0, '1970-01-01T00:00:00Z', '1970-01-01T00-00-00'],
  [1_736_937_010_999, '2025-01-15T10:30:10Z', '2025-01-15T10-30-10'],
])('%d ms are %s in events and %s as a version', (ms, iso, stamp) => {
  expect({ iso: isoSeconds(ms), stamp: versionStamp(ms) }).toEqual({ iso, stamp });
});

describe('a sleep', () => {
  test('ends with the reason of a signal that aborts', async () => {
    const abort = new AbortController();
    const reason = new Error('enough');
    const sleeping = systemClock.sleep(60_000, abort.signal);
    abort.abort(reason);
    await expect(sleeping).rejects.toBe(reason);
    await expect(systemClock.sleep(60_000, abort.signal)).rejects.toBe(reason);
  });

  test('that is over does not hear of its signal any more', async () => {
    const abort = new AbortController();
    await systemClock.sleep(1, abort.signal);
    abort.abort();
  });
});

test('work at every interval never overlaps with itself', async () => {
  let under = 0;
  let most = 0;
  let calls = 0;
  const stop = systemClock.every(5, async () => {
    calls++;
    most = Math.max(most, ++under);
    await systemClock.sleep(20);
    under--;
  });
  await systemClock.sleep(100);
  stop();
  const before = calls;
  await systemClock.sleep(40);
  expect(most).toBe(1);
  expect(before).toBeGreaterThan(1);
  expect(calls).toBe(before);
});

test('a timeout aborts with its reason, unless it is called off', async () => {
  const due = systemClock.timeout(1, () => new Error('due'));
  const off = systemClock.timeout(1, () => new Error('off'));
  off.clear();
  await systemClock.sleep(20);
  expect(due.signal.reason).toEqual(new Error('due'));
  expect(off.signal.aborted).toBe(false);
});

test('what is to be done unless the process has ended is done when it has not', async () => {
  let done = 0;
  unlessEnded(10, () => void done++);
  expect(done).toBe(0);
  await systemClock.sleep(50);
  expect(done).toBe(1);
});

describe('a breather', () => {
  test('lets timers and messages be heard in the midst of work that never waits', async () => {
    let heard = false;
    setTimeout(() => {
      heard = true;
    }, 1);
    const breathe = breather(systemClock);
    const until = systemClock.monotonic() + 200;
    while (!heard && systemClock.monotonic() < until) await breathe();
    expect(heard).toBe(true);
  });

  test('turns the loop only every now and then', async () => {
    const clock = new ManualClock();
    let turns = 0;
    clock.turn = async () => void turns++;
    const breathe = breather(clock);
    for (let i = 0; i < 100; i++) await breathe();
    expect(turns).toBe(0);
    clock.move(60);
    for (let i = 0; i < 100; i++) await breathe();
    expect(turns).toBe(1);
  });
});
