/**
 * Writes the good inputs of the corpus: `node test/fuzz/make-corpus.ts`. Once-bad inputs, which are named
 * `once-bad-...`, are put there by hand, and left as they are.
 */

import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { emptyManifest, serializeManifest } from '../../src/contract/warm-manifest.ts';
import { ingestRequest, LONG } from '../support/ingest-scene.ts';
import { plainRequest, v1Request } from '../support/metric-requests.ts';
import { closeDuckDb, parquetOf } from '../support/parquet.ts';
import { compactionRequest, hotKey, JANUARY, uploadRequest } from '../support/tiers.ts';
import { workbook } from '../support/workbooks.ts';

function put(target: string, name: string, body: unknown): void {
  const folder = fileURLToPath(new URL(`corpus/${target}/`, import.meta.url));
  mkdirSync(folder, { recursive: true });
  const bytes = body instanceof Uint8Array || typeof body === 'string' ? body : `${JSON.stringify(body)}\n`;
  writeFileSync(`${folder}${name}`, bytes);
}

const A = { series_code: 'A' };
const B = { seriesCode: 'B' };
const runId = 'a3f1c8a0-5b0e-4b57-9d9e-0d3a5f3c1e11';

// Messages: requests of all four types, bare and in SNS's envelope.
const envelope = (request: unknown, type?: string) => ({
  Type: 'Notification',
  MessageId: 'b7c1',
  TopicArn: 'arn:aws:sns:us-east-1:000000000000:requests',
  Message: JSON.stringify(request),
  Timestamp: '2026-01-23T14:23:00.000Z',
  ...(type === undefined ? {} : { MessageAttributes: { type: { Type: 'String', Value: type } } }),
});
const metric = plainRequest({ runId, expressionJson: { op: 'ratio', left: A, right: B, scale: 1 } });
const upload = uploadRequest('u-1', 87, { compact: true, onConflict: 'skip', sentinel: -1 });
const uploadOfObject = uploadRequest('u-2', 88, {
  changed: { uri: 's3://lake/staging/changed.jsonl.gz' },
  removed: { uri: 'staging/removed', format: 'csv' },
});
const ingest = ingestRequest({
  requestId: 'i-1',
  source: { prefix: 's3://lake/raw/weather/', glob: '**/*.csv', since: '2026-01-01T00:00:00Z' },
  read: {
    delimiter: ',',
    header: true,
    encoding: 'utf-8',
    nullValues: ['', 'NA'],
    dates: 'iso',
    timeZone: 'UTC',
  },
  options: { maxFiles: 1_000, concurrency: 4, retryFailed: true, force: false, maxBadRows: 0 },
});
put('message', 'metric-plain.json', metric);
put(
  'message',
  'metric-v1.json',
  v1Request({ runId, projectionsPath: 's3://other/p/', basePath: 's3://lake/m/' }),
);
put('message', 'metric-in-sns.json', envelope(metric, 'metric_run_requested'));
put('message', 'upload.json', upload);
put('message', 'upload-of-objects.json', uploadOfObject);
put('message', 'upload-in-sns.json', envelope(uploadOfObject));
put('message', 'compaction-of-key.json', compactionRequest('c-1', { hotKey: hotKey(87) }));
put('message', 'compaction-of-month.json', compactionRequest('c-2', { month: '2026-01', mode: 'full' }));
put('message', 'ingest-wide.json', ingest);
put(
  'message',
  'ingest-long.json',
  ingestRequest({ requestId: 'i-2', mapping: { ...LONG, codes: { a: 'A' } }, format: 'csv' }),
);
put('message', 'ingest-in-sns.json', envelope(ingest, 'ingest_run_requested'));

// Expressions, of every operation.
const expressions: readonly (readonly [type: string, json: unknown])[] = [
  ['series_math', { op: 'ratio', left: A, right: B, scale: 0.5 }],
  ['series_math', { op: 'subtract', left: { op: 'add', left: A, right: B }, right: { series_code: 'C' } }],
  ['composite', { op: 'avg', operands: [A, B, { series_code: 'C' }, { op: 'max', operands: [A, B] }] }],
  ['window_op', { op: 'sma', series: A, window: 3 }],
  ['window_op', { op: 'ema', series: { op: 'multiply', left: A, right: A }, window: 12 }],
  ['window_op', { op: 'lag', series: B, window: 2, unit: 'observations' }],
  ['window_op', { op: 'lag', series: { op: 'sum', series: B, window: 5 }, window: 7 }],
  ['window_op', { op: 'min', series: { op: 'max', series: { series_code: 'C' }, window: 2 }, window: 2 }],
];
for (const [i, [type, json]] of expressions.entries()) put('expression', `${type}-${i}.json`, { type, json });

