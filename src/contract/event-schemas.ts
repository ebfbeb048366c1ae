/**
 * The events as schemas: what docs/asyncapi.yaml says of them is made from here, and tests hold the events
 * that are built (metric-run.ts, tier-requests.ts, ingest-run.ts) against them. No field beside these.
 */

import { z } from 'zod';
import { ERROR_CODES } from '../common/errors.ts';
import { compactionResult } from './compaction-result.ts';
import { METRIC_RUN_V1 } from './metric-run.ts';

const count = z.int().min(0);
const moment = z.iso.datetime();
const identity = z.string().nullable().describe('null where an invalid request did not tell it');
const failure = z.strictObject({ code: z.enum(ERROR_CODES), message: z.string().max(4_096) });
/** Of an event that would be too long for SNS: what was cut, with the length that it had. */
const truncated = z.record(z.string(), count).optional();

const metric = { schema: z.literal(METRIC_RUN_V1).optional(), runId: identity, metricCode: identity };

function started(type: string, ids: z.ZodRawShape) {
  return z.strictObject({ type: z.literal(type), ...ids, startedAt: moment });
}
function heartbeat(type: string, ids: z.ZodRawShape) {
  return z.strictObject({
    type: z.literal(type),
    ...ids,
    progress: z.number().min(0).max(1),
    ts: moment,
  });
}

const metricRunCompleted = z.union([
  z.strictObject({
    type: z.literal('metric_run_completed'),
    ...metric,
    status: z.literal('SUCCESS'),
    versionTs: z.string().regex(/^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d$/),
    outputManifest: z.string().describe('a URI where schema is given, else a key'),
    rowCount: count,
  }),
  z.strictObject({
    type: z.literal('metric_run_completed'),
    ...metric,
    status: z.literal('FAILURE'),
    error: z.union([failure, z.string().describe('CODE: message, where no schema is given')]),
    truncated,
  }),
]);

const tier = { requestId: identity, provider: identity };
const succeeded = { status: z.literal('SUCCESS') };
const failed = { status: z.literal('FAILURE'), error: failure, truncated };

const hotUploadCompleted = z.union([
  z.strictObject({
    type: z.literal('hot_upload_completed'),
    ...tier,
    ...succeeded,
    outcome: z.enum(['uploaded', 'unchanged', 'skipped', 'empty']),
    key: z.string(),
    rows: count,
    bytes: count,
  }),
  z.strictObject({ type: z.literal('hot_upload_completed'), ...tier, ...failed }),
]);
const compactionCompleted = z.union([
  z.strictObject({
    type: z.literal('compaction_completed'),
    ...tier,
    ...succeeded,
    ...compactionResult.shape,
    truncated,
  }),
  z.strictObject({ type: z.literal('compaction_completed'), ...tier, ...failed }),
]);

const ingest = { requestId: identity, ingestionId: identity };
const ingestRunCompleted = z.union([
  z.strictObject({
    type: z.literal('ingest_run_completed'),
    ...ingest,
    status: z.enum(['SUCCESS', 'PARTIAL', 'FAILURE']).describe('FAILURE: all files that were tried failed'),
    datasetId: z.string(),
    files: z.strictObject({
      discovered: count,
      succeeded: count,
      failed: count,
      skipped: count,
      left: count,
      missing: count,
    }),
    rows: count,
    bytes: count,
    durationMs: z.number().min(0),
    datasetManifest: z.string().nullable(),
    newColumns: z.array(z.string()),
    newSeries: z.array(z.string()),
    failures: z.array(z.strictObject({ file: z.string(), error: z.string() })),
    error: failure.optional(),
    truncated,
  }),
  z.strictObject({ type: z.literal('ingest_run_completed'), ...ingest, ...failed }),
]);
const projectionUpdate = z.strictObject({
  type: z.literal('projection_update'),
  event: z.literal('projection_update'),
  dataset_id: z.string(),
  bucket: z.string(),
  version_manifest_path: z.string(),
  projections_path: z.string(),
});

/** Every event, by its type. */
export const EVENT_SCHEMAS: Readonly<Record<string, z.ZodType>> = {
  metric_run_started: started('metric_run_started', metric),
  metric_run_heartbeat: heartbeat('metric_run_heartbeat', metric),
  metric_run_completed: metricRunCompleted,
  hot_upload_started: started('hot_upload_started', tier),
  hot_upload_heartbeat: heartbeat('hot_upload_heartbeat', tier),
  hot_upload_completed: hotUploadCompleted,
  compaction_started: started('compaction_started', tier),
  compaction_heartbeat: heartbeat('compaction_heartbeat', tier),
  compaction_completed: compactionCompleted,
  ingest_run_started: started('ingest_run_started', ingest),
  ingest_run_heartbeat: heartbeat('ingest_run_heartbeat', ingest),
  ingest_run_completed: ingestRunCompleted,
  projection_update: projectionUpdate,
};
