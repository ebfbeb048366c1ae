/** Reading events from a queue that is subscribed to the events topic, as they arrive. */

import {
  DeleteMessageCommand,
  type Message,
  ReceiveMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import { systemClock } from '../common/clock.ts';
import { NotARequestError } from '../common/errors.ts';
import { type JsonObject, unwrap } from '../contract/envelope.ts';

export interface ArrivedEvent {
  readonly type: string;
  readonly body: JsonObject;
  /** `runId` or `requestId`. */
  readonly id: string | undefined;
  /** Milliseconds since the epoch, on this machine's clock. */
  readonly arrivedAt: number;
}

const WAIT_SECONDS = 20;
/** How long events are hidden from other readers of the queue that this one leaves alone. */
const GLANCE_SECONDS = 2;

function eventOf(text: string): ArrivedEvent | undefined {
  try {
    const { type, body } = unwrap(text, undefined);
    const id = [body.runId, body.requestId].find((value) => typeof value === 'string');
    return { type, body, id: id as string | undefined, arrivedAt: systemClock.now() };
  } catch (error) {
    if (error instanceof NotARequestError) return undefined;
    throw error;
  }
}

async function receive(
  client: SQSClient,
  queueUrl: string,
  hideSeconds: number | undefined,
  signal: AbortSignal,
): Promise<Message[]> {
  const command = new ReceiveMessageCommand({
    QueueUrl: queueUrl,
    MaxNumberOfMessages: 10,
    WaitTimeSeconds: WAIT_SECONDS,
    VisibilityTimeout: hideSeconds,
  });
  const { Messages = [] } = await client.send(command, { abortSignal: signal });
  return Messages;
}

/**
 * Yields events until `signal` aborts, then ends. Of a shared queue, `onlyId` takes the events of one
 * request and leaves all others where they are; without it, every event is taken.
 */
export async function* tailEvents(
  client: SQSClient,
  queueUrl: string,
  signal: AbortSignal,
  onlyId?: string,
): AsyncGenerator<ArrivedEvent> {
  while (!signal.aborted) {
    let messages: Message[];
    try {
      messages = await receive(client, queueUrl, onlyId === undefined ? undefined : GLANCE_SECONDS, signal);
    } catch (error) {
      if (signal.aborted) return;
      throw error;
    }
    for (const { Body = '', ReceiptHandle } of messages) {
      const event = eventOf(Body);
      if (onlyId !== undefined && event?.id !== onlyId) continue;
      await client.send(new DeleteMessageCommand({ QueueUrl: queueUrl, ReceiptHandle }));
      if (event !== undefined) yield event;
    }
  }
}
