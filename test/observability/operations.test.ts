/** docs/OPERATIONS.md against the code: the IAM policy, the task definition, the metrics, the links. */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { VARIABLES } from '../../src/config.ts';
import { createMetrics } from '../../src/observability/metrics.ts';
import { POLICY_FILE } from '../support/iam.ts';

const ROOT = join(import.meta.dirname, '../..');
const text = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const operations = text('docs/OPERATIONS.md');

const blocks = [...operations.matchAll(/^```json\n([\s\S]*?)^```$/gm)].map(
  ([, block = '']) => JSON.parse(block) as Record<string, unknown>,
);
const blockWith = <T>(field: string) => blocks.find((block) => field in block) as T;

test('the IAM policy is that of docs/iam-policy.json, as it is', () => {
  expect(operations).toContain(`\`\`\`json\n${readFileSync(POLICY_FILE, 'utf8')}\`\`\``);
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

/** What links may name in a page. */
const anchorsOf = (page: string) =>
  [...page.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\w -]/g, '')
      .replaceAll(' ', '-'),
  );

test('links lead somewhere', () => {
  for (const [, target = ''] of operations.matchAll(/\]\(([^)]+)\)/g)) {
    const [file = '', anchor] = target.split('#');
    const path = join(ROOT, 'docs', file || 'OPERATIONS.md');
    expect([target, existsSync(path)]).toEqual([target, true]);
    if (anchor !== undefined) expect(anchorsOf(readFileSync(path, 'utf8'))).toContain(anchor);
  }
});
