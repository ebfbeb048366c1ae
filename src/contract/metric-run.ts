/**
 * The wire of metric runs: the request in both of its forms, and the events that answer it.
 *
 * The request's form decides the answer's form: with `schema: "metrics.run.v1"` events carry `schema`,
 * the failure is an object and the manifest a URI (form `v1`); without it they are plain (form `plain`).
 */

import { z } from 'zod';
import type { ErrorCode } from '../common/errors.ts';
import { checkRequest } from './issues.ts';
import { type ObjectLocation, uriOf } from './object-location.ts';

export const METRIC_RUN_REQUESTED = 'metric_run_requested';
export const METRIC_RUN_STARTED = 'metric_run_started';
export const METRIC_RUN_HEARTBEAT = 'metric_run_heartbeat';
export const METRIC_RUN_COMPLETED = 'metric_run_completed';
export const METRIC_RUN_V1 = 'metrics.run.v1';

const text = z.string().min(1).max(1024);
/** A run id is part of a key: no slashes, no dots alone. */
const runId = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/,
    'must be 1 to 128 letters, digits, ".", "_", ":" or "-", as a UUID',
  );

/** The request on the wire. */
export const metricRunSchema = z.object({
  schema: z.literal(METRIC_RUN_V1).nullish(),
  type: z.literal(METRIC_RUN_REQUESTED),
  runId,
  metricCode: z.string().min(1).max(256),
  expressionType: text,
  // Looked at by the expression parser, which has errors and limits of its own.
  expressionJson: z.record(z.string(), z.unknown()),
  inputs: z.array(z.object({ datasetId: text, seriesCode: text })).max(10_000),
  catalog: z.object({
    datasets: z.record(z.string(), z.object({ manifestPath: text, projectionsPath: text.nullish() })),
  }),
  output: z.object({ basePath: text }),
});

export type MetricRunRequest = z.infer<typeof metricRunSchema>;
export type MetricRunForm = 'v1' | 'plain';

/** Validates a request; CONFIG_ERROR names every field that is wrong. Unknown fields are ignored. */
export function parseMetricRunRequest(body: unknown): MetricRunRequest {
  return checkRequest(metricRunSchema, body);
}

/** Who an event is about. Of an invalid request it holds what could be read; null is what could not. */
export interface MetricRunIdentity {
  readonly runId: string | null;
  readonly metricCode: string | null;
  readonly form: MetricRunForm;
}

/** What can be told of a run from a body that may be invalid. */
export function identify(body: Readonly<Record<string, unknown>>): MetricRunIdentity {
  const own = (name: string): string | null => {
    const value = Object.hasOwn(body, name) ? body[name] : undefined;
    return typeof value === 'string' && value.length > 0 ? value.slice(0, 256) : null;
  };
  return {
    runId: own('runId'),
    metricCode: own('metricCode'),
    form: own('schema') === METRIC_RUN_V1 ? 'v1' : 'plain',
  };
}

/** The facts of a finished run, as the marker keeps them. */
export interface MetricRunResult {
  readonly versionTs: string;
  readonly manifest: ObjectLocation;
  readonly rowCount: number;
}

export type MetricRunEvent = Readonly<Record<string, unknown>> & { readonly type: string };

function head(identity: MetricRunIdentity, type: string): MetricRunEvent {
  const { runId: id, metricCode, form } = identity;
  return { ...(form === 'v1' ? { schema: METRIC_RUN_V1 } : {}), type, runId: id, metricCode };
}

export function startedEvent(identity: MetricRunIdentity, startedAt: string): MetricRunEvent {
  return { ...head(identity, METRIC_RUN_STARTED), startedAt };
}

/** `progress` is from 0 to 1; `ts` is ISO with whole seconds. */
export function heartbeatEvent(identity: MetricRunIdentity, progress: number, ts: string): MetricRunEvent {
  return { ...head(identity, METRIC_RUN_HEARTBEAT), progress, ts };
}

export function succeededEvent(identity: MetricRunIdentity, result: MetricRunResult): MetricRunEvent {
  const { versionTs, manifest, rowCount } = result;
  const outputManifest = identity.form === 'v1' ? uriOf(manifest) : manifest.key;
  return { ...head(identity, METRIC_RUN_COMPLETED), status: 'SUCCESS', versionTs, outputManifest, rowCount };
}

export function failedEvent(identity: MetricRunIdentity, code: ErrorCode, message: string): MetricRunEvent {
  const error = identity.form === 'v1' ? { code, message } : `${code}: ${message}`;
  return { ...head(identity, METRIC_RUN_COMPLETED), status: 'FAILURE', error };
}
