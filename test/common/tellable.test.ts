/** What is told of texts that others wrote: no credentials, no more than a bound, and in no time. */

import { describe, expect, test } from '@jest/globals';
import { causesOf, InvalidRequestError, messageOf, toErrorRecord } from '../../src/common/errors.ts';
import { shortened, TOLD_CHARACTERS, tellable, withoutSecrets } from '../../src/common/tellable.ts';

describe('credentials are replaced', () => {
  test.each([
    ['postgres://tidemill:hunter2@db:5432/ledger', 'postgres://[redacted]@db:5432/ledger'],
    ['postgres://u:p@ss@db/x and https://a@b/', 'postgres://[redacted]@db/x and https://[redacted]@b/'],
    ['s3://AKIDEXAMPLE:hunter2@bucket/key', 's3://[redacted]@bucket/key'],
    ['GET /k?X-Amz-Signature=abc&X-Amz-Date=1', 'GET /k?X-Amz-Signature=[redacted]&X-Amz-Date=1'],
    ['/k?x-id=1&X-Amz-Credential=AB/1/us&b=2', '/k?x-id=1&X-Amz-Credential=[redacted]&b=2'],
    ['host:a\nx-amz-security-token:FwoGZ//abc\n\nhost', 'host:a\nx-amz-security-token:[redacted]\n\nhost'],
    ['password=hunter2 host=db', 'password=[redacted] host=db'],
    ['Authorization: Bearer abc.def', 'Authorization: [redacted]'],
    ['aws_secret_access_key = hunter2', 'aws_secret_access_key = [redacted]'],
    ['the key AKIAIOSFODNN7EXAMPLE is gone', 'the key [redacted] is gone'],
  ])('%s', (text, told) => {
    expect(withoutSecrets(text)).toBe(told);
  });
});

test.each([
  's3://bucket/key@2x.parquet is no readable Parquet file',
  's3://bucket/a/b: column "obs_time" has no offset',
  'fields: design=5, monkey: 7, the token "x" was not expected',
  'expressionJson.left.window: must be a whole number of at least 1, got text "3"',
  'a@b.example wrote to c@d.example',
])('what is no credential stays: %s', (text) => {
  expect(withoutSecrets(text)).toBe(text);
});

test('a text is cut with an ellipsis, never within a character', () => {
  expect(shortened('abcdef', 6)).toBe('abcdef');
  expect(shortened('abcdefg', 6)).toBe('abcde…');
  expect(shortened('abcd😀g', 6)).toBe('abcd…');
});

test('no text takes long, however it is made', () => {
  const started = performance.now();
  for (const part of [
    '://',
    ':',
    '@',
    'a',
    'token=',
    'x-amz-',
    '://a',
    'A@',
    'AKIA',
    'password: bearer ',
    '-',
  ]) {
    withoutSecrets(part.repeat(1_000_000 / part.length));
  }
  expect(performance.now() - started).toBeLessThan(2_000);
});

test('what errors tell of themselves is without secrets and bounded: message, record and causes', () => {
  const cause = new Error(`connect postgres://u:hunter2@db ${'x'.repeat(100_000)}`);
  const error = new InvalidRequestError('CONFIG_ERROR', `s3://u:hunter2@b ${'y'.repeat(100_000)}`, { cause });
  for (const told of [
    error.message,
    ...error.problems,
    ...causesOf(error),
    messageOf(cause),
    toErrorRecord(cause).message,
  ]) {
    expect(told).toContain('[redacted]');
    expect(told.length).toBeLessThanOrEqual(TOLD_CHARACTERS);
  }
  expect(tellable('x'.repeat(1_000_000), 10)).toBe('xxxxxxxxx…');
});
