import { PublishCommand } from '@aws-sdk/client-sns';
import { DeleteMessageCommand, ReceiveMessageCommand } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { EVENTS_QUEUE } from '../../src/cli/state-directory.ts';
import { type LocalAwsProcess, startLocalAwsProcess } from '../../src/local/local-aws-process.ts';
import { clientsOf } from '../local/clients.ts';
import { METRIC_RUN } from './requests.ts';
import { makeDirectory, runCli, startCli } from './run-cli.ts';

const directory = makeDirectory();
let aws: LocalAwsProcess;
let clients: ReturnType<typeof clientsOf>;
let environment: Record<string, string>;

beforeAll(async () => {
  aws = await startLocalAwsProcess({ prefix: 'send' });
  clients = clientsOf(aws.endpoint);
  environment = { ...aws.environment, AWS_S3_ALLOWED_BUCKETS: 'lake' };
});

afterAll(async () => {
  clients.destroy();
  await aws.stop();
  directory.remove();
});

/** Takes the next request from the queue, waiting for it. */
async function takeRequest(waitSeconds: number) {
  const QueueUrl = aws.resources.requestQueueUrl;
  const { Messages: [message] = [] } = await clients.sqs.send(
    new ReceiveMessageCommand({
      QueueUrl,
      WaitTimeSeconds: waitSeconds,
      MessageSystemAttributeNames: ['MessageGroupId', 'MessageDeduplicationId'],
    }),
  );
  if (message === undefined) return undefined;
  await clients.sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: message.ReceiptHandle }));
  const { MessageGroupId: group, MessageDeduplicationId: deduplication } = message.Attributes ?? {};
  return { body: JSON.parse(message.Body ?? ''), group, deduplication };
}

async function publish(event: object): Promise<void> {
  const { eventsTopicArn: TopicArn } = aws.resources;
  await clients.sns.send(new PublishCommand({ TopicArn, Message: JSON.stringify(event) }));
}

const run = (args: readonly string[], env: Readonly<Record<string, string>> = environment) =>
  runCli(['send', ...args], { cwd: directory.path, env });

test('a request goes out as it is, in the group of its metric and under its own id', async () => {
  const file = directory.write('one.json', { ...METRIC_RUN, runId: 'one' });
  const { code, stdout, stderr } = await run([file]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/✓ sent metric_run_requested one\n/);
  expect(await takeRequest(2)).toEqual({
    body: { ...METRIC_RUN, runId: 'one' },
    group: METRIC_RUN.metricCode,
    deduplication: 'one',
  });
});

test('sent again it is not delivered again, unless with --resend', async () => {
  const file = directory.write('two.json', { ...METRIC_RUN, runId: 'two' });
  await run([file]);
  await run([file]);
  expect(await takeRequest(2)).toMatchObject({ deduplication: 'two' });
  expect(await takeRequest(0)).toBeUndefined();
  await run([file, '--resend']);
  expect(await takeRequest(2)).toMatchObject({ deduplication: expect.stringMatching(/^two:[0-9a-f]{32}$/) });
});

test('an invalid request is refused with its errors, and sent with --force', async () => {
  const file = directory.write('bad.json', { ...METRIC_RUN, runId: 'bad', inputs: [] });
  const refused = await run([file]);
  expect(refused).toMatchObject({ code: 1, stdout: '' });
  expect(refused.stderr).toContain('is not valid, so it was not sent');
  expect(refused.stderr).toContain('\n  inputs: no entry for series A');
  expect(await run([file, '--force'])).toMatchObject({ code: 0 });
  expect(await takeRequest(2)).toMatchObject({ deduplication: 'bad' });
});

test('a bucket that the worker would refuse is refused here', async () => {
  const file = directory.write('bucket.json', { ...METRIC_RUN, runId: 'bucket' });
  const { code, stderr } = await run([file], aws.environment);
  expect(code).toBe(1);
  expect(stderr).toContain('output.basePath: the bucket "lake" is not allowed');
});

