/**
 * Conditional writes: the ground that every protocol of the lake stands on.
 *
 * S3's answers differ and must not be confused:
 * - 412 PreconditionFailed: the object is there / its ETag differs, or our own retried write already landed;
 * - 409 ConditionalRequestConflict: nothing is settled, try again (for If-Match after re-reading the ETag);
 * - 404 on If-Match: the object is gone.
 *
 * So each conditional write carries a fresh put-id in its user metadata, the same through all of its
 * retries. On 412 the object is looked at: our own id means that we won, whatever the answers said.
 */

import { PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { InvalidRequestError, RetryableError, TidemillError } from '../common/errors.ts';
import { freshId } from '../common/ids.ts';
import { retry } from '../common/retry.ts';
import { type ObjectLocation, uriOf } from '../contract/object-location.ts';
import type { ObjectFacts, ObjectStore } from './object-store.ts';
import type { LakeObserver } from './request-observer.ts';
import { isPassing, s3ErrorName, s3Failure, s3Status } from './s3-failure.ts';

/** The name of the user metadata that holds the put-id. */
export const PUT_ID = 'tidemill-put-id';

export interface WriteOptions {
  readonly contentType?: string;
  /** User metadata beside the put-id: lower-case names, ASCII values. */
  readonly metadata?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

/**
 * `written`: the object is ours, with this ETag. `conflict`: another writer's object is there (its
 * facts), or, for a replace, the object is gone (`found` undefined).
 */
export type WriteOutcome =
  | { readonly outcome: 'written'; readonly etag: string; readonly size: number }
  | { readonly outcome: 'conflict'; readonly found: ObjectFacts | undefined };

export interface ConditionalWriter {
  /** Writes the object only where none is (If-None-Match: *). */
  create(location: ObjectLocation, body: Uint8Array, options?: WriteOptions): Promise<WriteOutcome>;
  /** Replaces the object only if it still has `etag` (If-Match). */
  replace(
    location: ObjectLocation,
    body: Uint8Array,
    etag: string,
    options?: WriteOptions,
  ): Promise<WriteOutcome>;
}

/** What decides a conditional write whose answer was no plain success. */
export type Settled = WriteOutcome | 'unsettled';

const POLICY = { attempts: 6, firstDelayMs: 50, maxDelayMs: 2_000 } as const;

/**
 * Settles a refused or lost conditional write by looking at the object: our put-id means written.
 * `expected` is the ETag of an If-Match, undefined for a create.
 */
export async function settle(
  store: ObjectStore,
  location: ObjectLocation,
  putId: string,
  size: number,
  expected: string | undefined,
  signal: AbortSignal | undefined,
): Promise<Settled> {
  const found = await store.head(location, { signal });
  if (found !== undefined && found.metadata[PUT_ID] === putId) {
    return { outcome: 'written', etag: found.etag, size };
  }
  if (expected === undefined) return found === undefined ? 'unsettled' : { outcome: 'conflict', found };
  if (found !== undefined && found.etag === expected) return 'unsettled';
  return { outcome: 'conflict', found };
}

/**
 * Runs a conditional write to its end: `send` does one request (with the SDK's own retries) and
 * returns the ETag. Passing failures and unsettled answers are tried again with the same put-id.
 */
export async function writeConditionally(
  send: () => Promise<string>,
  write: {
    readonly store: ObjectStore;
    readonly observer: LakeObserver;
    readonly location: ObjectLocation;
    readonly putId: string;
    readonly size: number;
    readonly expected?: string | undefined;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<WriteOutcome> {
  const { store, observer, location, putId, size, expected, signal } = write;
  const operation = expected === undefined ? 'create' : 'replace';
  const what = `Failed to write ${uriOf(location)}`;
  /** A failed look at the object is a failure to write it. */
  const unsettled = (error: unknown): never => {
    if (signal?.aborted || !(error instanceof TidemillError)) throw error;
    const Kind = error instanceof RetryableError ? RetryableError : InvalidRequestError;
    throw new Kind('OUTPUT_WRITE_ERROR', `${what}: ${error.message}`, { cause: error, fields: error.fields });
  };
  const attempt = async (): Promise<WriteOutcome> => {
    try {
      return { outcome: 'written', etag: await send(), size };
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      if (error instanceof TidemillError) throw error; // Never sent (s3-client.ts).
      const status = s3Status(error);
      const refused = status === 412 || status === 409 || status === 404;
      if (!refused && !isPassing(error)) throw s3Failure(error, 'write', what);
      const gone = expected === undefined ? 'NoSuchUpload' : 'NoSuchKey';
      if (status === 404 && s3ErrorName(error) !== gone) throw s3Failure(error, 'write', what);
      const settled = await settle(store, location, putId, size, expected, signal).catch(unsettled);
      if (settled !== 'unsettled') return settled;
      throw new RetryableError('OUTPUT_WRITE_ERROR', `${what}: ${s3ErrorName(error)}, nothing is settled`, {
        cause: error,
      });
    }
  };
  const outcome = await retry(attempt, {
    operation: `s3_${operation}`,
    policy: POLICY,
    signal,
    observe: observer.retry,
  });
  if (outcome.outcome === 'conflict') observer.conflict(operation);
  return outcome;
}

export function createConditionalWriter(
  client: S3Client,
  store: ObjectStore,
  observer: LakeObserver,
): ConditionalWriter {
  function put(
    location: ObjectLocation,
    body: Uint8Array,
    condition: { readonly IfNoneMatch?: string; readonly IfMatch?: string },
    options: WriteOptions,
  ): Promise<WriteOutcome> {
    const putId = freshId();
    const { signal } = options;
    const send = async (): Promise<string> => {
      const output = await client.send(
        new PutObjectCommand({
          Bucket: location.bucket,
          Key: location.key,
          Body: body,
          ContentLength: body.byteLength,
          ContentType: options.contentType,
          Metadata: { ...options.metadata, [PUT_ID]: putId },
          ...condition,
        }),
        signal === undefined ? {} : { abortSignal: signal },
      );
      return output.ETag ?? '';
    };
    const size = body.byteLength;
    return writeConditionally(send, {
      store,
      observer,
      location,
      putId,
      size,
      expected: condition.IfMatch,
      signal,
    });
  }
  return {
    create: (location, body, options = {}) => put(location, body, { IfNoneMatch: '*' }, options),
    replace: (location, body, etag, options = {}) => put(location, body, { IfMatch: etag }, options),
  };
}
