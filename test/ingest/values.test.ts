/** Numbers, times and globs as texts: tables of cases, and oracles for what has one. */

import { posix } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createIsoOfBytes, numberOfBytes } from '../../src/ingest/byte-value.ts';
import { decimalOf } from '../../src/ingest/decimal.ts';
import { compileGlob } from '../../src/ingest/glob.ts';
import { excelMicros, openTimeReader } from '../../src/ingest/time-text.ts';

const NO = undefined;

describe('a number', () => {
  test.each([
    // text, with ".", with ",", with "auto"
    ['1', 1, 1, 1],
    ['-1.5', -1.5, NO, -1.5],
    ['1,234.56', 1234.56, NO, 1234.56],
    ['1.234,56', NO, 1234.56, 1234.56],
    ['1,234', 1234, 1.234, NO],
    ['1.234', 1.234, 1234, NO],
    ['123.456', 123.456, 123456, NO],
    ['1234.567', 1234.567, NO, 1234.567],
    ['-1234.567', -1234.567, NO, -1234.567],
    ['1234,567', NO, 1234.567, 1234.567],
    ['0.125', 0.125, NO, 0.125],
    ['0,125', NO, 0.125, 0.125],
    ['1,5', NO, 1.5, 1.5],
    ['1.234.567', NO, 1234567, 1234567],
    ['1,234,567', 1234567, NO, 1234567],
    ['12,34,567', 1234567, NO, 1234567],
    ['1,23,4', NO, NO, NO],
    ['1234,567.8', NO, NO, NO],
    ['$1 234', 1234, 1234, 1234],
    ['$1,234.50', 1234.5, NO, 1234.5],
    ['€ 1.234,50', NO, 1234.5, 1234.5],
    ['1.234,50 €', NO, 1234.5, 1234.5],
    ['USD 12.5', 12.5, NO, 12.5],
    ['12.5 CHF', 12.5, NO, 12.5],
    ['-$5', -5, -5, -5],
    ['$-5', -5, -5, -5],
    ['($5.5)', -5.5, NO, -5.5],
    ['$(5.5)', -5.5, NO, -5.5],
    ['(12.5)', -12.5, NO, -12.5],
    ['(-12.5)', NO, NO, NO],
    ['5-', -5, -5, -5],
    ['12 %', 0.12, 0.12, 0.12],
    ['-3,5%', NO, -0.035, -0.035],
    ['1e-3', 0.001, 0.001, 0.001],
    ['\u22125', -5, -5, -5],
    ['1\u202f234\u00a0567', 1234567, 1234567, 1234567],
    ["1'234'567.5", 1234567.5, NO, 1234567.5],
    [' 7 ', 7, 7, 7],
    ['', NO, NO, NO],
    ['abc', NO, NO, NO],
    ['1 2', NO, NO, NO],
    ['1,,2', NO, NO, NO],
    ['1.2.3', NO, NO, NO],
    ['--1', NO, NO, NO],
    ['Infinity', NO, NO, NO],
    ['0x10', NO, NO, NO],
    ['1e999', NO, NO, NO],
    ['5 %%', NO, NO, NO],
  ])('%j', (text, point, comma, auto) => {
    const found = [decimalOf(text, '.'), decimalOf(text, ','), decimalOf(text, 'auto')];
    expect(found).toEqual([point, comma, auto]);
  });

  test('is with "auto" the same, whichever of its signs is the point and which the comma', () => {
    const chars = fc.constantFrom(...'0123456789.,-$e '.split(''));
    fc.assert(
      fc.property(fc.string({ unit: chars, maxLength: 12 }), (text) => {
        const other = text.replace(/[.,]/g, (sign) => (sign === '.' ? ',' : '.'));
        expect(decimalOf(other, 'auto')).toBe(decimalOf(text, 'auto'));
      }),
      { numRuns: 5_000 },
    );
  });

  test('that a program wrote is read exactly, as a text and as bytes', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const text = String(value);
        expect(decimalOf(text, '.')).toBe(value === 0 && text === '0' ? 0 : value);
        const bytes = Buffer.from(`x${text}y`);
        const quick = numberOfBytes(bytes, 1, bytes.length - 1);
        if (!Number.isNaN(quick)) expect(quick).toBe(Number(text));
      }),
    );
  });

  test('in bytes is what its text is, whatever the bytes are', () => {
    const chars = fc.constantFrom(...'0123456789.-+ e,%'.split(''));
    fc.assert(
      fc.property(fc.string({ unit: chars, maxLength: 20 }), (text) => {
        const bytes = Buffer.from(text);
        const quick = numberOfBytes(bytes, 0, bytes.length);
        if (!Number.isNaN(quick)) expect(quick).toBe(decimalOf(text, '.'));
      }),
      { numRuns: 2_000 },
    );
  });
});

