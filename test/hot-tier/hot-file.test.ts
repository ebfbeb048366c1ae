import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { encodeHotFile, hotRows, hotTable, sameContent } from '../../src/hot-tier/hot-file.ts';
import { distinctRows } from '../../src/hot-tier/sort-rows.ts';
import { openFile } from '../../src/lake/tier-file-reader.ts';
import { type Table, takeRows } from '../../src/lake/tier-table/table.ts';
import { inMemory, type Row, readRows, rowsOf, tableOf } from '../lake/tier-table/tables.ts';
import { aws, awsRow, fromJson, objectsOf } from './uploads.ts';

const specs = [
  { name: 'a', kind: 'text' },
  { name: 'b', kind: 'text' },
  { name: 'Time', kind: 'timestamp' },
  { name: 'Ceased', kind: 'boolean' },
  { name: 'n', kind: 'int64' },
] as const;

const anyRows: fc.Arbitrary<Row[]> = fc
  .array(
    fc.tuple(
      fc.option(fc.constantFrom('', 'm5', 'm5.large', 'é', '\uffff', '\u{10000}'), { nil: null }),
      fc.option(fc.string({ maxLength: 2 }), { nil: null }),
      fc.option(fc.bigInt({ min: -3n, max: 3n }), { nil: null }),
      fc.option(fc.boolean(), { nil: null }),
    ),
  )
  .map((rows) => rows.map((row, i): Row => [...row, BigInt(i)]));

function compareTexts(a: unknown, b: unknown): number {
  if (a === null || b === null) return Number(a !== null) - Number(b !== null);
  return Buffer.compare(Buffer.from(String(a)), Buffer.from(String(b)));
}

function compareKeys(x: Row, y: Row): number {
  const times = [x[2], y[2]] as [bigint | null, bigint | null];
  const byTime =
    times[0] === null || times[1] === null
      ? Number(times[0] !== null) - Number(times[1] !== null)
      : Number(times[0] - times[1]);
  return compareTexts(x[0], y[0]) || compareTexts(x[1], y[1]) || byTime;
}

describe('rows in order', () => {
  test('are sorted by key and time as bytes are, and of equal ones the living, then the first, stays', () => {
    fc.assert(
      fc.property(anyRows, (rows) => {
        const table = tableOf(specs, rows);
        const sorted = rowsOf(takeRows(table, distinctRows(table, ['a', 'b', 'Time'])));
        const rank = (row: Row) => (row[3] === false ? 0 : row[3] === null ? 1 : 2);
        const expected = rows
          .toSorted(
            (x, y) => compareKeys(x, y) || rank(x) - rank(y) || Number((x[4] as bigint) - (y[4] as bigint)),
          )
          .filter((row, i, all) => i === 0 || compareKeys(row, all[i - 1]!) !== 0);
        expect(sorted).toEqual(expected);
      }),
      { numRuns: 500 },
    );
  });

  test('need their key columns', () => {
    expect(() => distinctRows(tableOf(specs, []), ['c'])).toThrow('the table has no column c');
  });
});

const rows = [
  awsRow({ AZ: 'z2', SPS: 1 }),
  awsRow({ AZ: 'z1', SPS: 2 }),
  awsRow({ AZ: 'z1', SPS: 3, Time: '2026-01-23 14:10:00' }),
  awsRow({ AZ: 'z1', SPS: 4, Ceased: true }),
];

describe('a hot file', () => {
  async function bytesOf(table: Table) {
    return Buffer.concat(await encodeHotFile(table, hotRows(table, aws), aws, 'tidemill test'));
  }

  test('holds the rows sorted, each key and time once, in the canonical columns', async () => {
    const table = fromJson(rows);
    const sorted = hotTable(table, aws);
    expect(objectsOf(sorted).map(({ AZ, SPS }) => [AZ, SPS])).toEqual([
      ['z1', 3n],
      ['z1', 2n],
      ['z2', 1n],
    ]);
    const bytes = await bytesOf(table);
    const file = await openFile(inMemory(bytes).file);
    expect(file.footer.columns.map(({ name, kind }) => [name, kind])).toEqual([
      ['InstanceType', 'text'],
      ['Region', 'text'],
      ['AZ', 'text'],
      ['Time', 'timestamp'],
      ['SPS', 'int64'],
      ['Ceased', 'boolean'],
    ]);
    expect(await readRows(inMemory(bytes).file, sorted.columns)).toEqual(rowsOf(sorted));
  });

  test('is the same bytes for the same rows, in whatever order they came', async () => {
    const one = await bytesOf(fromJson(rows));
    const other = await bytesOf(fromJson([rows[3]!, rows[1]!, rows[0]!, rows[2]!]));
    expect(other.equals(one)).toBe(true);
  });

  test('has several row groups when it is long', async () => {
    const many = Array.from({ length: 140_000 }, (_, i) => ['k', '', BigInt(i), false, BigInt(i)] as Row);
    const table = tableOf(specs, many);
    const provider = { ...aws, keyColumns: ['a', 'b'] };
    const parts = await encodeHotFile(table, hotRows(table, provider), provider, 'tidemill test');
    const bytes = Buffer.concat(parts);
    const file = await openFile(inMemory(bytes).file);
    expect(file.footer.rowGroups.map((group) => group.rows)).toEqual([131_072, 8_928]);
    expect(await readRows(inMemory(bytes).file, specs)).toEqual(many);
  });
});

describe('two tables', () => {
  const base = () => hotTable(fromJson(rows), aws);

  test('are the same with the same rows, though their texts were met in another order', () => {
    expect(sameContent(base(), hotTable(fromJson(rows.toReversed()), aws))).toBe(true);
  });

  test.each([
    ['a value', rows.with(0, awsRow({ AZ: 'z2', SPS: 9 }))],
    ['a null', rows.with(0, awsRow({ AZ: 'z2', SPS: null }))],
    ['a text', rows.with(0, awsRow({ AZ: 'z3', SPS: 1 }))],
    ['a flag', rows.with(0, awsRow({ AZ: 'z2', SPS: 1, Ceased: true }))],
    ['a row', rows.slice(1)],
    ['a column', rows.with(0, awsRow({ AZ: 'z2', SPS: 1, IF: null }))],
  ])('are not the same when %s differs', (_, others) => {
    expect(sameContent(base(), hotTable(fromJson(others), aws))).toBe(false);
    expect(sameContent(hotTable(fromJson(others), aws), base())).toBe(false);
  });
});
