/**
 * The stage of a demo: the embedded AWS and the real worker, each a process of its own, and handles to
 * speak with them. From here on this process's environment is the embedded AWS's, so that everything
 * opened in it reaches that and nothing else.
 */

import { rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Values } from '../cli/document.ts';
import { useEnvironment } from '../cli/target.ts';
import type { Terminal } from '../cli/terminal.ts';
import { systemClock } from '../common/clock.ts';
import { messageOf } from '../common/errors.ts';
import type { Releasers } from '../common/releasers.ts';
import { type Lake, openLake } from '../lake/lake.ts';
import { silentObserver } from '../lake/request-observer.ts';
import { DEFAULT_S3_TIMEOUTS } from '../lake/s3-client.ts';
import { type LocalAwsProcess, startLocalAwsProcess } from '../local/local-aws-process.ts';
import { LOCAL_REGION } from '../local/resources.ts';
import { createRequestQueue, type RequestQueue } from '../worker/queue.ts';
import { type EventFeed, openEventFeed } from './event-feed.ts';
import { done } from './script.ts';
import { logTail, startWorkerChild, type WorkerChild } from './worker-child.ts';

export interface StageOptions {
  /** Of the embedded AWS, and of the worker's side port; 0: any free one. */
  readonly port: number;
  readonly metricsPort: number;
  /** Where the demo leaves its files. */
  readonly directory: string;
  /** More settings of the worker. */
  readonly settings: Values;
}

export interface Stage {
  readonly terminal: Terminal;
  /** Aborts when the demo must end: interrupted, or the worker or AWS is gone. */
  readonly signal: AbortSignal;
  readonly directory: string;
  readonly aws: LocalAwsProcess;
  readonly worker: WorkerChild;
  readonly logFile: string;
  readonly bucket: string;
  readonly lake: Lake;
  readonly queue: RequestQueue;
  readonly events: EventFeed;
}

/** What goes wrong in a demo is told soon: few deliveries, soon after one another. */
const DELIVERIES = 3;
const SETTINGS: Values = {
  WORKER_RETRY_FIRST_SECONDS: '1',
  WORKER_HEARTBEAT_INTERVAL_SECONDS: '1',
  SHUTDOWN_GRACE_SECONDS: '2',
};

const GONE_AFTER_MS = 200;

export const logFileOf = (directory: string) => join(directory, 'worker.log');

/** A handler of a failed start: says of a port that is taken which option chooses another. */
function onTakenPort(option: string, port: number, also: () => readonly string[] = () => []) {
  return (error: unknown): never => {
    if (![messageOf(error), ...also()].some((text) => text.includes('EADDRINUSE'))) throw error;
    throw new Error(`port ${port} is taken by another process; ${option} takes another one`);
  };
}

/** Starts both and pushes what must be stopped on `releasers`; tells each when it is up. */
export async function openStage(
  terminal: Terminal,
  options: StageOptions,
  ending: AbortController,
  releasers: Releasers,
): Promise<Stage> {
  const { directory } = options;
  const logFile = logFileOf(directory);
  // An earlier demo's log would be told as this one's.
  rmSync(logFile, { force: true });
  let before = systemClock.monotonic();
  const lap = () => {
    const now = systemClock.monotonic();
    const ms = now - before;
    before = now;
    return ms;
  };
  const aws = await startLocalAwsProcess({ port: options.port, maxReceiveCount: DELIVERIES }).catch(
    onTakenPort('--port', options.port),
  );
  releasers.push(() => aws.stop());
  ending.signal.throwIfAborted();
  done(terminal, 'embedded AWS', `SQS, SNS and S3 at ${aws.endpoint}`, lap());

  useEnvironment(aws.environment);
  const lake = openLake(
    { region: LOCAL_REGION, forcePathStyle: true, ...DEFAULT_S3_TIMEOUTS },
    systemClock,
    silentObserver,
  );
  releasers.push(() => lake.close());
  const { requestQueueUrl, eventsQueueUrl, bucket } = aws.resources;
  const queue = createRequestQueue({ region: LOCAL_REGION, url: requestQueueUrl, deadLetterUrl: undefined });
  releasers.push(() => queue.close());
  const events = openEventFeed(queue.client, eventsQueueUrl);
  releasers.push(() => events.close());
  events.broken.catch(async (cause: unknown) => {
    // Ctrl-C reaches AWS too, and it may be gone before the signal is seen here.
    await systemClock.sleep(GONE_AFTER_MS);
    ending.abort(new Error('the embedded AWS does not answer any more', { cause }));
  });

  const worker = await startWorkerChild({
    settings: {
      ...aws.environment,
      PROMETHEUS_PORT: String(options.metricsPort),
      ...SETTINGS,
      ...options.settings,
    },
    directory,
    logFile,
    signal: ending.signal,
  }).catch(onTakenPort('--metrics-port', options.metricsPort, () => logTail(logFile, 1)));
  releasers.push(() => worker.stop());
  worker.died.catch((error: unknown) => ending.abort(error));
  done(terminal, 'worker', `process ${worker.pid}, its log in ${relative('.', logFile)}`, lap());
  return { terminal, signal: ending.signal, directory, aws, worker, logFile, bucket, lake, queue, events };
}
