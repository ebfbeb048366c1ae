/**
 * One set of resources in the embedded AWS (bucket, queues, topic) with all that a test does to it: put
 * datasets, send requests, start workers, read events and outputs, make requests fail.
 */

import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import {
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
} from '@aws-sdk/client-sqs';
import { environment, type Resources } from '../../src/local/resources.ts';
import type { Clients } from '../local/clients.ts';
import type { Row } from './conformance-cases.ts';
import type { EventReader } from './events.ts';
import { eventually } from './eventually.ts';
import { type ParquetContents, parquetOf, readMetric, seriesSql } from './parquet.ts';
import type { Traffic } from './traffic.ts';
import { type Exit, startWorkerProcess, type WorkerProcess } from './worker-process.ts';

export interface SendOptions {
  /** Default: the metric code. */
  readonly group?: string;
  /** Default: the run id. */
  readonly deduplication?: string;
  /** The message attribute `type`. */
  readonly type?: string;
}

export interface DeadLetter {
  readonly body: string;
  readonly attributes: Readonly<Record<string, string>>;
}

export type Series = Readonly<Record<string, readonly Row[]>>;

export class Scene {
  readonly resources: Resources;
  readonly traffic: Traffic;
  readonly events: EventReader;
  readonly #clients: Clients;
  readonly #workers: WorkerProcess[] = [];
  #started = 0;

  constructor(resources: Resources, clients: Clients, traffic: Traffic, events: EventReader) {
    this.resources = resources;
    this.#clients = clients;
    this.traffic = traffic;
    this.events = events;
  }

  /** Starts a worker process with these settings beside the scene's own. */
  async worker(settings: Readonly<Record<string, string>> = {}): Promise<WorkerProcess> {
    const name = `w${++this.#started}`;
    const worker = await startWorkerProcess(name, { ...environment(this.resources), ...settings });
    this.#workers.push(worker);
    return worker;
  }

  // The queue.

  /** Sends a request, or any text, to the request queue. */
  async send(request: unknown, options: SendOptions = {}): Promise<string> {
    const { runId, metricCode } = (request ?? {}) as Record<string, unknown>;
    const { group = metricCode, deduplication = runId, type } = options;
    const output = await this.#clients.sqs.send(
      new SendMessageCommand({
        QueueUrl: this.resources.requestQueueUrl,
        MessageBody: typeof request === 'string' ? request : JSON.stringify(request),
        MessageGroupId: String(group ?? 'group'),
        MessageDeduplicationId: String(deduplication ?? `d-${Math.random()}`),
        ...(type === undefined
          ? {}
          : { MessageAttributes: { type: { DataType: 'String', StringValue: type } } }),
      }),
    );
    return output.MessageId ?? '';
  }

  /** Messages that wait and messages in flight. */
  async queued(queueUrl = this.resources.requestQueueUrl): Promise<{ waiting: number; inFlight: number }> {
    const { Attributes = {} } = await this.#clients.sqs.send(
      new GetQueueAttributesCommand({ QueueUrl: queueUrl, AttributeNames: ['All'] }),
    );
    const waiting = Number(Attributes.ApproximateNumberOfMessages);
    return { waiting, inFlight: Number(Attributes.ApproximateNumberOfMessagesNotVisible) };
  }

  /** Waits until no request is left. */
  async drained(timeoutMs = 15_000): Promise<void> {
    await eventually(
      'the request queue is empty',
      async () => {
        const { waiting, inFlight } = await this.queued();
        return waiting + inFlight === 0;
      },
      { timeoutMs, everyMs: 25 },
    );
  }

  /** Takes the next message off the dead-letter queue. */
  async deadLetter(waitSeconds = 10): Promise<DeadLetter | undefined> {
    const QueueUrl = this.resources.deadLetterQueueUrl;
    const output = await this.#clients.sqs.send(
      new ReceiveMessageCommand({
        QueueUrl,
        WaitTimeSeconds: waitSeconds,
        MaxNumberOfMessages: 1,
        MessageAttributeNames: ['All'],
      }),
    );
    const message = output.Messages?.[0];
    if (message === undefined) return undefined;
    await this.#clients.sqs.send(
      new DeleteMessageCommand({ QueueUrl, ReceiptHandle: message.ReceiptHandle }),
    );
    const attributes = Object.entries(message.MessageAttributes ?? {});
    return {
      body: message.Body ?? '',
      attributes: Object.fromEntries(attributes.map(([name, { StringValue }]) => [name, StringValue ?? ''])),
    };
  }

  // The bucket.

  async put(Key: string, Body: Uint8Array | string): Promise<void> {
    await this.#clients.s3.send(new PutObjectCommand({ Bucket: this.resources.bucket, Key, Body }));
  }

  async get(Key: string): Promise<Uint8Array> {
    const { Body } = await this.#clients.s3.send(
      new GetObjectCommand({ Bucket: this.resources.bucket, Key }),
    );
    return await Body!.transformToByteArray();
  }

  async json(key: string): Promise<Record<string, unknown>> {
    return JSON.parse(Buffer.from(await this.get(key)).toString()) as Record<string, unknown>;
  }

  async remove(Key: string): Promise<void> {
    await this.#clients.s3.send(new DeleteObjectCommand({ Bucket: this.resources.bucket, Key }));
  }

  /** All keys below a prefix, in order. */
  async keys(Prefix: string): Promise<string[]> {
    const keys: string[] = [];
    let ContinuationToken: string | undefined;
    do {
      const page = await this.#clients.s3.send(
        new ListObjectsV2Command({ Bucket: this.resources.bucket, Prefix, ContinuationToken }),
      );
      keys.push(...(page.Contents ?? []).map(({ Key = '' }) => Key));
      ContinuationToken = page.NextContinuationToken;
    } while (ContinuationToken !== undefined);
    return keys;
  }

  /** Writes a dataset of one file for each series, `datasets/<id>/projections/<code>/part.parquet`. */
  async dataset(id: string, series: Series, manifest: Readonly<Record<string, unknown>> = {}): Promise<void> {
    const files = await Promise.all(
      Object.entries(series).map(async ([code, rows]) => {
        const path = `${/^[\w.-]+$/.test(code) ? code : `series=${encodeURIComponent(code)}`}/part.parquet`;
        await this.put(`datasets/${id}/projections/${path}`, await parquetOf(seriesSql(rows)));
        return path;
      }),
    );
    await this.manifest(id, { series_codes: Object.keys(series), parquet_files: files, ...manifest });
  }

  async manifest(id: string, fields: Readonly<Record<string, unknown>>): Promise<void> {
    const whole = { version_id: 'v1', dataset_id: id, partition_strategy: 'series', ...fields };
    await this.put(`datasets/${id}/current/manifest.json`, JSON.stringify(whole));
  }

  /** What DuckDB reads in the output of a version, by its manifest's key or URI. */
  async output(manifest: unknown): Promise<ParquetContents> {
    const key = String(manifest).replace(`s3://${this.resources.bucket}/`, '');
    const { outputs } = (await this.json(key)) as {
      outputs: { data_prefix: string; files: readonly { path: string }[] };
    };
    return await readMetric(await this.get(`${outputs.data_prefix}${outputs.files[0]!.path}`));
  }

  /** Ends the workers that still run, in order. */
  async stopWorkers(): Promise<Exit[]> {
    return await Promise.all(
      this.#workers.filter((worker) => worker.isRunning()).map((worker) => worker.stop()),
    );
  }

  async close(): Promise<void> {
    await this.stopWorkers();
    await this.events.stop();
  }
}
