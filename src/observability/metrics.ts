/**
 * All Prometheus metrics of the product, in one registry: what each is called, what it counts, and its
 * bounded labels. The originals' names are kept; new ones follow Prometheus's naming rules.
 */

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

const SECONDS = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600];
const S3_SECONDS = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];
const MEGABYTES = [0.01, 0.1, 0.5, 1, 5, 10, 50, 100, 500, 1_000, 5_000];

const METRIC_ERROR_CODES = [
  'INPUT_READ_ERROR',
  'EXPRESSION_EVAL_ERROR',
  'OUTPUT_WRITE_ERROR',
  'MANIFEST_VALIDATION_ERROR',
  'CONFIG_ERROR',
  'CONCURRENCY_CONFLICT',
  'INTERNAL_ERROR',
] as const;

/** Why a message can be no request (src/contract/envelope.ts, src/worker/message-life.ts). */
const REJECTION_REASONS = ['no_json', 'no_object', 'no_type', 'type_mismatch', 'unknown_type'] as const;

const MISNAMED = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
] as const;

export type Metrics = ReturnType<typeof createMetrics>;

export function createMetrics(build: { readonly version: string; readonly commit: string }) {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 10 });
  // Gauges that are called totals, which Prometheus's rules forbid; their parts say the same by kind.
  for (const name of MISNAMED) registry.removeSingleMetric(name);

  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Counter({ name, help, labelNames, registers });
  const histogram = <L extends string>(
    name: string,
    help: string,
    buckets: number[],
    labelNames: readonly L[] = [],
  ) => new Histogram({ name, help, buckets, labelNames, registers });

  const inFlight = new Gauge({
    name: 'tidemill_messages_in_flight',
    help: 'Messages whose job is under way.',
    labelNames: ['type'] as const,
    registers,
  });
  const buildInfo = new Gauge({
    name: 'tidemill_build_info',
    help: 'Always 1; the labels say what runs.',
    labelNames: ['version', 'commit', 'node_version'] as const,
    registers,
  });
  buildInfo.set({ version: build.version, commit: build.commit, node_version: process.version }, 1);

  const metrics = {
    registry,
    inFlight,
    // The originals' names.
    metricRunsStarted: counter(
      'metric_runs_started_total',
      'Metric runs begun (a run answered from its marker is not begun).',
    ),
    metricRunsSucceeded: counter('metric_runs_succeeded_total', 'Metric runs that made their version.'),
    metricRunsFailed: counter('metric_runs_failed_total', 'Metric runs answered FAILURE.', [
      'error_code',
    ] as const),
    metricRunDuration: histogram(
      'metric_run_duration_seconds',
      'Metric runs from begin to durable result.',
      SECONDS,
    ),
    s3ReadMb: histogram('s3_read_mb', 'Megabytes read from S3 by a job.', MEGABYTES),
    s3WriteMb: histogram('s3_write_mb', 'Megabytes written to S3 by a job.', MEGABYTES),
    // Ours.
    received: counter('tidemill_messages_received_total', 'Messages received, by request type.', [
      'type',
    ] as const),
    finished: counter(
      'tidemill_messages_finished_total',
      'Messages whose handling ended, by type and outcome.',
      ['type', 'outcome'] as const,
    ),
    duration: histogram('tidemill_message_duration_seconds', 'Handling of one message.', SECONDS, [
      'type',
    ] as const),
    rejected: counter('tidemill_messages_rejected_total', 'Messages that are no requests, by reason.', [
      'reason',
    ] as const),
    published: counter('tidemill_events_published_total', 'Events published, by type.', ['type'] as const),
    retries: counter('retry_attempts_total', 'Attempts that failed and are tried again, by operation.', [
      'operation',
    ] as const),
    retrySleep: histogram('retry_sleep_seconds', 'Sleep before trying again, by operation.', SECONDS, [
      'operation',
    ] as const),
    s3Requests: counter(
      'tidemill_s3_requests_total',
      'S3 requests below the retries, by operation and HTTP status.',
      ['operation', 'status'] as const,
    ),
    s3Latency: histogram(
      'tidemill_s3_request_duration_seconds',
      'Seconds to the headers of the answer.',
      S3_SECONDS,
      ['operation'] as const,
    ),
    s3ReadBytes: counter('tidemill_s3_read_bytes_total', 'Bytes of S3 answers.'),
    s3WriteBytes: counter('tidemill_s3_write_bytes_total', 'Bytes of S3 requests.'),
    conflicts: counter(
      'tidemill_conflicts_total',
      'Conditional writes that met another writer, by operation.',
      ['operation'] as const,
    ),
    rowsWritten: counter('tidemill_rows_written_total', 'Rows written, by kind of output.', [
      'output',
    ] as const),
    filesWritten: counter('tidemill_files_written_total', 'Parquet files written, by kind of output.', [
      'output',
    ] as const),
    etlRows: counter('etl_row_normalized_total', 'Rows of ingested files that were taken, by job.', [
      'job',
    ] as const),
    etlErrors: counter('etl_normalize_errors_total', 'Bad rows of ingested files, by job and reason.', [
      'job',
      'reason',
    ] as const),
    ingestedFiles: counter('tidemill_ingest_files_total', 'Files that ingest runs settled, by outcome.', [
      'outcome',
    ] as const),
    ingestFileDuration: histogram(
      'tidemill_ingest_file_duration_seconds',
      'Loading of one file, from its claim to its rows in the ledger.',
      SECONDS,
    ),
    compactionReplans: counter(
      'tidemill_compaction_replans_total',
      'Times that a compaction planned anew since another writer was first.',
    ),
    warmDeletions: counter('tidemill_warm_files_deleted_total', 'Superseded warm files deleted.'),
    divisionsByZero: counter(
      'tidemill_metric_divisions_by_zero_total',
      'Divisions by zero in metric runs, each a null.',
    ),
  };
  // Counters with known labels exist from the start, so that rates have a beginning.
  for (const error_code of METRIC_ERROR_CODES) metrics.metricRunsFailed.inc({ error_code }, 0);
  for (const reason of REJECTION_REASONS) metrics.rejected.inc({ reason }, 0);
  for (const outcome of ['loaded', 'failed']) metrics.ingestedFiles.inc({ outcome }, 0);
  return metrics;
}