// Manifests.
put('dataset-manifest', 'original.json', {
  version_id: 'v20260101',
  dataset_id: 'd',
  created_at: '2026-01-01T00:00:00Z',
  run_id: 'r',
  series_codes: ['A', 'B', 'x/y'],
  parquet_files: [
    'A/part.parquet',
    'series=B/2026/part.parquet',
    's3://other/p/x%2Fy/a.parquet',
    'all.parquet',
  ],
  partition_strategy: { kind: 'series' },
  row_count: 17,
  sources: {
    ['c'.repeat(40)]: {
      ingestion_id: 'weather',
      file: 's3://lake/raw/a.csv',
      etag: '"e"',
      modified_at: 1,
      rows: 2,
    },
  },
});
put('dataset-manifest', 'ours.json', {
  series_codes: ['A'],
  parquet_files: [
    `A/year=2026/month=01/${'c'.repeat(40)}.parquet`,
    `A/year=2026/month=01/${'c'.repeat(40)}.2.parquet`,
  ],
  sources: {
    ['c'.repeat(40)]: {
      ingestion_id: 'weather',
      file: 's3://lake/raw/a.csv',
      etag: '"e"',
      modified_at: 1,
      rows: 2,
    },
  },
});
put('dataset-manifest', 'least.json', { parquet_files: [] });
const warm = {
  m: 8,
  provider: 'aws',
  year: 2026,
  month: 1,
  pk_columns: ['InstanceType', 'Region', 'AZ'],
  next_file_id: 3,
  last_hot_idx: 18,
  pending_deletions: ['parquet_warm/aws/m8/2026/01/L1_0000_00000-00007.parquet'],
  last_updated: '2026-01-02T00:00:00',
  levels: {
    0: [16, 17, 18].map((n) => ({ file: hotKey(n), hot_range: [n, n] })),
    1: [
      { file: 'L1_0001_00000-00007.parquet', hot_range: [0, 7] },
      { file: 'L1_0002_00008-00015.parquet', hot_range: [8, 15] },
    ],
  },
};
put('warm-manifest', 'original-keys.json', {
  ...warm,
  processed_keys: [16, 17, 18, 5].map((n) => hotKey(n)),
});
put('warm-manifest', 'original-time.json', { ...warm, last_processed_time: '2026-01-01T03:10:00' });
const fullLevels = Array.from({ length: 7 }, (_, n) => ({
  file: hotKey(n),
  hotRange: [n, n] as const,
  rows: 3,
  bytes: 1_000,
  minTime: 1_767_225_600_000_000 + n,
  maxTime: 1_767_225_600_123_456 + n,
}));
put(
  'warm-manifest',
  'ours.json',
  serializeManifest({
    ...emptyManifest(8, 'aws', ['InstanceType', 'Region', 'AZ'], JANUARY),
    levels: [
      fullLevels,
      [],
      fullLevels.slice(0, 2).map((file, i) => ({ ...file, file: `L2_000${i}_00000-00063.parquet` })),
    ],
    nextFileId: 2,
    lastHotIndex: 134,
    revision: 19,
    processed: [
      [0, 7],
      [20, 30],
    ],
    pending: [
      { key: 'parquet_warm/aws/m8/2026/01/L1_0000_00000-00007.parquet', notBefore: 1_767_225_600_000 },
    ],
    lastUpdated: 1_767_225_600_000,
  }),
);
put('metric-manifest', 'version.json', {
  run_id: runId,
  metric_code: 'm',
  version_ts: '2026-01-15T10-30-00',
  created_at: '2026-01-15T10:30:00Z',
  row_count: 3,
  outputs: {
    data_prefix: 'metrics/m/2026-01-15T10-30-00/data/',
    files: [{ path: 'metrics.parquet', rows: 3, bytes: 900, etag: '"e"' }],
  },
  inputs: [
    {
      series_code: 'A',
      dataset_id: 'd',
      dataset_version: null,
      manifest: 's3://lake/k',
      manifest_etag: '"e"',
      files: 1,
      bytes: 2,
    },
  ],
  expression: { type: 'series_math', json: { op: 'add', left: A, right: B } },
  quality: { nulls: 0, divisions_by_zero: 0 },
});
put('metric-manifest', 'marker.json', {
  run_id: runId,
  metric_code: 'm',
  version_ts: '2026-01-15T10-30-00',
  output_manifest: 'metrics/m/2026-01-15T10-30-00/manifest.json',
  row_count: 3,
  created_at: '2026-01-15T10:30:00Z',
});

