import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseJson, putObject } from '../../src/hot-tier/json-rows.ts';
import type { Table } from '../../src/lake/tier-table/table.ts';
import { awsRow, built, fromJsonLines, type JsonRow, objectsOf } from './uploads.ts';

/** The long way for every line: what the fast one must agree with. */
function byParse(lines: readonly string[]): Table {
  return built((builder) => {
    for (const line of lines) putObject(builder, builder.startRow(), parseJson(line) as JsonRow);
  });
}

function outcome(read: () => Table): unknown {
  try {
    return objectsOf(read());
  } catch (error) {
    return (error as Error).message;
  }
}

const number = fc.oneof(
  fc.integer().map(String),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)),
  fc.bigInt({ min: -(2n ** 65n), max: 2n ** 65n }).map(String),
  fc.constantFrom(
    '0',
    '-0',
    '-0.0',
    '1.50',
    '0.1',
    '1e3',
    '1E-2',
    '123456789012345',
    '1234567890123456.5',
    '9007199254740993.5',
  ),
);
const text = fc
  .oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom('12', '2.5', 'true', '', '2026-01-23 14:20:00', 'a"b', 'é', '\n'),
  )
  .map((value) => JSON.stringify(value));
const anyValue = fc.oneof(
  number,
  text,
  fc.constantFrom('true', 'false', 'null', '[1, {"a": "]}"}]', '{"x": 1}'),
);
const space = fc.constantFrom('', ' ', '\t ', '\r');

/** An object in JSON with members of the provider's columns and others, in any order, some twice. */
const anyLine = fc
  .tuple(
    fc.array(
      fc.tuple(
        fc.constantFrom(
          'InstanceType',
          'Region',
          'AZ',
          'Time',
          'SPS',
          'T3',
          'IF',
          'SpotPrice',
          'Ceased',
          'Extra',
          'x"y',
          'é',
          '',
        ),
        anyValue,
        space,
      ),
      { maxLength: 8 },
    ),
    space,
  )
  .map(([members, outer]) => {
    const key = Object.entries(awsRow()).map(
      ([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`,
    );
    const own = members.map(
      ([name, value, inner]) => `${inner}${JSON.stringify(name)}${inner}:${inner}${value}${inner}`,
    );
    return `${outer}{${[...key, ...own].join(',')}}${outer}`;
  });

describe('lines of JSON', () => {
  test('are read as JSON.parse reads them, in pieces of any size', () => {
    fc.assert(
      fc.property(fc.array(anyLine, { maxLength: 4 }), fc.integer({ min: 1, max: 200 }), (lines, size) => {
        expect(outcome(() => fromJsonLines(lines.join('\n'), size))).toEqual(outcome(() => byParse(lines)));
      }),
      { numRuns: 1_000 },
    );
  });

  test('that are damaged at any byte are read as JSON.parse reads them, or refused as it refuses them', () => {
    const line = JSON.stringify(awsRow({ SPS: 3, IF: 1.25, Ceased: false, Extra: { a: [1] } }));
    fc.assert(
      fc.property(
        fc.nat(line.length - 1),
        fc.constantFrom('', '"', '}', ',', '\\', '0', 'e', '.', ' ', 'x', '\u0001'),
        (at, put) => {
          const damaged = line.slice(0, at) + put + line.slice(at + 1);
          let expected: unknown;
          try {
            expected = outcome(() => byParse([damaged]));
            JSON.parse(damaged);
          } catch {
            expected = expect.stringContaining('changed: row 1 is not JSON: ');
          }
          expect(outcome(() => fromJsonLines(damaged))).toEqual(expected);
        },
      ),
      { numRuns: 1_000 },
    );
  });

  test.each([
    ['[1]', 'changed: row 1 is JSON but no object'],
    ['"a"', 'changed: row 1 is JSON but no object'],
    ['null', 'changed: row 1 is JSON but no object'],
    ['{', 'changed: row 1 is not JSON'],
    ['{"a":NaN}', 'changed: row 1 is not JSON'],
    [`${JSON.stringify(awsRow())}\n\n{"a":1,}`, 'changed: row 2 is not JSON'],
    [`${JSON.stringify(awsRow())}{}`, 'changed: row 1 is not JSON'],
  ])('that are %j are refused', (lines, message) => {
    expect(() => fromJsonLines(lines)).toThrow(message);
    expect(() => fromJsonLines(lines)).toThrow(expect.objectContaining({ code: 'INPUT_READ_ERROR' }));
  });

  test('that are not UTF-8 are refused, by row', () => {
    const good = Buffer.from(`${JSON.stringify(awsRow())}\n`);
    const bad = Buffer.from(JSON.stringify(awsRow({ AZ: 'x?y' })));
    bad[bad.indexOf('?')] = 0xff;
    expect(() => fromJsonLines(Buffer.concat([good, bad]))).toThrow('changed: row 2 is not JSON');
  });

  test('may begin with a byte-order mark, end with CRLF, and have blank ones between', () => {
    const line = JSON.stringify(awsRow({ AZ: 'é' }));
    for (const size of [1, 2, 3, 1_000]) {
      expect(fromJsonLines(`\ufeff${line}\r\n\r\n  \n${line}\r\n`, size).rows).toBe(2);
    }
  });

  test('may change the order of their members, or have others, from one to the next', () => {
    const rows = [awsRow({ SPS: 1, Extra: 1 }), awsRow({ Extra: 2, IF: 2 }), { SPS: 3, ...awsRow() }];
    const table = fromJsonLines(rows.map((row) => JSON.stringify(row)).join('\n'));
    expect(objectsOf(table).map(({ SPS, IF }) => [SPS, IF])).toEqual([
      [1n, null],
      [null, 2],
      [3n, null],
    ]);
  });

  test('that are too long are refused before they fill the memory', () => {
    const chunk = Buffer.alloc(1 << 20, 'x');
    expect(() => fromJsonLines(Buffer.concat(Array(18).fill(chunk)), 1 << 20)).toThrow(
      'changed: row 1 is longer than 16777216 bytes',
    );
  });
});
