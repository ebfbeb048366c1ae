/**
 * The service as a whole, wired from a Config: what is opened, in which order, and how it ends.
 * main runs it as a process; tests and the demo run the same.
 */

import type { Logger } from 'pino';
import { systemClock } from './common/clock.ts';
import { messageOf } from './common/errors.ts';
import { systemRandom } from './common/ids.ts';
import { Releasers } from './common/releasers.ts';
import { type Config, VARIABLES } from './config.ts';
import { createPublisher } from './events/publisher.ts';
import { createIngestHandler, workerName } from './ingest/index.ts';
import { openLake } from './lake/lake.ts';
import { DEFAULT_S3_TIMEOUTS } from './lake/s3-client.ts';
import { createThreadPool } from './lake/thread-pool.ts';
import { openLedger } from './ledger/database.ts';
import { createMetricRunHandler } from './metric-run/index.ts';
import { createMetrics } from './observability/metrics.ts';
import { observeIngest, observeLake, observeMetricRuns, observeWorker } from './observability/observers.ts';
import { openSidePort } from './observability/side-port.ts';
import { createTierHandlers, readProviders } from './tier-handlers.ts';
import { createRegistry } from './worker/handler.ts';
import { createRequestQueue } from './worker/queue.ts';
import { createWorker, type WorkerState } from './worker/worker.ts';

export interface Service {
  /** The side port's number. */
  readonly port: number;
  readonly state: WorkerState;
  /** Drains, then closes everything; safe to call more than once. */
  stop(): Promise<void>;
}

const BYTES_A_MB = 1_048_576;

function topicsOf(config: Config): Map<string, string> {
  const topics = new Map<string, string>();
  const set = (event: string, topic: string | undefined) => {
    if (topic !== undefined) topics.set(event, topic);
  };
  set('metric_run:started', config.startedTopic);
  set('metric_run:heartbeat', config.heartbeatTopic);
  set('metric_run:completed', config.completedTopic);
  return topics;
}

export async function startService(
  config: Config,
  build: { readonly version: string; readonly commit: string },
  logger: Logger,
): Promise<Service> {
  const releasers = new Releasers();
  try {
    const metrics = createMetrics(build);
    releasers.push(() => metrics.registry.clear());
    const { region, forcePathStyle, bucket, allowedBuckets } = config;
    const buckets = [bucket, ...allowedBuckets];
    const s3 = { region, forcePathStyle, buckets, ...DEFAULT_S3_TIMEOUTS };
    const lake = openLake(s3, systemClock, observeLake(metrics));
    releasers.push(() => lake.close());
    const pool = createThreadPool(config.threads, { s3 });
    releasers.push(() => pool.close());
    const publisher = createPublisher({
      region: config.region,
      topics: topicsOf(config),
      fallback: config.eventsTopic,
    });
    releasers.push(() => publisher.close());

    const metricRun = createMetricRunHandler(
      {
        bucket: config.bucket,
        allowedBuckets: config.allowedBuckets,
        compression: config.outputCompression,
        limits: {
          maxDepth: config.maxExpressionDepth,
          maxNodes: config.maxExpressionNodes,
          maxWindow: config.maxWindowRows,
        },
        maxInputRows: config.maxInputRows,
        inputs: { maxInputFiles: config.maxInputFiles, maxHeldRows: config.maxHeldRows },
        cache: {
          bytes: Math.floor((config.seriesCacheMb * BYTES_A_MB) / config.threads),
          seconds: config.seriesCacheSeconds,
        },
      },
      { lake, pool, clock: systemClock, observer: observeMetricRuns(metrics) },
    );

    const { databaseUrl } = config;
    const ledger =
      databaseUrl === undefined
        ? undefined
        : openLedger(
            { url: databaseUrl, connections: config.databaseConnections },
            observeLake(metrics).retry,
          );
    if (ledger !== undefined) {
      releasers.push(() => ledger.close());
      // A database that is away keeps no worker from starting: the first ingest run tries again.
      ledger
        .migrate()
        .catch((error: unknown) => logger.warn({ error: messageOf(error) }, 'the ledger is not ready'));
    }
    const ingest = createIngestHandler(
      {
        bucket: config.bucket,
        allowedBuckets: config.allowedBuckets,
        compression: config.outputCompression,
        concurrency: config.ingestConcurrency,
        streamingBytes: config.ingestStreamingMb * BYTES_A_MB,
        budgetBytes: config.ingestBufferMb * BYTES_A_MB,
        leaseSeconds: config.ingestLeaseSeconds,
        workerName: workerName(),
      },
      { lake, ledger, pool, publisher, clock: systemClock, observer: observeIngest(metrics) },
    );

    const { queueUrl } = config;
    const polls = config.queueEnabled && queueUrl !== undefined;
    const queue = createRequestQueue({
      region: config.region,
      url: queueUrl ?? '',
      deadLetterUrl: config.dlqUrl,
    });
    releasers.push(() => queue.close());
    // Read wherever it is named: a mistake in it is not to be found out by the first request.
    const providers = readProviders(config.tierProvidersFile);
    const handlers = [metricRun];
    if (config.eventsTopic === undefined) {
      const { name } = VARIABLES.eventsTopic;
      logger.warn(`${name} is not set: no requests of the tiers are taken, and no ingest runs`);
    } else {
      const tiers = createTierHandlers(config, build.version, { lake, pool, queue, metrics, providers });
      handlers.push(ingest, ...tiers);
    }
    const worker = createWorker(
      { ...config, concurrency: polls ? config.concurrency : 0 },
      {
        queue,
        publisher,
        registry: createRegistry(handlers),
        observer: observeWorker(metrics),
        clock: systemClock,
        random: systemRandom,
        logger,
      },
    );

    const side = await openSidePort(config.port, {
      registry: metrics.registry,
      clock: systemClock,
      isAlive: () => worker.isAlive(),
      notReady: () => (worker.state === 'running' ? undefined : worker.state),
      checks: {
        ...(polls ? { queue: (signal) => queue.check(signal) } : {}),
        bucket: (signal) => lake.checkBucket(config.bucket, signal),
        topics: (signal) => publisher.check(signal),
      },
    });
    releasers.push(() => side.close());
    if (!polls) logger.warn('AWS_SQS_RUN_REQUEST_QUEUE_ENABLED is false: no requests are taken');
    await worker.start();
    releasers.push(() => worker.stop());
    logger.info(
      { port: side.port, concurrency: config.concurrency, threads: config.threads },
      'the worker runs',
    );
    return {
      port: side.port,
      get state() {
        return worker.state;
      },
      stop: () => releasers.release(),
    };
  } catch (error) {
    await releasers.release();
    throw error;
  }
}
