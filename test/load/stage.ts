/**
 * Where a load case plays: the embedded AWS in a process of its own, one real worker process, and on this side
 * who sends requests and hears events. Latency is from just before a request is sent to its completed event
 * being heard here.
 */

import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import {
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  PurgeQueueCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { systemClock } from '../../src/common/clock.ts';
import { startLocalAws } from '../../src/local/local-aws.ts';
import { startLocalAwsProcess } from '../../src/local/local-aws-process.ts';
import type { RequestHooks } from '../../src/local/request-hooks.ts';
import {
  createResources,
  environment,
  LOCAL_CREDENTIALS,
  LOCAL_REGION,
  type Resources,
} from '../../src/local/resources.ts';
import { startWorkerProcess, type WorkerProcess } from '../support/worker-process.ts';

export interface Outgoing {
  readonly body: Readonly<Record<string, unknown>> | string;
  readonly group: string;
  /** Also what its completed event is known by; of a body that is no request, only for deduplication. */
  readonly id: string;
}

export interface Finished {
  readonly id: string;
  readonly group: string;
  readonly status: string;
  /** Milliseconds on this process's monotonic clock. */
  readonly sentAt: number;
  readonly at: number;
}

export interface Stage {
  readonly worker: WorkerProcess;
  readonly resources: Resources;
  put(key: string, body: Uint8Array): Promise<void>;
  /** Sends, ten at a time and a few tens at once. */
  send(messages: readonly Outgoing[]): Promise<void>;
  /** The first completed event of each request so far, in order. */
  readonly finished: readonly Finished[];
  /** Completed events that came for a request after its first. */
  readonly repeated: number;
  /** Waits until so many requests are finished. */
  until(count: number): Promise<void>;
  queue(): Promise<{ readonly waiting: number; readonly inFlight: number }>;
  purge(): Promise<void>;
  stop(): Promise<void>;
}

export interface StageOptions {
  /** Settings of the worker beside the defaults of production. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Where given, the embedded AWS runs in this process, with these hooks. */
  readonly hooks?: RequestHooks;
  readonly visibilityTimeout?: number;
}

const RECEIVERS = 2;
const BATCH = 10;
const SENDERS = 8;
/** What a test's worker has otherwise: as in production here. */
const SETTINGS = {
  WORKER_HEARTBEAT_INTERVAL_SECONDS: '30',
  WORKER_RETRY_FIRST_SECONDS: '5',
  // As the Dockerfile sets them.
  MALLOC_ARENA_MAX: '2',
  NODE_OPTIONS: '--enable-source-maps --max-semi-space-size=8',
};

async function openAws({ hooks, visibilityTimeout }: StageOptions) {
  if (hooks === undefined) return await startLocalAwsProcess({ visibilityTimeout });
  const aws = await startLocalAws({ hooks });
  const resources = await createResources(aws.endpoint, { visibilityTimeout });
  return { endpoint: aws.endpoint, resources, stop: () => aws.stop() };
}

export async function openStage(options: StageOptions = {}): Promise<Stage> {
  const aws = await openAws(options);
  const { resources } = aws;
  const client = { endpoint: aws.endpoint, region: LOCAL_REGION, credentials: LOCAL_CREDENTIALS };
  const own = { ...client, userAgentAppId: 'load' };
  const s3 = new S3Client({ ...own, forcePathStyle: true });
  const sqs = new SQSClient({ ...own, useQueueUrlAsEndpoint: false });
  const worker = await startWorkerProcess('loaded', {
    ...environment(resources),
    ...SETTINGS,
    ...options.settings,
  });
  const sent = new Map<string, { readonly group: string; readonly sentAt: number }>();
  const finished: Finished[] = [];
  let repeated = 0;
  let wake: () => void = () => {};
  const stopping = new AbortController();

  function hear(event: Readonly<Record<string, unknown>>, at: number): void {
    if (!String(event.type).endsWith('_completed')) return;
    const id = String(event.runId ?? event.requestId);
    const order = sent.get(id);
    if (order === undefined) repeated++;
    else finished.push({ id, status: String(event.status), at, ...order });
    sent.delete(id);
    wake();
  }

  async function receive(): Promise<void> {
    const QueueUrl = resources.eventsQueueUrl;
    while (!stopping.signal.aborted) {
      const command = new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 20 });
      const { Messages = [] } = await sqs.send(command, { abortSignal: stopping.signal });
      const at = systemClock.monotonic();
      for (const { Body = '{}' } of Messages) {
        const { Message } = JSON.parse(Body) as { readonly Message: string };
        hear(JSON.parse(Message) as Record<string, unknown>, at);
      }
      if (Messages.length === 0) continue;
      const Entries = Messages.map(({ ReceiptHandle }, i) => ({ Id: String(i), ReceiptHandle }));
      await sqs.send(new DeleteMessageBatchCommand({ QueueUrl, Entries }));
    }
  }
  const receivers = Array.from({ length: RECEIVERS }, () =>
    receive().catch((error: unknown) => {
      if (!stopping.signal.aborted) throw error;
    }),
  );

  async function sendBatch(messages: readonly Outgoing[]): Promise<void> {
    const sentAt = systemClock.monotonic();
    for (const { id, group } of messages) sent.set(id, { group, sentAt });
    const Entries = messages.map(({ body, group, id }, i) => ({
      Id: String(i),
      MessageBody: typeof body === 'string' ? body : JSON.stringify(body),
      MessageGroupId: group,
      MessageDeduplicationId: id,
    }));
    const { Failed = [] } = await sqs.send(
      new SendMessageBatchCommand({ QueueUrl: resources.requestQueueUrl, Entries }),
    );
    if (Failed.length > 0) throw new Error(`not sent: ${JSON.stringify(Failed[0])}`);
  }

  return {
    worker,
    resources,
    finished,
    get repeated() {
      return repeated;
    },
    async put(Key, Body) {
      await s3.send(new PutObjectCommand({ Bucket: resources.bucket, Key, Body }));
    },
    async send(messages) {
      // Of one group in the order given: who sends a batch takes every message of its groups with it.
      const batches = Array.from({ length: Math.ceil(messages.length / BATCH) }, (_, i) =>
        messages.slice(i * BATCH, (i + 1) * BATCH),
      );
      for (let at = 0; at < batches.length; at += SENDERS) {
        await Promise.all(batches.slice(at, at + SENDERS).map(sendBatch));
      }
    },
    async until(count) {
      while (finished.length < count) {
        if (!worker.isRunning()) throw new Error(`the worker ended: ${worker.complaints()}`);
        const news = new Promise<void>((resolve) => {
          wake = resolve;
        });
        await Promise.race([news, systemClock.sleep(1_000)]);
      }
    },
    async queue() {
      const { Attributes = {} } = await sqs.send(
        new GetQueueAttributesCommand({ QueueUrl: resources.requestQueueUrl, AttributeNames: ['All'] }),
      );
      return {
        waiting: Number(Attributes.ApproximateNumberOfMessages),
        inFlight: Number(Attributes.ApproximateNumberOfMessagesNotVisible),
      };
    },
    async purge() {
      await sqs.send(new PurgeQueueCommand({ QueueUrl: resources.requestQueueUrl }));
      sent.clear();
    },
    async stop() {
      stopping.abort();
      await Promise.all(receivers);
      await worker.stop(60_000);
      s3.destroy();
      sqs.destroy();
      await aws.stop();
    },
  };
}
