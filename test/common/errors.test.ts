import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  causesOf,
  codeOf,
  ERROR_CODES,
  fromErrorRecord,
  InvalidRequestError,
  messageOf,
  NotARequestError,
  RetryableError,
  toErrorRecord,
} from '../../src/common/errors.ts';

const cause = new TypeError('outer', { cause: new RangeError('inner', { cause: 'a text' }) });
const fields = { key: 'a/b', status: 503, ours: true, none: null };

describe('an error crosses to another thread as plain data, and back', () => {
  test.each<[kind: string, error: Error, Kind: new (...args: never[]) => Error]>([
    ['invalid', new InvalidRequestError('CONFIG_ERROR', 'no', { cause, fields }), InvalidRequestError],
    ['retryable', new RetryableError('INPUT_READ_ERROR', 'later', { cause, fields }), RetryableError],
    ['not-a-request', new NotARequestError('no_json', 'what', { cause, fields }), NotARequestError],
    ['internal', new TypeError('oops', { cause }), Error],
  ])('%s', (kind, error, Kind) => {
    const record = structuredClone(toErrorRecord(error));
    expect(record.kind).toBe(kind);
    const back = fromErrorRecord(record);
    expect(back).toBeInstanceOf(Kind);
    expect(back.message).toBe(error.message);
    expect(codeOf(back)).toBe(codeOf(error));
    expect(back.stack).toBe(error.stack);
    expect(causesOf(back).map((text) => text.replace(/^Error: /, ''))).toEqual(causesOf(error));
    expect(toErrorRecord(back).fields).toEqual(kind === 'internal' ? {} : fields);
  });

  test('whatever its code, message and fields are', () => {
    const code = fc.constantFrom(...ERROR_CODES);
    const values = fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null));
    fc.assert(
      fc.property(code, fc.string(), fc.dictionary(fc.string(), values), (code, message, fields) => {
        const back = fromErrorRecord(toErrorRecord(new RetryableError(code, message, { fields })));
        expect(back).toMatchObject({ code, message });
        expect((back as RetryableError).fields).toEqual(fields);
      }),
    );
  });

  test('also what is no error at all', () => {
    expect(toErrorRecord('a text')).toMatchObject({
      kind: 'internal',
      code: 'INTERNAL_ERROR',
      message: 'a text',
    });
    expect(toErrorRecord(undefined).message).toBe('undefined');
  });
});

test('causes are listed outermost first, and a chain that bites its tail ends', () => {
  expect(causesOf(new Error('top', { cause }))).toEqual(['TypeError: outer', 'RangeError: inner', 'a text']);
  const ring = new Error('ring');
  ring.cause = ring;
  expect(causesOf(ring)).toHaveLength(8);
  expect(causesOf('no error')).toEqual([]);
});

test('what is not ours has the code INTERNAL_ERROR', () => {
  expect(codeOf(new TypeError('x'))).toBe('INTERNAL_ERROR');
  expect(codeOf(null)).toBe('INTERNAL_ERROR');
  expect(messageOf(5)).toBe('5');
});

test('an error is named after its kind', () => {
  expect(new RetryableError('INTERNAL_ERROR', 'x').name).toBe('RetryableError');
  expect(new NotARequestError('no_json', 'x')).toMatchObject({ reason: 'no_json', code: 'CONFIG_ERROR' });
});
