/**
 * The embedded AWS as a process of its own: `node src/local/server.ts [--port 4566] [--host 0.0.0.0]
 * [--data-dir DIR]`. Starts it, creates the resources and prints one line of JSON (`ServerReady`);
 * stops on SIGTERM, SIGINT, and when a parent that forked it is gone.
 */

import { parseArgs } from 'node:util';
import { startLocalAws } from './local-aws.ts';
import { createResources, environment, type Resources } from './resources.ts';

export interface ServerReady {
  readonly endpoint: string;
  readonly port: number;
  readonly resources: Resources;
  readonly environment: Readonly<Record<string, string>>;
}

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '4566' },
    host: { type: 'string', default: '127.0.0.1' },
    'data-dir': { type: 'string' },
    prefix: { type: 'string' },
    'max-receive-count': { type: 'string' },
    'visibility-timeout': { type: 'string' },
    'fifo-topic': { type: 'boolean' },
    'raw-delivery': { type: 'boolean' },
  },
});

function integer(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number.parseInt(text, 10);
}

const aws = await startLocalAws({
  port: integer(values.port),
  host: values.host,
  dataDir: values['data-dir'],
});

async function stop(): Promise<void> {
  await aws.stop();
  if (process.connected) process.disconnect();
}

process.once('SIGTERM', stop);
process.once('SIGINT', stop);
process.once('disconnect', stop);

const resources = await createResources(aws.endpoint, {
  prefix: values.prefix,
  maxReceiveCount: integer(values['max-receive-count']),
  visibilityTimeout: integer(values['visibility-timeout']),
  fifoTopic: values['fifo-topic'],
  rawDelivery: values['raw-delivery'],
});
const ready: ServerReady = {
  endpoint: aws.endpoint,
  port: aws.port,
  resources,
  environment: environment(resources),
};
process.stdout.write(`${JSON.stringify(ready)}\n`);
