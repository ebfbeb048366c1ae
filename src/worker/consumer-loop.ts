/**
 * One loop over the queue, on sqs-consumer: receive one message, lead it through its life, acknowledge
 * it or keep it. A FIFO queue hands out no second message of a group while one is in flight, so any
 * number of loops keep the order within each group.
 *
 * On draining only the waiting for messages is cut off: acknowledgements and renewals, which share
 * sqs-consumer's client, go on. (Its own `stop({ abort: true })` would cancel them all.)
 */

import { ReceiveMessageCommand, type SQSClient } from '@aws-sdk/client-sqs';
import type { Logger } from 'pino';
import { Consumer } from 'sqs-consumer';
import type { Clock } from '../common/clock.ts';
import { messageOf } from '../common/errors.ts';
import type { Fate } from './message-life.ts';
import { type Delivery, type RequestQueue, toDelivery } from './queue.ts';

export interface ConsumerLoop {
  start(): void;
  /** Stops polling; resolves when the message in hand, if any, is at its end. */
  drain(): Promise<void>;
  /** Whether the loop turns: it has a message in hand, or polled within the last `withinMs`. */
  isAlive(withinMs: number): boolean;
}

export interface LoopSettings {
  readonly waitSeconds: number;
  readonly visibilitySeconds: number;
}

const MAX_ERROR_PAUSE_MS = 10_000;
const DRAIN_POLL_MS = 10;

/** The client as sqs-consumer sees it: receiving can be cut off, everything else cannot. */
function withOwnReceiveSignal(client: SQSClient, signal: AbortSignal): SQSClient {
  const send = (command: unknown) => {
    const options = command instanceof ReceiveMessageCommand ? { abortSignal: signal } : {};
    return client.send(command as ReceiveMessageCommand, options);
  };
  return { send } as unknown as SQSClient;
}

export function createConsumerLoop(
  settings: LoopSettings,
  queue: RequestQueue,
  handle: (delivery: Delivery) => Promise<Fate>,
  parts: { readonly clock: Clock; readonly logger: Logger },
): ConsumerLoop {
  const { clock, logger } = parts;
  const receiving = new AbortController();
  let lastTurn = clock.monotonic();
  let errors = 0;
  let inHand = false;

  const consumer = Consumer.create({
    queueUrl: queue.url,
    sqs: withOwnReceiveSignal(queue.client, receiving.signal),
    batchSize: 1,
    waitTimeSeconds: settings.waitSeconds,
    visibilityTimeout: settings.visibilitySeconds,
    messageSystemAttributeNames: [
      'ApproximateReceiveCount',
      'ApproximateFirstReceiveTimestamp',
      'MessageGroupId',
    ],
    messageAttributeNames: ['type'],
    suppressFifoWarning: true,
    strictReturn: true,
    preReceiveMessageCallback: async () => {
      lastTurn = clock.monotonic();
      // sqs-consumer polls again at once after an error: not against a queue that is down.
      if (errors > 0) {
        const pause = Math.min(MAX_ERROR_PAUSE_MS, 200 * 2 ** Math.min(errors, 10));
        await clock.sleep(pause, receiving.signal).catch(() => {});
      }
    },
    postReceiveMessageCallback: async () => {
      errors = 0;
      lastTurn = clock.monotonic();
    },
    handleMessage: async (message) => {
      inHand = true;
      try {
        return (await handle(toDelivery(message, clock.now()))) === 'acknowledge' ? message : undefined;
      } finally {
        inHand = false;
        lastTurn = clock.monotonic();
      }
    },
  });

  consumer.on('error', (error) => {
    if (receiving.signal.aborted) return;
    errors++;
    logger.warn({ cause: messageOf(error), errors }, 'the queue did not answer');
  });
  consumer.on('processing_error', (error, message) => {
    logger.error({ cause: messageOf(error), message_id: message.MessageId }, 'a message was not finished');
  });

  return {
    start: () => consumer.start(),
    async drain() {
      consumer.stop();
      receiving.abort(new Error('the worker is draining'));
      // A poll ends when its message is at its end, the acknowledgement included.
      while (consumer.status.isPolling) await clock.sleep(DRAIN_POLL_MS);
    },
    isAlive: (withinMs) => inHand || clock.monotonic() - lastTurn < withinMs,
  };
}
