import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { PublishCommand } from '@aws-sdk/client-sns';
import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
} from '@aws-sdk/client-sqs';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { systemClock } from '../../src/common/clock.ts';
import { type LocalAws, startLocalAws } from '../../src/local/local-aws.ts';
import type { LocalRequest, RequestHooks, Verdict } from '../../src/local/request-hooks.ts';
import { createResources, type Resources } from '../../src/local/resources.ts';
import { type Clients, clientsOf, failureOf } from './clients.ts';

const hooks: RequestHooks = {};
let aws: LocalAws;
let clients: Clients;
let resources: Resources;
let Bucket: string;

beforeAll(async () => {
  const early: string[] = [];
  hooks.onRequest = async ({ operation }) => void early.push(operation);
  aws = await startLocalAws({ hooks });
  expect(early).toEqual([]);
  clients = clientsOf(aws.endpoint);
  resources = await createResources(aws.endpoint);
  Bucket = resources.bucket;
});

afterEach(() => {
  hooks.onRequest = undefined;
  hooks.onResponse = undefined;
});

afterAll(async () => {
  clients.destroy();
  await aws.stop();
});

const put = (Key: string, Body = 'x') => clients.s3.send(new PutObjectCommand({ Bucket, Key, Body }));
const exists = async (Key: string) => {
  const { KeyCount } = await clients.s3.send(new ListObjectsV2Command({ Bucket, Prefix: Key }));
  return KeyCount === 1;
};
const publish = () =>
  clients.sns.send(
    new PublishCommand({
      TopicArn: resources.eventsTopicArn,
      Message: 'hello',
      MessageAttributes: { type: { DataType: 'String', StringValue: 'greeting' } },
    }),
  );
const receive = (WaitTimeSeconds = 0) =>
  clients.sqs.send(new ReceiveMessageCommand({ QueueUrl: resources.eventsQueueUrl, WaitTimeSeconds }));

test('every step of a worker has its name, before and after', async () => {
  const before: LocalRequest[] = [];
  const after: string[] = [];
  hooks.onRequest = async (request) => void before.push(request);
  hooks.onResponse = async ({ operation }, status) => void after.push(`${operation} ${status}`);
  const { s3, sqs } = clients;
  const Key = 'a/b';
  await s3.send(new HeadBucketCommand({ Bucket }));
  await put(Key);
  await (await s3.send(new GetObjectCommand({ Bucket, Key }))).Body?.transformToString();
  await s3.send(new HeadObjectCommand({ Bucket, Key }));
  await s3.send(new ListObjectsV2Command({ Bucket, Prefix: 'a/' }));
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key }));
  const { ETag } = await s3.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber: 1, Body: 'x' }));
  const MultipartUpload = { Parts: [{ PartNumber: 1, ETag }] };
  await s3.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload }));
  const second = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key }));
  await s3.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId: second.UploadId }));
  await s3.send(new CopyObjectCommand({ Bucket, Key: 'copy', CopySource: `${Bucket}/${Key}` }));
  await s3.send(new DeleteObjectCommand({ Bucket, Key }));
  await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key: 'copy' }] } }));
  await publish();
  const QueueUrl = resources.eventsQueueUrl;
  await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: 'body' }));
  const [message] = (await receive()).Messages ?? [];
  const ReceiptHandle = message?.ReceiptHandle;
  await sqs.send(new ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle, VisibilityTimeout: 9 }));
  await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
  await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['QueueArn'] }));
  expect(before.map(({ service, operation }) => `${service} ${operation}`)).toEqual([
    's3 HeadBucket',
    's3 PutObject',
    's3 GetObject',
    's3 HeadObject',
    's3 ListObjectsV2',
    's3 CreateMultipartUpload',
    's3 UploadPart',
    's3 CompleteMultipartUpload',
    's3 CreateMultipartUpload',
    's3 AbortMultipartUpload',
    's3 CopyObject',
    's3 DeleteObject',
    's3 DeleteObjects',
    'sns Publish',
    'sqs SendMessage',
    'sqs ReceiveMessage',
    'sqs ChangeMessageVisibility',
    'sqs DeleteMessage',
    'sqs GetQueueAttributes',
  ]);
  const status = (operation: string) => (/^(DeleteObject|AbortMultipartUpload)$/.test(operation) ? 204 : 200);
  expect(after).toEqual(before.map(({ operation }) => `${operation} ${status(operation)}`));
  expect(before.map(({ seq }) => seq - before[0]!.seq)).toEqual(before.map((_, index) => index));
  const of = (operation: string) => before.find((request) => request.operation === operation);
  expect(of('PutObject')).toMatchObject({ bucket: Bucket, key: Key });
  expect(of('UploadPart')).toMatchObject({ key: Key, query: { uploadId: UploadId, partNumber: '1' } });
  expect(of('ListObjectsV2')).toMatchObject({ bucket: Bucket, query: { prefix: 'a/' } });
  expect(of('Publish')?.body).toMatchObject({
    topicArn: resources.eventsTopicArn,
    message: 'hello',
    messageAttributes: { type: 'greeting' },
  });
  expect(of('SendMessage')?.body).toMatchObject({ queueUrl: QueueUrl, messageBody: 'body' });
  expect(of('DeleteMessage')?.body).toMatchObject({ receiptHandle: ReceiptHandle });
});