// Settings.
put('settings', 'all.json', {
  AWS_S3_BUCKET: 'lake',
  AWS_S3_ALLOWED_BUCKETS: 'one, two',
  AWS_SQS_RUN_REQUEST_QUEUE_URL: 'https://sqs.us-east-1.amazonaws.com/000000000000/requests.fifo',
  AWS_SQS_DLQ_URL: 'https://sqs.us-east-1.amazonaws.com/000000000000/dlq.fifo',
  AWS_SNS_EVENTS_TOPIC_ARN: 'arn:aws:sns:us-east-1:000000000000:events',
  DATABASE_URL: 'postgres://tidemill:hunter2@db.example/ledger',
  WORKER_CONCURRENCY: '4',
  WORKER_HEARTBEAT_ENABLED: 'yes',
  OUTPUT_COMPRESSION: 'zstd',
  TITANS_ENV: 'test',
  PROMETHEUS_PORT: '9300',
  LOG_LEVEL: 'debug',
});
put('settings', 'originals.json', {
  AWS_S3_BUCKET: 'lake',
  AWS_SQS_RUN_REQUEST_QUEUE_ENABLED: 'false',
  AWS_SNS_METRIC_RUN_STARTED_TOPIC_ARN: 'arn:aws:sns:us-east-1:000000000000:started',
  AWS_SNS_METRIC_RUN_HEARTBEAT_TOPIC_ARN: 'arn:aws:sns:us-east-1:000000000000:heartbeat',
  AWS_SNS_METRIC_RUN_COMPLETED_TOPIC_ARN: 'arn:aws:sns:us-east-1:000000000000:completed.fifo',
});
put('providers', 'two.json', {
  providers: [
    {
      name: 'oci',
      keyColumns: ['Shape', 'Region'],
      values: { Score: 'int64', Price: 'float64' },
      scoreColumn: 'Score',
    },
    { name: 'aws', keyColumns: ['InstanceType'], timeColumn: 'At', values: { SPS: 'int64' } },
  ],
});

// Parquet: series and files of the tiers, by several codecs and encodings.
const series = `SELECT make_timestamp(i * 1000000) AS obs_time, (i % 37)::DOUBLE AS value,
  'S' || (i % 3) AS internal_series_code FROM range(300) t(i)`;
const text = `SELECT strftime(make_timestamp(i * 1000000), '%Y-%m-%dT%H:%M:%S') AS obs_time,
  (i / 8)::DECIMAL(9,3) AS value FROM range(200) t(i)`;
const hot = `SELECT 'm' || (i % 7) AS InstanceType, 'r' || (i % 3) AS Region, 'az' || i AS AZ,
  make_timestamp(1769177700000000 + i * 1000000) AS "Time", (i % 10)::BIGINT AS SPS, i / 8.0 AS SpotPrice,
  i % 5 = 0 AS Ceased FROM range(120) t(i)`;
const files: readonly (readonly [name: string, sql: string, options: string])[] = [
  ['series-plain', series, 'COMPRESSION uncompressed, ROW_GROUP_SIZE 2048'],
  ['series-snappy', series, 'COMPRESSION snappy'],
  ['series-zstd', series, 'COMPRESSION zstd'],
  ['series-gzip-text', text, 'COMPRESSION gzip, PARQUET_VERSION v2, DICTIONARY_SIZE_LIMIT 1'],
  ['series-brotli', series, 'COMPRESSION brotli, PARQUET_VERSION v2'],
  ['series-lz4', series, 'COMPRESSION lz4_raw'],
  ['hot-zstd', hot, 'COMPRESSION zstd'],
  ['hot-plain', hot, 'COMPRESSION uncompressed'],
];
const wide = `SELECT DATE '2026-01-01' + i::INT AS date, i * 1.5 AS max, CASE WHEN i % 4 > 0 THEN -i END AS min,
  'A' AS series, i AS value, make_timestamp(i * 1000000) AS time FROM range(60) t(i)`;
const made = await Promise.all(
  files.map(async ([name, sql, options]) => [name, await parquetOf(sql, options)] as const),
);
for (const [name, bytes] of made) put('parquet', `${name}.parquet`, bytes);
const wideParquet = await parquetOf(wide, 'COMPRESSION snappy');
await closeDuckDb();
const parquet = Object.fromEntries(made);

/** Options of an ingest whose bad rows are left out. */
const LENIENT = 128;

