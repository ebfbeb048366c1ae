import { CreateTopicCommand } from '@aws-sdk/client-sns';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { RetryableError } from '../../src/common/errors.ts';
import type { OutgoingEvent } from '../../src/contract/outgoing-event.ts';
import { createPublisher, type EventPublisher, type TopicSettings } from '../../src/events/publisher.ts';
import { type LocalAws, startLocalAws } from '../../src/local/local-aws.ts';
import type { LocalRequestBody, RequestHooks, Verdict } from '../../src/local/request-hooks.ts';
import { createResources, environment, LOCAL_REGION, type Resources } from '../../src/local/resources.ts';
import { type Clients, clientsOf } from '../local/clients.ts';

const hooks: RequestHooks = {};
const opened: EventPublisher[] = [];
let published: LocalRequestBody[] = [];
let aws: LocalAws;
let clients: Clients;
let resources: Resources;
let started: string;
let fifo: string;

beforeAll(async () => {
  aws = await startLocalAws({ hooks });
  clients = clientsOf(aws.endpoint);
  resources = await createResources(aws.endpoint);
  Object.assign(process.env, environment(resources));
  const topic = async (Name: string, Attributes = {}) =>
    (await clients.sns.send(new CreateTopicCommand({ Name, Attributes }))).TopicArn ?? '';
  started = await topic('started');
  fifo = await topic('events.fifo', { FifoTopic: 'true' });
});

beforeEach(() => {
  published = [];
  hooks.onRequest = async ({ operation, body }) => {
    if (operation === 'Publish' && body !== undefined) published.push(body);
  };
});

afterEach(() => {
  for (const publisher of opened.splice(0)) publisher.close();
});

afterAll(async () => {
  clients.destroy();
  await aws.stop();
});

function open(settings: Partial<TopicSettings> = {}): EventPublisher {
  const topics = new Map([['metric_run:started', started]]);
  const publisher = createPublisher({
    region: LOCAL_REGION,
    topics,
    fallback: resources.eventsTopicArn,
    ...settings,
  });
  opened.push(publisher);
  return publisher;
}

const event = (more: Partial<OutgoingEvent> = {}): OutgoingEvent => ({
  kind: 'started',
  family: 'metric_run',
  body: { type: 'metric_run_started', runId: 'r' },
  attributes: { metricCode: 'm', empty: '' },
  groupId: 'r',
  deduplicationId: 'r:metric_run_started',
  ...more,
});

test.each<[what: string, more: Partial<OutgoingEvent>, topic: () => string]>([
  ['a topic of its own', {}, () => started],
  ['none of its kind', { kind: 'completed' }, () => resources.eventsTopicArn],
  ['none of its feature', { family: 'compaction' }, () => resources.eventsTopicArn],
])('an event with %s goes to the right topic', async (_, more, topic) => {
  await open().publish(event(more));
  expect(published.map(({ topicArn }) => topicArn)).toEqual([topic()]);
});

test('an event without any topic is a fault of ours, told at once', async () => {
  const publisher = open({ fallback: undefined });
  await expect(publisher.publish(event({ kind: 'completed' }))).rejects.toThrow(
    /no topic for metric_run completed/,
  );
});

test('the body is JSON, and the type and what is not empty are attributes', async () => {
  await open().publish(event());
  const [sent] = published;
  expect(JSON.parse(sent?.message ?? '')).toEqual({ type: 'metric_run_started', runId: 'r' });
  expect(sent?.messageAttributes).toEqual({ type: 'metric_run_started', metricCode: 'm' });
  expect(sent).not.toHaveProperty('messageGroupId');
  expect(sent).not.toHaveProperty('messageDeduplicationId');
});

test('attributes hold only what SNS takes', async () => {
  await open().publish(event({ attributes: { metricCode: `a\u0000b\nc${'\ud800'}` } }));
  expect(published[0]?.messageAttributes.metricCode).toBe('a b c\ufffd');
});

test.each([
  ['as they are', 'run-1', 'run-1:metric_run_completed', /^run-1$/, /^run-1:metric_run_completed$/],
  ['hashed where SNS would refuse them', 'run 1', 'é'.repeat(200), /^[0-9a-f]{64}$/, /^[0-9a-f]{64}$/],
])(
  'on a FIFO topic group and deduplication id go along, %s',
  async (_, groupId, deduplicationId, group, id) => {
    await open({ topics: new Map(), fallback: fifo }).publish(event({ groupId, deduplicationId }));
    expect(published[0]?.messageGroupId).toMatch(group);
    expect(published[0]?.messageDeduplicationId).toMatch(id);
  },
);

describe('a failure may pass, keeps its cause, and names event and topic', () => {
  test.each<[string, Verdict]>([
    ['of the service', { kind: 'fail', status: 500, code: 'InternalFailure' }],
    ['of our rights', { kind: 'fail', status: 403, code: 'AuthorizationError' }],
    ['of the connection', { kind: 'drop' }],
    ['to answer in time', { kind: 'delay', ms: 1_500 }],
  ])('%s', async (_, verdict) => {
    hooks.onRequest = async () => verdict;
    const since = performance.now();
    const failure = await open({ timeoutMs: 100 })
      .publish(event())
      .catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(RetryableError);
    expect((failure as RetryableError).message).toContain(`metric_run_started to ${started}`);
    expect((failure as RetryableError).cause).toBeInstanceOf(Error);
    expect(performance.now() - since).toBeLessThan(1_400);
  });
});

test('an aborted publish ends with the reason of its signal', async () => {
  const abort = new AbortController();
  const reason = new Error('the lease is lost');
  hooks.onRequest = async () => {
    abort.abort(reason);
    return { kind: 'delay', ms: 50 };
  };
  await expect(open().publish(event(), abort.signal)).rejects.toBe(reason);
});

test('check asks for each topic, and fails where one is missing', async () => {
  const { signal } = new AbortController();
  await open().check(signal);
  await expect(open({ fallback: `${started}-none` }).check(signal)).rejects.toThrow();
});
