/**
 * ListObjectsV2 as S3 answers it, in place of fauxqs's, which sorts keys by locale but pages through
 * them by code unit (so a page may skip keys), repeats common prefixes after a page that ends with
 * one, and drops a common prefix that StartAfter lies inside. Also ListMultipartUploads, which it
 * lacks: tests ask it whether uploads were left behind.
 *
 * Terms: an entry of a page is an object or a common prefix; a token names the entry that a page
 * ended with, and its kind, since all that lies below a listed prefix is done with.
 */

import { type AwsError, errorAnswer, escapeXml } from './aws-error.ts';
import type { FauxqsApp, S3Object, S3Store } from './fauxqs.ts';
import { multipartUploadsOf, objectsOf } from './fauxqs.ts';
import { operationOf } from './operation.ts';

export interface ListingRequest {
  readonly prefix: string;
  readonly delimiter: string;
  readonly startAfter: string;
  /** The token of the page before; wins over `startAfter`. */
  readonly token?: string | undefined;
  readonly maxKeys: number;
}

export interface ListingPage {
  readonly keys: readonly string[];
  readonly commonPrefixes: readonly string[];
  /** Where the next page begins; none on the last page. */
  readonly nextToken?: string;
}

const XMLNS = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"';

function encodeToken(kind: 'key' | 'prefix', entry: string): string {
  return Buffer.from(JSON.stringify([kind, entry])).toString('base64url');
}

/** @returns nothing for text that is no token of ours */
function decodeToken(token: string): { kind: string; entry: string } | undefined {
  try {
    const [kind, entry] = JSON.parse(Buffer.from(token, 'base64url').toString()) as unknown[];
    return typeof kind === 'string' && typeof entry === 'string' ? { kind, entry } : undefined;
  } catch {
    return undefined;
  }
}

/**
 * One page over all keys of a bucket.
 * @returns nothing when the token is not one of ours
 */
export function listPage(keys: Iterable<string>, request: ListingRequest): ListingPage | undefined {
  const { prefix, delimiter, startAfter, token, maxKeys } = request;
  const after = token === undefined ? { kind: 'key', entry: startAfter } : decodeToken(token);
  if (after === undefined) return undefined;
  const isDone = (key: string) =>
    key <= after.entry || (after.kind === 'prefix' && key.startsWith(after.entry));
  const wanted = [...keys].filter((key) => key.startsWith(prefix) && !isDone(key)).sort();
  const found: string[] = [];
  const commonPrefixes: string[] = [];
  let last = '';
  for (const key of wanted) {
    const end = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
    const common = end < 0 ? undefined : key.slice(0, end + delimiter.length);
    if (common !== undefined && common === commonPrefixes.at(-1)) continue;
    if (found.length + commonPrefixes.length >= maxKeys) {
      return maxKeys === 0
        ? { keys: [], commonPrefixes: [] }
        : { keys: found, commonPrefixes, nextToken: last };
    }
    if (common === undefined) found.push(key);
    else commonPrefixes.push(common);
    last = common === undefined ? encodeToken('key', key) : encodeToken('prefix', common);
  }
  return { keys: found, commonPrefixes };
}

export function installObjectListing(app: FauxqsApp, store: S3Store): void {
  app.addHook('preHandler', (request, reply, done) => {
    const operation = operationOf(request);
    const bucket = operation?.bucket ?? '';
    if (!store.hasBucket(bucket)) {
      done();
      return;
    }
    const xml = (body: string) =>
      reply.header('content-type', 'application/xml').send(`<?xml version="1.0" encoding="UTF-8"?>\n${body}`);
    if (operation?.name === 'ListMultipartUploads') {
      xml(renderUploads(store, bucket));
    } else if (operation?.name === 'ListObjectsV2') {
      const answer = listObjects(store, bucket, request.query as Record<string, string | undefined>);
      if (typeof answer === 'string') {
        xml(answer);
      } else {
        const { status, headers, body } = errorAnswer('s3', answer);
        reply.code(status).headers(headers).send(body);
      }
    } else {
      done();
    }
  });
}

function listObjects(
  store: S3Store,
  bucket: string,
  query: Readonly<Record<string, string | undefined>>,
): string | AwsError {
  const { prefix = '', delimiter = '', 'start-after': startAfter = '', 'continuation-token': token } = query;
  const maxKeys = Math.min(Number(query['max-keys'] ?? 1000), 1000);
  if (!Number.isInteger(maxKeys) || maxKeys < 0) {
    return {
      status: 400,
      code: 'InvalidArgument',
      message: 'Provided max-keys not an integer or within integer range',
    };
  }
  const objects = objectsOf(store, bucket);
  const page = listPage(objects.keys(), { prefix, delimiter, startAfter, token, maxKeys });
  if (page === undefined) {
    return { status: 400, code: 'InvalidArgument', message: 'The continuation token provided is incorrect' };
  }
  const encodes = query['encoding-type'] === 'url';
  const text = (value: string) =>
    escapeXml(encodes ? encodeURIComponent(value).replaceAll('%2F', '/') : value);
  const element = (name: string, value: string | number | boolean | undefined) =>
    value === undefined || value === '' ? '' : `<${name}>${value}</${name}>`;
  return [
    `<ListBucketResult ${XMLNS}>`,
    element('Name', bucket),
    `<Prefix>${text(prefix)}</Prefix>`,
    element('Delimiter', text(delimiter)),
    element('StartAfter', text(startAfter)),
    element('EncodingType', encodes ? 'url' : ''),
    element('ContinuationToken', token),
    element('NextContinuationToken', page.nextToken),
    element('KeyCount', page.keys.length + page.commonPrefixes.length),
    element('MaxKeys', maxKeys),
    element('IsTruncated', page.nextToken !== undefined),
    ...page.keys.map((key) => renderObject(objects.get(key) as S3Object, text(key))),
    ...page.commonPrefixes.map(
      (common) => `<CommonPrefixes><Prefix>${text(common)}</Prefix></CommonPrefixes>`,
    ),
    '</ListBucketResult>',
  ].join('');
}

function renderObject(object: S3Object, key: string): string {
  return (
    `<Contents><Key>${key}</Key><LastModified>${object.lastModified.toISOString()}</LastModified>` +
    `<ETag>${escapeXml(object.etag)}</ETag><Size>${object.contentLength}</Size>` +
    '<StorageClass>STANDARD</StorageClass></Contents>'
  );
}

function renderUploads(store: S3Store, bucket: string): string {
  const uploads = multipartUploadsOf(store, bucket).map(
    ({ key, uploadId, initiated }) =>
      `<Upload><Key>${escapeXml(key)}</Key><UploadId>${uploadId}</UploadId>` +
      `<Initiated>${initiated.toISOString()}</Initiated></Upload>`,
  );
  return (
    `<ListMultipartUploadsResult ${XMLNS}><Bucket>${bucket}</Bucket><IsTruncated>false</IsTruncated>` +
    `${uploads.join('')}</ListMultipartUploadsResult>`
  );
}
