/**
 * The wire of ingest runs: the request with its defaults, and the events that answer it
 * (docs/INGEST.md). Whoever reads a parsed request finds every field set.
 */

import { z } from 'zod';
import { hasControls } from '../common/control-characters.ts';
import type { ErrorCode } from '../common/errors.ts';
import { checkRequest } from './issues.ts';

export const INGEST_RUN_REQUESTED = 'ingest_run_requested';
export const INGEST_RUN_STARTED = 'ingest_run_started';
export const INGEST_RUN_HEARTBEAT = 'ingest_run_heartbeat';
export const INGEST_RUN_COMPLETED = 'ingest_run_completed';
export const PROJECTION_UPDATE = 'projection_update';

export const INGEST_FORMATS = ['auto', 'csv', 'jsonl', 'parquet', 'xlsx'] as const;
export type IngestFormat = (typeof INGEST_FORMATS)[number];

export const DATE_STYLES = [
  'iso',
  'day-first',
  'month-first',
  'epoch-seconds',
  'epoch-millis',
  'excel',
] as const;
export type DateStyle = (typeof DATE_STYLES)[number];

export const ENCODINGS = ['utf-8', 'utf-16le', 'utf-16be', 'latin1', 'windows-1252'] as const;
export type Encoding = (typeof ENCODINGS)[number];

export const DECIMAL_STYLES = ['.', ',', 'auto'] as const;
export type DecimalStyle = (typeof DECIMAL_STYLES)[number];

/** Words that stand for no value, where a request names none. */
export const DEFAULT_NULL_VALUES = ['', 'NA', 'N/A', 'NaN', 'nan', 'null', 'NULL', 'None'] as const;

const text = z.string().min(1).max(1024);
const columnName = z.string().min(1).max(512);
const id = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/,
    'must be 1 to 128 letters, digits, ".", "_", ":" or "-", as a UUID',
  );
const MAX_CODE_BYTES = 200;
const seriesCode = z
  .string()
  .min(1)
  .refine((code) => isSeriesCode(code), `must be a series code of at most ${MAX_CODE_BYTES} bytes`);

/** Whether a text can be a series code: not empty, not too long, no control characters, whole Unicode. */
export function isSeriesCode(code: string): boolean {
  if (code === '' || hasControls(code) || !code.isWellFormed()) return false;
  return Buffer.byteLength(code) <= MAX_CODE_BYTES && code.trim() === code;
}

const timeZone = z.string().refine((name) => {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}, 'must be an IANA time zone, as "Europe/Berlin"');

const since = z.iso.datetime({
  offset: true,
  message: 'must be an ISO time with an offset, as 2026-01-01T00:00:00Z',
});

const wide = z
  .object({
    layout: z.literal('wide'),
    time: columnName,
    /** Column -> series code; "*": every column but the time's, by its own name. */
    values: z.union([z.literal('*'), z.record(columnName, seriesCode)]),
    /** Whether an empty cell makes no row at all; otherwise it makes a row whose value is null. */
    skipNulls: z.boolean().default(false),
  })
  .superRefine(({ values }, context) => {
    if (values === '*') return;
    const codes = Object.values(values);
    if (codes.length === 0)
      context.addIssue({ code: 'custom', path: ['values'], message: 'must name a column' });
    const twice = codes.find((code, i) => codes.indexOf(code) !== i);
    if (twice !== undefined) {
      context.addIssue({
        code: 'custom',
        path: ['values'],
        message: `gives two columns the series "${twice}"`,
      });
    }
  });

const long = z.object({
  layout: z.literal('long'),
  time: columnName,
  series: columnName,
  value: columnName,
  /** What the file says -> series code; what is not in it is a code itself. */
  codes: z.record(z.string(), seriesCode).optional(),
  skipNulls: z.boolean().default(false),
});

const read = z.object({
  /** Default: a tab for .tsv and .tab, else a comma. */
  delimiter: z.string().min(1).max(8).optional(),
  header: z.boolean().default(true),
  /** A byte order mark wins over it. */
  encoding: z
    .string()
    .toLowerCase()
    .transform((name) => (name === 'utf8' ? 'utf-8' : name === 'iso-8859-1' ? 'latin1' : name))
    .pipe(z.enum(ENCODINGS))
    .default('utf-8'),
  nullValues: z
    .array(z.string().max(64))
    .max(100)
    .default([...DEFAULT_NULL_VALUES]),
  decimal: z.enum(DECIMAL_STYLES).default('.'),
  dates: z.enum(DATE_STYLES).default('iso'),
  timeZone: timeZone.default('UTC'),
  /** Of a workbook; default: its first sheet. */
  sheet: z.string().min(1).max(31).optional(),
});

