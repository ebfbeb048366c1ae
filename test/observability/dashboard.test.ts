/** The dashboard and the alerts ask for metrics and labels that the worker has, in PromQL that parses. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createMetrics, type Metrics } from '../../src/observability/metrics.ts';
import { groupingsOf, selectorsOf } from './promql.ts';
import { noPromtool, runPromtool } from './promtool.ts';

const ROOT = join(import.meta.dirname, '../..');
const DASHBOARD = join(ROOT, 'docker/grafana/dashboards/tidemill.json');
const ALERTS = join(ROOT, 'docker/prometheus/alerts.yml');
/** What Prometheus adds to every series, and the buckets of histograms. */
const SCRAPE_LABELS = ['instance', 'job', 'le'];

interface Panel {
  readonly title: string;
  readonly type: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly expr: string }[];
}

interface Dashboard {
  readonly uid: string;
  readonly panels: readonly Panel[];
  readonly annotations: { readonly list: readonly { readonly expr?: string }[] };
  readonly templating: { readonly list: readonly { readonly name: string }[] };
}

const dashboard = JSON.parse(readFileSync(DASHBOARD, 'utf8')) as Dashboard;
const dashboardQueries = [
  ...dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)),
  ...dashboard.annotations.list.flatMap(({ expr }) => (expr === undefined ? [] : [expr])),
];

/** The expressions of a rules file: on the line of `expr:`, or in the block below it. */
function alertQueries(text: string): string[] {
  const blocks = text.matchAll(/^( +)expr: (?:\|\n((?:\1 +.*\n)+)|(.*)\n)/gm);
  return [...blocks].map(([, , block, line]) => (block ?? line ?? '').trim());
}

const alerts = readFileSync(ALERTS, 'utf8');
const queries = [...dashboardQueries, ...alertQueries(alerts)].map((query) => query.replace(/\s+/g, ' '));

let metrics: Metrics;
/** Every series name that /metrics can show, and its labels. */
const known = new Map<string, readonly string[]>([['up', []]]);

beforeAll(async () => {
  metrics = createMetrics({ version: '0.0.0', commit: 'test' });
  for (const { name, type } of await metrics.registry.getMetricsAsJSON()) {
    const { labelNames: own = [] } = metrics.registry.getSingleMetric(name) as unknown as {
      labelNames?: readonly string[];
    };
    // A label of ours that Prometheus has itself is renamed by it.
    const labelNames = own.map((label) => (SCRAPE_LABELS.includes(label) ? `exported_${label}` : label));
    // A histogram has no series of its own name.
    const suffixes = String(type) === 'histogram' ? ['_bucket', '_sum', '_count'] : [''];
    for (const suffix of suffixes) known.set(`${name}${suffix}`, labelNames);
  }
});

afterAll(() => metrics.registry.clear());

test('the alerts file is read in full', () => {
  expect(alertQueries(alerts)).toHaveLength(alerts.match(/- alert:/g)?.length ?? 0);
});

test.each(queries)('%s', (query) => {
  const selectors = selectorsOf(query);
  expect(selectors.length).toBeGreaterThan(0);
  for (const { metric, labels } of selectors) {
    expect([...known.keys()]).toContain(metric);
    const has = [...(known.get(metric) ?? []), ...SCRAPE_LABELS];
    expect(has).toEqual(expect.arrayContaining([...labels]));
  }
  const all = selectors.flatMap(({ metric }) => known.get(metric) ?? []);
  expect([...all, ...SCRAPE_LABELS]).toEqual(expect.arrayContaining(groupingsOf(query)));
});

test('every metric of ours is on the dashboard', () => {
  const shown = new Set(dashboardQueries.flatMap(selectorsOf).map(({ metric }) => metric));
  const ours = [...known.keys()].filter((name) => !/^(?:nodejs_|process_|up$)/.test(name));
  const base = (name: string) => name.replace(/_(?:bucket|sum|count)$/, '');
  const missing = ours.filter((name) => ![...shown].some((other) => base(other) === base(name)));
  expect(missing).toEqual([]);
});

test('panels lie beside and below one another, never upon', () => {
  const taken = new Map<string, string>();
  for (const { title, gridPos } of dashboard.panels) {
    expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        expect(`${taken.get(`${x},${y}`)} under ${title}`).toBe(`undefined under ${title}`);
        taken.set(`${x},${y}`, title);
      }
    }
  }
});

test('every alert has a severity and a place in the runbook', () => {
  const operations = readFileSync(join(ROOT, 'docs/OPERATIONS.md'), 'utf8');
  const anchors = [...operations.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\w -]/g, '')
      .replaceAll(' ', '-'),
  );
  const named = [...alerts.matchAll(/runbook: docs\/OPERATIONS\.md#(\S+)/g)].map(([, anchor = '']) => anchor);
  expect(named).toHaveLength(alertQueries(alerts).length);
  expect(anchors).toEqual(expect.arrayContaining(named));
  expect(alerts.match(/severity: (?:page|ticket)/g)).toHaveLength(named.length);
});

describe('asked of promtool', () => {
  const check = noPromtool === undefined ? test : test.skip;
  if (noPromtool !== undefined) process.stderr.write(`dashboard.test.ts: ${noPromtool}\n`);

  check('the configuration of Prometheus is valid', () => {
    expect(runPromtool(['check', 'config', join(ROOT, 'docker/prometheus/prometheus.yml')])).toMatchObject({
      code: 0,
    });
  });

  check('the alerts fire when they should, and only then', () => {
    const verdict = runPromtool(['test', 'rules', join(import.meta.dirname, 'alerts.promtool.yml')]);
    expect(verdict).toMatchObject({ code: 0, said: expect.stringContaining('SUCCESS') });
  });

  check('the queries of the dashboard parse', () => {
    const rules = dashboardQueries.map((query, i) => ({
      record: `query_${i}`,
      expr: query.replaceAll('$__rate_interval', '1m').replaceAll('$instance', '.*'),
    }));
    const folder = mkdtempSync(join(tmpdir(), 'tidemill-dashboard-'));
    try {
      const file = join(folder, 'queries.yml');
      writeFileSync(file, JSON.stringify({ groups: [{ name: 'dashboard', rules }] })); // JSON is YAML.
      expect(runPromtool(['check', 'rules', file])).toMatchObject({ code: 0 });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