const iso = (micros: number) => (Number.isNaN(micros) ? 'no' : new Date(micros / 1000).toISOString());

describe('a time', () => {
  test.each([
    ['iso', 'UTC', '2026-01-31', '2026-01-31T00:00:00.000Z'],
    ['iso', 'UTC', '2026-01-31 12:30', '2026-01-31T12:30:00.000Z'],
    ['iso', 'UTC', '2026-01-31T12:30:15.250Z', '2026-01-31T12:30:15.250Z'],
    ['iso', 'UTC', '2026-01-31T12:30:15+02:00', '2026-01-31T10:30:15.000Z'],
    ['iso', 'UTC', '2026-01', '2026-01-01T00:00:00.000Z'],
    ['iso', 'UTC', '20260131T123015Z', '2026-01-31T12:30:15.000Z'],
    ['iso', 'UTC', '2026-02-30', 'no'],
    ['iso', 'UTC', '31/01/2026', 'no'],
    ['iso', 'Europe/Berlin', '2026-07-01 12:00', '2026-07-01T10:00:00.000Z'],
    ['iso', 'Europe/Berlin', '2026-07-01', '2026-06-30T22:00:00.000Z'],
    ['iso', 'Europe/Berlin', '2026-07-01T12:00:00Z', '2026-07-01T12:00:00.000Z'],
    // Once there, twice there, and never there.
    ['iso', 'Europe/Berlin', '2026-10-25 02:30', '2026-10-25T00:30:00.000Z'],
    ['iso', 'Europe/Berlin', '2026-03-29 02:30', '2026-03-29T01:30:00.000Z'],
    ['iso', 'America/New_York', '1900-01-01', '1900-01-01T05:00:00.000Z'],
    ['day-first', 'UTC', '31/01/2026', '2026-01-31T00:00:00.000Z'],
    ['day-first', 'UTC', '1.2.2026 06:05', '2026-02-01T06:05:00.000Z'],
    ['day-first', 'UTC', '2026-02-01', '2026-02-01T00:00:00.000Z'],
    ['day-first', 'UTC', '01/02/26', 'no'],
    ['day-first', 'UTC', '32/01/2026', 'no'],
    ['month-first', 'UTC', '1/31/2026', '2026-01-31T00:00:00.000Z'],
    ['month-first', 'UTC', '1/31/2026 1:05 PM', '2026-01-31T13:05:00.000Z'],
    ['month-first', 'UTC', '31/1/2026', 'no'],
    ['month-first', 'UTC', 'Jan 1 2000', '2000-01-01T00:00:00.000Z'],
    ['month-first', 'UTC', 'September 5, 2001', '2001-09-05T00:00:00.000Z'],
    ['day-first', 'UTC', '1 May 2000', '2000-05-01T00:00:00.000Z'],
    ['day-first', 'UTC', '1 Mayor 2000', 'no'],
    ['epoch-seconds', 'UTC', '1700000000', '2023-11-14T22:13:20.000Z'],
    ['epoch-seconds', 'UTC', '-1.5', '1969-12-31T23:59:58.500Z'],
    ['epoch-millis', 'UTC', '1700000000123', '2023-11-14T22:13:20.123Z'],
    ['epoch-millis', 'UTC', '2026-01-01', 'no'],
    ['epoch-seconds', 'UTC', '1700000000000', 'no'],
    ['excel', 'UTC', '45000', '2023-03-15T00:00:00.000Z'],
    ['excel', 'UTC', '1', '1900-01-01T00:00:00.000Z'],
    ['excel', 'UTC', '60', 'no'],
    ['excel', 'UTC', '61.25', '1900-03-01T06:00:00.000Z'],
  ] as const)('%s, %s: %s', (style, zone, text, wanted) => {
    expect(iso(openTimeReader(style, zone).ofText(text))).toBe(wanted);
  });

  test('of the 1904 calendar is 1,462 days later', () => {
    expect(iso(excelMicros(0, true))).toBe('1904-01-01T00:00:00.000Z');
  });

  test('in bytes is what its text is, whatever the bytes are', () => {
    const reader = openTimeReader('iso', 'UTC');
    const ofBytes = createIsoOfBytes();
    const digits = fc.integer({ min: 0, max: 99 }).map((n) => String(n).padStart(2, '0'));
    const made = fc
      .tuple(
        digits,
        digits,
        digits,
        digits,
        fc.constantFrom('T', ' ', ''),
        digits,
        digits,
        digits,
        fc.constantFrom('', '.5', '.123456', '.123456789', 'Z', '.25Z', '+01:00', '.'),
      )
      .map(
        ([c, y, mo, d, t, h, mi, s, end]) =>
          `${c}${y}-${mo}-${d}${t === '' ? '' : `${t}${h}:${mi}:${s}${end}`}`,
      );
    const odd = fc.string({ unit: fc.constantFrom(...'0123456789-T: Z.'.split('')), maxLength: 24 });
    fc.assert(
      fc.property(fc.oneof(made, odd), (text) => {
        const bytes = Buffer.from(text);
        const quick = ofBytes(bytes, 0, bytes.length);
        if (!Number.isNaN(quick)) expect(quick).toBe(reader.ofText(text));
      }),
      { numRuns: 3_000 },
    );
  });

  test('in a zone comes back as the local time it was, wherever there is one', () => {
    for (const zone of ['Europe/Berlin', 'America/St_Johns', 'Australia/Lord_Howe', 'Asia/Kolkata']) {
      const reader = openTimeReader('iso', zone);
      const local = new Intl.DateTimeFormat('sv-SE', {
        timeZone: zone,
        dateStyle: 'short',
        timeStyle: 'medium',
      });
      fc.assert(
        fc.property(fc.integer({ min: 0, max: 4_000_000 }), (halfHours) => {
          // A moment's local text leads back to it, or to the other of two with that text.
          const moment = halfHours * 1_800_000;
          const found = reader.ofText(local.format(moment)) / 1000;
          expect(local.format(found)).toBe(local.format(moment));
          expect(found).toBeLessThanOrEqual(moment);
        }),
        { numRuns: 200 },
      );
    }
  });
});