/** The request on the wire. */
export const ingestRunSchema = z.object({
  type: z.literal(INGEST_RUN_REQUESTED),
  requestId: id,
  ingestionId: id,
  source: z.object({
    prefix: text,
    glob: z.string().min(1).max(1024).default('**'),
    since: since.optional(),
  }),
  format: z.enum(INGEST_FORMATS).default('auto'),
  read: read.prefault({}),
  mapping: z.discriminatedUnion('layout', [wide, long]),
  target: z.object({
    datasetId: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/, 'must be 1 to 128 letters, digits, ".", "_" or "-"'),
    /** Default: `datasets/<datasetId>/`. */
    basePath: text.optional(),
  }),
  options: z
    .object({
      /** Most files that this run processes; the rest is left for the next one. */
      maxFiles: z.int().min(1).max(10_000_000).default(1_000_000),
      /** Files at once, in this worker. Default: the worker's setting. */
      concurrency: z.int().min(1).max(64).optional(),
      retryFailed: z.boolean().default(true),
      force: z.boolean().default(false),
      /** Take up files that failed before, and no others. */
      failedOnly: z.boolean().default(false),
      maxBadRows: z.int().min(0).max(1_000_000).default(0),
    })
    .prefault({}),
});

type WholeRequest = z.infer<typeof ingestRunSchema>;

/** What an ingestion is asked to do: what the ledger keeps, and a replay sends again. */
export type IngestRunRequest = Omit<WholeRequest, 'options'> & {
  readonly options: Omit<WholeRequest['options'], 'failedOnly'>;
};
export type ReadOptions = IngestRunRequest['read'];
export type Mapping = IngestRunRequest['mapping'];

export interface IngestOrder {
  readonly request: IngestRunRequest;
  /** `options.failedOnly`: of this one message, so that a later replay of the request is not held to it. */
  readonly failedOnly: boolean;
}

/** Validates a request; CONFIG_ERROR names every field that is wrong. Unknown fields are ignored. */
export function parseIngestRunRequest(body: unknown): IngestOrder {
  const order = checkRequest(ingestRunSchema, body);
  const { failedOnly, ...options } = order.options;
  return { request: { ...order, options }, failedOnly };
}

/** Who an event is about; null is what an invalid request does not say. */
export interface IngestIdentity {
  readonly requestId: string | null;
  readonly ingestionId: string | null;
}

export function identifyIngest(body: Readonly<Record<string, unknown>>): IngestIdentity {
  const own = (name: string): string | null => {
    const value = Object.hasOwn(body, name) ? body[name] : undefined;
    return typeof value === 'string' && value.length > 0 ? value.slice(0, 256) : null;
  };
  return { requestId: own('requestId'), ingestionId: own('ingestionId') };
}

export type IngestEvent = Readonly<Record<string, unknown>> & { readonly type: string };

export function ingestStarted({ requestId, ingestionId }: IngestIdentity, startedAt: string): IngestEvent {
  return { type: INGEST_RUN_STARTED, requestId, ingestionId, startedAt };
}

/** `progress` is from 0 to 1; `ts` is ISO with whole seconds. */
export function ingestHeartbeat(identity: IngestIdentity, progress: number, ts: string): IngestEvent {
  const { requestId, ingestionId } = identity;
  return { type: INGEST_RUN_HEARTBEAT, requestId, ingestionId, progress, ts };
}

export interface IngestResult {
  /** PARTIAL: some files failed; FAILURE: all that were tried did. */
  readonly status: 'SUCCESS' | 'PARTIAL' | 'FAILURE';
  readonly datasetId: string;
  readonly files: {
    readonly discovered: number;
    readonly succeeded: number;
    readonly failed: number;
    /** Unchanged, done by another run, or gone before they were read. */
    readonly skipped: number;
    /** Left for another run because of `maxFiles`. */
    readonly left: number;
    /** Loaded once and no longer in the bucket: their data stays in the dataset. */
    readonly missing: number;
  };
  readonly rows: number;
  readonly bytes: number;
  readonly durationMs: number;
  /** Key of the dataset's current manifest; null where the dataset has none yet. */
  readonly datasetManifest: string | null;
  /** Columns and series that the ingestion did not have before. */
  readonly newColumns: readonly string[];
  readonly newSeries: readonly string[];
  /** The first few. */
  readonly failures: readonly { readonly file: string; readonly error: string }[];
}

export function ingestCompleted(identity: IngestIdentity, result: IngestResult): IngestEvent {
  const { requestId, ingestionId } = identity;
  const first = result.failures[0];
  const message =
    first === undefined
      ? 'no file could be ingested'
      : `all ${result.files.failed} files failed; ${first.file}: ${first.error}`;
  const error = result.status === 'FAILURE' ? { error: { code: 'INPUT_READ_ERROR', message } } : {};
  return { type: INGEST_RUN_COMPLETED, requestId, ingestionId, ...result, ...error };
}

export function ingestFailed(identity: IngestIdentity, code: ErrorCode, message: string): IngestEvent {
  const { requestId, ingestionId } = identity;
  return { type: INGEST_RUN_COMPLETED, requestId, ingestionId, status: 'FAILURE', error: { code, message } };
}

/** Tells readers of a dataset that it has a new version; the fields are the original ingester's. */
export function projectionUpdate(update: {
  readonly datasetId: string;
  readonly bucket: string;
  readonly versionManifest: string;
  readonly projections: string;
}): IngestEvent {
  return {
    type: PROJECTION_UPDATE,
    event: PROJECTION_UPDATE,
    dataset_id: update.datasetId,
    bucket: update.bucket,
    version_manifest_path: update.versionManifest,
    projections_path: update.projections,
  };
}
