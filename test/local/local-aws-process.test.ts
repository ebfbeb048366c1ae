import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { PublishCommand } from '@aws-sdk/client-sns';
import {
  ChangeMessageVisibilityCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
} from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type LocalAwsProcess, startLocalAwsProcess } from '../../src/local/local-aws-process.ts';
import { clientsOf, failureOf } from './clients.ts';

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tidemill-local-aws-'));
});

afterAll(async () => {
  await rm(directory, { recursive: true });
});

async function receive(aws: LocalAwsProcess) {
  const clients = clientsOf(aws.endpoint);
  const { Messages = [] } = await clients.sqs.send(
    new ReceiveMessageCommand({
      QueueUrl: aws.resources.requestQueueUrl,
      MessageSystemAttributeNames: ['ApproximateReceiveCount'],
    }),
  );
  clients.destroy();
  return Messages;
}

test('what it holds survives a restart on another port, and being killed', async () => {
  const dataDir = join(directory, 'data');
  const first = await startLocalAwsProcess({ dataDir, prefix: 'keep' });
  const { s3, sqs, sns, destroy } = clientsOf(first.endpoint);
  const { bucket, requestQueueUrl, eventsTopicArn } = first.resources;
  const object = { Bucket: bucket, Key: 'a/b.txt' };
  await s3.send(
    new PutObjectCommand({ ...object, Body: 'kept', Metadata: { 'put-id': 'p' }, IfNoneMatch: '*' }),
  );
  for (const body of ['1', '2']) {
    const id = { MessageGroupId: 'g', MessageDeduplicationId: body };
    await sqs.send(new SendMessageCommand({ QueueUrl: requestQueueUrl, MessageBody: body, ...id }));
  }
  const [message] = await receive(first);
  const ReceiptHandle = message?.ReceiptHandle;
  await sqs.send(
    new ChangeMessageVisibilityCommand({ QueueUrl: requestQueueUrl, ReceiptHandle, VisibilityTimeout: 0 }),
  );
  await sns.send(new PublishCommand({ TopicArn: eventsTopicArn, Message: 'event' }));
  destroy();
  process.kill(first.pid, 'SIGKILL');
  await first.stop();

  const second = await startLocalAwsProcess({ dataDir, prefix: 'keep' });
  expect(second.resources.requestQueueUrl).toBe(`${second.endpoint}/000000000000/keep-run-requests.fifo`);
  const again = clientsOf(second.endpoint);
  const found = await again.s3.send(new GetObjectCommand({ ...object, Range: 'bytes=-99' }));
  expect(await found.Body?.transformToString()).toBe('kept');
  expect(found.Metadata).toEqual({ 'put-id': 'p' });
  const create = new PutObjectCommand({ ...object, Body: 'other', IfNoneMatch: '*' });
  expect(await failureOf(again.s3.send(create))).toBe('PreconditionFailed 412');
  expect(await receive(second)).toMatchObject([{ Body: '1', Attributes: { ApproximateReceiveCount: '2' } }]);
  const events = await again.sqs.send(
    new ReceiveMessageCommand({ QueueUrl: second.resources.eventsQueueUrl }),
  );
  expect(events.Messages).toHaveLength(1);
  again.destroy();
  await second.stop();
  await second.stop();
});

test('a taken port is told as the reason', async () => {
  const first = await startLocalAwsProcess();
  await expect(startLocalAwsProcess({ port: first.port })).rejects.toThrow(/EADDRINUSE/);
  await first.stop();
});

test('run by hand it prints one line and ends well on SIGTERM', async () => {
  const server = join(import.meta.dirname, '../../src/local/server.ts');
  const child = spawn(process.execPath, [server, '--port', '0', '--fifo-topic'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const ready = JSON.parse(line.toString());
  expect(ready.environment).toMatchObject({
    AWS_ENDPOINT_URL: ready.endpoint,
    AWS_SNS_EVENTS_TOPIC_ARN: 'arn:aws:sns:us-east-1:000000000000:tidemill-events.fifo',
  });
  child.kill('SIGTERM');
  expect(await once(child, 'exit')).toEqual([0, null]);
});
