/**
 * Environment -> one frozen, typed Config. Only main and cli read it; every part is handed its slice.
 * All errors are told at once, each naming its variable. No value that could be a secret is shown.
 */

import { availableParallelism } from 'node:os';
import { z } from 'zod';
import { OUTPUT_COMPRESSIONS } from './contract/output-compression.ts';

/** One variable: its default (undefined: none), what it takes, and what it is for. Order is .env.example's. */
interface Variable {
  readonly name: string;
  readonly fallback: string | undefined;
  readonly schema: z.ZodType;
  readonly about: string;
}

const text = z.string().min(1);
const flag = z
  .string()
  .toLowerCase()
  .pipe(z.enum(['true', 'false', '1', '0', 'yes', 'no'], 'must be true or false'))
  .transform((word) => ['true', '1', 'yes'].includes(word));

/** Most jobs at once, and most threads for them. */
const MAX_JOBS = 64;

function whole(min: number, max: number) {
  const wanted = `must be a whole number from ${min} to ${max}`;
  return z
    .string()
    .regex(/^\d+$/, wanted)
    .transform(Number)
    .refine((value) => value >= min && value <= max, wanted);
}

const topicArn = z
  .string()
  .regex(/^arn:[^:]+:sns:[^:]+:[^:]*:[A-Za-z0-9_.-]+$/, 'must be the ARN of an SNS topic');
const queueUrl = z.string().regex(/^https?:\/\/\S+$/, 'must be the URL of an SQS queue');
// The message names no value: a URL holds a password.
const databaseUrl = z
  .string()
  .refine(
    (text) => /^postgres(?:ql)?:\/\/\S+$/.test(text) && isUrl(text),
    'must be a URL, as postgres://user:password@host/name (other characters than letters and digits as %40)',
  );
const bucket = z.string().regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'must be a bucket name');
const buckets = z
  .string()
  .transform((list) =>
    list
      .split(',')
      .map((name) => name.trim())
      .filter(Boolean),
  )
  .pipe(z.array(bucket));
const level = z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']);

