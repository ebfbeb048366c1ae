/**
 * The bytes of an object as a stream: ranged reads pinned to its ETag, the next one under way while this
 * one is used; gzip and zstd, told by their magic numbers, are undone. What comes out is bounded, so that a
 * few kilobytes that grow without end are refused in time.
 */

import { Readable } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { InvalidRequestError, messageOf, TidemillError } from '../common/errors.ts';
import type { RandomAccess } from '../lake/random-access.ts';

const CHUNK_BYTES = 4 << 20;
const OUT_BYTES = 1 << 20;

type Compression = 'gzip' | 'zstd';

const MAGIC: readonly (readonly [Compression, readonly number[]])[] = [
  ['gzip', [0x1f, 0x8b]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
];

/** What the first bytes say that the object is compressed with; undefined for nothing known. */
export function compressionOf(head: Uint8Array): Compression | undefined {
  return MAGIC.find(([, magic]) => magic.every((byte, i) => head[i] === byte))?.[0];
}

/** The object's bytes. Throws INPUT_READ_ERROR when they are cut off, damaged, or more than `maxBytes`. */
export async function* objectBytes(
  object: RandomAccess,
  maxBytes: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const head = await object.read(0, Math.min(4, object.size));
  const compression = compressionOf(head);
  let total = 0;
  for await (const bytes of compression === undefined
    ? ranges(object, 0)
    : inflated(object, compression, signal)) {
    signal.throwIfAborted();
    total += bytes.length;
    if (total > maxBytes) {
      const limit = `${Math.floor(maxBytes / 2 ** 20).toLocaleString('en')} MiB`;
      throw refused(
        object,
        `has more than ${limit}${compression ? ` once its ${compression} is undone` : ''}`,
      );
    }
    yield bytes;
  }
}

async function* ranges(object: RandomAccess, from: number): AsyncGenerator<Uint8Array, void, undefined> {
  const read = (start: number) => object.read(start, Math.min(object.size, start + CHUNK_BYTES));
  let next = from < object.size ? read(from) : undefined;
  try {
    for (let start = from; next !== undefined; start += CHUNK_BYTES) {
      const bytes: Uint8Array = await next;
      next = start + CHUNK_BYTES < object.size ? read(start + CHUNK_BYTES) : undefined;
      next?.catch(() => {}); // Whoever awaits it hears of it.
      yield bytes;
    }
  } finally {
    await next?.catch(() => {});
  }
}

async function* inflated(
  object: RandomAccess,
  compression: Compression,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  // A zstd stream ends with its frame, and a file may have several: what follows is begun anew.
  for (let from = 0; from < object.size; ) {
    const options = { chunkSize: OUT_BYTES };
    const stream = compression === 'gzip' ? createGunzip(options) : createZstdDecompress(options);
    let readFailure: unknown;
    const source = Readable.from(ranges(object, from));
    source.on('error', (error) => {
      readFailure = error;
      stream.destroy(error);
    });
    source.pipe(stream);
    try {
      for await (const bytes of stream as AsyncIterable<Uint8Array>) yield bytes;
    } catch (error) {
      signal.throwIfAborted();
      if (readFailure !== undefined) throw readFailure;
      if (error instanceof TidemillError) throw error;
      throw refused(object, `is no whole ${compression}: ${messageOf(error)}`, error);
    } finally {
      source.destroy();
      stream.destroy();
    }
    const taken = stream.bytesWritten;
    if (taken === 0) throw refused(object, `is no whole ${compression}: there is nothing in it`);
    from += taken;
  }
}

function refused({ name }: RandomAccess, what: string, cause?: unknown): InvalidRequestError {
  const options = cause === undefined ? {} : { cause };
  return new InvalidRequestError('INPUT_READ_ERROR', `${name} ${what}`, {
    ...options,
    fields: { uri: name },
  });
}
