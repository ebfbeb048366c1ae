/**
 * The heartbeat of a job: an event at every interval, with the latest progress. One that is not out is
 * no reason to stop the job; and none comes after the job's end.
 */

import type { Logger } from 'pino';
import { type Clock, isoSeconds } from '../common/clock.ts';
import { causesOf, messageOf } from '../common/errors.ts';
import type { OutgoingEvent } from '../contract/outgoing-event.ts';

export interface Heartbeat {
  /** Ends it; a beat on its way is out or given up when this resolves. Safe to call twice. */
  stop(): Promise<void>;
}

export interface HeartbeatParts {
  readonly seconds: number;
  /** The event of a beat, which counts from 1; `at` is ISO with whole seconds. */
  readonly event: (beat: number, at: string) => OutgoingEvent;
  readonly publish: (event: OutgoingEvent, signal: AbortSignal) => Promise<void>;
  /** The job's own. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly logger: Logger;
}

export function startHeartbeat(parts: HeartbeatParts): Heartbeat {
  const { seconds, event, publish, clock, logger } = parts;
  const stopped = new AbortController();
  const signal = AbortSignal.any([parts.signal, stopped.signal]);
  let beat = 0;
  let beating: Promise<void> = Promise.resolve();

  async function send(): Promise<void> {
    beat++;
    try {
      await publish(event(beat, isoSeconds(clock.now())), signal);
    } catch (error) {
      if (!signal.aborted) logger.warn({ cause: causesOf(error) }, messageOf(error));
    }
  }

  const end = clock.every(seconds * 1000, () => {
    beating = send();
    return beating;
  });
  return {
    async stop() {
      end();
      stopped.abort(new Error('the job is at its end'));
      await beating;
    },
  };
}
