import { expect, test } from '@jest/globals';
import { pino } from 'pino';
import type { OutgoingEvent } from '../../src/contract/outgoing-event.ts';
import { startHeartbeat } from '../../src/worker/heartbeat.ts';
import { ManualClock } from '../support/manual-clock.ts';

const job = new AbortController();

/** A heartbeat every 5 s whose publishing is `publish`. */
function start(publish: (beat: number, signal: AbortSignal) => Promise<void>) {
  const clock = new ManualClock();
  const warnings: string[] = [];
  const logger = pino({ level: 'warn' }, { write: (line) => warnings.push(JSON.parse(line).msg) });
  const sent: string[] = [];
  const heartbeat = startHeartbeat({
    seconds: 5,
    event: (beat, at) => ({ body: { type: 'beat', beat, at } }) as unknown as OutgoingEvent,
    async publish({ body }, signal) {
      sent.push(`${body.beat} ${body.at}`);
      await publish(Number(body.beat), signal);
    },
    signal: job.signal,
    clock,
    logger,
  });
  return { clock, heartbeat, sent, warnings };
}

test('beats come at their interval and are counted from 1', async () => {
  const { clock, heartbeat, sent } = start(async () => {});
  await clock.advance(4_999);
  expect(sent).toEqual([]);
  await clock.advance(10_001);
  expect(sent).toEqual(['1 2025-01-15T10:30:05Z', '2 2025-01-15T10:30:10Z', '3 2025-01-15T10:30:15Z']);
  await heartbeat.stop();
  await clock.advance(60_000);
  expect(sent).toHaveLength(3);
  expect(clock.pending).toBe(0);
});

test('a beat that fails is told in the log, and the next one comes', async () => {
  const { clock, heartbeat, sent, warnings } = start(async (beat) => {
    if (beat === 1) throw new Error('SNS is away');
  });
  await clock.advance(10_000);
  expect(sent).toHaveLength(2);
  expect(warnings).toEqual(['SNS is away']);
  await heartbeat.stop();
});

test('a beat that is slow is not overtaken by the next', async () => {
  const { clock, heartbeat, sent } = start((beat) => (beat === 1 ? clock.sleep(12_000) : Promise.resolve()));
  await clock.advance(21_000);
  expect(sent.map((line) => line.split(' ')[1])).toEqual(['2025-01-15T10:30:05Z', '2025-01-15T10:30:20Z']);
  await heartbeat.stop();
});

test('stop gives up the beat on its way, without a word, so that none comes after the end', async () => {
  const given: unknown[] = [];
  const { clock, heartbeat, warnings } = start(
    (_, signal) =>
      new Promise((__, reject) => {
        signal.addEventListener('abort', () => {
          given.push(signal.reason);
          reject(signal.reason);
        });
      }),
  );
  await clock.advance(5_000);
  await heartbeat.stop();
  await heartbeat.stop();
  expect(given).toHaveLength(1);
  expect(warnings).toEqual([]);
});
