/** The types of request that the command knows, and how it sees which of them a text is. */

import { NotARequestError } from '../common/errors.ts';
import { unwrap } from '../contract/envelope.ts';
import { parseIngestRunRequest } from '../contract/ingest-run.ts';
import type { BucketPolicy } from '../contract/object-location.ts';
import { placesOf } from '../ingest/index.ts';
import { metricRunKind } from './metric-run-kind.ts';
import { attempt, type RequestIds, type RequestKind, textField } from './request-kind.ts';
import { compactionKind, hotUploadKind } from './tier-kinds.ts';

const ingestRunKind: RequestKind = {
  type: 'ingest_run_requested',
  problems(body, policy) {
    const problems = new Set<string>();
    attempt(() => placesOf(parseIngestRunRequest(body).request, policy), problems);
    return [...problems];
  },
  ids(body) {
    const id = textField(body, 'requestId');
    const ingestion = textField(body, 'ingestionId');
    return id === undefined || ingestion === undefined ? undefined : { id, group: `ingest:${ingestion}` };
  },
};

export const REQUEST_KINDS: readonly RequestKind[] = [
  metricRunKind,
  hotUploadKind,
  compactionKind,
  ingestRunKind,
];

/** A text seen as a request. What could not be told of it is undefined. */
export interface SeenRequest {
  readonly type: string | undefined;
  readonly ids: RequestIds | undefined;
  readonly problems: readonly string[];
}

/** Where a check has no bucket to hold a request against: every bucket that it names is allowed. */
function openPolicy(text: string): BucketPolicy {
  const named = [...text.matchAll(/s3:\/\/([^/"\\]+)/g)].map((match) => match[1] ?? '');
  return { defaultBucket: '', allowedBuckets: new Set(named) };
}

/** Checks the text of a message body: a request, or an SNS notification around one. */
export function seeRequest(text: string, policy: BucketPolicy = openPolicy(text)): SeenRequest {
  try {
    const { type, body } = unwrap(text, undefined);
    const kind = REQUEST_KINDS.find((one) => one.type === type);
    if (kind !== undefined) return { type, ids: kind.ids(body), problems: kind.problems(body, policy) };
    const known = REQUEST_KINDS.map((one) => one.type).join(', ');
    return { type, ids: undefined, problems: [`type: must be one of ${known}, got "${type.slice(0, 64)}"`] };
  } catch (error) {
    if (!(error instanceof NotARequestError)) throw error;
    const why = error.cause instanceof Error ? ` (${error.cause.message})` : '';
    return { type: undefined, ids: undefined, problems: [`the document: ${error.message}${why}`] };
  }
}
