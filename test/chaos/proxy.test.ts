/** The fault proxy, fault by fault: what the worker's client meets, and what the service has done. */

import {
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  S3Client,
  type S3ClientConfig,
} from '@aws-sdk/client-s3';
import { PublishCommand, SNSClient } from '@aws-sdk/client-sns';
import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { machineMonotonic } from '../../src/common/clock.ts';
import { type LocalAws, startLocalAws } from '../../src/local/local-aws.ts';
import {
  createResources,
  LOCAL_CREDENTIALS,
  LOCAL_REGION,
  type Resources,
} from '../../src/local/resources.ts';
import type { CallDeed, FaultName, FaultRule } from './faults.ts';
import type { Call } from './history.ts';
import { type FaultProxy, laneOf, startFaultProxy } from './proxy.ts';
import type { AskedDeed } from './proxy-message.ts';

let aws: LocalAws;
let proxy: FaultProxy;
let lanes = 0;

beforeAll(async () => {
  aws = await startLocalAws();
  proxy = await startFaultProxy(aws.endpoint);
});
afterAll(async () => {
  await proxy.close();
  await aws.stop();
});

interface Scene {
  readonly resources: Resources;
  readonly s3: S3Client;
  readonly sqs: SQSClient;
  readonly sns: SNSClient;
  /** The queue as the service has it, past the proxy. */
  readonly direct: SQSClient;
  readonly directS3: S3Client;
  readonly asked: AskedDeed[];
  close(): Promise<{ readonly calls: readonly Call[]; readonly faults: Readonly<Record<string, number>> }>;
}

function clientsAt(endpoint: string, userAgentAppId: string) {
  const settings = {
    endpoint,
    region: LOCAL_REGION,
    credentials: LOCAL_CREDENTIALS,
    userAgentAppId,
    maxAttempts: 1,
  } satisfies S3ClientConfig;
  return {
    s3: new S3Client({ ...settings, forcePathStyle: true }),
    sqs: new SQSClient({ ...settings, useQueueUrlAsEndpoint: false }),
    sns: new SNSClient(settings),
  };
}

/** A lane in which this fault strikes once, at the first call that it can. */
async function laneWith(rules: readonly FaultRule[], deeds: readonly CallDeed[] = []): Promise<Scene> {
  const lane = `lane${++lanes}`;
  const resources = await createResources(aws.endpoint, { prefix: lane });
  const asked: AskedDeed[] = [];
  proxy.openLane(
    { lane, seed: 1, rules, deeds, stormMs: 60_000, startedAt: machineMonotonic() },
    async (deed) => void asked.push(deed),
  );
  proxy.storm(lane);
  const worker = clientsAt(proxy.endpoint, `${lane}-w1`);
  const own = clientsAt(aws.endpoint, 'test');
  return {
    resources,
    ...worker,
    direct: own.sqs,
    directS3: own.s3,
    asked,
    async close() {
      for (const { s3, sqs, sns } of [worker, own]) for (const client of [s3, sqs, sns]) client.destroy();
      return await proxy.closeLane(lane);
    },
  };
}

const once = (fault: FaultName, ms = 0): FaultRule => ({ fault, rate: 1, limit: 1, ms: [ms, ms] });
const nameOf = (error: unknown) => (error instanceof Error ? error.name : String(error));

const outcomeOf = async (sending: Promise<unknown>): Promise<string> =>
  await sending.then(() => 'ok', nameOf);

describe('a write that is struck by', () => {
  const cases: readonly (readonly [FaultName, heard: RegExp, carriedOut: boolean])[] = [
    ['latency', /^ok$/, true],
    ['slow-answer', /^ok$/, true],
    ['drop-before', /^(Error|TimeoutError)$/, false],
    ['drop-after', /^(Error|TimeoutError)$/, true],
    ['internal-error', /^InternalError$/, false],
    ['slow-down', /^SlowDown$/, false],
    ['conflict', /^ConditionalRequestConflict$/, false],
    ['expired-credentials', /^ExpiredToken$/, false],
    ['lost-put', /^InternalError$/, true],
  ];
  test.each(cases)(
    '%s is answered %s, carried out: %s; and so says the record',
    async (fault, heard, carriedOut) => {
      const scene = await laneWith([once(fault, 30)]);
      const where = { Bucket: scene.resources.bucket, Key: 'a/b c.json' };
      const put = () => scene.s3.send(new PutObjectCommand({ ...where, Body: '{"n":1}', IfNoneMatch: '*' }));
      expect(await outcomeOf(put())).toMatch(heard);
      const there = await outcomeOf(scene.directS3.send(new HeadObjectCommand(where)));
      expect(there).toBe(carriedOut ? 'ok' : 'NotFound');
      // The next one is left alone.
      expect(await outcomeOf(put())).toBe(carriedOut ? 'PreconditionFailed' : 'ok');
      const { calls, faults } = await scene.close();
      expect(faults).toEqual({ [fault]: 1 });
      expect(calls).toHaveLength(2);
      expect(calls[0]).toMatchObject({
        service: 's3',
        operation: 'PutObject',
        key: 'a/b c.json',
        body: '{"n":1}',
        headers: { 'if-none-match': '*' },
        carriedOut,
        fault,
      });
      expect(laneOf(calls[0]!.worker)).toBe(`lane${lanes}`);
    },
  );
});

