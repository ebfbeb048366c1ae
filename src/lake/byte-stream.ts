/**
 * Objects as streams of bytes: ranged reads, the next one under way while this one is used, and gzip and
 * zstd undone. What comes out is bounded, so that a few kilobytes that grow without end are refused in
 * time.
 */

import { Readable } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { messageOf, TidemillError } from '../common/errors.ts';

export type Compression = 'gzip' | 'zstd';

const OUT_BYTES = 1 << 20;

/** How the bytes are packed, by their first four: a name may lie. Undefined for nothing known. */
export function compressionOf(head: Uint8Array): Compression | undefined {
  const [a = 0, b = 0, c = 0, d = 0] = head;
  if (a === 0x1f && b === 0x8b) return 'gzip';
  if (a === 0x28 && b === 0xb5 && c === 0x2f && d === 0xfd) return 'zstd';
  // A frame to be skipped, which pzstd and seekable files begin with.
  return (a & 0xf0) === 0x50 && b === 0x2a && c === 0x4d && d === 0x18 ? 'zstd' : undefined;
}

/** Bytes 0 to `size` in ranges of `chunkBytes`, by `read(start, end)`. */
export async function* readAhead(
  read: (start: number, end: number) => Promise<Uint8Array>,
  size: number,
  chunkBytes: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  const from = (start: number) => read(start, Math.min(size, start + chunkBytes));
  let next = size > 0 ? from(0) : undefined;
  try {
    for (let start = 0; next !== undefined; start += chunkBytes) {
      const bytes: Uint8Array = await next;
      next = start + chunkBytes < size ? from(start + chunkBytes) : undefined;
      next?.catch(() => {}); // Whoever awaits it hears of it.
      yield bytes;
    }
  } finally {
    await next?.catch(() => {});
  }
}

export interface InflateRules {
  readonly compression: Compression;
  /** The most bytes that may come out. */
  readonly maxBytes: number;
  /** The error of more than that. */
  readonly tooLarge: () => TidemillError;
  /** The error of bytes that are cut off, damaged, or followed by what is none of it. */
  readonly damaged: (why: string, cause?: unknown) => Error;
}

/**
 * Undoes the compression, of all members or frames one after the other. A failure of `chunks` is thrown
 * as it is.
 */
export async function* inflate(
  chunks: AsyncIterable<Uint8Array>,
  rules: InflateRules,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { compression, maxBytes, tooLarge, damaged } = rules;
  const input = chunks[Symbol.asyncIterator]();
  let total = 0;
  /** What the stream before has not taken. */
  let rest: Uint8Array[] = [];
  try {
    // A zstd stream may end with its frame, and a file may have several: what follows is begun anew.
    for (let done = false; !done || rest.length > 0; ) {
      const options = { chunkSize: OUT_BYTES };
      const stream = compression === 'gzip' ? createGunzip(options) : createZstdDecompress(options);
      const fed: Uint8Array[] = [];
      let fedBefore = 0;
      let failure: { readonly error: unknown } | undefined;
      let pulling: Promise<Uint8Array | undefined> | undefined;
      const pull = async (): Promise<Uint8Array | undefined> => {
        let chunk = rest.shift();
        if (chunk === undefined && !done) {
          try {
            const next = await input.next();
            done = next.done === true;
            chunk = next.done === true ? undefined : next.value;
          } catch (error) {
            done = true;
            failure = { error };
            throw error;
          }
        }
        if (chunk !== undefined) fed.push(chunk);
        while (fed.length > 0 && stream.bytesWritten - fedBefore >= fed[0]!.length)
          fedBefore += fed.shift()!.length;
        return chunk;
      };
      async function* feed() {
        for (;;) {
          pulling = pull();
          const chunk = await pulling;
          if (chunk === undefined) return;
          yield chunk;
        }
      }
      const source = Readable.from(feed());
      source.on('error', (error) => stream.destroy(error));
      source.pipe(stream);
      try {
        for await (const bytes of stream as AsyncIterable<Uint8Array>) {
          total += bytes.length;
          if (total > maxBytes) throw tooLarge();
          yield bytes;
        }
      } catch (error) {
        if (failure !== undefined) throw failure.error;
        if (error instanceof TidemillError) throw error;
        throw damaged(messageOf(error), error);
      } finally {
        source.destroy();
        stream.destroy();
        await pulling?.catch(() => {});
      }
      const taken = stream.bytesWritten;
      rest = untaken([...fed, ...rest], taken - fedBefore);
      if (taken === 0) throw damaged('there is nothing in it');
    }
  } finally {
    await input.return?.();
  }
}

/** The chunks without their first `taken` bytes. */
function untaken(chunks: readonly Uint8Array[], taken: number): Uint8Array[] {
  let skip = taken;
  const left: Uint8Array[] = [];
  for (const chunk of chunks) {
    if (skip < chunk.length) left.push(chunk.subarray(skip));
    skip = Math.max(0, skip - chunk.length);
  }
  return left;
}
