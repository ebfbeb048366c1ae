/** The events of the tiers on their way out: bodies of tier-requests.ts, and how a topic routes and orders them. */

import type { ErrorCode } from '../common/errors.ts';
import type { CompactionResult } from './compaction-result.ts';
import type { JsonObject } from './envelope.ts';
import type { EventKind, OutgoingEvent } from './outgoing-event.ts';
import {
  type HotUploadResult,
  identifyTierRequest,
  type TierEvent,
  type TierFamily,
  type TierIdentity,
  tierFailed,
  tierHeartbeat,
  tierStarted,
  tierSucceeded,
} from './tier-requests.ts';

/** Speaks of one request. */
export interface TierSpeaker {
  started(at: string): OutgoingEvent;
  /** `beat` counts from 1 within the attempt. */
  heartbeat(progress: number, at: string, attempt: number, beat: number): OutgoingEvent;
  succeeded(result: HotUploadResult | CompactionResult): OutgoingEvent;
  failed(code: ErrorCode, message: string): OutgoingEvent;
}

/** @param messageId stands in for the request's id where the request does not tell it */
function createTierSpeaker(family: TierFamily, identity: TierIdentity, messageId: string): TierSpeaker {
  const groupId = identity.requestId ?? messageId;
  const attributes = { provider: identity.provider ?? '' };
  const outgoing = (kind: EventKind, body: TierEvent, once: string): OutgoingEvent => ({
    kind,
    family,
    body,
    attributes,
    groupId,
    deduplicationId: `${groupId}:${body.type}${once}`,
  });
  return {
    started: (at) => outgoing('started', tierStarted(family, identity, at), ''),
    heartbeat: (progress, at, attempt, beat) =>
      outgoing('heartbeat', tierHeartbeat(family, identity, progress, at), `:${attempt}:${beat}`),
    succeeded: (result) => outgoing('completed', tierSucceeded(family, identity, result), ''),
    // An id of its own: a FIFO topic would drop the success of a request that failed minutes ago.
    failed: (code, message) => outgoing('completed', tierFailed(family, identity, code, message), ':FAILURE'),
  };
}

/**
 * How the requests of a family are taken in, whoever carries them out: who is asked, how a refusal is told,
 * and the job with what speaks of it.
 *
 * @param jobOf validates the request; throws `InvalidRequestError` for one that cannot be carried out
 */
export function takeTierRequests<J>(
  family: TierFamily,
  jobOf: (body: JsonObject, speaker: TierSpeaker) => J,
) {
  return {
    identify(body: JsonObject, messageId: string) {
      const identity = identifyTierRequest(body);
      const speaker = createTierSpeaker(family, identity, messageId);
      return {
        logFields: { request_id: identity.requestId, provider: identity.provider },
        failed: speaker.failed,
      };
    },
    accept: (body: JsonObject, messageId: string): J =>
      jobOf(body, createTierSpeaker(family, identifyTierRequest(body), messageId)),
  };
}
