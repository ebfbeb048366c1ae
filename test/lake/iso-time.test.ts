/** ISO text as microseconds: which spellings are times, and which are not. */

import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseIsoMicros } from '../../src/lake/arrow-columns.ts';

const DAY = Date.UTC(2024, 1, 29) * 1000;
const HOUR = 3_600e6;

describe('a time:', () => {
  test.each([
    ['2024-02-29', DAY],
    [' 2024-02-29\n', DAY],
    ['2024-02-29T10:20', DAY + 10 * HOUR + 20 * 60e6],
    ['2024-02-29T10:20:30', DAY + 10 * HOUR + 20 * 60e6 + 30e6],
    ['2024-02-29 10:20:30', DAY + 10 * HOUR + 20 * 60e6 + 30e6],
    ['2024-02-29T10:20:30Z', DAY + 10 * HOUR + 20 * 60e6 + 30e6],
    ['2024-02-29T10:20:30z', DAY + 10 * HOUR + 20 * 60e6 + 30e6],
    ['2024-02-29 00:00:00.5', DAY + 500_000],
    ['2024-02-29 00:00:00,123', DAY + 123_000],
    ['2024-02-29 00:00:00.123456', DAY + 123_456],
    ['2024-02-29 00:00:00.123456789', DAY + 123_456],
    ['2024-02-29 00:00:00.000001Z', DAY + 1],
    ['2024-02-29T00:00:00+01:00', DAY - HOUR],
    ['2024-02-29T00:00:00-0130', DAY + 1.5 * HOUR],
    ['2024-02-29 00:00:00+05', DAY - 5 * HOUR],
    ['2024-02-29 00:00:00 +00:00', DAY],
    ['2024-02-29T23:59:59.999999+14:00', DAY + 10 * HOUR - 1],
    ['1969-12-31T23:59:59.999999Z', -1],
    ['1970-01-01', 0],
    ['0001-01-01', Date.parse('0001-01-01T00:00:00Z') * 1000],
    ['0050-06-01', Date.parse('0050-06-01T00:00:00Z') * 1000],
    ['9999-12-31T23:59:59Z', Date.UTC(9999, 11, 31, 23, 59, 59) * 1000],
  ])('%j', (text, micros) => {
    expect(parseIsoMicros(text)).toBe(micros);
  });
});

describe('no time:', () => {
  test.each([
    '',
    ' ',
    'now',
    '2024',
    '2024-02',
    '2024-2-9',
    '24-02-29',
    '20240229',
    '2024/02/29',
    '29.02.2024',
    '2024-00-10',
    '2024-13-10',
    '2024-02-30',
    '2023-02-29',
    '2024-04-31',
    '2024-02-00',
    '2024-02-29T',
    '2024-02-29T10',
    '2024-02-29T24:00:00',
    '2024-02-29T25:00:00',
    '2024-02-29T10:60:00',
    '2024-02-29T10:20:60',
    '2024-02-29T10:20:30.',
    '2024-02-29T10:20:30.1234567890',
    '2024-02-29T10:20:30+24:00',
    '2024-02-29T10:20:30+01:60',
    '2024-02-29T10:20:30+99:99',
    '2024-02-29T10:20:30 CET',
    '2024-02-29Z',
    '2024-02-29T10:20:30ZZ',
    '2024-02-29T10:20:30Z and more',
    '1709164800',
    '2024-02-29\u0000',
    '２０２４-02-29',
  ])('%j', (text) => {
    expect(parseIsoMicros(text)).toBeNaN();
  });
});

test('every instant as JavaScript spells it, and its microseconds', () => {
  const instant = fc.date({
    min: new Date('0001-01-01T00:00:00Z'),
    max: new Date('2254-12-31T23:59:59.999Z'), // Beyond, doubles hold no microseconds.
    noInvalidDate: true,
  });
  fc.assert(
    fc.property(instant, fc.integer({ min: 0, max: 999 }), (date, micros) => {
      const text = date.toISOString().replace('Z', `${String(micros).padStart(3, '0')}Z`);
      const expected = BigInt(date.getTime()) * 1000n + BigInt(micros);
      expect(parseIsoMicros(text)).toBe(Number(expected));
    }),
  );
});
