/**
 * The metric run as a handler of the worker: validates the request, answers a run that is done from its
 * marker, has the work done in a thread, and speaks of it in the form of the request.
 */

import type { Clock } from '../common/clock.ts';
import type { ErrorCode } from '../common/errors.ts';
import type { JsonObject } from '../contract/envelope.ts';
import type { RunMarker } from '../contract/metric-manifest.ts';
import {
  failedEvent,
  heartbeatEvent,
  identify,
  METRIC_RUN_REQUESTED,
  type MetricRunEvent,
  type MetricRunIdentity,
  parseMetricRunRequest,
  startedEvent,
  succeededEvent,
} from '../contract/metric-run.ts';
import { checkNesting } from '../contract/nesting.ts';
import type { BucketPolicy } from '../contract/object-location.ts';
import type { EventKind, OutgoingEvent } from '../contract/outgoing-event.ts';
import type { Lake } from '../lake/lake.ts';
import type { LakeObserver } from '../lake/request-observer.ts';
import type { ThreadPool } from '../lake/thread-pool.ts';
import type { Answer, Handler, Job, JobContext } from '../worker/handler.ts';
import type { Executed } from './execute.ts';
import { parseExpression } from './expression/parse.ts';
import { parseBase } from './output-keys.ts';
import { readMarker, settleAfterMarker } from './run-store.ts';
import type { MetricRunSettings } from './settings.ts';
import type { MetricRunTask } from './thread.ts';

export interface MetricRunObserver extends LakeObserver {
  runStarted(): void;
  runSucceeded(seconds: number, rows: number, divisionsByZero: number): void;
  runFailed(code: ErrorCode): void;
  /** Megabytes that one job has read and written. */
  jobBytes(readMb: number, writtenMb: number): void;
}

export interface MetricRunParts {
  /** The main thread's lake: for markers and the alias, never for data. */
  readonly lake: Lake;
  readonly pool: ThreadPool;
  readonly clock: Clock;
  readonly observer: MetricRunObserver;
}

const FAMILY = 'metric_run';
const MEGABYTE = 1_000_000;
const EXTENSION = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
const THREAD_MODULE = new URL(`./thread.${EXTENSION}`, import.meta.url);

export function createMetricRunHandler(settings: MetricRunSettings, parts: MetricRunParts): Handler {
  const { lake, pool, clock, observer } = parts;
  const policy: BucketPolicy = {
    defaultBucket: settings.bucket,
    allowedBuckets: new Set(settings.allowedBuckets),
  };

  function outgoing(
    kind: EventKind,
    identity: MetricRunIdentity,
    messageId: string,
    body: MetricRunEvent,
    once: string,
  ): OutgoingEvent {
    const groupId = identity.runId ?? messageId;
    const attributes = { metricCode: identity.metricCode ?? '' };
    return {
      kind,
      family: FAMILY,
      body,
      attributes,
      groupId,
      deduplicationId: `${groupId}:${body.type}${once}`,
    };
  }

  function answerOf(
    identity: MetricRunIdentity,
    messageId: string,
    bucket: string,
    marker: RunMarker,
    outcome = 'succeeded',
  ): Answer {
    const { version_ts: versionTs, output_manifest: key, row_count: rowCount } = marker;
    const body = succeededEvent(identity, { versionTs, manifest: { bucket, key }, rowCount });
    return { event: outgoing('completed', identity, messageId, body, ''), outcome };
  }

  function jobOf(body: JsonObject, messageId: string): Job {
    const identity = identify(body);
    const request = parseMetricRunRequest(body);
    const base = parseBase(request.output.basePath, request.runId, policy);
    // Here already: what is no expression must not begin, nor what nests too deep to cross to a thread.
    parseExpression(request.expressionType, request.expressionJson, settings.limits);
    checkNesting(request.expressionJson, 'EXPRESSION_EVAL_ERROR', 'expressionJson');
    const event = (kind: EventKind, made: MetricRunEvent, once = '') => {
      return outgoing(kind, identity, messageId, made, once);
    };

    async function run(context: JobContext): Promise<Answer> {
      const { signal, progress, attempt, firstReceivedAt } = context;
      const started = clock.monotonic();
      const bytes = { read: 0, written: 0 };
      const counting: LakeObserver = {
        request(observation) {
          bytes.read += observation.bytesIn;
          bytes.written += observation.bytesOut;
          observer.request(observation);
        },
        conflict: (operation) => observer.conflict(operation),
        retry: (operation, seconds) => observer.retry(operation, seconds),
      };
      observer.runStarted();
      try {
        const task: MetricRunTask = { request, attempt, firstReceivedAt, settings };
        const { marker, won, quality } = await pool.run<Executed>(THREAD_MODULE, task, {
          signal,
          progress,
          observer: counting,
        });
        if (!won) {
          // Another attempt made the run's version, and counts it: ours is removed.
          context.logger.info(
            { version_ts: marker.version_ts, ...bytes },
            'metric written by another attempt',
          );
          return answerOf(identity, messageId, base.bucket, marker, 'answered');
        }
        const seconds = (clock.monotonic() - started) / 1000;
        observer.runSucceeded(seconds, marker.row_count, quality.divisionsByZero);
        context.logger.info(
          { version_ts: marker.version_ts, rows: marker.row_count, ...bytes },
          'metric written',
        );
        return answerOf(identity, messageId, base.bucket, marker);
      } finally {
        observer.jobBytes(bytes.read / MEGABYTE, bytes.written / MEGABYTE);
      }
    }

    return {
      started: (at) => event('started', startedEvent(identity, at)),
      heartbeat: (progress, at, attempt, beat) => {
        return event('heartbeat', heartbeatEvent(identity, progress, at), `:${attempt}:${beat}`);
      },
      async answer({ signal, attempt, firstReceivedAt }) {
        const marker = await readMarker(lake, base, request.runId, signal);
        if (marker === undefined) return undefined;
        await settleAfterMarker(lake, base, marker, attempt > 1 ? firstReceivedAt : undefined, signal);
        return answerOf(identity, messageId, base.bucket, marker);
      },
      run,
    };
  }

  return {
    type: METRIC_RUN_REQUESTED,
    identify(body, messageId) {
      const identity = identify(body);
      return {
        logFields: { run_id: identity.runId, metric_code: identity.metricCode },
        failed(code, message) {
          observer.runFailed(code);
          // An id of its own: a FIFO topic would drop the success of a run that failed minutes ago.
          return outgoing('completed', identity, messageId, failedEvent(identity, code, message), ':FAILURE');
        },
      };
    },
    accept: jobOf,
  };
}
