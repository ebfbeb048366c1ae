/**
 * The hot upload as a handler of the worker: validates the request, answers one that is done from its
 * object, has the work done in a thread, and asks for the compaction.
 */

import { createHash } from 'node:crypto';
import type { JsonObject } from '../contract/envelope.ts';
import { hotObjectFacts, wasWrittenFor } from '../contract/hot-object.ts';
import { checkNesting } from '../contract/nesting.ts';
import { type TierSpeaker, takeTierRequests } from '../contract/tier-events.ts';
import { buildHotKey, slotOf } from '../contract/tier-keys.ts';
import { findProvider, type TierProviders } from '../contract/tier-provider.ts';
import {
  COMPACTION_REQUESTED,
  HOT_UPLOAD_REQUESTED,
  type HotUploadRequest,
  type HotUploadResult,
  parseHotUploadRequest,
} from '../contract/tier-requests.ts';
import type { Lake } from '../lake/lake.ts';
import type { LakeObserver } from '../lake/request-observer.ts';
import type { ThreadPool } from '../lake/thread-pool.ts';
import type { Answer, Handler, Job } from '../worker/handler.ts';
import type { HotTierSettings } from './settings.ts';
import { checkSource } from './source-format.ts';
import type { UploadInput } from './upload.ts';

export interface HotUploadObserver extends LakeObserver {
  /** Files and rows of one kind of output. */
  wrote(output: string, files: number, rows: number): void;
}

/** Sends a request to the queue that this one came from. */
export type SendRequest = (body: string, groupId: string, deduplicationId: string) => Promise<void>;

export interface HotUploadParts {
  readonly lake: Lake;
  readonly pool: ThreadPool;
  readonly providers: TierProviders;
  readonly send: SendRequest;
  readonly observer: HotUploadObserver;
}

const FAMILY = 'hot_upload';
const EXTENSION = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
const THREAD_MODULE = new URL(`./thread.${EXTENSION}`, import.meta.url);
const MAX_REQUEST_ID = 128;

export function createHotUploadHandler(settings: HotTierSettings, parts: HotUploadParts): Handler {
  const { lake, pool, observer } = parts;
  const policy = { defaultBucket: settings.bucket, allowedBuckets: new Set(settings.allowedBuckets) };

  /** The same message for the same request, however often: SQS drops repeats, and a compaction knows its slots. */
  async function askForCompaction({ requestId, provider, timestamp }: HotUploadRequest, hotKey: string) {
    const id = compactionIdOf(requestId);
    const { year, month } = slotOf(timestamp);
    const body = { type: COMPACTION_REQUESTED, requestId: id, provider, hotKey };
    const group = `warm:${provider}:${year}-${String(month).padStart(2, '0')}`;
    await parts.send(JSON.stringify(body), group, id);
  }

  function jobOf(body: JsonObject, speaker: TierSpeaker): Job {
    const request = parseHotUploadRequest(body);
    const provider = findProvider(parts.providers, request.provider);
    if (request.changed) checkSource(request.changed, 'changed', policy);
    if (request.removed) checkSource(request.removed, 'removed', policy);
    const key = buildHotKey(settings.root, provider.name, request.timestamp);
    // The digest is of the whole body, and the rows go to a thread.
    checkNesting(body, 'CONFIG_ERROR', 'The request is invalid');
    const requestDigest = createHash('sha256').update(JSON.stringify(body)).digest('hex');

    async function answerOf(result: HotUploadResult): Promise<Answer> {
      if (request.compact && result.outcome !== 'empty') await askForCompaction(request, key);
      return { event: speaker.succeeded(result), outcome: result.outcome };
    }

    return {
      started: speaker.started,
      heartbeat: speaker.heartbeat,

      async answer({ signal }) {
        const found = await lake.store.head({ bucket: settings.bucket, key }, { signal });
        if (found === undefined || !wasWrittenFor(found.metadata, request.requestId, requestDigest)) {
          return undefined;
        }
        const facts = hotObjectFacts(found.metadata, found.size);
        if (facts === undefined) return undefined;
        return await answerOf({ outcome: 'uploaded', key, rows: facts.rows, bytes: found.size });
      },

      async run({ signal, progress, logger }) {
        const task: UploadInput = { request, requestDigest, provider, settings };
        const result = await pool.run<HotUploadResult>(THREAD_MODULE, task, { signal, progress, observer });
        if (result.outcome === 'uploaded') observer.wrote('hot', 1, result.rows);
        logger.info({ key, outcome: result.outcome, rows: result.rows, bytes: result.bytes }, 'slot handled');
        return await answerOf(result);
      },
    };
  }

  return { type: HOT_UPLOAD_REQUESTED, ...takeTierRequests(FAMILY, jobOf) };
}

/** The id of the compaction request that an upload sends: `<its own>:compaction`, or a digest where that is too long. */
export function compactionIdOf(requestId: string): string {
  const id = `${requestId}:compaction`;
  return id.length <= MAX_REQUEST_ID ? id : createHash('sha256').update(id).digest('hex');
}