describe('a glob', () => {
  test.each([
    ['**', 'a/b/c.csv', true],
    ['*.csv', 'a.csv', true],
    ['*.csv', 'a/b.csv', false],
    ['**/*.csv', 'a.csv', true],
    ['**/*.csv', 'x/y/a.csv', true],
    ['**/*.csv', 'x/y/a.csv.gz', false],
    ['x/**', 'x/y/a', true],
    ['x/**/z', 'x/z', true],
    ['x/**/z', 'x/a/b/z', true],
    ['x/**/z', 'xz', false],
    ['{a,b}/*.{csv,tsv}', 'b/1.tsv', true],
    ['{a,b}/*.{csv,tsv}', 'c/1.tsv', false],
    ['202[0-5]/?.csv', '2023/x.csv', true],
    ['202[!0-5]/?.csv', '2023/x.csv', false],
    ['a+b (1).csv', 'a+b (1).csv', true],
    ['\\*.csv', '*.csv', true],
    ['\\*.csv', 'a.csv', false],
    ['*', 'übung 😀.csv', true],
    ['a.csv', 'axcsv', false],
  ])('%s of %s: %s', (pattern, path, wanted) => {
    expect(compileGlob(pattern)(path)).toBe(wanted);
  });

  test('says what Node says of plain patterns', () => {
    const part = fc.constantFrom('a', 'b', '*', '?', '**', 'a*', '[ab]', '{a,bb}');
    const pattern = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
    const path = fc
      .array(fc.constantFrom('a', 'b', 'bb', 'ab', 'x'), { minLength: 1, maxLength: 5 })
      .map((parts) => parts.join('/'));
    fc.assert(
      fc.property(pattern, path, (glob, name) => {
        expect([glob, name, compileGlob(glob)(name)]).toEqual([glob, name, posix.matchesGlob(name, glob)]);
      }),
      { numRuns: 1_000 },
    );
  });

  test.each([
    ['stars with letters between them', '*a'.repeat(16), 'a'.repeat(1_000), true],
    ['stars over segments', `${'**/a*'.repeat(10)}*b`, `${'a/'.repeat(400)}${'a'.repeat(200)}`, false],
    ['alternatives that are the same', '{a,a}'.repeat(200), 'a'.repeat(1_000), false],
    ['alternatives in alternatives', `${'{a*,'.repeat(30)}b${'}'.repeat(30)}`, 'a'.repeat(1_000), true],
    ['a star that may begin anywhere', `*a${'?'.repeat(900)}`, 'ab'.repeat(500), false],
  ])('takes no more than moments for a thousand keys: %s', (_, pattern, path, fits) => {
    const glob = compileGlob(`${pattern}!`);
    const started = performance.now();
    for (let i = 0; i < 1_000; i++) if (glob(`${path}${i}`)) throw new Error('it fits');
    expect(glob(`${path}!`)).toBe(fits);
    expect(performance.now() - started).toBeLessThan(2_000);
  });

  test('is refused where it is none', () => {
    for (const [pattern, why] of [
      ['*'.repeat(3) + '/*'.repeat(40), 'more than 32 stars'],
      ['a\\', 'ends with a backslash'],
      ['[a', '[ without its ]'],
      ['{a,b', '{ without its }'],
      ['[z-a]', 'is no pattern'],
    ] as const) {
      expect(() => compileGlob(pattern)).toThrow(`source.glob: `);
      expect(() => compileGlob(pattern)).toThrow(why);
    }
  });
});
