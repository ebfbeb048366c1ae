/**
 * Reading, listing and deleting objects, as a narrow port over the S3 client. Writing is in
 * conditional-write.ts and upload.ts.
 *
 * Every failure is a domain error that names the object: INPUT_READ_ERROR for reads,
 * OUTPUT_WRITE_ERROR for deletes. A body cut off or stalled in mid-read is read again here, since
 * the SDK's own retries end at the headers.
 */

import type { Readable } from 'node:stream';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  type S3Client,
} from '@aws-sdk/client-s3';
import { InvalidRequestError, messageOf, RetryableError } from '../common/errors.ts';
import { retry } from '../common/retry.ts';
import { type ObjectLocation, uriOf } from '../contract/object-location.ts';
import type { LakeObserver } from './request-observer.ts';
import { isPassing, s3Failure, s3Status } from './s3-failure.ts';

/** What S3 says of an object beside its bytes. */
export interface ObjectFacts {
  readonly etag: string;
  /** Bytes of the whole object. */
  readonly size: number;
  readonly metadata: Readonly<Record<string, string>>;
  /** Milliseconds since the epoch, or undefined where S3 did not say. */
  readonly lastModified: number | undefined;
}

export interface StoredObject extends ObjectFacts {
  readonly bytes: Uint8Array;
}

/** Bytes `start` to `end`, exclusive; or the last `suffix` bytes (all of a smaller object). */
export type ByteRange = { readonly start: number; readonly end: number } | { readonly suffix: number };

export interface ReadOptions {
  readonly signal?: AbortSignal | undefined;
  /** Only if the object still has this ETag; a changed one is a `RetryableError`. */
  readonly etag?: string | undefined;
}

export interface WholeReadOptions extends ReadOptions {
  /** Bytes that are taken into memory, at most; default `MAX_WHOLE_BYTES`. More is INPUT_READ_ERROR. */
  readonly maxBytes?: number;
}

/** What is read as a whole is a manifest or a marker, whoever wrote it: a larger one is none. */
export const MAX_WHOLE_BYTES = 64 * 1024 * 1024;

export interface ListedObject {
  readonly key: string;
  readonly size: number;
  readonly etag: string;
  readonly lastModified: number;
}

export interface ListPage {
  readonly objects: readonly ListedObject[];
  /** What lies between the prefix and the next delimiter, the delimiter included. */
  readonly prefixes: readonly string[];
  readonly next: string | undefined;
}