// Files to be uploaded and ingested: a letter says what each is, a byte how it is read (targets/files.ts).
const lettered = (letter: string, bytes: Uint8Array | string, options = 0) =>
  Buffer.concat([Buffer.from(letter), Buffer.from([options]), Buffer.from(bytes)]);
const rows = Array.from({ length: 12 }, (_, i) => ({
  InstanceType: `m${i}.large`,
  Region: i === 3 ? 'süd-\u{1f600}' : 'us-east-1',
  AZ: `use1-az${i % 3}`,
  Time: i % 2 === 0 ? `2026-01-23 14:2${i % 10}:00` : `2026-01-23T14:2${i % 10}:00.123456+02:00`,
  SPS: i === 5 ? null : i,
  SpotPrice: i / 7,
  Ceased: i === 7,
}));
const jsonl = rows.map((row) => JSON.stringify(row)).join('\n');
const columns = Object.keys(rows[0]!);
const csv = [
  columns.join(','),
  ...rows.map((row) =>
    Object.values(row)
      .map((v) => (v === null ? '' : `"${v}"`))
      .join(','),
  ),
].join('\r\n');
put('upload', 'rows-jsonl.bin', lettered('J', `${jsonl}\n`));
put('upload', 'rows-jsonl-gz.bin', lettered('J', gzipSync(jsonl)));
put('upload', 'rows-csv.bin', lettered('V', csv));
put('upload', 'rows-csv-zst.bin', lettered('V', zstdCompressSync(Buffer.from(csv))));
put('upload', 'rows-parquet.bin', lettered('P', parquet['hot-zstd']!));
const wideCsv = [
  'date,max,min,note',
  ...rows.map((_, i) => `2026-01-${String(i + 1).padStart(2, '0')},${i * 1.5},${i === 2 ? 'NA' : -i},n${i}`),
].join('\n');
const germanCsv = ['date;max;min', ...rows.map((_, i) => `${i + 1}.01.2026 02:30;${i},5;1.000,${i}`)].join(
  '\r\n',
);
const longJsonl = rows
  .map((_, i) => JSON.stringify({ time: `2026-03-29T0${i % 10}:30:00`, series: i % 2 ? 'a' : 'B', value: i }))
  .join('\n');
const sheet = workbook(
  [
    [{ text: 'date' }, { shared: 0 }, { text: 'min' }],
    ...rows.map((_, i) => [
      { number: 46_000 + i, style: 1 },
      { number: i * 1.5 },
      i === 3 ? undefined : { number: -i },
    ]),
  ],
  ['max', 'unused'],
);
put('ingest', 'wide-csv.bin', lettered('V', wideCsv, LENIENT));
put('ingest', 'wide-tsv.bin', lettered('T', wideCsv.replaceAll(',', '\t')));
put('ingest', 'german-csv.bin', lettered('V', germanCsv, 4 + LENIENT));
put(
  'ingest',
  'utf16-csv.bin',
  lettered('V', Buffer.from(`\ufeff${wideCsv}`, 'utf16le'), 3 * 4 + 1 + LENIENT),
);
put('ingest', 'wide-csv-gz.bin', lettered('V', gzipSync(wideCsv), 64 + LENIENT));
put('ingest', 'long-jsonl.bin', lettered('J', longJsonl, 2 + LENIENT));
put('ingest', 'sheet.bin', lettered('X', sheet, LENIENT));
put('ingest', 'wide-parquet.bin', lettered('P', wideParquet));

// Whole jobs: which job reads the file that follows (targets/jobs.ts).
const METRIC = 0;
const UPLOAD = 1;
const MERGE = 2;
const INGEST = 3;
const job = (letter: string, reader: number, bytes: Uint8Array | string) =>
  Buffer.concat([Buffer.from([reader]), lettered(letter, bytes)]);
for (const name of ['series-plain', 'series-snappy', 'series-brotli', 'series-gzip-text', 'series-zstd']) {
  put('jobs', `metric-${name}.bin`, job('P', METRIC, parquet[name]!));
}
for (const name of ['hot-zstd', 'hot-plain']) {
  put('jobs', `upload-${name}.bin`, job('P', UPLOAD, parquet[name]!));
  put('jobs', `merge-${name}.bin`, job('P', MERGE, parquet[name]!));
}
put('jobs', 'upload-jsonl.bin', job('J', UPLOAD, jsonl));
put('jobs', 'upload-csv.bin', job('V', UPLOAD, csv));
put('jobs', 'ingest-csv.bin', job('V', INGEST, wideCsv));
put('jobs', 'ingest-sheet.bin', job('X', INGEST, sheet));
put('jobs', 'ingest-parquet.bin', job('P', INGEST, wideParquet));
