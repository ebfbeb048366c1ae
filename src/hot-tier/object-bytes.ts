/** The bytes of an upload's object as a stream: ranged reads pinned to its ETag, gzip and zstd undone, and bounded. */

import { InvalidRequestError } from '../common/errors.ts';
import { compressionOf, inflate, readAhead } from '../lake/byte-stream.ts';
import type { RandomAccess } from '../lake/random-access.ts';

/** Bytes of a read; one that begins with the object gives all of them at its opening. */
export const CHUNK_BYTES = 4 << 20;

/** What the object is packed with, by its first bytes. */
export async function packingOf(object: RandomAccess) {
  return compressionOf(await object.read(0, Math.min(4, object.size)));
}

/** The object's bytes. Throws INPUT_READ_ERROR when they are cut off, damaged, or more than `maxBytes`. */
export async function* objectBytes(
  object: RandomAccess,
  maxBytes: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const compression = await packingOf(object);
  const limit = `has more than ${Math.floor(maxBytes / 2 ** 20).toLocaleString('en')} MiB`;
  if (compression === undefined && object.size > maxBytes) throw refused(object, limit);
  const chunks = readAhead((start, end) => object.read(start, end), object.size, CHUNK_BYTES);
  const unpacked =
    compression === undefined
      ? chunks
      : inflate(chunks, {
          compression,
          maxBytes,
          tooLarge: () => refused(object, `${limit} once its ${compression} is undone`),
          damaged: (why, cause) => refused(object, `is no whole ${compression}: ${why}`, cause),
        });
  for await (const bytes of unpacked) {
    signal.throwIfAborted();
    yield bytes;
  }
}

function refused({ name }: RandomAccess, what: string, cause?: unknown): InvalidRequestError {
  return new InvalidRequestError('INPUT_READ_ERROR', `${name} ${what}`, { cause, fields: { uri: name } });
}
