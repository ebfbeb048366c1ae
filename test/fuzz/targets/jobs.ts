/**
 * Whole jobs: files that a metric run, an upload, a merge and an ingest read from the embedded S3, in the
 * product's own thread pool, by its own clients. What panics, hangs or dies there must fail its job alone.
 *
 * The first byte of an input says which job reads it, the others are a file's (targets/files.ts).
 */

import { createHash, randomUUID } from 'node:crypto';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { pino } from 'pino';
import { systemClock } from '../../../src/common/clock.ts';
import { findProvider, tierProviders } from '../../../src/contract/tier-provider.ts';
import { createHotUploadHandler } from '../../../src/hot-tier/index.ts';
import type { Loaded } from '../../../src/ingest/load-file.ts';
import { openLake } from '../../../src/lake/lake.ts';
import { createThreadPool } from '../../../src/lake/thread-pool.ts';
import { startLocalAwsProcess } from '../../../src/local/local-aws-process.ts';
import { LOCAL_CREDENTIALS, LOCAL_REGION } from '../../../src/local/resources.ts';
import { createMetricRunHandler } from '../../../src/metric-run/index.ts';
import type { MergeOutcome } from '../../../src/warm-tier/merge-files.ts';
import type { Handler, JobContext } from '../../../src/worker/handler.ts';
import { plainRequest } from '../../support/metric-requests.ts';
import { uploadRequest } from '../../support/tiers.ts';
import { type OpenTarget, outcomeOf } from '../target.ts';
import { type FuzzedFile, fileOf, loadInput } from './files.ts';

const SRC = new URL('../../../src/', import.meta.url);
const THREADS = 2;
const OBSERVER = { request() {}, conflict() {}, retry() {} };

export async function openJobs(): Promise<OpenTarget> {
  const aws = await startLocalAwsProcess();
  Object.assign(process.env, aws.environment);
  const { bucket } = aws.resources;
  const s3 = { region: LOCAL_REGION, forcePathStyle: true, connectTimeoutMs: 5_000, idleTimeoutMs: 20_000 };
  const lake = openLake(s3, systemClock, OBSERVER);
  const pool = createThreadPool(THREADS, { s3 });
  const client = new S3Client({
    endpoint: aws.endpoint,
    region: LOCAL_REGION,
    credentials: LOCAL_CREDENTIALS,
    forcePathStyle: true,
  });
  const providers = tierProviders();
  const signal = new AbortController().signal;
  const context: JobContext = {
    signal,
    progress: () => {},
    logger: pino({ level: 'silent' }),
    attempt: 1,
    firstReceivedAt: systemClock.now(),
  };
  const metricRun = createMetricRunHandler(
    {
      bucket,
      allowedBuckets: [],
      compression: 'snappy',
      limits: { maxDepth: 64, maxNodes: 1_000, maxWindow: 1_000_000 },
      maxInputRows: 1_000_000,
      inputs: { maxInputFiles: 1_000, maxHeldRows: 10_000_000 },
      cache: { bytes: 1 << 20, seconds: 60 },
    },
    {
      lake,
      pool,
      clock: systemClock,
      observer: { ...OBSERVER, runStarted() {}, runSucceeded() {}, runFailed() {}, jobBytes() {} },
    },
  );
  const hotUpload = createHotUploadHandler(
    {
      bucket,
      allowedBuckets: [],
      root: '',
      limits: { maxRows: 100_000, maxDecodedBytes: 16 << 20 },
      createdBy: 'fuzz',
    },
    { lake, pool, providers, observer: { ...OBSERVER, wrote() {} }, send: async () => {} },
  );
  let jobs = 0;

  const put = async (Key: string, Body: Uint8Array) => {
    const { ETag = '' } = await client.send(new PutObjectCommand({ Bucket: bucket, Key, Body }));
    return { etag: ETag, size: Body.length };
  };
  const carryOut = async (handler: Handler, body: Record<string, unknown>) => {
    const job = handler.accept(body, 'message');
    const { outcome } = (await job.answer(context)) ?? (await job.run(context));
    return outcome;
  };
  const inThread = <T>(module: string, input: unknown) =>
    pool.run<T>(new URL(module, SRC), input, { signal, progress: () => {}, observer: OBSERVER });

  const READERS: readonly ((file: FuzzedFile, job: number) => Promise<string>)[] = [
    async function metric({ bytes }, job) {
      const dataset = `datasets/d${job}`;
      await put(`${dataset}/projections/part.parquet`, bytes);
      const manifest = { series_codes: ['A', 'S1'], parquet_files: ['part.parquet'] };
      await put(`${dataset}/current/manifest.json`, Buffer.from(JSON.stringify(manifest)));
      const expressionJson = { op: 'add', left: { seriesCode: 'A' }, right: { seriesCode: 'S1' } };
      const manifestPath = `${dataset}/current/manifest.json`;
      return await carryOut(metricRun, plainRequest({ metricCode: `m${job}`, expressionJson, manifestPath }));
    },
    async function upload({ name, bytes }, job) {
      await put(`staging/${job}/${name}`, bytes);
      const format = /jsonl|csv|parquet/.exec(name)?.[0] ?? 'csv';
      const changed = { uri: `staging/${job}/${name}`, format };
      return await carryOut(
        hotUpload,
        uploadRequest(randomUUID(), job % 4_000, { changed, onConflict: 'skip' }),
      );
    },
    async function merge({ bytes }, job) {
      const inputs = [`merge/${job}/a.parquet`, `merge/${job}/b.parquet`];
      await Promise.all(inputs.map((key) => put(key, bytes)));
      await inThread('warm-tier/thread.ts', { kind: 'facts', bucket, keys: inputs, timeColumn: 'Time' });
      const provider = findProvider(providers, 'aws');
      const task = {
        kind: 'merge',
        bucket,
        key: `merge/${job}/out.parquet`,
        inputs,
        provider,
        createdBy: 'fuzz',
      };
      return (await inThread<MergeOutcome>('warm-tier/thread.ts', task)).kind;
    },
    async function ingest({ name, options, bytes }, job) {
      const key = `raw/${job}/${name}`;
      const digest = createHash('sha1').update(key).digest('hex');
      const order = loadInput(bucket, key, await put(key, bytes), options, digest);
      return `${(await inThread<Loaded>('ingest/thread.ts', order)).format} loaded`;
    },
  ];

  return {
    async run(input) {
      const reader = READERS[(input[0] ?? 0) % READERS.length]!;
      return await outcomeOf(async () => `${reader.name} ${await reader(fileOf(input.subarray(1)), jobs++)}`);
    },
    async close() {
      await pool.close();
      lake.close();
      client.destroy();
      await aws.stop();
    },
  };
}
