/**
 * A file that is read in ranges: an S3 object pinned to one ETag, or a local file. The last bytes come
 * with the opening, since a Parquet file begins at its end; a small file is then there as a whole.
 */

import { type FileHandle, open } from 'node:fs/promises';
import { InvalidRequestError, RetryableError } from '../common/errors.ts';
import { type ObjectLocation, uriOf } from '../contract/object-location.ts';
import type { ObjectStore } from './object-store.ts';

export interface RandomAccess {
  /** What to call the file in errors: its URI or path. */
  readonly name: string;
  readonly size: number;
  /** The bytes from `size - tail.byteLength` to the end. */
  readonly tail: Uint8Array;
  readonly etag: string;
  /** Bytes `start` to `end`, exclusive. */
  read(start: number, end: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** Bytes read at opening: whole small files, and nearly every footer. */
export const TAIL_BYTES = 65_536;

/** Opens an object for ranged reads; one that is not there, or empty, is INPUT_READ_ERROR. */
export async function openObject(
  store: ObjectStore,
  location: ObjectLocation,
  options: { readonly signal?: AbortSignal | undefined; readonly tailBytes?: number } = {},
): Promise<RandomAccess> {
  const { signal, tailBytes = TAIL_BYTES } = options;
  const opened = await store.getRange(location, { suffix: tailBytes }, { signal });
  if (opened === undefined) throw missing(location);
  return reopenObject(store, { location, etag: opened.etag, size: opened.size, tail: opened.bytes }, signal);
}

/** As `openObject`, for one that is read from its start on: its first bytes come with the opening, no tail. */
export async function openAtStart(
  store: ObjectStore,
  location: ObjectLocation,
  { signal, headBytes }: { readonly signal?: AbortSignal | undefined; readonly headBytes: number },
): Promise<RandomAccess> {
  const opened = await store.getRange(location, { start: 0, end: headBytes }, { signal });
  if (opened === undefined) throw missing(location);
  const { etag, size, bytes: head } = opened;
  const object = reopenObject(store, { location, etag, size, tail: new Uint8Array(0) }, signal);
  return {
    ...object,
    read: async (start, end) =>
      end <= head.length ? head.subarray(start, end) : await object.read(start, end),
  };
}

function missing(location: ObjectLocation): InvalidRequestError {
  return new InvalidRequestError('INPUT_READ_ERROR', `${uriOf(location)} does not exist`);
}

/** What opening an object has found; plain data, so that another thread can go on from it. */
export interface OpenedObject {
  readonly location: ObjectLocation;
  readonly etag: string;
  readonly size: number;
  readonly tail: Uint8Array;
}

/** An object that was opened already, pinned to the ETag it had then. */
export function reopenObject(
  store: ObjectStore,
  { location, etag, size, tail }: OpenedObject,
  signal: AbortSignal | undefined,
): RandomAccess {
  const name = uriOf(location);
  return {
    name,
    size,
    tail,
    etag,
    async read(start, end) {
      const tailStart = size - tail.byteLength;
      if (start >= tailStart) return tail.subarray(start - tailStart, end - tailStart);
      const part = await store.getRange(location, { start, end }, { signal, etag });
      if (part === undefined)
        throw new RetryableError('INPUT_READ_ERROR', `${name} was deleted while it was being read`);
      if (part.bytes.byteLength !== end - start) {
        throw new InvalidRequestError('INPUT_READ_ERROR', `${name} ended early: no bytes ${start} to ${end}`);
      }
      return part.bytes;
    },
    close: async () => {},
  };
}

/** Opens a local file for ranged reads: for benchmarks and tools. */
export async function openLocalFile(path: string): Promise<RandomAccess> {
  const handle: FileHandle = await open(path, 'r');
  const { size } = await handle.stat();
  const read = async (start: number, end: number): Promise<Uint8Array> => {
    const bytes = new Uint8Array(end - start);
    const { bytesRead } = await handle.read(bytes, 0, bytes.byteLength, start);
    if (bytesRead !== bytes.byteLength)
      throw new InvalidRequestError('INPUT_READ_ERROR', `${path} ended early`);
    return bytes;
  };
  const tail = await read(Math.max(0, size - TAIL_BYTES), size);
  return { name: path, size, tail, etag: '', read, close: () => handle.close() };
}
