/**
 * Which AWS operation a request is: the service, the operation's name as the API reference has it,
 * and for S3 the bucket and key. Known from the route, the query and the headers alone, the same
 * for path-style and virtual-host-style addresses, since fauxqs has rewritten the latter by then.
 */

import type { IncomingHttpHeaders } from 'node:http';
import type { LocalService } from './aws-error.ts';

/** What a request is known by; Fastify's requests are such, and so are those that a proxy has read. */
export interface RoutedRequest {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: Readonly<IncomingHttpHeaders>;
  /** Of a path of S3: `bucket`, and the key as `*`. */
  readonly params: unknown;
  readonly query: unknown;
  /** Parsed, for SNS. */
  readonly body: unknown;
}

export interface Operation {
  readonly service: LocalService;
  readonly name: string;
  readonly bucket?: string;
  readonly key?: string;
}

type Query = Readonly<Record<string, unknown>>;

/** The operation of `request`, whose body has been parsed; nothing for fauxqs's own pages. */
export function operationOf(request: RoutedRequest): Operation | undefined {
  const { bucket, '*': key } = (request.params ?? {}) as { bucket?: string; '*'?: string };
  const query = (request.query ?? {}) as Query;
  if (bucket !== undefined) {
    if (bucket === '_fauxqs') return undefined;
    const name = key
      ? objectOperation(request, query)
      : bucketOperation(request.method, query, request.headers['content-type']);
    return key ? { service: 's3', name, bucket, key } : { service: 's3', name, bucket };
  }
  const path = request.url.split('?', 1)[0];
  if (path !== '/') return undefined;
  if (request.method === 'GET') return { service: 's3', name: 'ListBuckets' };
  const target = request.headers['x-amz-target'];
  if (typeof target === 'string') {
    return { service: 'sqs', name: target.slice(target.lastIndexOf('.') + 1) };
  }
  const action = (request.body as { Action?: unknown } | null)?.Action;
  return typeof action === 'string' ? { service: 'sns', name: action } : undefined;
}

function bucketOperation(method: string, query: Query, contentType: string | undefined): string {
  const lifecycle = 'lifecycle' in query ? 'LifecycleConfiguration' : undefined;
  switch (method) {
    case 'PUT':
      return lifecycle ? `PutBucket${lifecycle}` : 'CreateBucket';
    case 'HEAD':
      return 'HeadBucket';
    case 'DELETE':
      return lifecycle ? `DeleteBucket${lifecycle}` : 'DeleteBucket';
    case 'POST':
      return contentType?.startsWith('multipart/form-data') ? 'PostObject' : 'DeleteObjects';
    default:
      if (lifecycle) return `GetBucket${lifecycle}`;
      if ('uploads' in query) return 'ListMultipartUploads';
      if ('location' in query) return 'GetBucketLocation';
      return query['list-type'] === '2' ? 'ListObjectsV2' : 'ListObjects';
  }
}

function objectOperation(request: RoutedRequest, query: Query): string {
  const copies = request.headers['x-amz-copy-source'] !== undefined;
  switch (request.method) {
    case 'PUT':
      if ('renameObject' in query) return 'RenameObject';
      if (query.uploadId && query.partNumber) return copies ? 'UploadPartCopy' : 'UploadPart';
      return copies ? 'CopyObject' : 'PutObject';
    case 'HEAD':
      return 'HeadObject';
    case 'DELETE':
      return query.uploadId ? 'AbortMultipartUpload' : 'DeleteObject';
    case 'POST':
      if ('uploads' in query) return 'CreateMultipartUpload';
      return query.uploadId ? 'CompleteMultipartUpload' : 'DeleteObjects';
    default:
      if ('attributes' in query) return 'GetObjectAttributes';
      return query.uploadId ? 'ListParts' : 'GetObject';
  }
}
