/** docs/asyncapi.yaml is what the schemas say; the schemas are what the events are. */

import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { ASYNCAPI, asyncApi } from '../../.ci/asyncapi.ts';
import type { CompactionResult } from '../../src/contract/compaction-result.ts';
import { EVENT_SCHEMAS } from '../../src/contract/event-schemas.ts';
import * as ingest from '../../src/contract/ingest-run.ts';
import * as metric from '../../src/contract/metric-run.ts';
import * as tiers from '../../src/contract/tier-requests.ts';

const AT = '2026-01-15T10:30:10Z';

test('docs/asyncapi.yaml is current (npm run asyncapi)', () => {
  expect(readFileSync(ASYNCAPI, 'utf8')).toBe(asyncApi());
});

test('docs/asyncapi.yaml names every request and event', () => {
  const { components } = parse(asyncApi()) as { readonly components: { readonly messages: object } };
  const requests = [
    'compaction_requested',
    'hot_upload_requested',
    'ingest_run_requested',
    'metric_run_requested',
  ];
  expect(Object.keys(components.messages).toSorted()).toEqual(
    [...Object.keys(EVENT_SCHEMAS), ...requests].toSorted(),
  );
});

const plain = { runId: 'r', metricCode: 'm', form: 'plain' } as const;
const v1 = { runId: null, metricCode: null, form: 'v1' } as const;
const written = { versionTs: '2026-01-15T10-30-10', manifest: { bucket: 'b', key: 'k' }, rowCount: 3 };
const tier = { requestId: 'r', provider: 'aws' };
const run = { requestId: 'r', ingestionId: 'i' };
const uploaded = { outcome: 'uploaded', key: 'k', rows: 1, bytes: 2 } as const;
const compacted: CompactionResult = {
  outcome: 'compacted',
  manifests: [{ key: 'k', revision: 1 }],
  added: ['k'],
  written: [{ key: 'k', level: 1, rows: 1, bytes: 1 }],
  levels: [0, 1],
  deleted: [],
  counts: { added: 1, written: 1, deleted: 0 },
};
const ingested = {
  status: 'FAILURE',
  datasetId: 'd',
  files: { discovered: 1, succeeded: 0, failed: 1, skipped: 0, left: 0, missing: 0 },
  rows: 0,
  bytes: 0,
  durationMs: 5,
  datasetManifest: null,
  newColumns: [],
  newSeries: [],
  failures: [{ file: 'f', error: 'e' }],
} as const;

test.each([
  metric.startedEvent(plain, AT),
  metric.startedEvent(v1, AT),
  metric.heartbeatEvent(v1, 0.5, AT),
  metric.succeededEvent(plain, written),
  metric.succeededEvent(v1, written),
  metric.failedEvent(plain, 'CONFIG_ERROR', 'x'),
  metric.failedEvent(v1, 'CONFIG_ERROR', 'x'),
  tiers.tierStarted('hot_upload', tier, AT),
  tiers.tierHeartbeat('compaction', tier, 1, AT),
  tiers.tierSucceeded('hot_upload', tier, uploaded),
  tiers.tierSucceeded('compaction', tier, compacted),
  tiers.tierFailed('compaction', { requestId: null, provider: null }, 'CONCURRENCY_CONFLICT', 'x'),
  ingest.ingestStarted(run, AT),
  ingest.ingestHeartbeat(run, 0, AT),
  ingest.ingestCompleted(run, ingested),
  ingest.ingestFailed(run, 'CONFIG_ERROR', 'x'),
  ingest.projectionUpdate({ datasetId: 'd', bucket: 'b', versionManifest: 'v', projections: 'p' }),
])('an event is what its schema says: %j', (event) => {
  const schema = EVENT_SCHEMAS[event.type]!;
  expect(schema.safeParse(event).error).toBeUndefined();
  expect(schema.safeParse({ ...event, more: 1 }).success).toBe(false);
  const { type, ...rest } = event;
  expect(schema.safeParse(rest).success).toBe(false);
});
