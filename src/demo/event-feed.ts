/** The events of the whole demo, as they arrive: one reader of the queue, any number of listeners. */

import type { SQSClient } from '@aws-sdk/client-sqs';
import { type ArrivedEvent, tailEvents } from '../cli/event-tail.ts';

export interface EventFeed {
  /** Calls `listener` for every event from now on; the returned function ends it. */
  listen(listener: (event: ArrivedEvent) => void): () => void;
  /** Rejects when the queue can not be read any more. */
  readonly broken: Promise<never>;
  close(): Promise<void>;
}

export function openEventFeed(client: SQSClient, queueUrl: string): EventFeed {
  const listeners = new Set<(event: ArrivedEvent) => void>();
  const closing = new AbortController();
  const reading = (async () => {
    for await (const event of tailEvents(client, queueUrl, closing.signal)) {
      for (const listener of listeners) listener(event);
    }
  })();
  const broken = new Promise<never>((_, reject) => {
    reading.catch(reject);
  });
  broken.catch(() => {});
  return {
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    broken,
    async close() {
      closing.abort();
      await reading.catch(() => {});
    },
  };
}
