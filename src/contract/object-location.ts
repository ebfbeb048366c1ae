/**
 * Where an object lies: bucket and key, written as `s3://bucket/key` or as a key of the default bucket.
 *
 * A message may only reach what it is allowed to reach: the default bucket and the listed ones. Keys
 * that climb (`..`), that are empty or hold control characters are refused.
 */

import { hasControls } from '../common/control-characters.ts';
import { InvalidRequestError } from '../common/errors.ts';

export interface ObjectLocation {
  readonly bucket: string;
  readonly key: string;
}

export interface BucketPolicy {
  readonly defaultBucket: string;
  /** Buckets beside the default one that a request may name. */
  readonly allowedBuckets: ReadonlySet<string>;
}

const URI = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/([^/]*)\/?(.*)$/s;
const MAX_KEY_BYTES = 1024;

/** `s3://bucket/key`. */
export function uriOf(location: ObjectLocation): string {
  return `s3://${location.bucket}/${location.key}`;
}

function refuse(path: string, why: string): never {
  throw new InvalidRequestError('CONFIG_ERROR', `${path}: ${why}`);
}

/** Throws CONFIG_ERROR, naming `path`, unless `key` is a plain relative key. */
export function checkKey(key: string, path: string): string {
  if (key.length === 0) refuse(path, 'must name a key, got an empty one');
  if (Buffer.byteLength(key) > MAX_KEY_BYTES) refuse(path, `must be a key of at most ${MAX_KEY_BYTES} bytes`);
  for (const segment of key.split('/')) {
    if (segment === '..' || segment === '.') refuse(path, `must not hold the segment "${segment}"`);
  }
  if (hasControls(key)) refuse(path, 'must not hold control characters');
  return key;
}

/**
 * The location that `text` names, an `s3://` URI or a key of the default bucket; throws CONFIG_ERROR,
 * naming `path` (the field's path in the request), for another scheme, a bucket that is not allowed, or
 * a key that climbs. A leading slash of a key is dropped.
 */
export function parseLocation(text: string, path: string, policy: BucketPolicy): ObjectLocation {
  const uri = URI.exec(text);
  if (uri === null) return { bucket: policy.defaultBucket, key: checkKey(text.replace(/^\/+/, ''), path) };
  const [, scheme, bucket = '', key = ''] = uri;
  if (scheme !== 's3') refuse(path, `must be an s3:// URI or a key, got the scheme "${scheme}"`);
  if (bucket !== policy.defaultBucket && !policy.allowedBuckets.has(bucket)) {
    refuse(path, `the bucket "${bucket}" is not allowed; list it in AWS_S3_ALLOWED_BUCKETS`);
  }
  return { bucket, key: checkKey(key, path) };
}

/** Like `parseLocation`, for a prefix: the key ends with exactly one slash. */
export function parsePrefix(text: string, path: string, policy: BucketPolicy): ObjectLocation {
  const location = parseLocation(text.replace(/\/+$/, ''), path, policy);
  return { bucket: location.bucket, key: `${location.key}/` };
}
