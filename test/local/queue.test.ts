import { PublishCommand } from '@aws-sdk/client-sns';
import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageCommand,
} from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { systemClock } from '../../src/common/clock.ts';
import { type LocalAws, startLocalAws } from '../../src/local/local-aws.ts';
import { createResources, environment, type Resources } from '../../src/local/resources.ts';
import { type Clients, clientsOf, failureOf } from './clients.ts';

let aws: LocalAws;
let clients: Clients;
let resources: Resources;
let round = 0;

beforeAll(async () => {
  aws = await startLocalAws();
  clients = clientsOf(aws.endpoint);
});

afterAll(async () => {
  clients.destroy();
  await aws.stop();
});

beforeEach(async () => {
  round += 1;
  resources = await createResources(aws.endpoint, { prefix: `round-${round}`, maxReceiveCount: 2 });
});

async function send(body: string, group: string, id = body): Promise<string | undefined> {
  const sent = await clients.sqs.send(
    new SendMessageCommand({
      QueueUrl: resources.requestQueueUrl,
      MessageBody: body,
      MessageGroupId: group,
      MessageDeduplicationId: id,
      MessageAttributes: { type: { DataType: 'String', StringValue: 'test' } },
    }),
  );
  return sent.MessageId;
}

async function receive(
  options: { wait?: number; visibility?: number; max?: number; url?: string } = {},
): Promise<Message[]> {
  const { Messages = [] } = await clients.sqs.send(
    new ReceiveMessageCommand({
      QueueUrl: options.url ?? resources.requestQueueUrl,
      WaitTimeSeconds: options.wait ?? 0,
      MaxNumberOfMessages: options.max ?? 1,
      VisibilityTimeout: options.visibility,
      MessageSystemAttributeNames: ['All'],
      MessageAttributeNames: ['All'],
    }),
  );
  return Messages;
}

function remove(ReceiptHandle: string | undefined, url = resources.requestQueueUrl) {
  return clients.sqs.send(new DeleteMessageCommand({ QueueUrl: url, ReceiptHandle }));
}

function changeVisibility(
  ReceiptHandle: string | undefined,
  VisibilityTimeout: number,
  url = resources.requestQueueUrl,
) {
  return clients.sqs.send(
    new ChangeMessageVisibilityCommand({ QueueUrl: url, ReceiptHandle, VisibilityTimeout }),
  );
}

const bodies = (messages: readonly Message[]) => messages.map(({ Body }) => Body);

test('queue URLs are plain addresses that any client reaches', async () => {
  expect(resources.requestQueueUrl).toBe(`${aws.endpoint}/000000000000/round-${round}-run-requests.fifo`);
  expect(environment(resources, 'http://local-aws:4566')).toMatchObject({
    AWS_ENDPOINT_URL: 'http://local-aws:4566',
    AWS_SQS_DLQ_URL: `http://local-aws:4566/000000000000/round-${round}-run-requests-dlq.fifo`,
  });
  expect(await createResources(aws.endpoint, { prefix: `round-${round}`, maxReceiveCount: 2 })).toEqual(
    resources,
  );
});

describe('a message', () => {
  test('of 1 MiB passes and a larger one is refused', async () => {
    const room = 1024 * 1024 - 'typeStringtest'.length;
    await send('x'.repeat(room), 'g', 'fits');
    expect((await receive())[0]?.Body).toHaveLength(room);
    expect(await failureOf(send('x'.repeat(room + 1), 'g', 'too large'))).toBe('InvalidParameterValue 400');
  });

  test('keeps its attributes and any character', async () => {
    await send('{"name":"série 📈"}', 'g', 'text');
    const [message] = await receive();
    expect(message).toMatchObject({
      Body: '{"name":"série 📈"}',
      Attributes: { MessageGroupId: 'g', MessageDeduplicationId: 'text', ApproximateReceiveCount: '1' },
      MessageAttributes: { type: { DataType: 'String', StringValue: 'test' } },
    });
  });

  test('sent twice under one deduplication id is one message', async () => {
    const id = await send('first', 'g', 'same');
    expect(await send('second', 'g', 'same')).toBe(id);
    const [message] = await receive();
    expect(message?.Body).toBe('first');
    await remove(message?.ReceiptHandle);
    expect(await send('third', 'g', 'same')).toBe(id);
    expect(await receive()).toEqual([]);
  });

  test('goes to the FIFO dead-letter queue after its last receive', async () => {
    await send('poison', 'g');
    for (let attempt = 1; attempt <= 2; attempt++) {
      const [message] = await receive();
      expect(message?.Attributes?.ApproximateReceiveCount).toBe(String(attempt));
      await changeVisibility(message?.ReceiptHandle, 0);
    }
    expect(await receive()).toEqual([]);
    const [dead] = await receive({ url: resources.deadLetterQueueUrl });
    expect(dead).toMatchObject({ Body: 'poison', Attributes: { MessageGroupId: 'g' } });
  });
});

