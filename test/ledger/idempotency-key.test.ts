import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { blake2Hex, digestOfJson, idempotencyKey } from '../../src/ledger/idempotency-key.ts';

describe('an idempotency key', () => {
  test.each([
    // RFC 7693's function with 32 bytes of output; vectors as b2sum -l 256 and Python's hashlib give them.
    ['', '0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8'],
    ['abc', 'bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319'],
    [
      'The quick brown fox jumps over the lazy dog',
      '01718cec35cd3d796dd00020e0bfecb473ad23457d063b75eff29c0ffa2e58a9',
    ],
  ])('is BLAKE2b-256: %j', (text, digest) => {
    expect(blake2Hex(text)).toBe(digest);
    expect(blake2Hex(Buffer.from(text))).toBe(digest);
  });

  test('is of remote facts before local ones, and of local ones before bytes', () => {
    const remote = { uri: 's3://b/k', etag: '"1"', lastModified: 1, contentLength: 2 };
    const local = { path: '/a', size: 1, modified: 2 };
    const bytes = Buffer.from('x');
    const key = idempotencyKey({ remote, local, bytes });
    expect(key).toMatch(/^[0-9a-f]{64}$/);
    expect(key).toBe(idempotencyKey({ remote }));
    expect(idempotencyKey({ local, bytes })).toBe(idempotencyKey({ local }));
    expect(idempotencyKey({ bytes })).toBe(blake2Hex(bytes));
    // A length alone says nothing of the content.
    expect(idempotencyKey({ remote: { contentLength: 2 }, bytes })).toBe(blake2Hex(bytes));
    expect(() => idempotencyKey({})).toThrow(TypeError);
  });

  test('changes with each fact, and not with their order', () => {
    const facts = { uri: 'u', etag: 'e', lastModified: 1, contentLength: 2, contentMd5: 'm' };
    const keys = new Set(
      [{}, { uri: 'v' }, { etag: 'f' }, { lastModified: 2 }, { contentLength: 3 }, { contentMd5: 'n' }].map(
        (change) => idempotencyKey({ remote: { ...facts, ...change } }),
      ),
    );
    expect(keys.size).toBe(6);
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const again = JSON.parse(JSON.stringify(value)) as unknown;
        return digestOfJson(value) === digestOfJson(again);
      }),
    );
    expect(digestOfJson({ a: 1, b: { c: 2, d: 3 } })).toBe(digestOfJson({ b: { d: 3, c: 2 }, a: 1 }));
  });
});
