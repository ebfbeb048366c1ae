/**
 * Streaming upload of one new object: bytes are gathered into parts; an object that fits one part is
 * one conditional PUT, a larger one is a multipart upload whose completion is conditional. Nothing is
 * in sight of a reader before `finish`, and at most `PARTS_IN_FLIGHT + 1` parts are in memory.
 */

import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { freshId } from '../common/ids.ts';
import { retry } from '../common/retry.ts';
import { type ObjectLocation, uriOf } from '../contract/object-location.ts';
import {
  type ConditionalWriter,
  PUT_ID,
  type WriteOptions,
  type WriteOutcome,
  writeConditionally,
} from './conditional-write.ts';
import type { ObjectStore } from './object-store.ts';
import type { LakeObserver } from './request-observer.ts';
import { s3Failure } from './s3-failure.ts';

/** Bytes of a part; S3 wants at least 5 MiB for all but the last. */
export const PART_BYTES = 8 * 1024 * 1024;
const PARTS_IN_FLIGHT = 2;

export interface Upload {
  /** Takes bytes, copying them; waits while too many parts are under way. */
  write(bytes: Uint8Array): Promise<void>;
  /** Creates the object, where none is there yet. */
  finish(): Promise<WriteOutcome>;
  /** Gives up; safe after `finish`, and after a failure. */
  abort(): Promise<void>;
}

export type OpenUpload = (location: ObjectLocation, options?: WriteOptions) => Upload;

interface Part {
  readonly PartNumber: number;
  readonly ETag: string;
}

export function createUploads(
  client: S3Client,
  store: ObjectStore,
  writer: ConditionalWriter,
  observer: LakeObserver,
): OpenUpload {
  return (location, options = {}) => {
    const { signal } = options;
    const send = signal === undefined ? {} : { abortSignal: signal };
    const target = { Bucket: location.bucket, Key: location.key };
    const putId = freshId();
    const parts: Part[] = [];
    const underWay = new Set<Promise<void>>();
    let buffer = new Uint8Array(0);
    let filled = 0;
    let size = 0;
    let uploadId: string | undefined;
    let failure: unknown;
    let done = false;

    const fail = (error: unknown): never => {
      if (signal?.aborted) throw signal.reason;
      throw s3Failure(error, 'write', `Failed to write ${uriOf(location)}`);
    };

    async function begin(): Promise<string> {
      const output = await client
        .send(
          new CreateMultipartUploadCommand({
            ...target,
            ContentType: options.contentType,
            Metadata: { ...options.metadata, [PUT_ID]: putId },
          }),
          send,
        )
        .catch(fail);
      if (output.UploadId === undefined) throw new Error(`S3 gave no upload id for ${uriOf(location)}`);
      return output.UploadId;
    }

    async function sendPart(id: string, number: number, body: Uint8Array): Promise<void> {
      const work = () =>
        client
          .send(
            new UploadPartCommand({
              ...target,
              UploadId: id,
              PartNumber: number,
              Body: body,
              ContentLength: body.byteLength,
            }),
            send,
          )
          .catch(fail);
      const output = await retry(work, { operation: 's3_upload_part', signal, observe: observer.retry });
      parts.push({ PartNumber: number, ETag: output.ETag ?? '' });
    }

    let nextPart = 1;
    async function flush(): Promise<void> {
      const body = buffer.subarray(0, filled);
      buffer = new Uint8Array(0);
      filled = 0;
      uploadId ??= await begin();
      const part = sendPart(uploadId, nextPart++, body).catch((error: unknown) => {
        failure ??= error;
      });
      underWay.add(part);
      void part.finally(() => underWay.delete(part));
      if (underWay.size >= PARTS_IN_FLIGHT) await Promise.race(underWay);
      if (failure !== undefined) throw failure;
    }

    return {
      async write(bytes) {
        size += bytes.byteLength;
        for (let offset = 0; offset < bytes.byteLength; ) {
          if (filled === buffer.byteLength) {
            if (filled === PART_BYTES) await flush();
            // Small objects are many: begin small and grow, up to a whole part.
            const next = new Uint8Array(
              Math.min(PART_BYTES, Math.max(65_536, buffer.byteLength * 4, bytes.byteLength)),
            );
            next.set(buffer.subarray(0, filled));
            buffer = next;
          }
          const take = Math.min(buffer.byteLength - filled, bytes.byteLength - offset);
          buffer.set(bytes.subarray(offset, offset + take), filled);
          filled += take;
          offset += take;
        }
      },

      async finish() {
        if (uploadId === undefined) {
          done = true;
          return writer.create(location, buffer.subarray(0, filled), options);
        }
        if (filled > 0) await flush();
        await Promise.all(underWay);
        if (failure !== undefined) throw failure;
        const UploadId = uploadId;
        const complete = async (): Promise<string> => {
          const output = await client.send(
            new CompleteMultipartUploadCommand({
              ...target,
              UploadId,
              IfNoneMatch: '*',
              MultipartUpload: { Parts: parts.toSorted((a, b) => a.PartNumber - b.PartNumber) },
            }),
            send,
          );
          return output.ETag ?? '';
        };
        const outcome = await writeConditionally(complete, {
          store,
          observer,
          location,
          putId,
          size,
          signal,
        });
        done = outcome.outcome === 'written';
        return outcome;
      },

      async abort() {
        if (done || uploadId === undefined) return;
        done = true;
        await Promise.all(underWay);
        // Best effort: what stays is invisible, and the bucket's lifecycle rule removes it.
        await client.send(new AbortMultipartUploadCommand({ ...target, UploadId: uploadId })).catch(() => {});
      },
    };
  };
}
