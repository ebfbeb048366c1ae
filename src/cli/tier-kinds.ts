/** Checking the requests of the tiers as far as they can be checked without the lake. */

import type { JsonObject } from '../contract/envelope.ts';
import { parseTimeFromKey } from '../contract/tier-keys.ts';
import {
  COMPACTION_REQUESTED,
  HOT_UPLOAD_REQUESTED,
  parseCompactionRequest,
  parseHotUploadRequest,
} from '../contract/tier-requests.ts';
import { attempt, type RequestIds, type RequestKind, textField } from './request-kind.ts';

function problemsIn(parse: (body: JsonObject) => unknown, body: JsonObject): string[] {
  const problems = new Set<string>();
  attempt(() => parse(body), problems);
  return [...problems];
}

function idsOf(body: JsonObject, groupOf: (provider: string) => string): RequestIds | undefined {
  const id = textField(body, 'requestId');
  const provider = textField(body, 'provider');
  return id === undefined || provider === undefined ? undefined : { id, group: groupOf(provider) };
}

/** `YYYY-MM`: a hot file's own path decides its month; without one, the month is said outright. */
function monthOf(body: JsonObject): string | undefined {
  const hotKey = textField(body, 'hotKey');
  if (hotKey === undefined) return textField(body, 'month');
  const ms = parseTimeFromKey(hotKey);
  return ms === undefined ? undefined : new Date(ms).toISOString().slice(0, 7);
}

export const hotUploadKind: RequestKind = {
  type: HOT_UPLOAD_REQUESTED,
  problems: (body) => problemsIn(parseHotUploadRequest, body),
  ids: (body) => idsOf(body, (provider) => `hot:${provider}`),
};

export const compactionKind: RequestKind = {
  type: COMPACTION_REQUESTED,
  problems(body) {
    const problems = problemsIn(parseCompactionRequest, body);
    const hotKey = textField(body, 'hotKey');
    if (hotKey !== undefined && monthOf(body) === undefined) problems.push('hotKey: its path names no time');
    return problems;
  },
  ids(body) {
    const month = monthOf(body);
    return month === undefined ? undefined : idsOf(body, (provider) => `warm:${provider}:${month}`);
  },
};