describe('a message group', () => {
  test('gives out no second message while one is in flight, to however many receivers', async () => {
    for (const body of ['a1', 'a2', 'a3']) await send(body, 'a');
    await send('b1', 'b');
    const got = (await Promise.all(Array.from({ length: 6 }, () => receive()))).flat();
    expect(bodies(got).toSorted()).toEqual(['a1', 'b1']);
    await remove(got.find(({ Body }) => Body === 'a1')?.ReceiptHandle);
    expect(bodies(await receive())).toEqual(['a2']);
    expect(await receive()).toEqual([]);
  });

  test('keeps its order when a message is given back or its visibility runs out', async () => {
    for (const body of ['1', '2']) await send(body, 'g');
    const [first] = await receive();
    await changeVisibility(first?.ReceiptHandle, 0);
    expect(bodies(await receive({ visibility: 1 }))).toEqual(['1']);
    expect(await receive()).toEqual([]);
    const started = systemClock.monotonic();
    expect(bodies(await receive({ wait: 3 }))).toEqual(['2']);
    expect(systemClock.monotonic() - started).toBeLessThan(1_500);
    expect(bodies(await receive({ url: resources.deadLetterQueueUrl }))).toEqual(['1']);
  });
});

describe('a receipt handle', () => {
  test('extends visibility while it holds', async () => {
    await send('x', 'g');
    const [message] = await receive({ visibility: 1 });
    await changeVisibility(message?.ReceiptHandle, 30);
    await systemClock.sleep(1_050);
    expect(await receive()).toEqual([]);
    await remove(message?.ReceiptHandle);
  });

  test('that ran out neither deletes nor extends on a FIFO queue, though nobody has received since', async () => {
    await send('x', 'g');
    const [message] = await receive({ visibility: 1 });
    await systemClock.sleep(1_050);
    expect(await failureOf(remove(message?.ReceiptHandle))).toBe('InvalidParameterValue 400');
    expect(await failureOf(changeVisibility(message?.ReceiptHandle, 30))).toBe('InvalidParameterValue 400');
    const [again] = await receive();
    await remove(again?.ReceiptHandle);
    await remove(again?.ReceiptHandle);
    expect(await failureOf(changeVisibility('nonsense', 0))).toBe('ReceiptHandleIsInvalid 400');
  });

  test('that ran out still deletes on a standard queue, but does not extend', async () => {
    await clients.sns.send(new PublishCommand({ TopicArn: resources.eventsTopicArn, Message: 'm' }));
    const url = resources.eventsQueueUrl;
    const [message] = await receive({ url, visibility: 1 });
    await systemClock.sleep(1_050);
    await remove(message?.ReceiptHandle, url);
    expect(await receive({ url })).toEqual([]);
    expect(await failureOf(changeVisibility(message?.ReceiptHandle, 5, url))).toBe(
      'InvalidParameterValue 400',
    );
  });
});

