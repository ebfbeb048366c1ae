/**
 * What the worker knows of a feature: a handler for one type of request. The worker leads a message
 * through its life; the handler says what the request is, whether it is done already, and does it.
 */

import type { Logger } from 'pino';
import type { ErrorCode } from '../common/errors.ts';
import type { JsonObject } from '../contract/envelope.ts';
import type { OutgoingEvent } from '../contract/outgoing-event.ts';

export interface JobContext {
  /** Aborts when the lease is lost, the deadline passes or the process must go. */
  readonly signal: AbortSignal;
  /** Tells how far the job is, from 0 to 1; the next heartbeat carries it. */
  readonly progress: (fraction: number) => void;
  readonly logger: Logger;
  /** Which delivery of the request this is, from 1. */
  readonly attempt: number;
  /** When the first delivery was, in milliseconds since the epoch. */
  readonly firstReceivedAt: number;
}

/** How a request was carried out: the completed event, and a bounded word for metrics and log. */
export interface Answer {
  readonly event: OutgoingEvent;
  readonly outcome: string;
}

/** Who a request is, even one that is invalid: what is needed to speak of it in events and log. */
export interface JobIdentity {
  /** Fields for every log line, as `run_id`. */
  readonly logFields: Readonly<Record<string, string | null>>;
  failed(code: ErrorCode, message: string, attempt: number): OutgoingEvent;
}

/** One valid request, ready to be carried out. */
export interface Job {
  started(at: string): OutgoingEvent;
  /** `beat` counts from 1 within the attempt. */
  heartbeat(progress: number, at: string, attempt: number, beat: number): OutgoingEvent;
  /** The stored result of a request that is done already, or undefined. */
  answer(context: JobContext): Promise<Answer | undefined>;
  /** Carries the request out; its effects are durable when it resolves. */
  run(context: JobContext): Promise<Answer>;
}

export interface Handler {
  readonly type: string;
  identify(body: JsonObject, messageId: string): JobIdentity;
  /** Validates; throws `InvalidRequestError` for a request that cannot be carried out. */
  accept(body: JsonObject, messageId: string): Job;
}

export type HandlerRegistry = ReadonlyMap<string, Handler>;

export function createRegistry(handlers: readonly Handler[]): HandlerRegistry {
  const registry = new Map<string, Handler>();
  for (const handler of handlers) {
    if (registry.has(handler.type)) throw new Error(`two handlers for ${handler.type}`);
    registry.set(handler.type, handler);
  }
  return registry;
}
