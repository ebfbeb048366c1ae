/**
 * The bytes of one file as a stream of chunks: ranged reads of an S3 object pinned to its ETag, the next
 * one under way while this one is used, and gzip or zstd undone with a bound on what comes out.
 */

import { Readable } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { messageOf, TidemillError } from '../common/errors.ts';
import { type ObjectLocation, uriOf } from '../contract/object-location.ts';
import type { ObjectStore } from '../lake/object-store.ts';
import { fileFault } from './rows.ts';

export interface SourceFile {
  readonly location: ObjectLocation;
  readonly size: number;
  readonly etag: string;
}

export type Compression = 'none' | 'gzip' | 'zstd';

/** A file of more than this many times its compressed size is a bomb, unless it is small. */
const MAX_RATIO = 250;
const HARMLESS_BYTES = 256 * 1024 * 1024;

/** Reads the object in ranges of `chunkBytes`; all at once where that covers it. */
export async function* readChunks(
  store: ObjectStore,
  file: SourceFile,
  chunkBytes: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const { location, size, etag } = file;
  if (size === 0) return;
  const get = async (start: number): Promise<Uint8Array> => {
    const end = Math.min(size, start + chunkBytes);
    const whole = start === 0 && end === size;
    const stored = whole
      ? await store.get(location, { signal, etag })
      : await store.getRange(location, { start, end }, { signal, etag });
    if (stored === undefined) throw fileFault(`${uriOf(location)} is gone`);
    return stored.bytes;
  };
  let next: Promise<Uint8Array> | undefined = get(0);
  try {
    for (let start = 0; next !== undefined; start += chunkBytes) {
      const bytes: Uint8Array = await next;
      next = start + chunkBytes < size ? get(start + chunkBytes) : undefined;
      next?.catch(() => {}); // Whoever awaits it hears of it.
      yield bytes;
    }
  } finally {
    await next?.catch(() => {});
  }
}

/** Undoes the compression; what is broken or grows without bound is a fault of the file. */
export async function* inflate(
  chunks: AsyncIterable<Uint8Array>,
  compression: Compression,
  size: number,
): AsyncGenerator<Uint8Array> {
  if (compression === 'none') {
    yield* chunks;
    return;
  }
  const options = { chunkSize: 1024 * 1024 };
  const stream = compression === 'gzip' ? createGunzip(options) : createZstdDecompress(options);
  let readFailure: unknown;
  async function* watched() {
    try {
      yield* chunks;
    } catch (error) {
      readFailure = error;
      throw error;
    }
  }
  const limit = Math.max(HARMLESS_BYTES, size * MAX_RATIO);
  let total = 0;
  const source = Readable.from(watched());
  source.on('error', (error) => stream.destroy(error));
  source.pipe(stream);
  try {
    for await (const chunk of stream as AsyncIterable<Uint8Array>) {
      total += chunk.length;
      if (total > limit) throw fileFault(`it grows to more than ${MAX_RATIO} times its size; is it a bomb?`);
      yield chunk;
    }
    // Node undoes the first frame of a zstd file alone: what follows it must not be lost in silence.
    if (stream.bytesWritten < size) {
      throw fileFault(
        `only ${stream.bytesWritten} of its ${size} bytes are one ${compression} frame; pack it as one`,
      );
    }
  } catch (error) {
    if (readFailure !== undefined) throw readFailure;
    if (error instanceof TidemillError) throw error;
    throw fileFault(`its ${compression} can not be undone: ${messageOf(error)}`, error);
  } finally {
    source.destroy();
    stream.destroy();
  }
}
