/**
 * What a hot file's object says of itself in its user metadata, so that a compaction need not open it and
 * a redelivered upload knows its own work. Files of the original writers say nothing.
 */

import type { WarmFileFacts } from './warm-manifest.ts';

const ROWS = 'tidemill-rows';
const MIN_TIME = 'tidemill-min-time';
const MAX_TIME = 'tidemill-max-time';
const REQUEST_ID = 'tidemill-request-id';
const REQUEST_DIGEST = 'tidemill-request';

export interface HotObjectNote {
  readonly rows: number;
  /** The least and greatest time of its rows, in microseconds since the epoch; null where no row has one. */
  readonly minTime: number | null;
  readonly maxTime: number | null;
  /** The request that wrote it, and a digest of that request's body. */
  readonly requestId: string;
  readonly requestDigest: string;
}

/** As user metadata: lower-case names, ASCII values. */
export function hotObjectMetadata(note: HotObjectNote): Record<string, string> {
  const { rows, minTime, maxTime, requestId, requestDigest } = note;
  return {
    [ROWS]: String(rows),
    ...(minTime === null ? {} : { [MIN_TIME]: String(minTime) }),
    ...(maxTime === null ? {} : { [MAX_TIME]: String(maxTime) }),
    [REQUEST_ID]: requestId,
    [REQUEST_DIGEST]: requestDigest,
  };
}

/** The facts of a file of `bytes` bytes; undefined when its object does not tell them. */
export function hotObjectFacts(
  metadata: Readonly<Record<string, string>>,
  bytes: number,
): (WarmFileFacts & { readonly rows: number }) | undefined {
  const rows = wholeOf(metadata[ROWS]);
  if (rows === null) return undefined;
  return { rows, bytes, minTime: wholeOf(metadata[MIN_TIME]), maxTime: wholeOf(metadata[MAX_TIME]) };
}

/** Whether the object was written for this very request. */
export function wasWrittenFor(
  metadata: Readonly<Record<string, string>>,
  requestId: string,
  requestDigest: string,
): boolean {
  return metadata[REQUEST_ID] === requestId && metadata[REQUEST_DIGEST] === requestDigest;
}

function wholeOf(text: string | undefined): number | null {
  return text !== undefined && /^-?\d{1,16}$/.test(text) ? Number(text) : null;
}
