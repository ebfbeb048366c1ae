import {
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SetQueueAttributesCommand,
} from '@aws-sdk/client-sqs';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { RetryableError } from '../../src/common/errors.ts';
import { type LocalAws, startLocalAws } from '../../src/local/local-aws.ts';
import type { RequestHooks, Verdict } from '../../src/local/request-hooks.ts';
import { createResources, environment, LOCAL_REGION, type Resources } from '../../src/local/resources.ts';
import {
  createRequestQueue,
  type Delivery,
  LeaseLostError,
  type QueueSettings,
  type RequestQueue,
  toDelivery,
} from '../../src/worker/queue.ts';

const hooks: RequestHooks = {};
const opened: RequestQueue[] = [];
let aws: LocalAws;
let resources: Resources;

beforeAll(async () => {
  aws = await startLocalAws({ hooks });
  resources = await createResources(aws.endpoint, { maxReceiveCount: 4 });
  Object.assign(process.env, environment(resources));
});

afterEach(() => {
  hooks.onRequest = undefined;
  for (const queue of opened.splice(0)) queue.close();
});

afterAll(() => aws.stop());

function open(settings: Partial<QueueSettings> = {}): RequestQueue {
  const { requestQueueUrl: url, deadLetterQueueUrl: deadLetterUrl } = resources;
  const queue = createRequestQueue({ region: LOCAL_REGION, url, deadLetterUrl, ...settings });
  opened.push(queue);
  return queue;
}

async function receive(queue: RequestQueue, QueueUrl: string): Promise<Delivery | undefined> {
  const output = await queue.client.send(
    new ReceiveMessageCommand({
      QueueUrl,
      MessageSystemAttributeNames: ['All'],
      MessageAttributeNames: ['All'],
      VisibilityTimeout: 30,
    }),
  );
  const message = output.Messages?.[0];
  return message && toDelivery(message, 0);
}

const stray = (more: Partial<Delivery> = {}): Delivery => ({
  messageId: `m-${Math.random()}`,
  receiptHandle: 'r',
  body: 'hello',
  typeAttribute: undefined,
  groupId: 'g',
  attempt: 1,
  firstReceivedAt: 0,
  ...more,
});

test('a delivery tells what the life of its message needs', async () => {
  const queue = open();
  await queue.send('{"a":1}', 'group', 'once');
  await queue.send('{"a":1}', 'group', 'once');
  const before = Date.now();
  const delivery = await receive(queue, queue.url);
  expect(delivery).toMatchObject({ body: '{"a":1}', groupId: 'group', attempt: 1, typeAttribute: undefined });
  expect(Math.abs(delivery!.firstReceivedAt - before)).toBeLessThan(5_000);
  await queue.setVisibility(delivery!.receiptHandle, 0);
  const again = await receive(queue, queue.url);
  expect(again).toMatchObject({ messageId: delivery?.messageId, attempt: 2 });
  expect(again?.firstReceivedAt).toBe(delivery?.firstReceivedAt);
  expect(await receive(queue, queue.url)).toBeUndefined();
});

describe('a lease is lost', () => {
  test('when the message was deleted or its time is over', async () => {
    await expect(open().setVisibility('11111111-2222-3333-4444-555555555555', 9)).rejects.toThrow(
      LeaseLostError,
    );
    await expect(open().setVisibility('no handle', 9)).rejects.toThrow(LeaseLostError);
  });

  test.each(['ReceiptHandleIsInvalid', 'MessageNotInflight', 'InvalidParameterValue', 'InvalidAddress'])(
    'when SQS says %s, with or without the prefix of the older protocol',
    async (name) => {
      for (const code of [name, `AWS.SimpleQueueService.${name}`]) {
        hooks.onRequest = async () => ({ kind: 'fail', status: 400, code });
        await expect(open().setVisibility('x', 9)).rejects.toThrow(LeaseLostError);
      }
    },
  );

  test.each<[string, Verdict]>([
    ['SQS is down', { kind: 'fail', status: 500, code: 'InternalFailure' }],
    ['SQS throttles', { kind: 'fail', status: 400, code: 'RequestThrottled' }],
    ['the connection breaks', { kind: 'drop' }],
  ])('but not when %s', async (_, verdict) => {
    hooks.onRequest = async () => verdict;
    const failure = await open()
      .setVisibility('x', 9)
      .catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(Error);
    expect(failure).not.toBeInstanceOf(LeaseLostError);
  });
});

