/**
 * The ingest run as a handler of the worker: validates the request, answers a run that is done from the
 * ledger, carries it out, and tells readers of the dataset's new version. Without a database every ingest
 * request is refused, and the worker serves all others.
 */

import type { Clock } from '../common/clock.ts';
import { codeOf, InvalidRequestError, messageOf } from '../common/errors.ts';
import { retry } from '../common/retry.ts';
import type { JsonObject } from '../contract/envelope.ts';
import {
  INGEST_RUN_REQUESTED,
  type IngestEvent,
  type IngestIdentity,
  type IngestResult,
  type IngestRunRequest,
  identifyIngest,
  ingestCompleted,
  ingestFailed,
  ingestHeartbeat,
  ingestStarted,
  parseIngestRunRequest,
  projectionUpdate,
} from '../contract/ingest-run.ts';
import { type BucketPolicy, parseLocation, parsePrefix } from '../contract/object-location.ts';
import type { EventKind, OutgoingEvent } from '../contract/outgoing-event.ts';
import type { EventPublisher } from '../events/publisher.ts';
import type { Lake } from '../lake/lake.ts';
import type { ThreadPool } from '../lake/thread-pool.ts';
import type { Ledger } from '../ledger/database.ts';
import { endRun, refuseRun, storedResult } from '../ledger/run-ledger.ts';
import type { Answer, Handler, Job, JobContext } from '../worker/handler.ts';
import { isOfDataset } from './dataset-store.ts';
import { compileGlob } from './glob.ts';
import type { ProcessObserver } from './process-files.ts';
import { executeRun, type RunPlaces } from './run.ts';
import type { IngestSettings } from './settings.ts';

export interface IngestObserver extends ProcessObserver {
  /** An event is out beside those that every job has. */
  published(type: string): void;
}

export interface IngestParts {
  readonly lake: Lake;
  /** Undefined where no DATABASE_URL is set. */
  readonly ledger: Ledger | undefined;
  readonly pool: ThreadPool;
  readonly publisher: EventPublisher;
  readonly clock: Clock;
  readonly observer: IngestObserver;
}

const FAMILY = 'ingest_run';

/** The places that a request names, each checked; CONFIG_ERROR names the field. */
export function placesOf(request: IngestRunRequest, policy: BucketPolicy): Omit<RunPlaces, 'failedOnly'> {
  const { source, target } = request;
  const whole = /^s3:\/\/([^/]+)\/?$/.exec(source.prefix);
  const prefix =
    whole === null
      ? parseLocation(source.prefix, 'source.prefix', policy)
      : { ...parseLocation(`s3://${whole[1]}/-`, 'source.prefix', policy), key: '' };
  compileGlob(source.glob);
  const base = parsePrefix(target.basePath ?? `datasets/${target.datasetId}/`, 'target.basePath', policy);
  const since = source.since === undefined ? undefined : Date.parse(source.since);
  // What is written is never found as a source (discover.ts). Who plainly asks for it is told so: by a prefix
  // that holds nothing else, or by a glob that takes all there is.
  if (isOfDataset(base, prefix)) {
    throw new InvalidRequestError(
      'CONFIG_ERROR',
      'source.prefix: lies within what is written below target.basePath, so that a run would ingest its own output',
    );
  }
  const inside = prefix.bucket === base.bucket && base.key.startsWith(prefix.key);
  if (
    inside &&
    compileGlob(source.glob)(`${base.key}projections/x.parquet`.slice(prefix.key.lastIndexOf('/') + 1))
  ) {
    throw new InvalidRequestError(
      'CONFIG_ERROR',
      'source.prefix: holds target.basePath, so that a run would ingest its own output',
    );
  }
  return {
    source: { prefix, glob: source.glob, since, target: base },
    dataset: { datasetId: target.datasetId, base },
  };
}

function outgoing(
  kind: EventKind,
  identity: IngestIdentity,
  messageId: string,
  body: IngestEvent,
  once: string,
): OutgoingEvent {
  const groupId = identity.requestId ?? messageId;
  return {
    kind,
    family: FAMILY,
    body,
    attributes: { ingestionId: identity.ingestionId ?? '' },
    groupId,
    deduplicationId: `${groupId}:${body.type}${once}`,
  };
}