export const VARIABLES = {
  region: v('AWS_REGION', 'us-east-1', text, 'Region of queue, topics and bucket.'),
  bucket: v('AWS_S3_BUCKET', undefined, bucket, 'The lake. Required.'),
  allowedBuckets: v(
    'AWS_S3_ALLOWED_BUCKETS',
    '',
    buckets,
    'Other buckets that a request may name, comma-separated.',
  ),
  forcePathStyle: v('AWS_S3_FORCE_PATH_STYLE', 'false', flag, 'Path-style URLs, for stores other than AWS.'),
  queueUrl: v(
    'AWS_SQS_RUN_REQUEST_QUEUE_URL',
    undefined,
    queueUrl,
    'The request queue (FIFO). Required while it is enabled.',
  ),
  queueEnabled: v('AWS_SQS_RUN_REQUEST_QUEUE_ENABLED', 'true', flag, 'Whether to poll the request queue.'),
  dlqUrl: v(
    'AWS_SQS_DLQ_URL',
    undefined,
    queueUrl,
    'Where messages go that are no requests, with the reason as attributes.',
  ),
  eventsTopic: v(
    'AWS_SNS_EVENTS_TOPIC_ARN',
    undefined,
    topicArn,
    'Topic of all events that have none of their own.',
  ),
  startedTopic: v(
    'AWS_SNS_METRIC_RUN_STARTED_TOPIC_ARN',
    undefined,
    topicArn,
    'Topic of metric_run_started.',
  ),
  heartbeatTopic: v(
    'AWS_SNS_METRIC_RUN_HEARTBEAT_TOPIC_ARN',
    undefined,
    topicArn,
    'Topic of metric_run_heartbeat.',
  ),
  completedTopic: v(
    'AWS_SNS_METRIC_RUN_COMPLETED_TOPIC_ARN',
    undefined,
    topicArn,
    'Topic of metric_run_completed.',
  ),
  environment: v(
    'TITANS_ENV',
    'production',
    z.enum(['production', 'test']),
    '"test" puts the tiers below the prefix test/.',
  ),
  concurrency: v(
    'WORKER_CONCURRENCY',
    '4',
    whole(1, MAX_JOBS),
    'Jobs at once: consumer loops, one message each.',
  ),
  threads: v(
    'WORKER_THREADS',
    String(Math.min(MAX_JOBS, availableParallelism())),
    whole(1, MAX_JOBS),
    'Worker threads for decoding, evaluating and encoding, 64 at most.',
  ),
  heartbeatEnabled: v('WORKER_HEARTBEAT_ENABLED', 'true', flag, 'Whether heartbeat events go out.'),
  heartbeatSeconds: v(
    'WORKER_HEARTBEAT_INTERVAL_SECONDS',
    '30',
    whole(1, 3_600),
    'Seconds between heartbeats.',
  ),
  visibilitySeconds: v(
    'WORKER_VISIBILITY_TIMEOUT_SECONDS',
    '60',
    whole(3, 43_200),
    'Lease on a message, renewed every third of it.',
  ),
  waitSeconds: v('WORKER_POLL_WAIT_SECONDS', '20', whole(0, 20), 'Long-poll wait.'),
  deadlineSeconds: v(
    'WORKER_JOB_DEADLINE_SECONDS',
    '39600',
    whole(1, 42_000),
    'A job is given up after this; SQS allows 12 hours.',
  ),
  maxAttempts: v(
    'WORKER_MAX_ATTEMPTS',
    '5',
    whole(1, 1_000),
    'Deliveries before giving up, where the queue has no redrive policy.',
  ),
  retryFirstSeconds: v(
    'WORKER_RETRY_FIRST_SECONDS',
    '5',
    whole(0, 900),
    'Delay before the second attempt; it doubles, with jitter.',
  ),
  retryMaxSeconds: v('WORKER_RETRY_MAX_SECONDS', '300', whole(0, 43_200), 'Longest delay between attempts.'),
  shutdownGraceSeconds: v(
    'SHUTDOWN_GRACE_SECONDS',
    '25',
    whole(0, 3_600),
    'For jobs in hand after SIGTERM; below the ECS stopTimeout.',
  ),
  outputCompression: v(
    'OUTPUT_COMPRESSION',
    'snappy',
    z.enum(OUTPUT_COMPRESSIONS),
    'none, snappy, gzip, zstd, brotli or lz4.',
  ),
  maxExpressionDepth: v('EXPRESSION_MAX_DEPTH', '64', whole(1, 256), 'Deepest nesting of an expression.'),
  maxExpressionNodes: v(
    'EXPRESSION_MAX_NODES',
    '1000',
    whole(1, 100_000),
    'Most operations and operands of an expression.',
  ),
  maxWindowRows: v(
    'EXPRESSION_MAX_WINDOW',
    '1000000',
    whole(1, 100_000_000),
    'Widest window, in rows or days.',
  ),
  maxInputRows: v(
    'METRIC_MAX_INPUT_ROWS',
    '2000000000',
    whole(1, 1_000_000_000_000),
    'Most rows that one run may read.',
  ),
  maxInputFiles: v(
    'METRIC_MAX_INPUT_FILES',
    '10000',
    whole(1, 10_000_000),
    'Most Parquet files that one run may open.',
  ),
  maxHeldRows: v(
    'METRIC_MAX_HELD_ROWS',
    '64000000',
    whole(1, 1_000_000_000_000),
    'Most rows that the inputs of one run may have in memory at once, 16 bytes each; of each series a row group counts.',
  ),
  seriesCacheMb: v(
    'SERIES_CACHE_MB',
    '64',
    whole(0, 65_536),
    'Decoded small series kept in memory, by manifest ETag; 0: none.',
  ),
  seriesCacheSeconds: v(
    'SERIES_CACHE_SECONDS',
    '300',
    whole(1, 86_400),
    'How long a kept series may be used.',
  ),
  tierProvidersFile: v(
    'TIER_PROVIDERS_FILE',
    undefined,
    text,
    'A JSON file of providers beside aws, azure and gcp (docs/TIERS.md).',
  ),
  warmReaderGraceSeconds: v(
    'WARM_READER_GRACE_SECONDS',
    '900',
    whole(0, 604_800),
    'How long a reader may use a warm manifest: superseded files stay so long.',
  ),
  compactionMaxRaces: v(
    'COMPACTION_MAX_RACES',
    '20',
    whole(0, 1_000),
    'How often a compaction plans anew after another writer was first.',
  ),
  hotMaxRows: v(
    'HOT_MAX_ROWS',
    '2000000',
    whole(1, 100_000_000),
    'Most changed, or removed, rows of an upload.',
  ),
  hotMaxDecodedMb: v(
    'HOT_MAX_DECODED_MB',
    '1024',
    whole(1, 65_536),
    'Most MiB of a source of an upload, its compression undone.',
  ),
  databaseUrl: v(
    'DATABASE_URL',
    undefined,
    databaseUrl,
    'The ledger of ingest runs (Postgres 14 or later); without it they are refused. A secret.',
  ),
  databaseConnections: v('DATABASE_POOL_SIZE', '10', whole(1, 1_000), 'Most connections to the ledger.'),
  ingestConcurrency: v('INGEST_CONCURRENCY', '2', whole(1, 64), 'Files at once in one ingest run.'),
  ingestStreamingMb: v(
    'INGEST_STREAMING_THRESHOLD_MB',
    '16',
    whole(0, 1_024),
    'Files above this are read in chunks, others at once.',
  ),
  ingestBufferMb: v(
    'INGEST_BUFFER_MB',
    '64',
    whole(1, 65_536),
    'Rows of one file that wait in memory for their month to be written.',
  ),
  ingestLeaseSeconds: v(
    'INGEST_LEASE_SECONDS',
    '60',
    whole(1, 3_600),
    'A file in work without a sign of life for this long may be taken over.',
  ),
  port: v('PROMETHEUS_PORT', '9300', whole(0, 65_535), 'Port of /metrics, /healthz and /readyz.'),
  logLevel: v('LOG_LEVEL', 'info', level, 'trace, debug, info, warn, error, fatal or silent.'),
} as const satisfies Record<string, Variable>;

