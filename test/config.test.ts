/** The settings: what is read, what is refused and how it is told; .env.example and docs/OPERATIONS.md. */

import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { parseEnv } from 'node:util';
import { expect, test } from '@jest/globals';
import { ENV_EXAMPLE, envExample, OPERATIONS, withSettingsTable } from '../.ci/settings.ts';
import { ConfigurationError, readConfig, VARIABLES } from '../src/config.ts';

type Environment = Readonly<Record<string, string | undefined>>;

const TOPIC = 'arn:aws:sns:us-east-1:123456789012:events';
const MINIMAL: Environment = {
  AWS_S3_BUCKET: 'lake',
  AWS_SQS_RUN_REQUEST_QUEUE_URL: 'https://sqs.us-east-1.amazonaws.com/123456789012/run-requests.fifo',
  AWS_SNS_EVENTS_TOPIC_ARN: TOPIC,
};

/** The problems told of an environment, a line each. */
function problemsOf(environment: Environment): readonly string[] {
  try {
    readConfig(environment);
    return [];
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems;
    throw error;
  }
}

test('with what is required alone, everything else has its default', () => {
  expect(readConfig(MINIMAL)).toMatchObject({
    region: 'us-east-1',
    bucket: 'lake',
    allowedBuckets: [],
    forcePathStyle: false,
    queueUrl: MINIMAL.AWS_SQS_RUN_REQUEST_QUEUE_URL,
    queueEnabled: true,
    eventsTopic: TOPIC,
    environment: 'production',
    concurrency: 4,
    threads: availableParallelism(),
    heartbeatEnabled: true,
    heartbeatSeconds: 30,
    visibilitySeconds: 60,
    waitSeconds: 20,
    deadlineSeconds: 39_600,
    maxAttempts: 5,
    retryFirstSeconds: 5,
    retryMaxSeconds: 300,
    shutdownGraceSeconds: 25,
    outputCompression: 'snappy',
    maxExpressionDepth: 64,
    maxExpressionNodes: 1_000,
    maxWindowRows: 1_000_000,
    maxInputRows: 2_000_000_000,
    maxInputFiles: 10_000,
    maxHeldRows: 64_000_000,
    seriesCacheMb: 64,
    seriesCacheSeconds: 300,
    port: 9_300,
    logLevel: 'info',
  });
});

test('the names of the original worker are kept', () => {
  const names = Object.values(VARIABLES).map(({ name }) => name);
  expect(names).toEqual(
    expect.arrayContaining([
      'AWS_REGION',
      'AWS_S3_BUCKET',
      'AWS_SQS_RUN_REQUEST_QUEUE_URL',
      'AWS_SQS_RUN_REQUEST_QUEUE_ENABLED',
      'AWS_SNS_EVENTS_TOPIC_ARN',
      'AWS_SNS_METRIC_RUN_STARTED_TOPIC_ARN',
      'AWS_SNS_METRIC_RUN_HEARTBEAT_TOPIC_ARN',
      'AWS_SNS_METRIC_RUN_COMPLETED_TOPIC_ARN',
      'WORKER_HEARTBEAT_ENABLED',
      'WORKER_HEARTBEAT_INTERVAL_SECONDS',
      'OUTPUT_COMPRESSION',
      'PROMETHEUS_PORT',
      'TITANS_ENV',
    ]),
  );
  expect(new Set(names).size).toBe(names.length);
});

test('the configuration is frozen', () => {
  expect(Object.isFrozen(readConfig(MINIMAL))).toBe(true);
});

test('an empty variable counts as unset', () => {
  const empty = Object.fromEntries(Object.values(VARIABLES).map(({ name }) => [name, '']));
  expect(readConfig({ ...empty, ...MINIMAL })).toEqual(readConfig(MINIMAL));
});

test('all errors are told at once, each with the name of its variable', () => {
  const problems = problemsOf({
    AWS_S3_BUCKET: 'No Bucket',
    AWS_SNS_METRIC_RUN_STARTED_TOPIC_ARN: 'started',
    WORKER_CONCURRENCY: '0',
    OUTPUT_COMPRESSION: 'zip',
    LOG_LEVEL: 'loud',
  });
  expect(problems.map((problem) => problem.split(':')[0])).toEqual([
    'AWS_S3_BUCKET',
    'AWS_SNS_METRIC_RUN_STARTED_TOPIC_ARN',
    'WORKER_CONCURRENCY',
    'OUTPUT_COMPRESSION',
    'LOG_LEVEL',
    'AWS_SQS_RUN_REQUEST_QUEUE_URL',
    'AWS_SNS_METRIC_RUN_HEARTBEAT_TOPIC_ARN',
    'AWS_SNS_METRIC_RUN_COMPLETED_TOPIC_ARN',
  ]);
  expect(new ConfigurationError(problems).message.split('\n')).toHaveLength(1 + problems.length);
});

