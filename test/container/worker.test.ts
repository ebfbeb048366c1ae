/**
 * The worker in its container, read-only and without rights, against the embedded AWS in another: a
 * metric run from message to Parquet and events, its side port, and its end.
 */

import { S3Client } from '@aws-sdk/client-s3';
import { SNSClient } from '@aws-sdk/client-sns';
import { SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Network, type StartedNetwork, type StartedTestContainer } from 'testcontainers';
import { createResources, environment, LOCAL_CREDENTIALS, LOCAL_REGION } from '../../src/local/resources.ts';
import type { Clients } from '../local/clients.ts';
import { readEvents } from '../support/events.ts';
import { eventually } from '../support/eventually.ts';
import { plainRequest, v1Request } from '../support/metric-requests.ts';
import { closeDuckDb } from '../support/parquet.ts';
import { Scene } from '../support/scene.ts';
import { Traffic } from '../support/traffic.ts';
import { samplesOf } from '../support/worker-process.ts';
import { engine, healthOf, noEngine, stateOf } from './engine.ts';
import {
  AWS_PORT,
  buildLocalAwsImage,
  buildWorkerImage,
  COMMIT,
  SIDE_PORT,
  startLocalAws,
  startWorker,
} from './images.ts';

const GRACE_SECONDS = 10;

let network: StartedNetwork;
let aws: StartedTestContainer;
let worker: StartedTestContainer;
let clients: Clients;
let scene: Scene;

function clientsAt(endpoint: string): Clients {
  const settings = { endpoint, region: LOCAL_REGION, credentials: LOCAL_CREDENTIALS };
  const s3 = new S3Client({ ...settings, forcePathStyle: true });
  // The queues' URLs name the container's own port.
  const sqs = new SQSClient({ ...settings, useQueueUrlAsEndpoint: false });
  const sns = new SNSClient(settings);
  const destroy = () => {
    for (const client of [s3, sqs, sns]) client.destroy();
  };
  return { s3, sqs, sns, destroy };
}

async function get(path: string): Promise<{ status: number; body: string }> {
  const url = `http://${worker.getHost()}:${worker.getMappedPort(SIDE_PORT)}${path}`;
  const response = await fetch(url, { headers: { connection: 'close' } });
  return { status: response.status, body: await response.text() };
}

async function logOf(container: StartedTestContainer): Promise<string> {
  const { dockerode } = engine().container;
  const log = await dockerode.getContainer(container.getId()).logs({ stdout: true, stderr: true });
  return log.toString();
}

const onEngine = noEngine === undefined ? describe : describe.skip;

onEngine('the worker in its container', () => {
  beforeAll(async () => {
    await buildLocalAwsImage();
    await buildWorkerImage();
    network = await new Network().start();
    aws = await startLocalAws(network);
    const endpoint = `http://${aws.getHost()}:${aws.getMappedPort(AWS_PORT)}`;
    clients = clientsAt(endpoint);
    const resources = await createResources(endpoint, { prefix: 'boxed' });
    scene = new Scene(resources, clients, new Traffic(), readEvents(clients.sqs, resources.eventsQueueUrl));
    await scene.dataset('d', {
      A: [
        [0, 6],
        [1_000_000, 9],
      ],
      B: [
        [0, 2],
        [1_000_000, 0],
      ],
    });
    worker = await startWorker(network, {
      ...environment(resources, `http://local-aws:${AWS_PORT}`),
      SHUTDOWN_GRACE_SECONDS: String(GRACE_SECONDS),
      WORKER_HEARTBEAT_INTERVAL_SECONDS: '1',
    });
  });

  afterAll(async () => {
    await scene?.close();
    clients?.destroy();
    await worker?.stop({ timeout: 1_000 });
    await aws?.stop({ timeout: 1_000 });
    await network?.stop();
    await closeDuckDb();
  });

  test('carries a request out: Parquet in, Parquet and events out', async () => {
    const expressionJson = { op: 'ratio', left: { seriesCode: 'A' }, right: { seriesCode: 'B' } };
    await scene.send(v1Request({ runId: 'run-1', metricCode: 'ratio', expressionJson }));
    const completed = await scene.events.completed('run-1');
    expect(completed).toMatchObject({ schema: 'metrics.run.v1', status: 'SUCCESS', rowCount: 2 });
    expect(await scene.output(completed.outputManifest)).toEqual({
      columns: ['obs_time TIMESTAMP WITH TIME ZONE', 'value DOUBLE'],
      rows: [
        [0, 3],
        [1_000_000, null],
      ],
    });
    expect(scene.events.of('run-1', 'metric_run_started')).toHaveLength(1);
    await scene.drained();
  });

  test('answers a run that is done, and one that cannot be', async () => {
    const expressionJson = { op: 'ratio', left: { seriesCode: 'A' }, right: { seriesCode: 'B' } };
    const again = v1Request({ runId: 'run-1', metricCode: 'ratio', expressionJson });
    await scene.send(again, { deduplication: 'again' });
    expect(await scene.events.completed('run-1', { count: 2 })).toEqual(
      await scene.events.completed('run-1'),
    );
    const missing = { op: 'add', left: { seriesCode: 'A' }, right: { seriesCode: 'Z' } };
    await scene.send(plainRequest({ runId: 'run-2', expressionJson: missing }));
    expect(await scene.events.completed('run-2')).toMatchObject({
      status: 'FAILURE',
      error: expect.stringMatching(/^INPUT_READ_ERROR: /),
    });
  });

  test('answers on its side port, and says what it is', async () => {
    expect(await get('/healthz')).toEqual({ status: 200, body: '{"status":"alive"}' });
    expect(await get('/readyz')).toEqual({ status: 200, body: '{"status":"ready"}' });
    const samples = samplesOf((await get('/metrics')).body);
    expect(samples.get('metric_runs_succeeded_total')).toBe(1);
    expect([...samples.keys()].find((name) => name.startsWith('tidemill_build_info'))).toContain(
      `commit="${COMMIT}"`,
    );
  });

  test('is healthy by its own check', async () => {
    const health = () => healthOf(worker.getId());
    await eventually('it is healthy', async () => (await health()) === 'healthy', {
      timeoutMs: 60_000,
      everyMs: 500,
    });
  });

  test('is no root, and can write nowhere', async () => {
    expect((await worker.exec(['whoami'])).output.trim()).toBe('node');
    for (const place of ['/app/x', '/tmp/x', '/home/node/x']) {
      expect(await worker.exec(['touch', place])).toMatchObject({
        exitCode: 1,
        output: expect.stringContaining('Read-only file system'),
      });
    }
  });

  test('ends with code 0 on SIGTERM, well within its grace', async () => {
    const container = engine().container.dockerode.getContainer(worker.getId());
    const started = performance.now();
    await container.kill({ signal: 'SIGTERM' });
    await container.wait();
    expect((performance.now() - started) / 1000).toBeLessThan(GRACE_SECONDS);
    expect(await stateOf(worker.getId())).toMatchObject({ ExitCode: 0, OOMKilled: false });
    expect(await logOf(worker)).toContain('"msg":"stopped"');
  });
});