describe('a long poll', () => {
  test('ends when a message arrives, for one waiter only', async () => {
    const started = systemClock.monotonic();
    const waiting = Array.from({ length: 3 }, () => receive({ wait: 1 }));
    await systemClock.sleep(100);
    await send('x', 'g');
    const first = await Promise.race(waiting);
    expect(bodies(first)).toEqual(['x']);
    expect(systemClock.monotonic() - started).toBeLessThan(900);
    expect((await Promise.all(waiting)).flat()).toHaveLength(1);
    expect(systemClock.monotonic() - started).toBeGreaterThan(990);
  });

  test('that its client gave up takes no message', async () => {
    const controller = new AbortController();
    const QueueUrl = resources.requestQueueUrl;
    const poll = clients.sqs.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 20 }), {
      abortSignal: controller.signal,
    });
    const failure = failureOf(poll);
    await systemClock.sleep(100);
    controller.abort();
    expect(await failure).toBe('AbortError');
    await systemClock.sleep(50);
    await send('x', 'g');
    const counts = await clients.sqs.send(
      new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }),
    );
    expect(counts.Attributes).toMatchObject({
      ApproximateNumberOfMessages: '1',
      ApproximateNumberOfMessagesNotVisible: '0',
    });
    const [message] = await receive();
    expect(message?.Attributes?.ApproximateReceiveCount).toBe('1');
  });
});

test('stopping ends long polls at once', async () => {
  const brief = await startLocalAws();
  const { sqs, destroy } = clientsOf(brief.endpoint);
  const { requestQueueUrl: QueueUrl } = await createResources(brief.endpoint);
  const poll = sqs.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 20 })).catch(() => 'cut off');
  await systemClock.sleep(100);
  const started = systemClock.monotonic();
  await brief.stop();
  await poll;
  expect(systemClock.monotonic() - started).toBeLessThan(500);
  destroy();
});

describe('events', () => {
  const MessageAttributes = { type: { DataType: 'String', StringValue: 'metric_run_started' } };

  test('come to the events queue in an SNS envelope', async () => {
    await clients.sns.send(
      new PublishCommand({ TopicArn: resources.eventsTopicArn, Message: '{"a":1}', MessageAttributes }),
    );
    const [message] = await receive({ url: resources.eventsQueueUrl, wait: 1 });
    expect(JSON.parse(message?.Body ?? '')).toMatchObject({
      Type: 'Notification',
      TopicArn: resources.eventsTopicArn,
      Message: '{"a":1}',
      MessageAttributes: { type: { Type: 'String', Value: 'metric_run_started' } },
    });
  });

  test('come bare with raw delivery, their attributes with them', async () => {
    const raw = await createResources(aws.endpoint, { prefix: `raw-${round}`, rawDelivery: true });
    await clients.sns.send(
      new PublishCommand({ TopicArn: raw.eventsTopicArn, Message: '{"a":1}', MessageAttributes }),
    );
    const [message] = await receive({ url: raw.eventsQueueUrl });
    expect(message).toMatchObject({ Body: '{"a":1}', MessageAttributes });
  });

  test.each([false, true])('pass a FIFO topic in order and once (raw: %s)', async (rawDelivery) => {
    const prefix = `fifo-${round}`;
    const fifo = await createResources(aws.endpoint, { prefix, fifoTopic: true, rawDelivery });
    expect(fifo.eventsTopicArn).toMatch(/\.fifo$/);
    for (const id of ['1', '2', '1']) {
      await clients.sns.send(
        new PublishCommand({
          TopicArn: fifo.eventsTopicArn,
          Message: id,
          MessageGroupId: 'run',
          MessageDeduplicationId: id,
        }),
      );
    }
    const seen: string[] = [];
    for (;;) {
      const [message] = await receive({ url: fifo.eventsQueueUrl });
      if (message === undefined) break;
      expect(message.Attributes?.MessageGroupId).toBe('run');
      seen.push(rawDelivery ? (message.Body ?? '') : JSON.parse(message.Body ?? '').Message);
      await remove(message.ReceiptHandle, fifo.eventsQueueUrl);
    }
    expect(seen).toEqual(['1', '2']);
    const ungrouped = new PublishCommand({ TopicArn: fifo.eventsTopicArn, Message: 'x' });
    expect(await failureOf(clients.sns.send(ungrouped))).toBe('InvalidParameterException 400');
  });
});
