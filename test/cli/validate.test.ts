import { afterAll, expect, test } from '@jest/globals';
import { METRIC_RUN } from './requests.ts';
import { makeDirectory, runCli } from './run-cli.ts';

const directory = makeDirectory();
afterAll(() => directory.remove());

const SETTINGS = {
  AWS_S3_BUCKET: 'lake',
  AWS_SQS_RUN_REQUEST_QUEUE_URL: 'https://sqs.us-east-1.amazonaws.com/1/requests.fifo',
  AWS_SNS_EVENTS_TOPIC_ARN: 'arn:aws:sns:us-east-1:1:events',
} as const;

const envFile = (values: object) =>
  Object.entries(values)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');

async function validate(...files: string[]) {
  return await runCli(['validate', ...files], { cwd: directory.path });
}

test.each([
  {
    what: 'a metric run',
    name: 'run.json',
    content: METRIC_RUN,
    is: 'metric_run_requested run-1, group ratio.a_to_b',
  },
  {
    what: 'a metric run in an SNS notification',
    name: 'sns.json',
    content: { Type: 'Notification', Message: JSON.stringify(METRIC_RUN) },
    is: 'metric_run_requested run-1, group ratio.a_to_b',
  },
  {
    what: 'a hot upload',
    name: 'hot.json',
    content: {
      type: 'hot_upload_requested',
      requestId: 'h1',
      provider: 'aws',
      timestamp: '2026-01-23T14:23:00Z',
      changed: { rows: [] },
    },
    is: 'hot_upload_requested h1, group hot:aws',
  },
  {
    what: 'a compaction of a hot file',
    name: 'warm.json',
    content: {
      type: 'compaction_requested',
      requestId: 'c1',
      provider: 'aws',
      hotKey: 'parquet_cp_hot/aws/2026/01/23/14-20.parquet',
    },
    is: 'compaction_requested c1, group warm:aws:2026-01',
  },
  {
    what: 'a compaction of a month',
    name: 'month.json',
    content: {
      type: 'compaction_requested',
      requestId: 'c2',
      provider: 'gcp',
      month: '2026-02',
      mode: 'full',
    },
    is: 'compaction_requested c2, group warm:gcp:2026-02',
  },
  {
    what: 'settings as JSON',
    name: 'settings.json',
    content: { ...SETTINGS, PROMETHEUS_PORT: 9300 },
    is: 'settings, 4 variables',
  },
  {
    what: 'settings as .env',
    name: '.env',
    content: `# a comment\n${envFile(SETTINGS)}`,
    is: 'settings, 3 variables',
  },
])('$what is valid', async ({ name, content, is }) => {
  directory.write(name, content);
  expect(await validate(name)).toEqual({ code: 0, stdout: `${name}: valid (${is})\n`, stderr: '' });
});

const invalid: readonly { what: string; content: unknown; errors: readonly string[] }[] = [
  {
    what: 'text that is no JSON',
    content: '{"type": ',
    errors: ['the document: the message body is not JSON'],
  },
  { what: 'a list', content: [1], errors: ['the document: the message body is JSON but no object'] },
  {
    what: 'an object without a type',
    content: { a: 1 },
    errors: ['the document: the message has no "type"'],
  },
  {
    what: 'an unknown type',
    content: { type: 'metric_run' },
    errors: ['type: must be one of metric_run_requested, hot_upload_requested,'],
  },
  {
    what: 'several fields at once',
    content: { ...METRIC_RUN, runId: '../x', inputs: [{ datasetId: 'd' }], output: {} },
    errors: ['runId: must be 1 to 128 letters', 'inputs[0].seriesCode: ', 'output.basePath: '],
  },
  {
    what: 'an expression that can not be evaluated',
    content: {
      ...METRIC_RUN,
      expressionType: 'window_op',
      expressionJson: { op: 'sma', series: { seriesCode: 'A' }, window: 0 },
    },
    errors: ['expressionJson.window: must be a whole number of at least 1, got number 0'],
  },
  {
    what: 'a series that no input names',
    content: { ...METRIC_RUN, inputs: METRIC_RUN.inputs.slice(0, 1) },
    errors: ['inputs: no entry for series B, which the expression reads'],
  },
  {
    what: 'a dataset that the catalog does not have, and a key that climbs',
    content: { ...METRIC_RUN, catalog: { datasets: {} }, output: { basePath: 's3://lake/../x' } },
    errors: ['catalog.datasets: has no entry "d"', 'output.basePath: must not hold the segment ".."'],
  },
  {
    what: 'a timestamp without an offset',
    content: {
      type: 'hot_upload_requested',
      requestId: 'h',
      provider: 'aws',
      timestamp: '2026-01-23T14:23:00',
      changed: { rows: [] },
    },
    errors: ['timestamp must be timezone-aware'],
  },
  {
    what: 'settings with several errors and a slip of the pen',
    content: { AWS_S3_BUKET: 'lake', PROMETHEUS_PORT: 77_777, LOG_LEVEL: { a: 1 } },
    errors: [
      'LOG_LEVEL: must be a text, a number or true or false',
      'PROMETHEUS_PORT: must be a whole number from 0 to 65535',
      'AWS_S3_BUCKET: is required',
      'note AWS_S3_BUKET: no such setting; is AWS_S3_BUCKET meant?',
    ],
  },
];

test.each(invalid)('$what: every error with its path, and exit code 1', async ({ content, errors }) => {
  directory.write('x.json', content);
  const { code, stdout, stderr } = await validate('x.json');
  expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
  for (const error of errors) expect(stdout).toContain(`\n  ${error}`);
});

test('several files are all checked, one from standard input', async () => {
  directory.write('good.json', METRIC_RUN);
  directory.write('bad.json', '{}');
  const ran = await runCli(['validate', 'bad.json', 'good.json', '-'], {
    cwd: directory.path,
    input: envFile(SETTINGS),
  });
  expect(ran.code).toBe(1);
  const heads = ran.stdout.split('\n').filter((line) => line !== '' && !line.startsWith(' '));
  expect(heads).toEqual([
    'bad.json: 1 error (no request)',
    'good.json: valid (metric_run_requested run-1, group ratio.a_to_b)',
    'standard input: valid (settings, 3 variables)',
  ]);
});