export interface ListOptions {
  readonly delimiter?: string;
  /** Only keys after this one, in byte order. */
  readonly startAfter?: string;
  readonly token?: string | undefined;
  readonly maxKeys?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface ObjectStore {
  /** The whole object, or undefined where there is none (no such bucket is an error). */
  get(location: ObjectLocation, options?: WholeReadOptions): Promise<StoredObject | undefined>;
  /** A part of the object, or undefined where there is none. A range that begins past the end is an error. */
  getRange(
    location: ObjectLocation,
    range: ByteRange,
    options?: ReadOptions,
  ): Promise<StoredObject | undefined>;
  head(location: ObjectLocation, options?: ReadOptions): Promise<ObjectFacts | undefined>;
  /** Deletes the object; one that is not there is fine. */
  delete(location: ObjectLocation, signal?: AbortSignal): Promise<void>;
  list(prefix: ObjectLocation, options?: ListOptions): Promise<ListPage>;
}

/** A body that ended or stalled before its promised length: read again. */
class BrokenBodyError extends Error {}

const READ_POLICY = { attempts: 4, firstDelayMs: 50, maxDelayMs: 2_000 } as const;

/** A body of more bytes than may be taken into memory. */
class LongBodyError extends Error {}

async function readBody(body: unknown, length: number | undefined, maxBytes: number): Promise<Uint8Array> {
  const chunks = body as Readable;
  if (length !== undefined && length > maxBytes) {
    chunks.destroy();
    throw new LongBodyError(`it has ${length} bytes, and ${maxBytes} are allowed`);
  }
  try {
    if (length === undefined) {
      const parts: Uint8Array[] = [];
      let total = 0;
      for await (const chunk of chunks as AsyncIterable<Uint8Array>) {
        total += chunk.byteLength;
        if (total > maxBytes)
          throw new LongBodyError(`it has more than the ${maxBytes} bytes that are allowed`);
        parts.push(chunk);
      }
      return new Uint8Array(Buffer.concat(parts));
    }
    const bytes = new Uint8Array(length);
    let offset = 0;
    for await (const chunk of chunks as AsyncIterable<Uint8Array>) {
      bytes.set(chunk, offset);
      offset += chunk.byteLength;
    }
    if (offset !== length) throw new Error(`got ${offset} of ${length} bytes`);
    return bytes;
  } catch (error) {
    if (error instanceof LongBodyError) throw error;
    throw new BrokenBodyError(`the body broke off: ${messageOf(error)}`, { cause: error });
  }
}

function sizeFromRange(contentRange: string | undefined): number | undefined {
  const total = contentRange?.match(/\/(\d+)$/)?.[1];
  return total === undefined ? undefined : Number(total);
}

function rangeHeader(range: ByteRange): string {
  return 'suffix' in range ? `bytes=-${range.suffix}` : `bytes=${range.start}-${range.end - 1}`;
}

export function createObjectStore(client: S3Client, observer: LakeObserver): ObjectStore {
  const fail = (error: unknown, location: ObjectLocation, signal: AbortSignal | undefined): never => {
    if (signal?.aborted) throw signal.reason;
    if (s3Status(error) === 412) {
      throw new RetryableError('INPUT_READ_ERROR', `${uriOf(location)} changed while it was being read`, {
        cause: error,
      });
    }
    throw s3Failure(error, 'read', `Failed to read ${uriOf(location)}`);
  };

  async function read(
    location: ObjectLocation,
    range: ByteRange | undefined,
    { signal, etag, maxBytes = Number.POSITIVE_INFINITY }: WholeReadOptions,
  ): Promise<StoredObject | undefined> {
    const attempt = async (): Promise<StoredObject | undefined> => {
      const output = await client.send(
        new GetObjectCommand({
          Bucket: location.bucket,
          Key: location.key,
          ...(range === undefined ? {} : { Range: rangeHeader(range) }),
          ...(etag === undefined ? {} : { IfMatch: etag }),
        }),
        signal === undefined ? {} : { abortSignal: signal },
      );
      const bytes = await readBody(output.Body, output.ContentLength, maxBytes);
      return {
        bytes,
        etag: output.ETag ?? '',
        size: sizeFromRange(output.ContentRange) ?? bytes.byteLength,
        metadata: output.Metadata ?? {},
        lastModified: output.LastModified?.getTime(),
      };
    };
    try {
      return await retry(attempt, {
        operation: 's3_read_body',
        policy: READ_POLICY,
        signal,
        observe: observer.retry,
        shouldRetry: (error) => error instanceof BrokenBodyError && !signal?.aborted,
      });
    } catch (error) {
      if (error instanceof LongBodyError) {
        const message = `Failed to read ${uriOf(location)}: ${error.message}`;
        throw new InvalidRequestError('INPUT_READ_ERROR', message);
      }
      if (error instanceof Error && error.name === 'NoSuchKey') return undefined;
      // An object without bytes has no range of them.
      if (s3Status(error) === 416 && range !== undefined && ('suffix' in range || range.start === 0)) {
        return await read(location, undefined, { signal, etag, maxBytes });
      }
      return fail(error, location, signal);
    }
  }

  return {
    get: (location, options = {}) => read(location, undefined, { maxBytes: MAX_WHOLE_BYTES, ...options }),
    getRange: (location, range, options = {}) => read(location, range, options),

    async head(location, { signal } = {}) {
      signal?.throwIfAborted();
      try {
        const output = await client.send(
          new HeadObjectCommand({ Bucket: location.bucket, Key: location.key }),
          signal === undefined ? {} : { abortSignal: signal },
        );
        return {
          etag: output.ETag ?? '',
          size: output.ContentLength ?? 0,
          metadata: output.Metadata ?? {},
          lastModified: output.LastModified?.getTime(),
        };
      } catch (error) {
        // HEAD has no body, so a missing bucket can not be told from a missing key here.
        if (s3Status(error) === 404) return undefined;
        return fail(error, location, signal);
      }
    },

    async delete(location, signal) {
      signal?.throwIfAborted();
      try {
        await client.send(
          new DeleteObjectCommand({ Bucket: location.bucket, Key: location.key }),
          signal === undefined ? {} : { abortSignal: signal },
        );
      } catch (error) {
        if (signal?.aborted) throw signal.reason;
        if (s3Status(error) === 404 && !isPassing(error)) return;
        throw s3Failure(error, 'write', `Failed to delete ${uriOf(location)}`);
      }
    },

    async list(prefix, { delimiter, startAfter, token, maxKeys, signal } = {}) {
      signal?.throwIfAborted();
      try {
        const output = await client.send(
          new ListObjectsV2Command({
            Bucket: prefix.bucket,
            Prefix: prefix.key,
            Delimiter: delimiter,
            StartAfter: startAfter,
            ContinuationToken: token,
            MaxKeys: maxKeys,
          }),
          signal === undefined ? {} : { abortSignal: signal },
        );
        return {
          objects: (output.Contents ?? []).map((object) => ({
            key: object.Key ?? '',
            size: object.Size ?? 0,
            etag: object.ETag ?? '',
            lastModified: object.LastModified?.getTime() ?? 0,
          })),
          prefixes: (output.CommonPrefixes ?? []).map((entry) => entry.Prefix ?? ''),
          next: output.NextContinuationToken,
        };
      } catch (error) {
        if (signal?.aborted) throw signal.reason;
        throw s3Failure(error, 'read', `Failed to list ${uriOf(prefix)}`);
      }
    },
  };
}

/** All objects below a prefix, page by page. */
export async function* listAll(
  store: ObjectStore,
  prefix: ObjectLocation,
  options: Omit<ListOptions, 'token' | 'delimiter'> = {},
): AsyncGenerator<ListedObject> {
  let token: string | undefined;
  do {
    const page = await store.list(prefix, { ...options, token });
    yield* page.objects;
    token = page.next;
  } while (token !== undefined);
}
