/** The types of request that the command knows, and how it sees which of them a text is. */

import { NotARequestError } from '../common/errors.ts';
import { type JsonObject, unwrap } from '../contract/envelope.ts';
import type { BucketPolicy } from '../contract/object-location.ts';
import { metricRunKind } from './metric-run-kind.ts';
import { missingTexts, type RequestIds, type RequestKind, textField } from './request-kind.ts';

const hotUploadKind: RequestKind = {
  type: 'hot_upload_requested',
  problems: (body) => missingTexts(body, ['requestId', 'provider', 'timestamp']),
  ids: (body) => idsOf(body, (provider) => `hot:${provider}`),
};

const compactionKind: RequestKind = {
  type: 'compaction_requested',
  problems(body) {
    const problems = missingTexts(body, ['requestId', 'provider']);
    if (monthOf(body) === undefined)
      problems.push('month: is required where there is no hotKey or timestamp');
    return problems;
  },
  ids(body) {
    const month = monthOf(body);
    return month === undefined ? undefined : idsOf(body, (provider) => `warm:${provider}:${month}`);
  },
};

const ingestRunKind: RequestKind = {
  type: 'ingest_run_requested',
  problems: (body) => missingTexts(body, ['requestId', 'ingestionId']),
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

function idsOf(body: JsonObject, groupOf: (provider: string) => string): RequestIds | undefined {
  const id = textField(body, 'requestId');
  const provider = textField(body, 'provider');
  return id === undefined || provider === undefined ? undefined : { id, group: groupOf(provider) };
}

/** `YYYY-MM`: a hot file's own path decides its month; else it is said outright, or is the timestamp's. */
function monthOf(body: JsonObject): string | undefined {
  const path = /\/(\d{4})\/(\d{2})\/\d{2}\/[^/]+$/.exec(textField(body, 'hotKey') ?? '');
  if (path !== null) return `${path[1]}-${path[2]}`;
  return /^\d{4}-\d{2}/.exec(textField(body, 'month') ?? textField(body, 'timestamp') ?? '')?.[0];
}

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