describe('a failure', () => {
  const slow: Verdict = { kind: 'fail', status: 503, code: 'SlowDown', headers: { 'retry-after': '1' } };

  test('before a put leaves nothing, after it the object', async () => {
    hooks.onRequest = async ({ operation }) => (operation === 'PutObject' ? slow : undefined);
    expect(await failureOf(put('fail-before'))).toBe('SlowDown 503');
    hooks.onRequest = undefined;
    hooks.onResponse = async ({ operation }) => (operation === 'PutObject' ? slow : undefined);
    expect(await failureOf(put('fail-after'))).toBe('SlowDown 503');
    expect(await exists('fail-before')).toBe(false);
    expect(await exists('fail-after')).toBe(true);
  });

  test('is not judged again on its way out', async () => {
    let responses = 0;
    hooks.onRequest = async () => slow;
    hooks.onResponse = async () => void responses++;
    expect(await failureOf(put('once'))).toBe('SlowDown 503');
    expect(responses).toBe(0);
  });

  test.each([
    ['GetObject', 500, 'InternalError', () => clients.s3.send(new GetObjectCommand({ Bucket, Key: 'k' }))],
    ['PutObject', 409, 'ConditionalRequestConflict', () => put('k')],
    ['HeadObject', 403, 'Unknown', () => clients.s3.send(new HeadObjectCommand({ Bucket, Key: 'k' }))],
    ['Publish', 500, 'InternalFailure', publish],
    ['Publish', 400, 'Throttling', publish],
    ['ReceiveMessage', 403, 'AccessDenied', receive],
    ['ReceiveMessage', 503, 'ServiceUnavailable', receive],
  ])('of %s with %d reaches the SDK as %s', async (operation, status, code, call) => {
    hooks.onRequest = async (request) => {
      return request.operation === operation ? { kind: 'fail', status, code } : undefined;
    };
    expect(await failureOf(call())).toBe(`${code} ${status}`);
  });

  test.each([
    ['ChangeMessageVisibility', 'ReceiptHandleIsInvalid'],
    ['DeleteMessage', 'InvalidParameterValue'],
  ])('of %s has the name %s', async (operation, code) => {
    hooks.onResponse = async (request) => {
      return request.operation === operation ? { kind: 'fail', status: 400, code } : undefined;
    };
    await publish();
    const [message] = (await receive()).Messages ?? [];
    const about = { QueueUrl: resources.eventsQueueUrl, ReceiptHandle: message?.ReceiptHandle };
    const change = new ChangeMessageVisibilityCommand({ ...about, VisibilityTimeout: 0 });
    const call =
      operation === 'DeleteMessage'
        ? clients.sqs.send(new DeleteMessageCommand(about))
        : clients.sqs.send(change);
    expect(await failureOf(call)).toBe(`${code} 400`);
  });
});

test.each([
  ['onRequest', false],
  ['onResponse', true],
] as const)('a connection dropped %s leaves the object written: %s', async (hook, written) => {
  hooks[hook] = async ({ operation }: LocalRequest) => {
    return operation === 'PutObject' ? { kind: 'drop' } : undefined;
  };
  expect(await failureOf(put(`drop-${hook}`))).toMatch(/TimeoutError|ECONNRESET|Error/);
  expect(await exists(`drop-${hook}`)).toBe(written);
});

test.each([0, 1, 70_000])(
  'an answer cut after %d bytes has its headers and that much of its body',
  async (afterBytes) => {
    await put('cut', 'x'.repeat(100_000));
    hooks.onResponse = async ({ operation }) => {
      return operation === 'GetObject' ? { kind: 'cut', afterBytes } : undefined;
    };
    const { Body, ContentLength } = await clients.s3.send(new GetObjectCommand({ Bucket, Key: 'cut' }));
    expect(ContentLength).toBe(100_000);
    let received = 0;
    const readAll = async () => {
      for await (const chunk of Body as AsyncIterable<Buffer>) received += chunk.length;
    };
    await expect(readAll()).rejects.toThrow(/aborted/);
    expect(received).toBe(afterBytes);
  },
);

test('a delay is a delay, before or after, and others pass meanwhile', async () => {
  hooks.onRequest = async ({ key }) => (key === 'late' ? { kind: 'delay', ms: 100 } : undefined);
  hooks.onResponse = async ({ key }) => (key === 'late' ? { kind: 'delay', ms: 100 } : undefined);
  const started = systemClock.monotonic();
  const late = put('late').then(() => systemClock.monotonic() - started);
  const prompt = put('prompt').then(() => systemClock.monotonic() - started);
  expect(await prompt).toBeLessThan(90);
  expect(await late).toBeGreaterThan(195);
});

test('a long poll can be failed, and its message stays in the queue', async () => {
  hooks.onRequest = async ({ operation }) => {
    return operation === 'ReceiveMessage' ? { kind: 'fail', status: 500, code: 'InternalError' } : undefined;
  };
  await publish();
  expect(await failureOf(receive(5))).toBe('InternalError 500');
  hooks.onRequest = undefined;
  expect((await receive(1)).Messages).toHaveLength(1);
});
