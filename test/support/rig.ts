/**
 * The embedded AWS of a test file, with any number of scenes in it that know nothing of one another.
 *
 *     const rig = await openRig();                       // beforeAll
 *     const scene = await rig.scene();                   // bucket, queues and topic of their own
 *     await scene.dataset('d', { A: [[0, 1]], B: [[0, 2]] });
 *     await scene.worker();                              // a real process
 *     await scene.send(plainRequest({ runId: 'r' }));
 *     await scene.events.completed('r');
 *     await rig.close();                                 // afterAll
 */

import { S3Client } from '@aws-sdk/client-s3';
import { SNSClient } from '@aws-sdk/client-sns';
import { SQSClient } from '@aws-sdk/client-sqs';
import { startLocalAws } from '../../src/local/local-aws.ts';
import type { LocalRequest } from '../../src/local/request-hooks.ts';
import {
  createResources,
  LOCAL_CREDENTIALS,
  LOCAL_REGION,
  type ResourceOptions,
} from '../../src/local/resources.ts';
import type { Clients } from '../local/clients.ts';
import { readEvents } from './events.ts';
import { closeDuckDb } from './parquet.ts';
import { Scene } from './scene.ts';
import { appOf, type Step, TEST_APP, Traffic } from './traffic.ts';

export interface Rig {
  readonly endpoint: string;
  readonly clients: Clients;
  /** Resources of their own; a prefix is made up unless given. */
  scene(options?: ResourceOptions): Promise<Scene>;
  /** Ends the scenes with their workers, and everything else. */
  close(): Promise<void>;
}

/** The test's own clients: patient, and let through unseen by the scenes' rules. */
function testClients(endpoint: string): Clients {
  const settings = {
    endpoint,
    region: LOCAL_REGION,
    credentials: LOCAL_CREDENTIALS,
    userAgentAppId: TEST_APP,
  };
  const s3 = new S3Client({ ...settings, forcePathStyle: true });
  const sqs = new SQSClient({ ...settings, useQueueUrlAsEndpoint: false });
  const sns = new SNSClient(settings);
  return {
    s3,
    sqs,
    sns,
    destroy() {
      for (const client of [s3, sqs, sns]) client.destroy();
    },
  };
}

/** The prefix of the resources that a request is about. */
function prefixOf({ bucket, body }: LocalRequest): string | undefined {
  const name = bucket ?? body?.queueUrl ?? body?.topicArn;
  return name === undefined ? undefined : /(?:^|[/:])([a-z0-9]+)-[^/:]*$/.exec(name)?.[1];
}

export async function openRig(): Promise<Rig> {
  const traffics = new Map<string, Traffic>();
  const judge = async (when: Step['when'], request: LocalRequest, status?: number) => {
    const worker = appOf(request);
    if (worker === TEST_APP) return undefined;
    return await traffics.get(prefixOf(request) ?? '')?.judge({ when, request, worker, status });
  };
  const aws = await startLocalAws({
    hooks: {
      onRequest: (request) => judge('before', request),
      onResponse: (request, status) => judge('after', request, status),
    },
  });
  const { endpoint } = aws;
  const clients = testClients(endpoint);
  const scenes: Scene[] = [];
  return {
    endpoint,
    clients,
    async scene(options = {}) {
      const prefix = options.prefix ?? `scene${traffics.size + 1}`;
      const traffic = new Traffic();
      traffics.set(prefix, traffic);
      const resources = await createResources(endpoint, { ...options, prefix });
      const events = readEvents(clients.sqs, resources.eventsQueueUrl);
      const scene = new Scene(resources, clients, traffic, events);
      scenes.push(scene);
      return scene;
    },
    async close() {
      await Promise.all(scenes.map((scene) => scene.close()));
      clients.destroy();
      await aws.stop();
      await closeDuckDb();
    },
  };
}
