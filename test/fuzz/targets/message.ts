/**
 * A message's way to the point where its job would begin, as message-life.ts leads it: unwrapped, known by
 * its type, identified, accepted; and every event that may be said of it on the way.
 */

import { crc32 } from 'node:zlib';
import { systemClock } from '../../../src/common/clock.ts';
import { NotARequestError } from '../../../src/common/errors.ts';
import { systemRandom } from '../../../src/common/ids.ts';
import { attributeText } from '../../../src/contract/attribute-text.ts';
import { unwrap } from '../../../src/contract/envelope.ts';
import { fifoId } from '../../../src/contract/fifo-id.ts';
import { parseIngestRunRequest } from '../../../src/contract/ingest-run.ts';
import { parseMetricRunRequest } from '../../../src/contract/metric-run.ts';
import type { OutgoingEvent } from '../../../src/contract/outgoing-event.ts';
import { tierProviders } from '../../../src/contract/tier-provider.ts';
import { parseHotUploadRequest } from '../../../src/contract/tier-requests.ts';
import { createHotUploadHandler } from '../../../src/hot-tier/index.ts';
import { createIngestHandler, placesOf } from '../../../src/ingest/index.ts';
import { createThreadPool } from '../../../src/lake/thread-pool.ts';
import { openLedger } from '../../../src/ledger/database.ts';
import { placeOfSeries } from '../../../src/metric-run/dataset.ts';
import { createMetricRunHandler } from '../../../src/metric-run/index.ts';
import { createMetrics } from '../../../src/observability/metrics.ts';
import { observeIngest, observeMetricRuns, observeTiers } from '../../../src/observability/observers.ts';
import { createCompactionHandler } from '../../../src/warm-tier/index.ts';
import { createRegistry } from '../../../src/worker/handler.ts';
import { codesNamed } from '../../support/metric-requests.ts';
import { createMemoryLake } from '../memory-lake.ts';
import { hold, MAX_EVENT_BYTES, type OpenTarget, outcomeOf } from '../target.ts';

const BUCKET = 'lake';
const TYPES = [
  'metric_run_requested',
  'hot_upload_requested',
  'compaction_requested',
  'ingest_run_requested',
];
const S3 = { region: 'us-east-1', forcePathStyle: true, connectTimeoutMs: 1_000, idleTimeoutMs: 1_000 };

/** The handlers as the service wires them; nothing of what they are given is used before a job runs. */
function handlers() {
  const { lake } = createMemoryLake(BUCKET);
  const pool = createThreadPool(1, { s3: S3 });
  const metrics = createMetrics({ version: '0', commit: '0' });
  const providers = tierProviders();
  const shared = { lake, pool, clock: systemClock };
  const ledger = openLedger({ url: 'postgres://nobody@127.0.0.1:1/none', connections: 1 }, () => {});
  const place = { bucket: BUCKET, allowedBuckets: ['other'] };
  const registry = createRegistry([
    createMetricRunHandler(
      {
        ...place,
        compression: 'snappy',
        limits: { maxDepth: 64, maxNodes: 1_000, maxWindow: 1_000_000 },
        maxInputRows: 1e9,
        inputs: { maxInputFiles: 100_000, maxHeldRows: 100_000_000 },
        cache: { bytes: 0, seconds: 1 },
      },
      { ...shared, observer: observeMetricRuns(metrics) },
    ),
    createHotUploadHandler(
      { ...place, root: '', limits: { maxRows: 1_000_000, maxDecodedBytes: 1 << 30 }, createdBy: 'fuzz' },
      { lake, pool, providers, observer: observeTiers(metrics), send: async () => {} },
    ),
    createCompactionHandler(
      { bucket: BUCKET, root: '', readerGraceMs: 0, maxRaces: 1, createdBy: 'fuzz' },
      { ...shared, providers, random: systemRandom, observer: observeTiers(metrics) },
    ),
    createIngestHandler(
      {
        ...place,
        compression: 'snappy',
        concurrency: 1,
        streamingBytes: 1,
        budgetBytes: 1,
        leaseSeconds: 1,
        workerName: 'fuzz',
      },
      {
        ...shared,
        ledger,
        publisher: { publish: async () => {}, check: async () => {}, close() {} },
        observer: observeIngest(metrics),
      },
    ),
  ]);
  return { registry, close: () => Promise.all([pool.close(), ledger.close()]) };
}

/** SNS takes the event: its size, its attributes and its ids are as it wants them. */
function holdEvent({ body, attributes, groupId, deduplicationId }: OutgoingEvent): void {
  const bytes = Buffer.byteLength(JSON.stringify(body));
  hold(bytes <= MAX_EVENT_BYTES, `an event ${body.type} too large to be published`, `${bytes} bytes`);
  for (const [name, value] of Object.entries(attributes)) {
    const text = attributeText(value);
    hold(text.length > 0 && text.isWellFormed(), 'an attribute that SNS refuses', `${name}: ${text}`);
  }
  for (const id of [groupId, deduplicationId]) {
    hold(/^[\x21-\x7e]{1,128}$/.test(fifoId(id)), 'an id that SNS refuses', id);
  }
}

export async function openMessages(): Promise<OpenTarget> {
  const { registry, close } = handlers();
  const policy = { defaultBucket: BUCKET, allowedBuckets: new Set(['other']) };
  const messageId = 'f6d0a9a0-0000-4000-8000-000000000000';

  /** The type attribute of the message: mostly none. */
  const attributeOf = (input: Uint8Array) =>
    crc32(input) % 8 === 0 ? TYPES[(crc32(input) >>> 3) % 4] : undefined;

  return {
    async run(input) {
      return await outcomeOf(() => {
        const { type, body } = unwrap(Buffer.from(input).toString(), attributeOf(input));
        const handler = registry.get(type);
        if (handler === undefined)
          throw new NotARequestError('unknown_type', 'the message has an unknown type');
        const identity = handler.identify(body, messageId);
        for (const value of Object.values(identity.logFields)) {
          hold(value === null || value.length <= 256, 'a log field without bound');
        }
        holdEvent(identity.failed('CONFIG_ERROR', 'why', 1));
        try {
          const job = handler.accept(body, messageId);
          holdEvent(job.started('2026-01-01T00:00:00Z'));
          holdEvent(job.heartbeat(0.5, '2026-01-01T00:00:00Z', 1, 1));
          // What it refuses once its job has begun.
          if (type === 'metric_run_requested') {
            const request = parseMetricRunRequest(body);
            for (const code of codesNamed(request.expressionJson)) placeOfSeries(request, code, policy);
          }
          if (type === 'ingest_run_requested') placesOf(parseIngestRunRequest(body).request, policy);
          // What crosses to a thread of the pool.
          if (type === 'metric_run_requested') structuredClone(parseMetricRunRequest(body));
          if (type === 'hot_upload_requested') structuredClone(parseHotUploadRequest(body));
          return `${type} accepted`;
        } catch (error) {
          if (error instanceof Error) holdEvent(identity.failed('CONFIG_ERROR', error.message, 1));
          throw error;
        }
      });
    },
    close: async () => void (await close()),
  };
}
