/**
 * The request queue as a narrow port over SQS: a message's lease, giving it back, the dead-letter
 * queue, and sending requests. Receiving and acknowledging are sqs-consumer's (consumer-loop.ts).
 */

import {
  ChangeMessageVisibilityCommand,
  GetQueueAttributesCommand,
  type Message,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { messageOf, RetryableError } from '../common/errors.ts';
import { attributeText } from '../contract/attribute-text.ts';
import { fifoId } from '../contract/fifo-id.ts';

/** A delivered message, as the life of a message needs it. */
export interface Delivery {
  readonly messageId: string;
  readonly receiptHandle: string;
  readonly body: string;
  readonly typeAttribute: string | undefined;
  readonly groupId: string | undefined;
  /** How often it was delivered, this time included. */
  readonly attempt: number;
  /** When it was delivered first, in milliseconds since the epoch. */
  readonly firstReceivedAt: number;
}

/** The lease on a message is gone: SQS refuses to extend it, since it was given to another or deleted. */
export class LeaseLostError extends Error {}

export interface RequestQueue {
  readonly client: SQSClient;
  readonly url: string;
  /** Sets how long the message stays invisible from now, in seconds; throws `LeaseLostError`. */
  setVisibility(receiptHandle: string, seconds: number, signal?: AbortSignal): Promise<void>;
  /** Puts a message that is no request on the dead-letter queue; false where none is configured. */
  deadLetter(delivery: Delivery, reason: string, detail: string): Promise<boolean>;
  /** Sends a request to this queue. */
  send(body: string, groupId: string, deduplicationId: string): Promise<void>;
  /** The deliveries that the queue's redrive policy allows, or undefined where it has none. */
  maxReceiveCount(signal?: AbortSignal): Promise<number | undefined>;
  /** Whether the queue answers; rejects where it does not. */
  check(signal: AbortSignal): Promise<void>;
  close(): void;
}

export interface QueueSettings {
  readonly region: string;
  readonly url: string;
  readonly deadLetterUrl: string | undefined;
  /** How long an answer may take, in milliseconds; default 30,000, above the longest long poll. */
  readonly timeoutMs?: number;
}

const CONNECT_TIMEOUT_MS = 5_000;
const ANSWER_TIMEOUT_MS = 30_000;
/** A long poll for each loop takes a connection of its own; renewals must not queue behind them. */
const SOCKETS = { keepAlive: true, maxSockets: 256 } as const;

const LOST = new Set([
  'ReceiptHandleIsInvalid',
  'MessageNotInflight',
  'InvalidParameterValue',
  'InvalidAddress',
]);

export function toDelivery(message: Message, now: number): Delivery {
  return {
    messageId: message.MessageId ?? '',
    receiptHandle: message.ReceiptHandle ?? '',
    body: message.Body ?? '',
    typeAttribute: message.MessageAttributes?.type?.StringValue,
    groupId: message.Attributes?.MessageGroupId,
    attempt: Number(message.Attributes?.ApproximateReceiveCount ?? 1),
    firstReceivedAt: Number(message.Attributes?.ApproximateFirstReceiveTimestamp ?? now),
  };
}

export function createRequestQueue(settings: QueueSettings): RequestQueue {
  const { region, url, deadLetterUrl, timeoutMs = ANSWER_TIMEOUT_MS } = settings;
  const client = new SQSClient({
    region,
    useQueueUrlAsEndpoint: false,
    requestHandler: {
      connectionTimeout: CONNECT_TIMEOUT_MS,
      requestTimeout: timeoutMs,
      throwOnRequestTimeout: true,
      httpAgent: SOCKETS,
      httpsAgent: SOCKETS,
    },
  });

  return {
    client,
    url,

    async setVisibility(receiptHandle, seconds, signal) {
      try {
        await client.send(
          new ChangeMessageVisibilityCommand({
            QueueUrl: url,
            ReceiptHandle: receiptHandle,
            VisibilityTimeout: seconds,
          }),
          signal === undefined ? {} : { abortSignal: signal },
        );
      } catch (error) {
        const name = error instanceof Error ? error.name.replace(/^AWS\.SimpleQueueService\./, '') : '';
        if (LOST.has(name)) throw new LeaseLostError(`the lease is gone: ${name}`, { cause: error });
        throw error;
      }
    },

    async deadLetter(delivery, reason, detail) {
      if (deadLetterUrl === undefined) return false;
      const text = (value: string) => ({ DataType: 'String', StringValue: attributeText(value) });
      try {
        await client.send(
          new SendMessageCommand({
            QueueUrl: deadLetterUrl,
            MessageBody: delivery.body,
            MessageAttributes: {
              reason: text(reason),
              detail: text(detail),
              sourceMessageId: text(delivery.messageId),
              ...(delivery.typeAttribute === undefined ? {} : { type: text(delivery.typeAttribute) }),
            },
            ...(deadLetterUrl.endsWith('.fifo')
              ? {
                  MessageGroupId: fifoId(delivery.groupId ?? delivery.messageId),
                  MessageDeduplicationId: fifoId(delivery.messageId),
                }
              : {}),
          }),
        );
        return true;
      } catch (error) {
        throw new RetryableError('INTERNAL_ERROR', 'Failed to send a message to the dead-letter queue', {
          cause: error,
        });
      }
    },

    async send(body, groupId, deduplicationId) {
      try {
        await client.send(
          new SendMessageCommand({
            QueueUrl: url,
            MessageBody: body,
            ...(url.endsWith('.fifo')
              ? { MessageGroupId: fifoId(groupId), MessageDeduplicationId: fifoId(deduplicationId) }
              : {}),
          }),
        );
      } catch (error) {
        throw new RetryableError('INTERNAL_ERROR', `Failed to send a request: ${messageOf(error)}`, {
          cause: error,
        });
      }
    },

    async maxReceiveCount(signal) {
      const output = await client.send(
        new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ['RedrivePolicy'] }),
        signal === undefined ? {} : { abortSignal: signal },
      );
      const policy = output.Attributes?.RedrivePolicy;
      if (policy === undefined || policy === '') return undefined;
      const count = Number((JSON.parse(policy) as { maxReceiveCount?: unknown }).maxReceiveCount);
      return Number.isInteger(count) && count > 0 ? count : undefined;
    },

    async check(signal) {
      const command = new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ['QueueArn'] });
      await client.send(command, { abortSignal: signal });
    },

    close: () => client.destroy(),
  };
}