test('--follow prints the events of this request alone, and ends with its success', async () => {
  const file = directory.write('follow.json', { ...METRIC_RUN, runId: 'follow' });
  const env = { ...environment, [EVENTS_QUEUE]: aws.resources.eventsQueueUrl };
  const running = startCli(['send', file, '--follow'], { cwd: directory.path, env });
  expect(await takeRequest(10)).toMatchObject({ group: METRIC_RUN.metricCode });
  await publish({ type: 'metric_run_started', runId: 'other' });
  await publish({ type: 'metric_run_started', runId: 'follow' });
  await publish({ type: 'metric_run_heartbeat', runId: 'follow', progress: 0.5 });
  await running.until(/metric_run_heartbeat {2}50 %/);
  await publish({
    type: 'metric_run_completed',
    runId: 'follow',
    status: 'SUCCESS',
    rowCount: 1461,
    outputManifest: 'm.json',
  });
  const { code, stdout } = await running.ended;
  expect(code).toBe(0);
  expect(stdout).not.toContain('other');
  expect(stdout).toMatch(/metric_run_completed {2}SUCCESS {2}1,461 rows\n {2}manifest +m\.json\n$/);
});

test('--follow ends with 1 when the request fails, and says why', async () => {
  const file = directory.write('fails.json', { ...METRIC_RUN, runId: 'fails' });
  const env = { ...environment, [EVENTS_QUEUE]: aws.resources.eventsQueueUrl };
  const running = startCli(['send', file, '--follow'], { cwd: directory.path, env });
  await takeRequest(10);
  const error = { code: 'INPUT_READ_ERROR', message: 'Failed to read input series: A' };
  await publish({ type: 'metric_run_completed', runId: 'fails', status: 'FAILURE', error });
  const { code, stdout } = await running.ended;
  expect(code).toBe(1);
  expect(stdout).toMatch(
    /metric_run_completed {2}FAILURE\n +INPUT_READ_ERROR: Failed to read input series: A\n$/,
  );
});

test('--follow gives up in time', async () => {
  const file = directory.write('late.json', { ...METRIC_RUN, runId: 'late' });
  const env = { ...environment, [EVENTS_QUEUE]: aws.resources.eventsQueueUrl };
  const { code, stderr } = await run([file, '--follow', '--timeout', '1'], env);
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr: 'error: no completed event of late within 1 second\n',
  });
});

test('--follow without a queue of events is refused before anything is sent', async () => {
  const file = directory.write('deaf.json', { ...METRIC_RUN, runId: 'deaf' });
  const { code, stderr } = await run([file, '--follow']);
  expect(code).toBe(2);
  expect(stderr).toContain('--follow needs AWS_SQS_EVENTS_QUEUE_URL');
});

test('without a queue anywhere it says where it looked', async () => {
  const file = directory.write('nowhere.json', METRIC_RUN);
  const { code, stderr } = await run([file], {});
  expect(code).toBe(1);
  expect(stderr).toContain('AWS_SQS_RUN_REQUEST_QUEUE_URL is neither in the environment nor in .env');
});

test('settings are taken from .env, or from the file of --env', async () => {
  const home = makeDirectory();
  const lines = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  home.write('request.json', { ...METRIC_RUN, runId: 'by-env-file' });
  for (const [name, args] of [
    ['.env', []],
    ['other.env', ['--env', 'other.env', '--resend']],
  ] as const) {
    home.write(name, lines.join('\n'));
    const { code, stdout } = await runCli(['send', 'request.json', ...args], { cwd: home.path });
    expect({ code, found: stdout.match(/found in +(.*)/)?.[1] }).toEqual({ code: 0, found: name });
    expect(await takeRequest(2)).toMatchObject({ group: METRIC_RUN.metricCode });
  }
  home.remove();
});
