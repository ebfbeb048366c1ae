/** docs/OPERATIONS.md against the code: the IAM policy, the task definition, the metrics, the links. */

import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { VARIABLES } from '../../src/config.ts';
import { createMetrics } from '../../src/observability/metrics.ts';

const ROOT = join(import.meta.dirname, '../..');
const text = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const operations = text('docs/OPERATIONS.md');

const blocks = [...operations.matchAll(/^```json\n([\s\S]*?)^```$/gm)].map(
  ([, block = '']) => JSON.parse(block) as Record<string, unknown>,
);
const blockWith = <T>(field: string) => blocks.find((block) => field in block) as T;

/** The permission that each call of the AWS SDK needs. */
const PERMISSIONS: Readonly<Record<string, string>> = {
  HeadBucket: 's3:ListBucket',
  ListObjectsV2: 's3:ListBucket',
  GetObject: 's3:GetObject',
  HeadObject: 's3:GetObject',
  PutObject: 's3:PutObject',
  CreateMultipartUpload: 's3:PutObject',
  UploadPart: 's3:PutObject',
  CompleteMultipartUpload: 's3:PutObject',
  AbortMultipartUpload: 's3:AbortMultipartUpload',
  DeleteObject: 's3:DeleteObject',
  ReceiveMessage: 'sqs:ReceiveMessage',
  ChangeMessageVisibility: 'sqs:ChangeMessageVisibility',
  GetQueueAttributes: 'sqs:GetQueueAttributes',
  SendMessage: 'sqs:SendMessage',
  Publish: 'sns:Publish',
  GetTopicAttributes: 'sns:GetTopicAttributes',
};
/** What sqs-consumer does by itself. */
const CONSUMER = ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:ChangeMessageVisibility'];

test('the IAM policy allows what the code calls, and nothing else', () => {
  const calls = globSync('src/**/*.ts', { cwd: ROOT })
    .filter((path) => !/^src\/(?:cli|demo|local)\b/.test(path))
    .flatMap((path) => [...text(path).matchAll(/new (\w+)Command\(/g)])
    .map(([, name = '']) => PERMISSIONS[name] ?? `no permission is known for ${name}`);
  const { Statement } = blockWith<{ Statement: readonly { Action: readonly string[] }[] }>('Statement');
  const allowed = new Set(Statement.flatMap(({ Action }) => Action));
  expect([...allowed].sort()).toEqual([...new Set([...calls, ...CONSUMER])].sort());
});

interface TaskDefinition {
  readonly memory: string;
  readonly containerDefinitions: readonly {
    readonly stopTimeout: number;
    readonly environment: readonly { readonly name: string; readonly value: string }[];
    readonly secrets: readonly { readonly name: string }[];
    readonly healthCheck: { readonly command: readonly string[] };
  }[];
}

test('the task definition sets variables that exist, and leaves time to stop', () => {
  const [container] = blockWith<TaskDefinition>('containerDefinitions').containerDefinitions;
  const known = new Set(Object.values(VARIABLES).map(({ name }) => name as string));
  const given = new Map(container!.environment.map(({ name, value }) => [name, value]));
  const names = [...given.keys(), ...container!.secrets.map(({ name }) => name)];
  expect(names.filter((name) => !known.has(name))).toEqual([]);
  const grace = Number(given.get('SHUTDOWN_GRACE_SECONDS'));
  expect(container!.stopTimeout).toBeGreaterThanOrEqual(grace + 10);
  expect(container!.stopTimeout).toBeLessThanOrEqual(120);
});

test("the task definition's health check is the image's", () => {
  const [container] = blockWith<TaskDefinition>('containerDefinitions').containerDefinitions;
  const [, command = ''] = /^HEALTHCHECK[^\n]*\\\n\s+CMD (\[.*\])$/m.exec(text('Dockerfile')) ?? [];
  expect(container!.healthCheck.command).toEqual(['CMD', ...(JSON.parse(command) as string[])]);
});

test('the alert on memory is for the memory of the task definition', () => {
  const gibibytes = Number(blockWith<TaskDefinition>('containerDefinitions').memory) / 1024;
  expect(text('docker/prometheus/alerts.yml')).toContain(`> 0.85 * ${gibibytes} * 1024 * 1024 * 1024`);
});

test('the table of metrics is complete and true', async () => {
  const rows = [...operations.matchAll(/^\| `(\w+)` \| (counter|gauge|histogram) \|([^|]*)\|/gm)];
  const told = rows.map(([, name = '', kind = '', labels = '']) => ({
    name,
    kind,
    labels: [...labels.matchAll(/`(\w+)`/g)].map(([, label = '']) => label),
  }));
  const { registry } = createMetrics({ version: '0.0.0', commit: 'test' });
  try {
    const made = (await registry.getMetricsAsJSON())
      .filter(({ name }) => !/^(?:nodejs|process)_/.test(name))
      .map(({ name, type }) => {
        const { labelNames = [] } = registry.getSingleMetric(name) as unknown as { labelNames?: string[] };
        return { name, kind: String(type), labels: [...labelNames] };
      });
    const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1);
    expect(told.sort(byName)).toEqual(made.sort(byName));
  } finally {
    registry.clear();
  }
});

test('links lead somewhere', () => {
  const anchors = [...operations.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\w -]/g, '')
      .replaceAll(' ', '-'),
  );
  for (const [, target = ''] of operations.matchAll(/\]\(([^)]+)\)/g)) {
    if (target.startsWith('#')) expect(anchors).toContain(target.slice(1));
    else expect([target, existsSync(join(ROOT, 'docs', target))]).toEqual([target, true]);
  }
});
