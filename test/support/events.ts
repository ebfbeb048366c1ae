/** The events of a scene, read as a control plane reads them: from a queue subscribed to the topic. */

import { DeleteMessageBatchCommand, ReceiveMessageCommand, type SQSClient } from '@aws-sdk/client-sqs';
import { systemClock } from '../../src/common/clock.ts';
import { eventually, type Patience } from './eventually.ts';

export interface SeenEvent {
  /** The event itself, parsed. */
  readonly body: Readonly<Record<string, unknown>> & { readonly type: string };
  /** Message attributes, by name. */
  readonly attributes: Readonly<Record<string, string>>;
  /** On a FIFO topic. */
  readonly groupId: string | undefined;
  /** When the reader got it, on the monotonic clock. */
  readonly at: number;
}

export interface EventReader {
  /** All events so far, in the order in which they came. */
  readonly all: readonly SeenEvent[];
  /** The events about a run or request, of `type` where given. */
  of(id: string, type?: string): SeenEvent[];
  /** Waits for the `count`th event (default the first) of `type` about `id`. */
  next(id: string, type: string, options?: Patience & { readonly count?: number }): Promise<SeenEvent>;
  /** Waits for the `count`th completed metric run event about a run. */
  completed(runId: string, options?: Patience & { readonly count?: number }): Promise<SeenEvent['body']>;
  stop(): Promise<void>;
}

interface Envelope {
  readonly Message: string;
  readonly MessageAttributes?: Readonly<Record<string, { readonly Value: string }>>;
}

export function readEvents(sqs: SQSClient, queueUrl: string): EventReader {
  const all: SeenEvent[] = [];
  const stopping = new AbortController();

  async function poll(): Promise<void> {
    while (!stopping.signal.aborted) {
      const output = await sqs.send(
        new ReceiveMessageCommand({
          QueueUrl: queueUrl,
          WaitTimeSeconds: 20,
          MaxNumberOfMessages: 10,
          MessageSystemAttributeNames: ['MessageGroupId'],
        }),
        { abortSignal: stopping.signal },
      );
      const messages = output.Messages ?? [];
      for (const message of messages) {
        const envelope = JSON.parse(message.Body ?? '') as Envelope;
        const attributes = Object.entries(envelope.MessageAttributes ?? {});
        all.push({
          body: JSON.parse(envelope.Message) as SeenEvent['body'],
          attributes: Object.fromEntries(attributes.map(([name, { Value }]) => [name, Value])),
          groupId: message.Attributes?.MessageGroupId,
          at: systemClock.monotonic(),
        });
      }
      if (messages.length === 0) continue;
      const Entries = messages.map(({ ReceiptHandle }, i) => ({ Id: String(i), ReceiptHandle }));
      await sqs.send(new DeleteMessageBatchCommand({ QueueUrl: queueUrl, Entries }));
    }
  }

  let failure: unknown;
  const polling = poll().catch((error: unknown) => {
    if (!stopping.signal.aborted) failure = error;
  });

  const of = (id: string, type?: string) =>
    all.filter(
      ({ body }) =>
        (body.runId === id || body.requestId === id) && (type === undefined || body.type === type),
    );
  const next: EventReader['next'] = (id, type, { count = 1, ...patience } = {}) => {
    const seen = () => JSON.stringify(of(id).map(({ body }) => body));
    return eventually(
      () => `${count} ${type} event(s) about ${id}; there are ${seen()}`,
      () => {
        if (failure !== undefined) throw failure;
        return of(id, type)[count - 1];
      },
      patience,
    );
  };
  return {
    all,
    of,
    next,
    async completed(runId, options) {
      return (await next(runId, 'metric_run_completed', options)).body;
    },
    async stop() {
      stopping.abort();
      await polling;
    },
  };
}
