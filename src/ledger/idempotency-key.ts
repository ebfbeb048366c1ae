/**
 * Idempotency keys: 64 hex digits, BLAKE2b with 32 bytes of output, of the facts that make a piece of
 * input itself: those of the remote object, else those of the local file, else its bytes.
 *
 * Node's own `blake2b512` is another function, and cut to 32 bytes still not BLAKE2b-256, whose output
 * length is part of what is hashed: hence @noble/hashes, which is audited and has no dependencies.
 */

import { blake2b } from '@noble/hashes/blake2.js';

/** BLAKE2b-256 of bytes or of a text's UTF-8, in 64 hex digits. */
export function blake2Hex(data: Uint8Array | string): string {
  const bytes = typeof data === 'string' ? Buffer.from(data, 'utf8') : data;
  return Buffer.from(blake2b(bytes, { dkLen: 32 })).toString('hex');
}

/** What a server says of an object. At least one must be known for a key of remote facts. */
export interface RemoteFacts {
  readonly uri?: string | undefined;
  readonly etag?: string | undefined;
  /** Milliseconds since the epoch. */
  readonly lastModified?: number | undefined;
  readonly contentLength?: number | undefined;
  readonly contentMd5?: string | undefined;
}

export interface LocalFacts {
  readonly path: string;
  readonly size: number;
  /** Milliseconds since the epoch. */
  readonly modified: number;
}

/** Names and values as one text that no other facts give: JSON of the pairs, sorted by name, unknown ones left out. */
function canonical(kind: string, facts: object): string {
  const pairs = Object.entries(facts)
    .filter(([, value]) => value !== undefined && value !== null && value !== '')
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([kind, pairs]);
}

/** The key of the first of these that says something: remote facts, local facts, bytes. */
export function idempotencyKey(input: {
  readonly remote?: RemoteFacts | undefined;
  readonly local?: LocalFacts | undefined;
  readonly bytes?: Uint8Array | undefined;
}): string {
  const { remote, local, bytes } = input;
  // A length or a name alone does not tell two contents apart.
  const telling = remote?.etag || remote?.contentMd5 || remote?.lastModified !== undefined;
  if (remote !== undefined && telling) return blake2Hex(canonical('remote', remote));
  if (local !== undefined) return blake2Hex(canonical('local', local));
  if (bytes !== undefined) return blake2Hex(bytes);
  throw new TypeError('no facts and no bytes to make an idempotency key of');
}

/** A digest of any JSON value that does not depend on the order of its fields. */
export function digestOfJson(value: unknown): string {
  return blake2Hex(JSON.stringify(sorted(value)));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, inner]) => inner !== undefined);
  return Object.fromEntries(
    entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, inner]) => [name, sorted(inner)]),
  );
}
