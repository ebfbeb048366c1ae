import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { fromCsv, micros, objectsOf, valuesOf } from './uploads.ts';

const HEADER = 'InstanceType,Region,AZ,Time,SPS,IF,Extra';
const ROW = 'm5.large,us-east-1,use1-az1,2026-01-23 14:20:00,3,1.5,x';

describe('a CSV of rows', () => {
  test('is read: cells cast, empty ones null, columns that are not the provider’s dropped', () => {
    const table = fromCsv(`${HEADER}\n${ROW}\nm6,r,z,2026-01-23 14:20:00,,,\n`);
    expect(objectsOf(table)).toEqual([
      {
        InstanceType: 'm5.large',
        Region: 'us-east-1',
        AZ: 'use1-az1',
        Time: micros('2026-01-23T14:20:00Z'),
        SPS: 3n,
        IF: 1.5,
        Ceased: false,
      },
      {
        InstanceType: 'm6',
        Region: 'r',
        AZ: 'z',
        Time: micros('2026-01-23T14:20:00Z'),
        SPS: null,
        IF: null,
        Ceased: false,
      },
    ]);
  });

  test('gives back any texts that were quoted, in pieces of any size', () => {
    const quote = (text: string) => `"${text.replaceAll('"', '""')}"`;
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('', '"', '""', ',', '\n', '\r\n', 'a"b,c\nd', 'é'),
    );
    fc.assert(
      fc.property(
        fc.array(text, { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 1, max: 60 }),
        fc.constantFrom('\n', '\r\n'),
        fc.boolean(),
        (texts, size, newline, ends) => {
          const rows = texts.map((az) => `a,r,${quote(az)},2026-01-23 14:20:00`);
          const csv = ['InstanceType,Region,AZ,Time', ...rows].join(newline) + (ends ? newline : '');
          expect(valuesOf(fromCsv(csv, size), 'AZ')).toEqual(texts.map((az) => Buffer.from(az).toString()));
        },
      ),
      { numRuns: 500 },
    );
  });

  test('may begin with a byte-order mark and have blank lines', () => {
    for (const size of [1, 2, 1_000])
      expect(fromCsv(`\ufeff${HEADER}\r\n\r\n${ROW}\r\n\n${ROW}`, size).rows).toBe(2);
  });

  test.each([
    [`${HEADER}\n${ROW}\n${ROW},more`, 'changed: row 2 has 8 cells, the header 7'],
    [`${HEADER}\n${ROW}\na,b`, 'changed: row 2 has 2 cells, the header 7'],
    [`${HEADER}\n${ROW.replace(',3,', ',three,')}`, 'changed: row 1, column SPS: "three" is not a number'],
    [`${HEADER}\n${ROW.replace(',3,', ',NaN,')}`, 'changed: row 1, column SPS: "NaN" is not a number'],
    [`${HEADER}\n${ROW.replace('m5.large', '')}`, 'changed: row 1, column InstanceType: is missing or null'],
    [`${HEADER}\n"m5.large,us-east-1`, 'changed: row 1 has a cell without its closing quote'],
    [`${HEADER}\n"m5".large,us-east-1`, 'changed: row 1 has text behind the closing quote of a cell'],
    ['SPS,AZ,SPS\n1,a,2', 'changed: the header names the column "SPS" twice'],
    ['"SPS', 'changed: the header has a cell without its closing quote'],
    ['SPS,IF\n1,2', 'changed: row 1, column InstanceType: is missing or null'],
  ])('that is %j is refused', (csv, message) => {
    for (const size of [3, 1_000]) {
      expect(() => fromCsv(csv, size)).toThrow(message);
      expect(() => fromCsv(csv, size)).toThrow(expect.objectContaining({ code: 'INPUT_READ_ERROR' }));
    }
  });

  test('that is not UTF-8 is refused', () => {
    const csv = Buffer.from(`${HEADER}\n${ROW.replace('use1', 'us?1')}`);
    csv[csv.indexOf('?')] = 0xe9;
    expect(() => fromCsv(csv)).toThrow('changed: row 1 is not UTF-8');
  });

  test('of one endless cell is refused before it fills the memory', () => {
    const endless = Buffer.concat([Buffer.from(`${HEADER}\n"`), Buffer.alloc(17 << 20, 'x')]);
    // In small pieces: were it looked at anew with each of them, this would take minutes.
    for (const size of [1_000, 8 << 20])
      expect(() => fromCsv(endless, size)).toThrow('changed: row 1 is longer than 16777216 bytes');
  });

  test('may have a cell of megabytes, with line ends and quotes in it', () => {
    const long = '"a,\n'.repeat(1 << 20);
    const csv = `${HEADER}\n${ROW}\nm6,r,"${long.replaceAll('"', '""')}",2026-01-23 14:20:00,,,\n${ROW}\n`;
    expect(valuesOf(fromCsv(csv, 1_000), 'AZ')).toEqual(['use1-az1', long, 'use1-az1']);
  });
});
