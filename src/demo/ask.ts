/** Asking the worker for something, and showing what comes of it: the request, its events, a bar. */

import { eventLine, failureOf, isCompleted, isFailure } from '../cli/event-line.ts';
import type { ArrivedEvent } from '../cli/event-tail.ts';
import { systemClock } from '../common/clock.ts';
import { bar } from './bar.ts';
import { openLiveLine } from './live-line.ts';
import { INDENT } from './script.ts';
import type { Stage } from './stage.ts';

export interface Ask {
  /** `runId` or `requestId`. */
  readonly id: string;
  readonly body: Readonly<Record<string, unknown>>;
  readonly group: string;
  /** Other than the id to send a request a second time. */
  readonly deduplication?: string;
}

export interface Answered {
  readonly completed: ArrivedEvent;
  readonly events: readonly ArrivedEvent[];
  /** From sending to the completed event. */
  readonly ms: number;
}

const PATIENCE_MS = 30_000;
const REDRAW_MS = 80;
const BAR_WIDTH = 36;

/**
 * Sends the request and resolves with its completed event; events are printed as they arrive.
 * @throws Error when it fails, or is not answered in time
 */
export async function ask(stage: Stage, { id, body, group, deduplication = id }: Ask): Promise<Answered> {
  const { terminal, queue, events, signal } = stage;
  const live = openLiveLine(terminal);
  const sent = systemClock.monotonic();
  const arrived: ArrivedEvent[] = [];
  let progress = 0;
  const seconds = () => `${((systemClock.monotonic() - sent) / 1000).toFixed(2)} s`;
  const draw = (what: string) => {
    const percent = `${Math.round(progress * 100)} %`.padStart(5);
    return `${INDENT}${bar(terminal, progress, BAR_WIDTH)} ${percent}  ${terminal.paint('faint', `${what} ${seconds()}`)}`;
  };
  const waiting = () => live.show(draw(arrived.length === 0 ? 'in the queue' : 'at work'));
  const stopDrawing = terminal.live ? systemClock.every(REDRAW_MS, waiting) : () => {};
  let deaf = () => {};
  const completed = new Promise<ArrivedEvent>((resolve) => {
    deaf = events.listen((event) => {
      if (event.id !== id) return;
      arrived.push(event);
      live.above(eventLine(terminal, event, INDENT));
      if (typeof event.body.progress === 'number') progress = event.body.progress;
      if (isCompleted(event)) resolve(event);
    });
  });
  const late = systemClock.timeout(PATIENCE_MS, () => new Error(`${id} was not answered in time`));
  const given = AbortSignal.any([signal, late.signal]);
  try {
    await queue.send(JSON.stringify(body), group, deduplication);
    const event = await Promise.race([completed, rejectionOf(given)]);
    if (isFailure(event)) throw new Error(`${id} was answered with ${failureOf(event.body)}`);
    progress = 1;
    const ms = systemClock.monotonic() - sent;
    live.settle(draw('from queue to event in'));
    return { completed: event, events: arrived, ms };
  } finally {
    stopDrawing();
    late.clear();
    deaf();
    live.settle();
  }
}

function rejectionOf(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
