/**
 * The SNS publisher: each event goes to the topic of its family and kind, with `type` as an attribute
 * for filter policies, and on a FIFO topic with its group and deduplication id.
 */

import { GetTopicAttributesCommand, PublishCommand, SNSClient } from '@aws-sdk/client-sns';
import { RetryableError } from '../common/errors.ts';
import { attributeText } from '../contract/attribute-text.ts';
import { eventText } from '../contract/event-text.ts';
import { fifoId } from '../contract/fifo-id.ts';
import type { OutgoingEvent } from '../contract/outgoing-event.ts';

export interface TopicSettings {
  readonly region: string;
  /** `family:kind` -> topic ARN, as `metric_run:started`. */
  readonly topics: ReadonlyMap<string, string>;
  /** Where events without a topic of their own go. */
  readonly fallback: string | undefined;
  /** How long an answer may take, in milliseconds; default 10,000. */
  readonly timeoutMs?: number;
}

const CONNECT_TIMEOUT_MS = 5_000;
const ANSWER_TIMEOUT_MS = 10_000;

export interface EventPublisher {
  /** Publishes, or throws a `RetryableError`: an event that is not out is a failed attempt. */
  publish(event: OutgoingEvent, signal?: AbortSignal): Promise<void>;
  /** Whether every topic answers; rejects with the first that does not. */
  check(signal: AbortSignal): Promise<void>;
  close(): void;
}

export function createPublisher(settings: TopicSettings): EventPublisher {
  const client = new SNSClient({
    region: settings.region,
    // The SDK's own default is to wait for ever, and an event that is not out keeps its message.
    requestHandler: {
      connectionTimeout: CONNECT_TIMEOUT_MS,
      requestTimeout: settings.timeoutMs ?? ANSWER_TIMEOUT_MS,
      throwOnRequestTimeout: true,
    },
  });
  const topicOf = (event: OutgoingEvent): string => {
    const topic = settings.topics.get(`${event.family}:${event.kind}`) ?? settings.fallback;
    if (topic === undefined) throw new Error(`no topic for ${event.family} ${event.kind} events`);
    return topic;
  };
  return {
    async publish(event, signal) {
      const TopicArn = topicOf(event);
      const attributes = { type: event.body.type, ...event.attributes };
      try {
        await client.send(
          new PublishCommand({
            TopicArn,
            Message: eventText(event.body),
            MessageAttributes: Object.fromEntries(
              Object.entries(attributes)
                .filter(([, value]) => value !== '')
                .map(([name, value]) => [name, { DataType: 'String', StringValue: attributeText(value) }]),
            ),
            ...(TopicArn.endsWith('.fifo')
              ? {
                  MessageGroupId: fifoId(event.groupId),
                  MessageDeduplicationId: fifoId(event.deduplicationId),
                }
              : {}),
          }),
          signal === undefined ? {} : { abortSignal: signal },
        );
      } catch (error) {
        if (signal?.aborted) throw signal.reason;
        throw new RetryableError('INTERNAL_ERROR', `Failed to publish ${event.body.type} to ${TopicArn}`, {
          cause: error,
        });
      }
    },

    async check(signal) {
      const topics = new Set(settings.topics.values());
      if (settings.fallback !== undefined) topics.add(settings.fallback);
      for (const TopicArn of topics) {
        await client.send(new GetTopicAttributesCommand({ TopicArn }), { abortSignal: signal });
      }
    },

    close: () => client.destroy(),
  };
}
