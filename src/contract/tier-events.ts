/** The events of the tiers on their way out: bodies of tier-requests.ts, and how a topic routes and orders them. */

import type { ErrorCode } from '../common/errors.ts';
import type { CompactionResult } from './compaction-result.ts';
import type { EventKind, OutgoingEvent } from './outgoing-event.ts';
import {
  type HotUploadResult,
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
export function createTierSpeaker(
  family: TierFamily,
  identity: TierIdentity,
  messageId: string,
): TierSpeaker {
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