test('no value is echoed, for it could be a secret in the wrong place', () => {
  const secret = 'AKIA-secret value';
  const environment = Object.fromEntries(Object.values(VARIABLES).map(({ name }) => [name, secret]));
  const problems = problemsOf(environment);
  expect(problems.length).toBeGreaterThan(20);
  expect(problems.join('\n')).not.toMatch(/AKIA|secret/);
});

test.each([
  ['', 'production'],
  ['production', 'production'],
  ['test', 'test'],
])('TITANS_ENV %p means %s', (given, environment) => {
  expect(readConfig({ ...MINIMAL, TITANS_ENV: given }).environment).toBe(environment);
});

test.each(['prod', 'Test', 'staging'])('TITANS_ENV %p is refused', (given) => {
  expect(problemsOf({ ...MINIMAL, TITANS_ENV: given })).toEqual([expect.stringMatching(/^TITANS_ENV: /)]);
});

test.each([
  ['true', true],
  ['TRUE', true],
  ['1', true],
  ['yes', true],
  ['false', false],
  ['0', false],
  ['No', false],
])('a flag that says %p is %p', (given, flag) => {
  expect(readConfig({ ...MINIMAL, WORKER_HEARTBEAT_ENABLED: given }).heartbeatEnabled).toBe(flag);
});

test.each(['on', 'ja', ' true'])('a flag that says %p is refused', (given) => {
  expect(problemsOf({ ...MINIMAL, WORKER_HEARTBEAT_ENABLED: given })).toHaveLength(1);
});

test.each(['1.5', '-1', '1e3', '0x10', ' 5', '65', '0'])('WORKER_CONCURRENCY %p is refused', (given) => {
  expect(problemsOf({ ...MINIMAL, WORKER_CONCURRENCY: given })).toEqual([
    'WORKER_CONCURRENCY: must be a whole number from 1 to 64',
  ]);
});

test('the list of allowed buckets may have blanks and empty places', () => {
  const config = readConfig({ ...MINIMAL, AWS_S3_ALLOWED_BUCKETS: 'raw, staging ,,' });
  expect(config.allowedBuckets).toEqual(['raw', 'staging']);
});

test.each(['arn:aws:s3:::raw', 'raw/folder', 's3://raw', '*'])('the allowed bucket %p is refused', (name) => {
  expect(problemsOf({ ...MINIMAL, AWS_S3_ALLOWED_BUCKETS: `staging,${name}` })).toEqual([
    'AWS_S3_ALLOWED_BUCKETS: must be a bucket name',
  ]);
});

const OWN_TOPICS = {
  AWS_SNS_METRIC_RUN_STARTED_TOPIC_ARN: `${TOPIC}-started`,
  AWS_SNS_METRIC_RUN_HEARTBEAT_TOPIC_ARN: `${TOPIC}-heartbeat`,
  AWS_SNS_METRIC_RUN_COMPLETED_TOPIC_ARN: `${TOPIC}-completed.fifo`,
};

test('three topics of their own need no common one', () => {
  const config = readConfig({ ...MINIMAL, ...OWN_TOPICS, AWS_SNS_EVENTS_TOPIC_ARN: undefined });
  expect(config.eventsTopic).toBeUndefined();
  expect(config.completedTopic).toBe(`${TOPIC}-completed.fifo`);
});

test.each(Object.keys(OWN_TOPICS))('without a common topic, %s is required', (name) => {
  const environment = { ...MINIMAL, ...OWN_TOPICS, AWS_SNS_EVENTS_TOPIC_ARN: undefined, [name]: undefined };
  expect(problemsOf(environment)).toEqual([`${name}: is required while AWS_SNS_EVENTS_TOPIC_ARN is not set`]);
});

test('the queue is required while it is enabled, and only then', () => {
  const without = { ...MINIMAL, AWS_SQS_RUN_REQUEST_QUEUE_URL: undefined };
  expect(problemsOf(without)).toEqual([
    'AWS_SQS_RUN_REQUEST_QUEUE_URL: is required while AWS_SQS_RUN_REQUEST_QUEUE_ENABLED is true',
  ]);
  expect(problemsOf({ ...without, AWS_SQS_RUN_REQUEST_QUEUE_ENABLED: 'false' })).toEqual([]);
});

test('.env.example is current: `npm run env-example` would change nothing', () => {
  expect(readFileSync(ENV_EXAMPLE, 'utf8')).toBe(envExample());
});

test('.env.example, completed with what is required, is the default configuration', () => {
  const example = parseEnv(envExample());
  expect(new Set(Object.keys(example))).toEqual(new Set(Object.values(VARIABLES).map(({ name }) => name)));
  expect(readConfig({ ...example, ...MINIMAL })).toEqual(readConfig(MINIMAL));
});

test('the settings of docs/OPERATIONS.md are current: `npm run env-example` would change nothing', () => {
  const document = readFileSync(OPERATIONS, 'utf8');
  expect(withSettingsTable(document)).toBe(document);
});
