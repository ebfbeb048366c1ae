/**
 * The bucket, queues and topic that one worker needs, made in the embedded AWS with real SDK clients.
 * Idempotent: what exists is taken as it is. Independent sets live side by side under other prefixes.
 */

import { CreateBucketCommand, HeadBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { CreateTopicCommand, SNSClient, SubscribeCommand } from '@aws-sdk/client-sns';
import { CreateQueueCommand, GetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs';

export const LOCAL_REGION = 'us-east-1';
export const LOCAL_CREDENTIALS = { accessKeyId: 'local', secretAccessKey: 'local' } as const;

export interface ResourceOptions {
  /** What all names begin with; default `tidemill`. */
  readonly prefix?: string | undefined;
  /** Receives before a message goes to the dead-letter queue; default 5. */
  readonly maxReceiveCount?: number | undefined;
  /** Seconds; default 60. */
  readonly visibilityTimeout?: number | undefined;
  /** Whether events go to a FIFO topic, read from a FIFO queue; default false. */
  readonly fifoTopic?: boolean | undefined;
  /** Whether the events queue gets bare messages and their attributes, not SNS envelopes; default false. */
  readonly rawDelivery?: boolean | undefined;
}

export interface Resources {
  readonly endpoint: string;
  readonly bucket: string;
  /** The FIFO queue that a worker takes requests from. */
  readonly requestQueueUrl: string;
  readonly requestQueueArn: string;
  readonly deadLetterQueueUrl: string;
  readonly deadLetterQueueArn: string;
  readonly eventsTopicArn: string;
  /** A queue subscribed to the topic, for people and tests to read events from. */
  readonly eventsQueueUrl: string;
  readonly eventsQueueArn: string;
}

/** Creates the set at `endpoint`, or finds it there. */
export async function createResources(endpoint: string, options: ResourceOptions = {}): Promise<Resources> {
  const { prefix = 'tidemill', maxReceiveCount = 5, visibilityTimeout = 60 } = options;
  const settings = { endpoint, region: LOCAL_REGION, credentials: LOCAL_CREDENTIALS };
  const s3 = new S3Client({ ...settings, forcePathStyle: true });
  const sqs = new SQSClient({ ...settings, useQueueUrlAsEndpoint: false });
  const sns = new SNSClient(settings);
  const fifo = options.fifoTopic ? '.fifo' : '';
  try {
    const bucket = `${prefix}-lake`;
    await ensureBucket(s3, bucket);
    const deadLetters = await ensureQueue(sqs, `${prefix}-run-requests-dlq.fifo`, {});
    const requests = await ensureQueue(sqs, `${prefix}-run-requests.fifo`, {
      VisibilityTimeout: String(visibilityTimeout),
      RedrivePolicy: JSON.stringify({ deadLetterTargetArn: deadLetters.arn, maxReceiveCount }),
    });
    const events = await ensureQueue(sqs, `${prefix}-events${fifo}`, {});
    const topic = await sns.send(
      new CreateTopicCommand({
        Name: `${prefix}-events${fifo}`,
        ...(options.fifoTopic ? { Attributes: { FifoTopic: 'true' } } : {}),
      }),
    );
    const eventsTopicArn = topic.TopicArn ?? '';
    await sns.send(
      new SubscribeCommand({
        TopicArn: eventsTopicArn,
        Protocol: 'sqs',
        Endpoint: events.arn,
        ...(options.rawDelivery ? { Attributes: { RawMessageDelivery: 'true' } } : {}),
      }),
    );
    return {
      endpoint,
      bucket,
      requestQueueUrl: requests.url,
      requestQueueArn: requests.arn,
      deadLetterQueueUrl: deadLetters.url,
      deadLetterQueueArn: deadLetters.arn,
      eventsTopicArn,
      eventsQueueUrl: events.url,
      eventsQueueArn: events.arn,
    };
  } finally {
    for (const client of [s3, sqs, sns]) client.destroy();
  }
}

/**
 * The variables that a worker needs to use the set. `endpoint` where the worker must reach it by
 * another address than the one it was created at (from inside a container, say).
 */
export function environment(resources: Resources, endpoint = resources.endpoint): Record<string, string> {
  const at = (queueUrl: string) => new URL(new URL(queueUrl).pathname, endpoint).href;
  return {
    AWS_ENDPOINT_URL: endpoint,
    AWS_ACCESS_KEY_ID: LOCAL_CREDENTIALS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: LOCAL_CREDENTIALS.secretAccessKey,
    AWS_REGION: LOCAL_REGION,
    AWS_S3_BUCKET: resources.bucket,
    AWS_S3_FORCE_PATH_STYLE: 'true',
    AWS_SQS_RUN_REQUEST_QUEUE_URL: at(resources.requestQueueUrl),
    AWS_SQS_DLQ_URL: at(resources.deadLetterQueueUrl),
    AWS_SNS_EVENTS_TOPIC_ARN: resources.eventsTopicArn,
  };
}

async function ensureBucket(s3: S3Client, bucket: string): Promise<void> {
  try {
    await s3.send(new HeadBucketCommand({ Bucket: bucket }));
  } catch {
    await s3.send(new CreateBucketCommand({ Bucket: bucket }));
  }
}

async function ensureQueue(
  sqs: SQSClient,
  name: string,
  attributes: Record<string, string>,
): Promise<{ url: string; arn: string }> {
  const created = await sqs.send(
    new CreateQueueCommand({
      QueueName: name,
      Attributes: { ...attributes, ...(name.endsWith('.fifo') ? { FifoQueue: 'true' } : {}) },
    }),
  );
  const url = created.QueueUrl ?? '';
  const found = await sqs.send(
    new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ['QueueArn'] }),
  );
  return { url, arn: found.Attributes?.QueueArn ?? '' };
}
