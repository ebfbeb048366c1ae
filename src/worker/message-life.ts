/**
 * The life of one message, from its receipt to its end (docs/ARCHITECTURE.md, "The life of a message").
 *
 *   unwrap -> accept -> answer, if done -> started -> run (lease renewed, heartbeats) -> completed -> acknowledge
 *
 * Durable result first, then the completed event, then the acknowledgement; so a crash between any two
 * leads to a redelivery that is answered from the stored result. What is to become of the message is
 * returned, never thrown: `acknowledge`, or `keep`, with its visibility already set.
 */

import type { Logger } from 'pino';
import { type Clock, isoSeconds } from '../common/clock.ts';
import {
  causesOf,
  codeOf,
  InvalidRequestError,
  messageOf,
  NotARequestError,
  TidemillError,
} from '../common/errors.ts';
import type { Random } from '../common/ids.ts';
import { backoffSeconds, retry } from '../common/retry.ts';
import { type JsonObject, unwrap } from '../contract/envelope.ts';
import type { OutgoingEvent } from '../contract/outgoing-event.ts';
import type { EventPublisher } from '../events/publisher.ts';
import { abortCauseOf, JobAbortedError } from './abort-reason.ts';
import type { Answer, Handler, HandlerRegistry, Job, JobIdentity } from './handler.ts';
import { startHeartbeat } from './heartbeat.ts';
import { holdLease } from './lease.ts';
import { type Delivery, LeaseLostError, type RequestQueue } from './queue.ts';
import type { WorkerObserver } from './worker-observer.ts';

export interface LifeSettings {
  readonly visibilitySeconds: number;
  readonly heartbeatEnabled: boolean;
  readonly heartbeatSeconds: number;
  /** A job's own deadline, in seconds; below the 12 hours that SQS allows a message in all. */
  readonly deadlineSeconds: number;
  /** Deliveries after which a message is given up, where the queue's redrive policy does not say. */
  readonly maxAttempts: number;
  readonly retryFirstSeconds: number;
  readonly retryMaxSeconds: number;
}