describe('a read', () => {
  test.each(['cut-body', 'stalled-read'] as const)(
    'that is struck by %s has its head and half its body',
    async (fault) => {
      const scene = await laneWith([once(fault, 400)]);
      const where = { Bucket: scene.resources.bucket, Key: 'k' };
      const text = 'x'.repeat(100_000);
      await scene.directS3.send(new PutObjectCommand({ ...where, Body: text }));
      const read = async () => {
        const { Body } = await scene.s3.send(new GetObjectCommand(where));
        return (await Body?.transformToString())?.length;
      };
      const started = performance.now();
      const first = await read().catch(nameOf);
      // What is cut is never whole; what stalled is whole, later.
      if (fault === 'cut-body') expect(first).not.toBe(100_000);
      else expect([first, performance.now() - started > 390]).toEqual([100_000, true]);
      expect(await read()).toBe(100_000);
      await scene.close();
    },
  );
});

describe('the queue', () => {
  async function sent(rules: readonly FaultRule[]) {
    const scene = await laneWith(rules);
    const QueueUrl = scene.resources.requestQueueUrl;
    const message = { MessageBody: '{}', MessageGroupId: 'g', MessageDeduplicationId: 'd' };
    await scene.direct.send(new SendMessageCommand({ QueueUrl, ...message }));
    const receive = async (client = scene.sqs) =>
      (
        await client.send(
          new ReceiveMessageCommand({
            QueueUrl,
            VisibilityTimeout: 60,
            WaitTimeSeconds: 1,
            MessageSystemAttributeNames: ['All'],
          }),
        )
      ).Messages?.[0];
    return { scene, QueueUrl, receive };
  }

  test.each(['redelivered', 'early-visibility'] as const)(
    'gives a message twice where it is %s',
    async (fault) => {
      const { scene, receive } = await sent([once(fault, 50)]);
      const first = await receive();
      const second = await receive();
      expect(second?.MessageId).toBe(first?.MessageId);
      expect(second?.Attributes?.ApproximateReceiveCount).toBe('2');
      const { calls } = await scene.close();
      expect(calls.filter(({ worker }) => worker === 'proxy')).toMatchObject([
        { operation: 'ChangeMessageVisibility', fault, carriedOut: true },
      ]);
    },
  );

  test('never hears of an acknowledgement that was lost', async () => {
    const { scene, QueueUrl, receive } = await sent([once('lost-delete')]);
    const { ReceiptHandle } = (await receive())!;
    await scene.sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
    await scene.direct.send(
      new ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle, VisibilityTimeout: 0 }),
    );
    expect(await receive()).toBeDefined();
    const { calls } = await scene.close();
    expect(calls.find(({ operation }) => operation === 'DeleteMessage')).toMatchObject({ carriedOut: false });
  });

  test('never hears of a renewal that was lost', async () => {
    const { scene, QueueUrl, receive } = await sent([once('lost-renewal')]);
    const { ReceiptHandle } = (await receive())!;
    await scene.sqs.send(
      new ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle, VisibilityTimeout: 0 }),
    );
    expect(await receive()).toBeUndefined();
    await scene.close();
  });

  test('keeps a message whose long poll hung up', async () => {
    const scene = await laneWith([]);
    const QueueUrl = scene.resources.requestQueueUrl;
    const hangUp = new AbortController();
    const poll = scene.sqs.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 20 }), {
      abortSignal: hangUp.signal,
    });
    setTimeout(() => hangUp.abort(), 200);
    await expect(poll).rejects.toThrow();
    const message = { MessageBody: '{}', MessageGroupId: 'g', MessageDeduplicationId: 'd' };
    await scene.direct.send(new SendMessageCommand({ QueueUrl, ...message }));
    const { Messages } = await scene.sqs.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 5 }));
    expect(Messages).toHaveLength(1);
    await scene.close();
  });
});

test('an event whose answer is lost was published', async () => {
  const scene = await laneWith([once('lost-publish')]);
  const publish = new PublishCommand({ TopicArn: scene.resources.eventsTopicArn, Message: '{"type":"t"}' });
  expect(await outcomeOf(scene.sns.send(publish))).toBe('InternalErrorException');
  const { Messages = [] } = await scene.direct.send(
    new ReceiveMessageCommand({ QueueUrl: scene.resources.eventsQueueUrl, WaitTimeSeconds: 5 }),
  );
  expect(Messages).toHaveLength(1);
  const { calls } = await scene.close();
  expect(calls[0]).toMatchObject({
    service: 'sns',
    body: '{"type":"t"}',
    carriedOut: true,
    fault: 'lost-publish',
  });
});

describe('a deed at a call', () => {
  const deed = (when: 'before' | 'after', kind: CallDeed['deed']): CallDeed => ({
    deed: kind,
    when,
    operation: 'PutObject',
    about: '.ok',
    nth: 2,
    ms: 0,
  });
  test.each([
    ['kill', 'before', false],
    ['kill', 'after', true],
    ['pause', 'before', true],
    ['pause', 'after', true],
  ] as const)(
    '%s %s: asked for at the second such call, which is then carried out: %s',
    async (kind, when, there) => {
      const scene = await laneWith([], [deed(when, kind)]);
      const put = (Key: string) =>
        outcomeOf(scene.s3.send(new PutObjectCommand({ Bucket: scene.resources.bucket, Key, Body: 'x' })));
      expect([await put('a.ok'), await put('b.json')]).toEqual(['ok', 'ok']);
      await put('c.ok');
      expect(scene.asked).toMatchObject([{ worker: `lane${lanes}-w1`, call: 'PutObject c.ok' }]);
      const found = await outcomeOf(
        scene.directS3.send(new HeadObjectCommand({ Bucket: scene.resources.bucket, Key: 'c.ok' })),
      );
      expect(found).toBe(there ? 'ok' : 'NotFound');
      expect((await scene.close()).faults).toEqual({ [`${kind}-${when}`]: 1 });
    },
  );
});
