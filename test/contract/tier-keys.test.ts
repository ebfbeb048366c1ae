import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  buildHotKey,
  hotKeyOf,
  hotMonthPrefix,
  manifestKey,
  parseHotKey,
  parseMonth,
  parseTimeFromKey,
  parseTimestamp,
  slotOf,
  slotStart,
  slotsInMonth,
  tierRoot,
  warmFileId,
  warmFileName,
} from '../../src/contract/tier-keys.ts';
import { tierCases } from './tier-cases.ts';

const anyTime = fc.oneof(
  fc.integer({ min: Date.UTC(1970, 0, 1), max: Date.UTC(2200, 0, 1) }),
  // Date.UTC takes the first hundred years for those of the twentieth century.
  fc.integer({ min: Date.parse('0001-01-01'), max: Date.parse('9999-12-31') }),
);

describe('a hot key', () => {
  test.each(tierCases.buildHotKey)(
    'of $provider at $timestamp is $expectedKey',
    ({ env, provider, timestamp, expectedKey, expectedError }) => {
      const build = () => buildHotKey(tierRoot(env), provider, parseTimestamp(timestamp));
      if (expectedKey === undefined)
        expect(build).toThrow(expectedError?.contains ?? expectedError?.message ?? '');
      else expect(build()).toBe(expectedKey);
    },
  );

  test('names its slot and back', () => {
    fc.assert(
      fc.property(anyTime, fc.constantFrom('' as const, 'test/' as const), (ms, root) => {
        const key = buildHotKey(root, 'aws', ms);
        const slot = slotOf(ms);
        expect(parseHotKey(root, 'aws', key)).toEqual(slot);
        expect(hotKeyOf(root, 'aws', slot)).toBe(key);
        expect(parseTimeFromKey(key)).toBe(slotStart(slot));
        expect(key.startsWith(hotMonthPrefix(root, 'aws', slot))).toBe(true);
        expect(ms - slotStart(slot)).toBeGreaterThanOrEqual(0);
        expect(ms - slotStart(slot)).toBeLessThan(600_000);
        expect(slot.slot).toBeLessThan(slotsInMonth(slot));
      }),
    );
  });

  test.each([
    'parquet_cp_hot/aws/2026/01/23/14-25.parquet',
    'parquet_cp_hot/aws/2026/1/23/14-20.parquet',
    'parquet_cp_hot/azure/2026/01/23/14-20.parquet',
    'test/parquet_cp_hot/aws/2026/01/23/14-20.parquet',
    'x/parquet_cp_hot/aws/2026/01/23/14-20.parquet',
    'parquet_cp_hot/aws/2026/01/23/14-20',
    'parquet_cp_hot/aws/2026/02/30/14-20.parquet',
    'nonsense',
    '',
  ])('that is %j is none of aws', (key) => {
    expect(() => parseHotKey('', 'aws', key)).toThrow(expect.objectContaining({ code: 'CONFIG_ERROR' }));
  });
});

describe("a key's time", () => {
  test.each(tierCases.parseTimeFromKey)('of $key is $expected', ({ key, expected }) => {
    const ms = parseTimeFromKey(key);
    expect(ms === undefined ? null : ms).toBe(expected === null ? null : Date.parse(expected));
  });

  test.each([
    ['a/2026/1/2/3-4.parquet', Date.UTC(2026, 0, 2, 3, 4)],
    ['2026/01/23/14-20.parquet', Date.UTC(2026, 0, 23, 14, 20)],
    ['a/2024/02/29/00-00.parquet', Date.UTC(2024, 1, 29)],
    ['a/2026/02/29/00-00.parquet', undefined],
    ['a/2026/01/23/24-00.parquet', undefined],
    ['a/2026/01/23/14-60.parquet', undefined],
    ['a/2026/01/23/14-20-00.parquet', undefined],
    ['a/0000/01/23/14-20.parquet', undefined],
    ['01/23/14-20.parquet', undefined],
    ['', undefined],
  ])('%j', (key, expected) => {
    expect(parseTimeFromKey(key)).toBe(expected);
  });
});

describe("a request's timestamp", () => {
  test.each([
    ['2026-01-23T14:23:00Z', '2026-01-23T14:23:00.000Z'],
    ['2026-01-23T14:23:00+00:00', '2026-01-23T14:23:00.000Z'],
    ['2026-01-23 14:23:00.123456-05:30', '2026-01-23T19:53:00.123Z'],
    ['2026-01-23T14:23+0900', '2026-01-23T05:23:00.000Z'],
    ['2026-01-23T14:23z', '2026-01-23T14:23:00.000Z'],
    ['2026-02-01T08:09:00+09', '2026-01-31T23:09:00.000Z'],
  ])('%s is read', (text, expected) => {
    expect(new Date(parseTimestamp(text)).toISOString()).toBe(expected);
  });

  test.each(['2026-01-23T14:23:00', '2026-01-23 14:23', '2026-01-23T14:23:00.5', '2026-01-23'])(
    '%s has no offset',
    (text) => {
      expect(() => parseTimestamp(text)).toThrow(
        expect.objectContaining({ code: 'CONFIG_ERROR', message: 'timestamp must be timezone-aware' }),
      );
    },
  );

  test.each([
    '',
    'today',
    '2026-02-30T00:00:00Z',
    '2026-01-23T25:00:00Z',
    '2026-13-01T00:00:00Z',
    '1769178180',
  ])('%j is no time', (text) => {
    expect(() => parseTimestamp(text)).toThrow(expect.objectContaining({ code: 'CONFIG_ERROR' }));
    expect(() => parseTimestamp(text)).toThrow(/^timestamp: /);
  });
});

describe('the keys of a month', () => {
  test('have the month in two digits', () => {
    expect(manifestKey('test/', 'aws', { year: 2026, month: 1 })).toBe(
      'test/parquet_warm/aws/m8/2026/01/manifest.json',
    );
    expect(hotMonthPrefix('', 'gcp', { year: 2026, month: 12 })).toBe('parquet_cp_hot/gcp/2026/12/');
  });

  test('cover 28 to 31 days', () => {
    const days = Array.from({ length: 12 }, (_, i) => slotsInMonth({ year: 2026, month: i + 1 }) / 144);
    expect(days).toEqual([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]);
    expect(slotsInMonth({ year: 2024, month: 2 })).toBe(29 * 144);
  });

  test.each(['2026', '2026-13', '2026-00', '26-01', '0000-01', ' 2026-01'])('%j is none', (text) => {
    expect(() => parseMonth(text)).toThrow('is not a month as 2026-01');
  });

  test('is read from a request', () => {
    expect(parseMonth('2026-01')).toEqual({ year: 2026, month: 1 });
  });
});

describe("a warm file's name", () => {
  test('has level, id and hot range, and its id is found again', () => {
    expect(warmFileName(1, 1, 0, 7)).toBe('L1_0001_00000-00007.parquet');
    expect(warmFileName(2, 12_345, 0, 123_456)).toBe('L2_12345_00000-123456.parquet');
    expect(warmFileId(`a/b/${warmFileName(2, 12_345, 0, 123_456)}`)).toBe(12_345);
    expect(warmFileId('L1_0001_00000-00007.parquet')).toBe(1);
    expect(warmFileId('parquet_cp_hot/aws/2026/01/23/14-20.parquet')).toBeUndefined();
  });
});