describe('the dead-letter queue', () => {
  test('gets the body as it was, and why, in attributes that SQS takes', async () => {
    const queue = open();
    const body = `no JSON: ${'x'.repeat(1000)}`;
    const detail = `bad \u0000\u0007\n${'\ud800'} ${'d'.repeat(500)}`;
    expect(await queue.deadLetter(stray({ body, typeAttribute: 'x' }), 'no_json', detail)).toBe(true);
    const output = await queue.client.send(
      new ReceiveMessageCommand({ QueueUrl: resources.deadLetterQueueUrl, MessageAttributeNames: ['All'] }),
    );
    const [message] = output.Messages ?? [];
    expect(message?.Body).toBe(body);
    const attributes = message?.MessageAttributes ?? {};
    expect(Object.keys(attributes).sort()).toEqual(['detail', 'reason', 'sourceMessageId', 'type']);
    expect(attributes.reason?.StringValue).toBe('no_json');
    expect(attributes.detail?.StringValue).toMatch(/^bad {2}\ufffd d+$/);
    // Cut to 256 characters before three of them became one.
    expect(attributes.detail?.StringValue?.length).toBe(254);
  });

  test('gets a message once, however often it is sent', async () => {
    const queue = open();
    const delivery = stray();
    const before = await waiting(queue);
    await queue.deadLetter(delivery, 'no_json', 'detail');
    await queue.deadLetter(delivery, 'no_json', 'detail');
    expect((await waiting(queue)) - before).toBe(1);
  });

  test('may be a standard queue', async () => {
    const queue = open({ deadLetterUrl: resources.eventsQueueUrl });
    expect(await queue.deadLetter(stray(), 'no_json', '')).toBe(true);
    const found = await receive(queue, resources.eventsQueueUrl);
    expect(found?.body).toBe('hello');
  });

  test('may be none', async () => {
    expect(await open({ deadLetterUrl: undefined }).deadLetter(stray(), 'no_json', '')).toBe(false);
  });

  test('that refuses is a failure that may pass', async () => {
    hooks.onRequest = async () => ({ kind: 'fail', status: 403, code: 'AccessDenied' });
    await expect(open().deadLetter(stray(), 'no_json', '')).rejects.toThrow(RetryableError);
  });

  async function waiting(queue: RequestQueue): Promise<number> {
    const { Attributes } = await queue.client.send(
      new GetQueueAttributesCommand({ QueueUrl: resources.deadLetterQueueUrl, AttributeNames: ['All'] }),
    );
    return Number(Attributes?.ApproximateNumberOfMessages);
  }
});

test('ids that SQS does not take are hashed', async () => {
  const ids: unknown[] = [];
  hooks.onRequest = async ({ body }) => void ids.push(body?.messageGroupId, body?.messageDeduplicationId);
  await open().send('{}', 'metric with blanks', 'x'.repeat(200));
  expect(ids).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/), expect.stringMatching(/^[0-9a-f]{64}$/)]);
});

describe('the redrive policy', () => {
  test('says how often a message is delivered', async () => {
    expect(await open().maxReceiveCount()).toBe(4);
  });

  test('may be missing', async () => {
    const queue = open({ url: resources.deadLetterQueueUrl });
    expect(await queue.maxReceiveCount()).toBeUndefined();
  });

  test('may have its number as text, as the console writes it', async () => {
    const queue = open({ url: resources.eventsQueueUrl });
    const RedrivePolicy = JSON.stringify({
      deadLetterTargetArn: resources.eventsQueueArn,
      maxReceiveCount: '7',
    });
    await queue.client.send(
      new SetQueueAttributesCommand({ QueueUrl: resources.eventsQueueUrl, Attributes: { RedrivePolicy } }),
    );
    expect(await queue.maxReceiveCount()).toBe(7);
  });
});

test('a queue that never answers is a failure, in time', async () => {
  hooks.onRequest = async () => ({ kind: 'delay', ms: 1_500 });
  const started = performance.now();
  await expect(open({ timeoutMs: 100 }).maxReceiveCount()).rejects.toThrow();
  expect(performance.now() - started).toBeLessThan(1_400);
});

test('check passes for a queue that is there, and fails for one that is not', async () => {
  const signal = new AbortController().signal;
  await open().check(signal);
  await expect(open({ url: `${resources.requestQueueUrl}x` }).check(signal)).rejects.toThrow();
});
