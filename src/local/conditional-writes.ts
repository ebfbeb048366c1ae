/**
 * The guard that makes S3's preconditions hold, which this version of fauxqs ignores on writes.
 *
 * PutObject, CopyObject, CompleteMultipartUpload and DeleteObject with `If-None-Match: *` or
 * `If-Match: <etag>`, and If-Match on GET and HEAD, answer as S3 does: 412 PreconditionFailed where
 * the object exists or its ETag differs, 404 NoSuchKey for If-Match on an object that is not there.
 *
 * Invariant: the check runs in the last preHandler hook and hands over synchronously, and fauxqs's
 * handlers write synchronously with the body at hand. So check and write share one tick of one
 * thread, no other write or delete can come between, and a dropped connection leaves no lock behind.
 * `enforceConditionalWrites` does not trust that: it races creates and updates at startup and fails
 * unless one of each wins.
 */

import { freshId } from '../common/ids.ts';
import { type AwsError, errorAnswer } from './aws-error.ts';
import type { Fauxqs, FauxqsApp, S3Store } from './fauxqs.ts';
import { operationOf } from './operation.ts';

export interface Conditions {
  readonly ifMatch?: string | undefined;
  readonly ifNoneMatch?: string | undefined;
}

const FAILED = 'At least one of the pre-conditions you specified did not hold';
const WRITES: ReadonlySet<string> = new Set([
  'PutObject',
  'CopyObject',
  'CompleteMultipartUpload',
  'DeleteObject',
]);
const READS: ReadonlySet<string> = new Set(['GetObject', 'HeadObject']);

function bare(etag: string): string {
  return etag.trim().replace(/^"|"$/g, '');
}

/** Why a write under these conditions must be refused, given the ETag that is there now (none: no object). */
export function refusalOfWrite(conditions: Conditions, etag: string | undefined): AwsError | undefined {
  const { ifMatch, ifNoneMatch } = conditions;
  if (ifNoneMatch !== undefined) {
    if (ifNoneMatch.trim() !== '*') {
      return {
        status: 501,
        code: 'NotImplemented',
        message: 'A header you provided implies functionality that is not implemented',
      };
    }
    if (etag !== undefined) return { status: 412, code: 'PreconditionFailed', message: FAILED };
  }
  if (ifMatch !== undefined) {
    if (etag === undefined) {
      return { status: 404, code: 'NoSuchKey', message: 'The specified key does not exist.' };
    }
    if (ifMatch.trim() !== '*' && bare(ifMatch) !== bare(etag)) {
      return { status: 412, code: 'PreconditionFailed', message: FAILED };
    }
  }
  return undefined;
}

/** The ETag of an object as it stands, or nothing where there is none. */
export function currentEtag(store: S3Store, bucket: string, key: string): string | undefined {
  try {
    return store.headObject(bucket, key).etag;
  } catch {
    return undefined;
  }
}

/**
 * Proves that conditional writes hold, installing the guard unless this fauxqs enforces them itself.
 * Call after every other preHandler hook and before listening.
 * @returns who enforces them
 * @throws Error when they do not hold even with the guard
 */
export async function enforceConditionalWrites({ app, stores }: Fauxqs): Promise<'fauxqs' | 'guard'> {
  const guard = { on: false };
  install(app, stores.s3Store, guard);
  if ((await findFault(app)) === undefined) return 'fauxqs';
  guard.on = true;
  const fault = await findFault(app);
  if (fault !== undefined) {
    throw new Error(`the embedded S3 does not honour conditional writes, not even guarded: ${fault}`);
  }
  return 'guard';
}

function install(app: FauxqsApp, store: S3Store, guard: { readonly on: boolean }): void {
  app.addHook('preHandler', (request, reply, done) => {
    const ifMatch = request.headers['if-match'];
    const ifNoneMatch = request.headers['if-none-match'];
    if (!guard.on || (ifMatch === undefined && ifNoneMatch === undefined)) {
      done();
      return;
    }
    const { name = '', bucket = '', key = '' } = operationOf(request) ?? {};
    const etag = currentEtag(store, bucket, key);
    let refusal: AwsError | undefined;
    if (WRITES.has(name) && store.hasBucket(bucket)) {
      refusal = refusalOfWrite({ ifMatch, ifNoneMatch }, etag);
    } else if (READS.has(name) && etag !== undefined) {
      refusal = refusalOfWrite({ ifMatch }, etag);
      // fauxqs compares to the letter, which fails an ETag without quotes.
      if (ifMatch !== undefined) delete request.headers['if-match'];
      if (name === 'HeadObject' && ifNoneMatch !== undefined && bare(ifNoneMatch) === bare(etag)) {
        reply.code(304).header('etag', etag).send();
        return;
      }
    }
    if (refusal === undefined) {
      done();
      return;
    }
    const answer = errorAnswer('s3', { ...refusal, resource: `/${bucket}/${key}` });
    reply.code(answer.status).headers(answer.headers);
    reply.send(name === 'HeadObject' ? undefined : answer.body);
  });
}

/** Tries everything that the guard promises on a bucket of its own; says what failed, or nothing. */
async function findFault(app: FauxqsApp): Promise<string | undefined> {
  const bucket = `tidemill-probe-${freshId()}`;
  const at = `/${bucket}/object`;
  const call = async (
    method: 'PUT' | 'GET' | 'DELETE' | 'POST',
    url: string,
    conditions: Conditions = {},
  ) => {
    const answer = await app.inject({
      method,
      url,
      headers: {
        'content-type': 'application/octet-stream',
        ...(conditions.ifMatch === undefined ? {} : { 'if-match': conditions.ifMatch }),
        ...(conditions.ifNoneMatch === undefined ? {} : { 'if-none-match': conditions.ifNoneMatch }),
      },
      ...(method === 'PUT' || method === 'POST' ? { payload: freshId() } : {}),
    });
    return { status: answer.statusCode, etag: String(answer.headers.etag ?? ''), body: answer.body };
  };
  const race = async (conditions: Conditions) => {
    const answers = await Promise.all(Array.from({ length: 4 }, () => call('PUT', at, conditions)));
    return answers
      .map(({ status }) => status)
      .toSorted((a, b) => a - b)
      .join(' ');
  };
  const expectations: readonly [string, string, () => Promise<string | number>][] = [
    ['a bucket', '200', async () => (await call('PUT', `/${bucket}`)).status],
    ['If-Match on a missing object', '404', async () => (await call('PUT', at, { ifMatch: '"x"' })).status],
    ['racing creates', '200 412 412 412', () => race({ ifNoneMatch: '*' })],
    ['racing updates', '200 412 412 412', async () => race({ ifMatch: (await call('GET', at)).etag })],
    ['a stale If-Match on GET', '412', async () => (await call('GET', at, { ifMatch: '"x"' })).status],
    [
      'a multipart create of an existing object',
      '412',
      async () => {
        const started = await call('POST', `${at}?uploads`);
        const id = /<UploadId>([^<]+)</.exec(started.body)?.[1];
        const { status } = await call('POST', `${at}?uploadId=${id}`, { ifNoneMatch: '*' });
        await call('DELETE', `${at}?uploadId=${id}`);
        return status;
      },
    ],
  ];
  try {
    for (const [what, wanted, attempt] of expectations) {
      const got = String(await attempt());
      if (got !== wanted) return `${what}: expected ${wanted}, got ${got}`;
    }
    return undefined;
  } finally {
    await call('DELETE', at);
    await call('DELETE', `/${bucket}`);
  }
}
