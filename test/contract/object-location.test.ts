import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { InvalidRequestError } from '../../src/common/errors.ts';
import { parseLocation, parsePrefix, uriOf } from '../../src/contract/object-location.ts';

const policy = { defaultBucket: 'lake', allowedBuckets: new Set(['shared']) };

test.each([
  ['a/b.json', 'lake', 'a/b.json'],
  ['/a/b.json', 'lake', 'a/b.json'],
  ['s3://lake/a/b.json', 'lake', 'a/b.json'],
  ['S3://lake/a', undefined, 'scheme "S3"'],
  ['s3://shared/a', 'shared', 'a'],
  ['s3://other/a', undefined, 'the bucket "other" is not allowed'],
  ['s3://AKID:hunter2@other/a', undefined, 'the bucket "other" is not allowed'],
  [`s3://${'o'.repeat(900)}/a`, undefined, `the bucket "${'o'.repeat(63)}…" is not allowed`],
  ['a/\ud800.json', undefined, 'half a surrogate pair'],
  ['s3://', undefined, 'the bucket "" is not allowed'],
  ['s3://lake', undefined, 'must name a key'],
  ['s3://lake/', undefined, 'must name a key'],
  ['', undefined, 'must name a key'],
  ['/', undefined, 'must name a key'],
  ['https://lake.s3.amazonaws.com/a', undefined, 'scheme "https"'],
  ['file:///etc/passwd', undefined, 'scheme "file"'],
  ['../a', undefined, 'the segment ".."'],
  ['a/../b', undefined, 'the segment ".."'],
  ['a/..', undefined, 'the segment ".."'],
  ['a/./b', undefined, 'the segment "."'],
  ['s3://lake/a/../../b', undefined, 'the segment ".."'],
  ['a/..b/c..', 'lake', 'a/..b/c..'],
  ['a/%2e%2e/b', 'lake', 'a/%2e%2e/b'],
  ['a\\..\\b', 'lake', 'a\\..\\b'],
  ['a\u0000b', undefined, 'control characters'],
  ['a\nb', undefined, 'control characters'],
  ['ключ/ß 1', 'lake', 'ключ/ß 1'],
  ['k'.repeat(1024), 'lake', 'k'.repeat(1024)],
  ['k'.repeat(1025), undefined, 'at most 1024 bytes'],
  ['é'.repeat(513), undefined, 'at most 1024 bytes'],
])('%j is read or refused as it should be', (text, bucket, rest) => {
  if (bucket !== undefined) {
    expect(parseLocation(text, 'field', policy)).toEqual({ bucket, key: rest });
    return;
  }
  expect(() => parseLocation(text, 'field', policy)).toThrow(InvalidRequestError);
  expect(() => parseLocation(text, 'field', policy)).toThrow(`field: `);
  expect(() => parseLocation(text, 'field', policy)).toThrow(rest);
  expect(() => parseLocation(text, 'field', policy)).not.toThrow('hunter2');
});

test.each([
  ['metrics/a', 'metrics/a/'],
  ['metrics/a/', 'metrics/a/'],
  ['metrics/a///', 'metrics/a/'],
  ['s3://lake/metrics', 'metrics/'],
])('the prefix %s ends with one slash', (text, key) => {
  expect(parsePrefix(text, 'field', policy)).toEqual({ bucket: 'lake', key });
});

describe('whatever a message says', () => {
  const texts = fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc
      .array(fc.constantFrom('..', '.', '', 'a', 's3:', 'lake', 'shared', 'other', '\u0000', '%2e%2e'))
      .map((segments) => segments.join('/')),
  );

  test('only what is allowed is reached, and no key climbs', () => {
    fc.assert(
      fc.property(texts, (text) => {
        for (const parse of [parseLocation, parsePrefix]) {
          try {
            const { bucket, key } = parse(text, 'field', policy);
            expect(['lake', 'shared']).toContain(bucket);
            expect(key.split('/')).not.toContain('..');
            expect(key).not.toBe('');
          } catch (error) {
            expect(error).toBeInstanceOf(InvalidRequestError);
            expect((error as InvalidRequestError).code).toBe('CONFIG_ERROR');
          }
        }
      }),
    );
  });

  test('a location read from its own URI is the same', () => {
    fc.assert(
      fc.property(texts, (text) => {
        let location: { bucket: string; key: string };
        try {
          location = parseLocation(text, 'field', policy);
        } catch {
          return;
        }
        expect(parseLocation(uriOf(location), 'field', policy)).toEqual(location);
      }),
    );
  });
});
