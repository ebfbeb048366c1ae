/** A worker process and the embedded AWS in another, with what a benchmark does to them. */

import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import {
  DeleteMessageBatchCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { LOCAL_CREDENTIALS, LOCAL_REGION } from '../../src/local/resources.ts';
import { modulesOf } from './modules.ts';

type LocalAws = typeof import('../../src/local/local-aws-process.ts');

export interface Completed {
  readonly runId: string;
  readonly rowCount: number;
  /** When its event came, on this process's monotonic clock, in milliseconds. */
  readonly at: number;
}

/** An event of the worker's. */
export interface Arrived {
  readonly body: Readonly<Record<string, unknown>>;
  /** When it came, on this process's monotonic clock, in milliseconds. */
  readonly at: number;
}

export interface Deployment {
  readonly workerPid: number;
  readonly bucket: string;
  put(key: string, body: Uint8Array): Promise<void>;
  /** A dataset `d` of one file a series. */
  putDataset(files: Readonly<Record<string, string>>): Promise<void>;
  sendRun(
    runId: string,
    metricCode: string,
    type: string,
    json: unknown,
    codes: readonly string[],
  ): Promise<void>;
  /** Puts a request on the queue. */
  send(body: unknown, groupId: string, deduplicationId: string): Promise<void>;
  /** The next `count` events of a type. Fails when a completed event tells of a failure. */
  events(type: string, count: number): Promise<Arrived[]>;
  /** The next `count` completed events of metric runs. */
  completed(count: number): Promise<Completed[]>;
  /** A sample of the worker's /metrics. */
  metric(name: string): Promise<number>;
  stop(): Promise<void>;
}

export const MANIFEST_KEY = 'datasets/d/current/manifest.json';
const RECEIVERS = 2;

async function startWorker(dist: string, environment: Readonly<Record<string, string>>) {
  const child: ChildProcess = spawn(process.execPath, [join(dist, 'main.js')], {
    cwd: tmpdir(),
    env: { PATH: process.env.PATH ?? '', PROMETHEUS_PORT: '0', LOG_LEVEL: 'info', ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const port = await new Promise<number>((resolve, reject) => {
    createInterface({ input: child.stdout! }).on('line', (line) => {
      const entry = JSON.parse(line) as { msg: string; port?: number };
      if (entry.msg === 'the worker runs') resolve(entry.port ?? 0);
    });
    child.once('exit', (code) => reject(new Error(`the worker ended with code ${code}`)));
  });
  return { child, port };
}

/** Starts both; the worker is the one of the build `dist`. */
export async function deploy(dist: string): Promise<Deployment> {
  const { startLocalAwsProcess } = await modulesOf(dist)<LocalAws>('local/local-aws-process.ts');
  const aws = await startLocalAwsProcess();
  const { resources, environment } = aws;
  const { child, port } = await startWorker(dist, environment);
  const settings = { endpoint: aws.endpoint, region: LOCAL_REGION, credentials: LOCAL_CREDENTIALS };
  const s3 = new S3Client({ ...settings, forcePathStyle: true });
  const sqs = new SQSClient({ ...settings, useQueueUrlAsEndpoint: false });
  const arrived = new Map<string, Arrived[]>();
  let wake: () => void = () => {};
  const stopping = new AbortController();

  async function receive(): Promise<void> {
    const QueueUrl = resources.eventsQueueUrl;
    while (!stopping.signal.aborted) {
      const command = new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 20 });
      const { Messages = [] } = await sqs.send(command, { abortSignal: stopping.signal });
      const at = performance.now();
      for (const { Body = '{}' } of Messages) {
        const outer = JSON.parse(Body) as { Message?: string };
        const event = JSON.parse(outer.Message ?? Body) as Record<string, unknown>;
        if (event.status === 'FAILURE') throw new Error(`a request failed: ${JSON.stringify(event)}`);
        const type = String(event.type);
        arrived.set(type, [...(arrived.get(type) ?? []), { body: event, at }]);
      }
      if (Messages.length > 0) {
        const Entries = Messages.map(({ ReceiptHandle }, i) => ({ Id: String(i), ReceiptHandle }));
        await sqs.send(new DeleteMessageBatchCommand({ QueueUrl, Entries }));
      }
      wake();
    }
  }
  const receivers = Array.from({ length: RECEIVERS }, () =>
    receive().catch((error: unknown) => {
      if (!stopping.signal.aborted) throw error;
    }),
  );

  const put = async (key: string, body: Uint8Array) => {
    await s3.send(new PutObjectCommand({ Bucket: resources.bucket, Key: key, Body: body }));
  };
  const send = async (body: unknown, groupId: string, deduplicationId: string) => {
    await sqs.send(
      new SendMessageCommand({
        QueueUrl: resources.requestQueueUrl,
        MessageBody: JSON.stringify(body),
        MessageGroupId: groupId,
        MessageDeduplicationId: deduplicationId,
      }),
    );
  };
  const events = async (type: string, count: number) => {
    while ((arrived.get(type)?.length ?? 0) < count) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    return arrived.get(type)!.splice(0, count);
  };
  return {
    workerPid: child.pid ?? 0,
    bucket: resources.bucket,
    put,
    send,
    events,
    async putDataset(files) {
      const codes = Object.keys(files);
      for (const code of codes)
        await put(`datasets/d/projections/${code}/all.parquet`, readFileSync(files[code]!));
      const parquet_files = codes.map((code) => `${code}/all.parquet`);
      const manifest = { version_id: '1', dataset_id: 'd', series_codes: codes, parquet_files };
      await put(MANIFEST_KEY, Buffer.from(JSON.stringify(manifest)));
    },
    async sendRun(runId, metricCode, expressionType, expressionJson, codes) {
      const body = {
        type: 'metric_run_requested',
        runId,
        metricCode,
        expressionType,
        expressionJson,
        inputs: codes.map((seriesCode) => ({ datasetId: 'd', seriesCode })),
        catalog: { datasets: { d: { manifestPath: MANIFEST_KEY } } },
        output: { basePath: `metrics/${metricCode}/` },
      };
      await send(body, metricCode, runId);
    },
    async completed(count) {
      return (await events('metric_run_completed', count)).map(({ body, at }) => ({
        runId: String(body.runId),
        rowCount: Number(body.rowCount),
        at,
      }));
    },
    async metric(name) {
      const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
      const line = text.split('\n').find((one) => one.startsWith(`${name} `) || one.startsWith(`${name}{`));
      return Number(line?.split(' ').at(-1) ?? Number.NaN);
    },
    async stop() {
      stopping.abort();
      await Promise.all(receivers);
      child.removeAllListeners('exit');
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await gone;
      s3.destroy();
      sqs.destroy();
      await aws.stop();
    },
  };
}
