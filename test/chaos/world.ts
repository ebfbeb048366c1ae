/**
 * What all runs share, since it is dear to start: the embedded AWS in a process of its own, the fault
 * proxy before it, one Postgres server, and the simulator's own clients, which talk past the proxy.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DeleteBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { DeleteTopicCommand, SNSClient } from '@aws-sdk/client-sns';
import { DeleteQueueCommand, SQSClient } from '@aws-sdk/client-sqs';
import pg from 'pg';
import { type LocalAwsProcess, startLocalAwsProcess } from '../../src/local/local-aws-process.ts';
import { type LocalPostgres, startLocalPostgres } from '../../src/local/local-postgres.ts';
import {
  createResources,
  LOCAL_CREDENTIALS,
  LOCAL_REGION,
  type ResourceOptions,
  type Resources,
} from '../../src/local/resources.ts';
import { closeDuckDb } from '../support/parquet.ts';
import { removeAll } from './bucket.ts';
import { type FaultProxy, startFaultProxy } from './proxy.ts';

export interface World {
  readonly aws: LocalAwsProcess;
  readonly proxy: FaultProxy;
  readonly postgres: LocalPostgres;
  readonly s3: S3Client;
  readonly sqs: SQSClient;
  /** For whatever is of no use after the world's end. */
  readonly scratch: string;
  resources(options: ResourceOptions): Promise<Resources>;
  /** Removes them with all that is in them: the embedded AWS keeps everything in memory. */
  remove(resources: Resources): Promise<void>;
  dropDatabase(name: string): Promise<void>;
  close(): Promise<void>;
}

export async function openWorld(): Promise<World> {
  const [aws, postgres, scratch] = await Promise.all([
    startLocalAwsProcess({ prefix: 'unused' }),
    startLocalPostgres(),
    mkdtemp(join(tmpdir(), 'tidemill-chaos-')),
  ]);
  const proxy = await startFaultProxy(aws.endpoint);
  const settings = { endpoint: aws.endpoint, region: LOCAL_REGION, credentials: LOCAL_CREDENTIALS };
  const s3 = new S3Client({ ...settings, forcePathStyle: true });
  const sqs = new SQSClient({ ...settings, useQueueUrlAsEndpoint: false });
  const sns = new SNSClient(settings);
  return {
    aws,
    proxy,
    postgres,
    s3,
    sqs,
    scratch,
    resources: (options) => createResources(aws.endpoint, options),
    async remove({ bucket, eventsTopicArn, ...queues }) {
      await removeAll(s3, bucket);
      await s3.send(new DeleteBucketCommand({ Bucket: bucket }));
      await sns.send(new DeleteTopicCommand({ TopicArn: eventsTopicArn }));
      for (const QueueUrl of [queues.requestQueueUrl, queues.deadLetterQueueUrl, queues.eventsQueueUrl]) {
        await sqs.send(new DeleteQueueCommand({ QueueUrl }));
      }
    },
    async dropDatabase(name) {
      const client = new pg.Client({ connectionString: postgres.url('postgres') });
      await client.connect();
      const statement = `drop database if exists ${pg.escapeIdentifier(name)} with (force)`;
      await client.query(statement).finally(() => client.end());
    },
    async close() {
      for (const client of [s3, sqs, sns]) client.destroy();
      await proxy.close();
      await Promise.all([aws.stop(), postgres.stop(), closeDuckDb()]);
      await rm(scratch, { recursive: true, force: true });
    },
  };
}
