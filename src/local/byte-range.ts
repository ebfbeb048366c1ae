/**
 * Ranged reads as S3 answers them. fauxqs refuses with 416 a suffix longer than the object, which is
 * how a Parquet footer is fetched, and a range that makes no sense, which S3 ignores. The Range
 * header is put into the form that fauxqs understands before its handler sees it.
 */

import type { FauxqsApp, S3Store } from './fauxqs.ts';
import { operationOf } from './operation.ts';

/** The range that fauxqs shall see for an object of `size` bytes; nothing for the whole object. */
export function normalRange(range: string, size: number): string | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(range.trim());
  const [, first = '', last = ''] = match ?? [];
  if (first === '' && last === '') return undefined;
  if (first === '') return Number(last) > size ? 'bytes=0-' : range;
  return last !== '' && Number(first) > Number(last) ? undefined : range;
}

export function installByteRanges(app: FauxqsApp, store: S3Store): void {
  app.addHook('preHandler', (request, reply, done) => {
    const operation = operationOf(request);
    if (operation?.name === 'GetObject' || operation?.name === 'HeadObject') {
      reply.header('accept-ranges', 'bytes');
      const { range } = request.headers;
      const object = objectAt(store, operation.bucket ?? '', operation.key ?? '');
      if (range !== undefined && object !== undefined) {
        const normal = normalRange(range, object.contentLength);
        if (normal === undefined) delete request.headers.range;
        else request.headers.range = normal;
      }
    }
    done();
  });
}

function objectAt(store: S3Store, bucket: string, key: string) {
  try {
    return store.headObject(bucket, key);
  } catch {
    return undefined;
  }
}
