/**
 * The wire of the tiers: `hot_upload_requested` and `compaction_requested`, and the events that answer
 * them. An invalid request is told with every field that is wrong; unknown fields are ignored.
 */

import { z } from 'zod';
import type { ErrorCode } from '../common/errors.ts';
import type { CompactionResult } from './compaction-result.ts';
import { checkRequest } from './issues.ts';
import { parseMonth, parseTimestamp, type TierMonth } from './tier-keys.ts';

export const HOT_UPLOAD_REQUESTED = 'hot_upload_requested';
export const COMPACTION_REQUESTED = 'compaction_requested';

const requestId = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/,
    'must be 1 to 128 letters, digits, ".", "_", ":" or "-", as a UUID',
  );
const name = z.string().min(1, 'must not be empty').max(128, 'must have at most 128 characters');
const text = z.string().min(1, 'must not be empty').max(1024, 'must have at most 1,024 characters');

/** A row as JSON: a value by column. The columns' own types are looked at when the rows are read. */
const row = z.record(z.string(), z.unknown());

const rowSource = z.union(
  [
    z.object({ rows: z.array(row), uri: z.undefined().optional() }),
    z.object({
      uri: text,
      format: z.enum(['auto', 'jsonl', 'csv', 'parquet']).default('auto'),
      rows: z.undefined().optional(),
    }),
  ],
  'must hold either "rows", a list of objects, or "uri"',
);

/** The request on the wire. */
export const hotUploadSchema = z
  .object({
    type: z.literal(HOT_UPLOAD_REQUESTED),
    requestId,
    provider: name,
    timestamp: text,
    changed: rowSource.nullish(),
    removed: rowSource.nullish(),
    onConflict: z.enum(['fail', 'skip'], 'must be "fail" or "skip"').default('fail'),
    compact: z.boolean().default(false),
    /** Changed rows that have this number in any value column are left out: they mean "not known". */
    sentinel: z.number().nullish(),
  })
  .refine(({ changed, removed }) => changed || removed, 'must have "changed" or "removed" rows');

/** The request on the wire. */
export const compactionSchema = z
  .object({
    type: z.literal(COMPACTION_REQUESTED),
    requestId,
    provider: name,
    timestamp: text.nullish(),
    hotKey: text.nullish(),
    month: text.nullish(),
    mode: z.enum(['catch_up', 'full'], 'must be "catch_up" or "full"').nullish(),
  })
  .superRefine(({ hotKey, month, mode }, context) => {
    const issue = (path: string, message: string) =>
      context.addIssue({ code: 'custom', path: [path], message });
    if (!hotKey && !month) issue('hotKey', 'must be there, or "month"');
    if (hotKey && month)
      issue('month', 'must not be there beside "hotKey", whose own path decides the month');
    if (hotKey && mode) issue('mode', 'must not be there beside "hotKey"');
  });

/** Where rows are: in the request, or in an object, whose format `auto` is told from its name. */
export type RowSource =
  | { readonly rows: readonly Readonly<Record<string, unknown>>[] }
  | { readonly uri: string; readonly format: 'auto' | 'jsonl' | 'csv' | 'parquet' };

export interface HotUploadRequest {
  readonly requestId: string;
  readonly provider: string;
  /** Milliseconds since the epoch. */
  readonly timestamp: number;
  readonly changed: RowSource | undefined;
  readonly removed: RowSource | undefined;
  readonly onConflict: 'fail' | 'skip';
  readonly compact: boolean;
  readonly sentinel: number | undefined;
}

export type CompactionTarget =
  | { readonly hotKey: string }
  | { readonly month: TierMonth; readonly mode: 'catch_up' | 'full' };

export interface CompactionRequest {
  readonly requestId: string;
  readonly provider: string;
  readonly target: CompactionTarget;
}

/** Validates a request. Throws CONFIG_ERROR; for a timestamp without offset: `timestamp must be timezone-aware`. */
export function parseHotUploadRequest(body: unknown): HotUploadRequest {
  const request = checkRequest(hotUploadSchema, body);
  return {
    requestId: request.requestId,
    provider: request.provider,
    timestamp: parseTimestamp(request.timestamp),
    changed: sourceOf(request.changed),
    removed: sourceOf(request.removed),
    onConflict: request.onConflict,
    compact: request.compact,
    sentinel: request.sentinel ?? undefined,
  };
}

/** Validates a request. Throws CONFIG_ERROR; for a timestamp without offset: `timestamp must be timezone-aware`. */
export function parseCompactionRequest(body: unknown): CompactionRequest {
  const { requestId: id, provider, timestamp, hotKey, month, mode } = checkRequest(compactionSchema, body);
  if (timestamp) parseTimestamp(timestamp);
  const target: CompactionTarget = hotKey
    ? { hotKey }
    : { month: parseMonth(month ?? ''), mode: mode ?? 'catch_up' };
  return { requestId: id, provider, target };
}

function sourceOf(source: z.infer<typeof rowSource> | null | undefined): RowSource | undefined {
  if (!source) return undefined;
  return source.uri === undefined ? { rows: source.rows } : { uri: source.uri, format: source.format };
}

/** Which of the two features an event speaks for. */
export type TierFamily = 'hot_upload' | 'compaction';

/** Who an event is about. Of an invalid request it holds what could be read; null is what could not. */
export interface TierIdentity {
  readonly requestId: string | null;
  readonly provider: string | null;
}

/** What can be told of a request from a body that may be invalid. */
export function identifyTierRequest(body: Readonly<Record<string, unknown>>): TierIdentity {
  const own = (field: string): string | null => {
    const value = Object.hasOwn(body, field) ? body[field] : undefined;
    return typeof value === 'string' && value.length > 0 ? value.slice(0, 256) : null;
  };
  return { requestId: own('requestId'), provider: own('provider') };
}

/** A file that was written. */
export interface WrittenFile {
  readonly key: string;
  readonly rows: number;
  readonly bytes: number;
}

export interface HotUploadResult {
  /** `unchanged`: the slot holds this content already. `skipped`: it holds another, and so it stays. */
  readonly outcome: 'uploaded' | 'unchanged' | 'skipped' | 'empty';
  /** The slot's key. */
  readonly key: string;
  /** Rows and bytes of the file of this request, also where it was not written; 0 for an empty one. */
  readonly rows: number;
  readonly bytes: number;
}

export type TierEvent = Readonly<Record<string, unknown>> & { readonly type: string };

export function tierStarted(family: TierFamily, identity: TierIdentity, startedAt: string): TierEvent {
  return { type: `${family}_started`, ...identity, startedAt };
}

/** `progress` is from 0 to 1; `ts` is ISO with whole seconds. */
export function tierHeartbeat(
  family: TierFamily,
  identity: TierIdentity,
  progress: number,
  ts: string,
): TierEvent {
  return { type: `${family}_heartbeat`, ...identity, progress, ts };
}

export function tierSucceeded(
  family: TierFamily,
  identity: TierIdentity,
  result: HotUploadResult | CompactionResult,
): TierEvent {
  return { type: `${family}_completed`, ...identity, status: 'SUCCESS', ...result };
}

export function tierFailed(
  family: TierFamily,
  identity: TierIdentity,
  code: ErrorCode,
  message: string,
): TierEvent {
  return { type: `${family}_completed`, ...identity, status: 'FAILURE', error: { code, message } };
}