export function createIngestHandler(settings: IngestSettings, parts: IngestParts): Handler {
  const { lake, pool, publisher, clock, observer } = parts;
  const policy: BucketPolicy = {
    defaultBucket: settings.bucket,
    allowedBuckets: new Set(settings.allowedBuckets),
  };

  function jobOf(body: JsonObject, messageId: string): Job {
    const identity = identifyIngest(body);
    const { request, failedOnly } = parseIngestRunRequest(body);
    const { ledger } = parts;
    if (ledger === undefined) {
      placesOf(request, policy);
      throw new InvalidRequestError(
        'CONFIG_ERROR',
        'Ingest runs need a database: DATABASE_URL is not set on this worker',
      );
    }
    /** Answered FAILURE and not tried again: the ledger says so, and why, to who waits there. */
    const refused = async (error: unknown, signal: AbortSignal): Promise<never> => {
      if (error instanceof InvalidRequestError) {
        const { requestId: runId, ingestionId } = request;
        const refusal = { runId, ingestionId, code: codeOf(error), message: messageOf(error) };
        await refuseRun(ledger, refusal, signal).catch(() => {});
      }
      throw error;
    };
    let places: ReturnType<typeof placesOf> | undefined;
    const answerOf = (event: IngestEvent): Answer => {
      const outcome =
        event.status === 'SUCCESS' ? 'succeeded' : event.status === 'PARTIAL' ? 'partial' : 'failed';
      return { event: outgoing('completed', identity, messageId, event, ''), outcome };
    };

    async function run(context: JobContext): Promise<Answer> {
      const { signal, progress, logger } = context;
      const result: IngestResult = await executeRun(
        request,
        { ...(places ?? placesOf(request, policy)), failedOnly },
        { lake, ledger: ledger!, pool, clock, observer, logger, settings },
        {
          signal,
          progress,
          async announce(version, projections) {
            const update = projectionUpdate({
              datasetId: request.target.datasetId,
              bucket: version.bucket,
              versionManifest: version.key,
              projections: projections.key,
            });
            const event = outgoing('completed', identity, messageId, update, `:${version.key}`);
            await retry(() => publisher.publish(event, signal), {
              operation: 'sns_publish',
              signal,
              observe: observer.retry,
            });
            observer.published(update.type);
          },
        },
      ).catch(async (error: unknown) => await refused(error, signal));
      const event = ingestCompleted(identity, result);
      const { discovered, skipped, succeeded, failed } = result.files;
      const { status, datasetManifest, rows, bytes } = result;
      // What the event tells, not what stands there now: a later run may have taken files over meanwhile.
      const counts = { succeeded, failed, rows, bytes };
      const told = await endRun(
        ledger!,
        request.requestId,
        { status, discovered, skipped, counts, datasetManifest, result: event },
        signal,
      );
      logger.info({ status, ...result.files, rows: result.rows, bytes: result.bytes }, 'files ingested');
      return answerOf(told as IngestEvent);
    }

    return {
      started: (at) => outgoing('started', identity, messageId, ingestStarted(identity, at), ''),
      heartbeat: (progress, at, attempt, beat) => {
        const made = ingestHeartbeat(identity, progress, at);
        return outgoing('heartbeat', identity, messageId, made, `:${attempt}:${beat}`);
      },
      async answer({ signal }) {
        await ledger.migrate(signal);
        try {
          places = placesOf(request, policy);
        } catch (error) {
          return await refused(error, signal);
        }
        const stored = await storedResult(ledger, request.requestId, signal);
        return stored === undefined ? undefined : answerOf(stored as IngestEvent);
      },
      run,
    };
  }

  return {
    type: INGEST_RUN_REQUESTED,
    identify(body, messageId) {
      const identity = identifyIngest(body);
      return {
        logFields: { request_id: identity.requestId, ingestion_id: identity.ingestionId },
        failed: (code, message) =>
          outgoing('completed', identity, messageId, ingestFailed(identity, code, message), ':FAILURE'),
      };
    },
    accept: jobOf,
  };
}
