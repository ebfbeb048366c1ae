/**
 * A lake in memory, for the parts of the product that read and write one: as many objects as one input
 * needs, and no network. What goes over the real clients and threads is in targets/jobs.ts.
 */

import { createHash } from 'node:crypto';
import { InvalidRequestError } from '../../src/common/errors.ts';
import { uriOf } from '../../src/contract/object-location.ts';
import type { Lake } from '../../src/lake/lake.ts';
import type { StoredObject } from '../../src/lake/object-store.ts';

export interface MemoryLake {
  readonly lake: Lake;
  readonly bucket: string;
  put(key: string, bytes: Uint8Array): { readonly etag: string; readonly size: number };
  get(key: string): Uint8Array | undefined;
  /** Forgets all objects. */
  clear(): void;
}

export function createMemoryLake(bucket = 'lake'): MemoryLake {
  const objects = new Map<string, StoredObject>();

  function put(key: string, bytes: Uint8Array, metadata: Readonly<Record<string, string>> = {}) {
    const own = new Uint8Array(bytes);
    const etag = `"${createHash('md5').update(own).digest('hex')}"`;
    objects.set(key, { bytes: own, etag, size: own.length, metadata, lastModified: 0 });
    return { etag, size: own.length };
  }

  const copy = (stored: StoredObject | undefined) => stored && { ...stored, bytes: stored.bytes.slice() };
  const written = (facts: { etag: string; size: number }) => ({ outcome: 'written' as const, ...facts });
  const writer: Lake['writer'] = {
    async create({ key }, body, options) {
      const found = objects.get(key);
      return found === undefined
        ? written(put(key, body, options?.metadata))
        : { outcome: 'conflict', found };
    },
    async replace({ key }, body, etag, options) {
      const found = objects.get(key);
      return found?.etag === etag
        ? written(put(key, body, options?.metadata))
        : { outcome: 'conflict', found };
    },
  };
  const lake: Lake = {
    store: {
      get: async ({ key }) => copy(objects.get(key)),
      head: async ({ key }) => objects.get(key),
      async getRange(location, range) {
        const stored = objects.get(location.key);
        if (stored === undefined) return undefined;
        const { size } = stored;
        const [start, end] =
          'suffix' in range ? [Math.max(0, size - range.suffix), size] : [range.start, range.end];
        // As S3 does: 416.
        if (size === 0 || start >= size) {
          throw new InvalidRequestError(
            'INPUT_READ_ERROR',
            `Failed to read ${uriOf(location)}: no such range`,
          );
        }
        return { ...stored, bytes: stored.bytes.slice(start, Math.min(size, end)) };
      },
      delete: async ({ key }) => void objects.delete(key),
      async list(prefix) {
        const keys = [...objects.keys()].filter((key) => key.startsWith(prefix.key)).sort();
        const facts = keys.map((key) => ({ key, ...objects.get(key)!, lastModified: 0 }));
        return { objects: facts, prefixes: [], next: undefined };
      },
    },
    writer,
    openUpload(location, options) {
      const parts: Uint8Array[] = [];
      return {
        write: async (bytes) => void parts.push(new Uint8Array(bytes)),
        finish: () => writer.create(location, Buffer.concat(parts), options),
        abort: async () => {},
      };
    },
    observer: { request() {}, conflict() {}, retry() {} },
    checkBucket: async () => {},
    close() {},
  };
  return {
    lake,
    bucket,
    put: (key, bytes) => put(key, bytes),
    get: (key) => objects.get(key)?.bytes,
    clear: () => objects.clear(),
  };
}
