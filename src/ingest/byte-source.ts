/** The bytes of one file as a stream of chunks: an S3 object pinned to its ETag, and what it is packed with undone. */

import { type ObjectLocation, uriOf } from '../contract/object-location.ts';
import { type Compression, inflate, readAhead } from '../lake/byte-stream.ts';
import type { ObjectStore } from '../lake/object-store.ts';
import { fileFault } from './rows.ts';

export interface SourceFile {
  readonly location: ObjectLocation;
  readonly size: number;
  readonly etag: string;
}

/** A file of more than this many times its compressed size is a bomb, unless it is small. */
const MAX_RATIO = 250;
const HARMLESS_BYTES = 256 * 1024 * 1024;

/** Reads the object in ranges of `chunkBytes`; all at once where that covers it. */
export function readChunks(
  store: ObjectStore,
  file: SourceFile,
  chunkBytes: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const { location, size, etag } = file;
  const read = async (start: number, end: number): Promise<Uint8Array> => {
    const whole = start === 0 && end === size;
    const stored = whole
      ? await store.get(location, { signal, etag, maxBytes: size })
      : await store.getRange(location, { start, end }, { signal, etag });
    if (stored === undefined) throw fileFault(`${uriOf(location)} is gone`);
    return stored.bytes;
  };
  return readAhead(read, size, chunkBytes);
}

/** Undoes the compression; what is broken or grows without bound is a fault of the file. */
export async function* unpack(
  chunks: AsyncIterable<Uint8Array>,
  compression: Compression | undefined,
  size: number,
): AsyncGenerator<Uint8Array> {
  if (compression === undefined) {
    yield* chunks;
    return;
  }
  yield* inflate(chunks, {
    compression,
    maxBytes: Math.max(HARMLESS_BYTES, size * MAX_RATIO),
    tooLarge: () => fileFault(`it grows to more than ${MAX_RATIO} times its size; is it a bomb?`),
    damaged: (why, cause) => fileFault(`its ${compression} can not be undone: ${why}`, cause),
  });
}