export interface LifeParts {
  readonly queue: RequestQueue;
  readonly publisher: EventPublisher;
  readonly registry: HandlerRegistry;
  readonly observer: WorkerObserver;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export type Fate = 'acknowledge' | 'keep';

/** The queue's redrive policy: read at startup, or later where it could not be read then. */
export interface Redrive {
  /** Undefined where the queue has no redrive policy, or as long as it is not known. */
  readonly maxReceiveCount: number | undefined;
}

/** How long the last attempt looks whether its result is durable after all. */
const LAST_LOOK_MS = 10_000;
const PUBLISH_POLICY = { attempts: 4, firstDelayMs: 100, maxDelayMs: 2_000 } as const;
const UNKNOWN_TYPE = 'unknown';

export type HandleMessage = (delivery: Delivery, shutdown: AbortSignal) => Promise<Fate>;

export function createMessageLife(settings: LifeSettings, redrive: Redrive, parts: LifeParts): HandleMessage {
  const { queue, publisher, registry, observer, clock, random } = parts;
  const lastAttempt = () => redrive.maxReceiveCount ?? settings.maxAttempts;

  async function publish(event: OutgoingEvent, signal?: AbortSignal): Promise<void> {
    await retry(() => publisher.publish(event, signal), {
      operation: 'sns_publish',
      policy: PUBLISH_POLICY,
      signal,
      observe: observer.retry,
    });
    observer.published(event.body.type);
  }

  async function giveBack(delivery: Delivery, seconds: number, logger: Logger): Promise<void> {
    try {
      await queue.setVisibility(delivery.receiptHandle, seconds);
    } catch (error) {
      // It becomes visible by itself when the lease ends.
      const level = error instanceof LeaseLostError ? 'debug' : 'warn';
      logger[level]({ cause: messageOf(error) }, 'could not give the message back early');
    }
  }

  async function retryLater(delivery: Delivery, logger: Logger): Promise<Fate> {
    const { retryFirstSeconds, retryMaxSeconds } = settings;
    const seconds = backoffSeconds(delivery.attempt, retryFirstSeconds, retryMaxSeconds, random());
    observer.retry('message', seconds);
    await giveBack(delivery, seconds, logger);
    return 'keep';
  }

  /** No request at all: to the dead-letter queue with the reason, never dropped. */
  async function reject(delivery: Delivery, error: NotARequestError, logger: Logger): Promise<Fate> {
    observer.rejected(error.reason);
    logger.error({ reason: error.reason, cause: causesOf(error) }, `not a request: ${error.message}`);
    try {
      if (await queue.deadLetter(delivery, error.reason, error.message)) return 'acknowledge';
      logger.warn('no dead-letter queue is configured (AWS_SQS_DLQ_URL): left to the redrive policy');
    } catch (failure) {
      logger.error({ cause: causesOf(failure) }, messageOf(failure));
    }
    return await retryLater(delivery, logger);
  }

  /** The request cannot succeed as asked: say so, and be done with it. */
  async function refuse(
    delivery: Delivery,
    identity: JobIdentity,
    error: unknown,
    logger: Logger,
  ): Promise<Fate> {
    const failed = identity.failed(codeOf(error), messageOf(error), delivery.attempt);
    try {
      await publish(failed);
      return 'acknowledge';
    } catch (failure) {
      logger.error({ cause: causesOf(failure) }, messageOf(failure));
      return await retryLater(delivery, logger);
    }
  }

  /** The result that stands although the last attempt failed: a FAILURE would contradict it. */
  async function lastLook(job: Job, delivery: Delivery, logger: Logger): Promise<Answer | undefined> {
    const { attempt, firstReceivedAt } = delivery;
    const limit = clock.timeout(LAST_LOOK_MS, () => new Error(`not known in ${LAST_LOOK_MS / 1000} seconds`));
    try {
      const progress = () => {};
      return await job.answer({ signal: limit.signal, logger, attempt, firstReceivedAt, progress });
    } catch (error) {
      logger.warn({ cause: messageOf(error) }, 'could not look whether the request is done after all');
      return undefined;
    } finally {
      limit.clear();
    }
  }

  /** It may succeed later: give it back, or after the last attempt say what became of it. */
  async function failAttempt(
    delivery: Delivery,
    identity: JobIdentity,
    job: Job | undefined,
    error: unknown,
    logger: Logger,
  ): Promise<{ readonly fate: Fate; readonly outcome: 'retry' | 'answered' | 'exhausted' }> {
    if (delivery.attempt < lastAttempt())
      return { fate: await retryLater(delivery, logger), outcome: 'retry' };
    const stored = job && (await lastLook(job, delivery, logger));
    if (stored === undefined) {
      return { fate: await giveUp(delivery, identity, error, logger), outcome: 'exhausted' };
    }
    try {
      await publish(stored.event);
      return { fate: 'acknowledge', outcome: 'answered' };
    } catch (failure) {
      logger.error({ cause: causesOf(failure) }, messageOf(failure));
      return { fate: await retryLater(delivery, logger), outcome: 'exhausted' };
    }
  }

  async function giveUp(
    delivery: Delivery,
    identity: JobIdentity,
    error: unknown,
    logger: Logger,
  ): Promise<Fate> {
    try {
      await publish(identity.failed(codeOf(error), messageOf(error), delivery.attempt));
      // With a redrive policy SQS moves it at the next receipt; without one, that is ours to do.
      if (redrive.maxReceiveCount === undefined) {
        const detail = `${codeOf(error)}: ${messageOf(error)}`;
        if (await queue.deadLetter(delivery, 'attempts_exhausted', detail)) return 'acknowledge';
        return await retryLater(delivery, logger);
      }
      await giveBack(delivery, 0, logger);
      return 'keep';
    } catch (failure) {
      logger.error({ cause: causesOf(failure) }, messageOf(failure));
      return await retryLater(delivery, logger);
    }
  }

  /** Runs the job under its lease, with heartbeats; resolves when the completed event is out. */
  async function carryOut(
    job: Job,
    delivery: Delivery,
    abort: AbortController,
    logger: Logger,
  ): Promise<{ answer: Answer; answered: boolean }> {
    const { signal } = abort;
    const { attempt, firstReceivedAt } = delivery;
    let fraction = 0;
    const context = {
      signal,
      logger,
      attempt,
      firstReceivedAt,
      progress: (next: number) => {
        fraction = Math.min(1, Math.max(0, next));
      },
    };
    const stored = await job.answer(context);
    if (stored !== undefined) {
      await publish(stored.event, signal);
      return { answer: stored, answered: true };
    }
    await publish(job.started(isoSeconds(clock.now())), signal);
    const heart = settings.heartbeatEnabled
      ? startHeartbeat({
          seconds: settings.heartbeatSeconds,
          event: (beat, at) => job.heartbeat(Math.round(fraction * 1000) / 1000, at, attempt, beat),
          publish: async (event, stopped) => {
            await publisher.publish(event, stopped);
            observer.published(event.body.type);
          },
          signal,
          clock,
          logger,
        })
      : undefined;
    try {
      const answer = await job.run(context);
      await heart?.stop();
      await publish(answer.event, signal);
      return { answer, answered: false };
    } finally {
      await heart?.stop();
    }
  }

  async function live(
    handler: Handler,
    body: JsonObject,
    delivery: Delivery,
    shutdown: AbortSignal,
  ): Promise<Fate> {
    const { type } = handler;
    const started = clock.monotonic();
    const identity = handler.identify(body, delivery.messageId);
    const logger = parts.logger.child({
      event_type: type,
      message_id: delivery.messageId,
      attempt: delivery.attempt,
      ...identity.logFields,
    });
    const finish = (outcome: string, details: Readonly<Record<string, unknown>> = {}): void => {
      const seconds = (clock.monotonic() - started) / 1000;
      observer.finished(type, outcome, seconds);
      const level = outcome === 'failed' || outcome === 'exhausted' ? 'error' : 'info';
      logger[level](
        { outcome, seconds: Math.round(seconds * 1000) / 1000, ...details },
        `request ${outcome}`,
      );
    };
    const failure = (error: unknown) => ({
      error_code: codeOf(error),
      error: messageOf(error),
      cause: causesOf(error),
      ...(error instanceof TidemillError
        ? error.fields
        : { stack: error instanceof Error ? error.stack : undefined }),
    });

    const abort = new AbortController();
    const onShutdown = () => abort.abort(shutdown.reason);
    if (shutdown.aborted) onShutdown();
    shutdown.addEventListener('abort', onShutdown, { once: true });
    const deadline = clock.timeout(settings.deadlineSeconds * 1000, () => {
      return new JobAbortedError('deadline', `the job took longer than ${settings.deadlineSeconds} seconds`);
    });
    deadline.signal.addEventListener('abort', () => abort.abort(deadline.signal.reason), { once: true });
    const lease = holdLease({
      visibilitySeconds: settings.visibilitySeconds,
      clock,
      renew: (seconds, signal) => queue.setVisibility(delivery.receiptHandle, seconds, signal),
      onLost: (why) => {
        logger.warn({ cause: why }, 'the lease is lost: another worker may have the message');
        abort.abort(new JobAbortedError('lease-lost', `the lease is lost: ${why}`));
      },
      onError: (error) => logger.warn({ cause: messageOf(error) }, 'could not renew the lease, trying again'),
    });

    let job: Job | undefined;
    try {
      observer.started(type);
      logger.info('request received');
      job = handler.accept(body, delivery.messageId);
      const { answer, answered } = await carryOut(job, delivery, abort, logger);
      finish(answered ? 'answered' : answer.outcome);
      return 'acknowledge';
    } catch (error) {
      const cause = abortCauseOf(abort.signal);
      if (cause === 'lease-lost') {
        finish('lease_lost');
        return 'keep';
      }
      if (cause === 'shutdown') {
        await lease.stop(); // A renewal on its way would hide the message again.
        await giveBack(delivery, 0, logger);
        finish('shutdown');
        return 'keep';
      }
      if (error instanceof InvalidRequestError) {
        const fate = await refuse(delivery, identity, error, logger);
        finish(fate === 'acknowledge' ? 'failed' : 'retry', failure(error));
        return fate;
      }
      if (delivery.attempt < lastAttempt()) await lease.stop();
      const { fate, outcome } = await failAttempt(delivery, identity, job, error, logger);
      finish(outcome, failure(error));
      return fate;
    } finally {
      await lease.stop();
      deadline.clear();
      shutdown.removeEventListener('abort', onShutdown);
    }
  }

  /** The request in the message, and who handles it. */
  function open(delivery: Delivery): { readonly handler: Handler; readonly body: JsonObject } {
    let handler: Handler | undefined;
    try {
      const { type, body } = unwrap(delivery.body, delivery.typeAttribute);
      handler = registry.get(type);
      if (handler !== undefined) return { handler, body };
      const shown = JSON.stringify(type.slice(0, 64));
      throw new NotARequestError('unknown_type', `the message has an unknown type, ${shown}`);
    } finally {
      observer.received(handler?.type ?? UNKNOWN_TYPE);
    }
  }

  return async (delivery, shutdown) => {
    const logger = parts.logger.child({ message_id: delivery.messageId, attempt: delivery.attempt });
    try {
      const { handler, body } = open(delivery);
      return await live(handler, body, delivery, shutdown);
    } catch (error) {
      if (error instanceof NotARequestError) return await reject(delivery, error, logger);
      // A fault of ours outside of any job: the message stays, and comes again.
      logger.error(
        { cause: causesOf(error), stack: error instanceof Error ? error.stack : undefined },
        messageOf(error),
      );
      return await retryLater(delivery, logger);
    }
  };
}