/** Whether it is a URL whose user info can be decoded: where it is none, the first ingest run would tell. */
function isUrl(text: string): boolean {
  try {
    const { username, password } = new URL(text);
    return decodeURIComponent(username + password) !== undefined;
  } catch {
    return false;
  }
}

function v<T extends z.ZodType>(name: string, fallback: string | undefined, schema: T, about: string) {
  return { name, fallback, schema, about };
}

type Values = { readonly [K in keyof typeof VARIABLES]: z.infer<(typeof VARIABLES)[K]['schema']> };
type Optional =
  | 'dlqUrl'
  | 'eventsTopic'
  | 'startedTopic'
  | 'heartbeatTopic'
  | 'completedTopic'
  | 'queueUrl'
  | 'tierProvidersFile'
  | 'databaseUrl';
export type Config = Readonly<Omit<Values, Optional> & { [K in Optional]: Values[K] | undefined }>;

/** All that is wrong with a configuration, a line each. */
export class ConfigurationError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`The configuration is invalid:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
    this.name = 'ConfigurationError';
    this.problems = problems;
  }
}

/** Reads the configuration; an empty variable counts as unset. Throws `ConfigurationError`. */
export function readConfig(environment: Readonly<Record<string, string | undefined>>): Config {
  const problems: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [key, { name, fallback, schema }] of Object.entries(VARIABLES)) {
    const given = environment[name];
    const raw = given === undefined || given === '' ? fallback : given;
    if (raw === undefined) continue;
    const parsed = schema.safeParse(raw);
    if (parsed.success) values[key] = parsed.data;
    else problems.push(`${name}: ${parsed.error.issues[0]?.message ?? 'is invalid'}`);
  }
  const config = values as Config;
  const named = (key: keyof typeof VARIABLES) => VARIABLES[key].name;
  const isSet = (key: keyof typeof VARIABLES) => (environment[named(key)] ?? '') !== '';
  if (!isSet('bucket')) problems.push(`${named('bucket')}: is required`);
  if (config.queueEnabled !== false && !isSet('queueUrl')) {
    problems.push(`${named('queueUrl')}: is required while ${named('queueEnabled')} is true`);
  }
  if (!isSet('eventsTopic')) {
    for (const key of ['startedTopic', 'heartbeatTopic', 'completedTopic'] as const) {
      if (!isSet(key)) problems.push(`${named(key)}: is required while ${named('eventsTopic')} is not set`);
    }
  }
  if (isSet('databaseUrl') && !isSet('eventsTopic')) {
    problems.push(`${named('eventsTopic')}: is required while ${named('databaseUrl')} is set`);
  }
  if (problems.length > 0) throw new ConfigurationError(problems);
  return Object.freeze(config);
}
