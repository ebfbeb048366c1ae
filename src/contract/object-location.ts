/**
 * Where an object lies: bucket and key, written as `s3://bucket/key` or as a key of the default bucket.
 *
 * A message may only reach what it is allowed to reach: the default bucket and the listed ones. Keys
 * that climb (`..`), that are empty or hold control characters are refused.
 */

import { hasControls } from '../common/control-characters.ts';
import { InvalidRequestError } from '../common/errors.ts';
import { shortened } from '../common/tellable.ts';

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
/** Characters of a bucket or scheme that an error shows. */
const SHOWN_BUCKET = 64;
const MAX_KEY_BYTES = 1024;

/** Whether a text is a URI of whatever scheme; otherwise it is a key. */
export function hasScheme(text: string): boolean {
  return URI.test(text);
}

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
  if (!key.isWellFormed()) refuse(path, 'must be whole Unicode, got half a surrogate pair');
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
  if (scheme !== 's3')
    refuse(path, `must be an s3:// URI or a key, got the scheme "${shortened(scheme ?? '', SHOWN_BUCKET)}"`);
  if (bucket !== policy.defaultBucket && !policy.allowedBuckets.has(bucket)) {
    // Of a URL's user info, which is no bucket's, nothing is told: it may be a key and its secret.
    const shown = shortened(bucket.slice(bucket.lastIndexOf('@') + 1), SHOWN_BUCKET);
    refuse(path, `the bucket "${shown}" is not allowed; list it in AWS_S3_ALLOWED_BUCKETS`);
  }
  return { bucket, key: checkKey(key, path) };
}

/** Like `parseLocation`, for a prefix: the key ends with exactly one slash. */
export function parsePrefix(text: string, path: string, policy: BucketPolicy): ObjectLocation {
  const location = parseLocation(text.replace(/\/+$/, ''), path, policy);
  return { bucket: location.bucket, key: `${location.key}/` };
}
