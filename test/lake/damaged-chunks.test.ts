/** Column chunks that are read straight from their pages, damaged: rows, or an error that says what is wrong. */

import { afterAll, describe, expect, test } from '@jest/globals';
import type { SchemaElement } from 'hyparquet';
import { ChunkReader } from '../../src/lake/chunk-reader.ts';
import { allocateColumn, type Column, valueAt } from '../../src/lake/tier-table/table.ts';
import { TextPool } from '../../src/lake/tier-table/text-pool.ts';
import { closeDuckDb, parquetOf } from '../support/parquet.ts';
import { type HandmadePage, othersOf, pageOf } from './chunks.ts';
import { byteArrays, doubles, handmadeParquet, VALUE } from './handmade-parquet.ts';
import { bytesField, type ThriftField } from './thrift.ts';
import { fileOf, inMemory, type Row, readRows, type Value } from './tier-table/tables.ts';

afterAll(closeDuckDb);

const TEXT: SchemaElement = {
  name: 'c',
  type: 'BYTE_ARRAY',
  converted_type: 'UTF8',
  repetition_type: 'OPTIONAL',
};
const NUMBER: SchemaElement = { name: 'c', type: 'DOUBLE', repetition_type: 'REQUIRED' };
const FLAG: SchemaElement = { name: 'c', type: 'BOOLEAN', repetition_type: 'OPTIONAL' };

function open(element: SchemaElement, pages: readonly HandmadePage[], rows: number) {
  return ChunkReader.open(Buffer.concat(pages.map(pageOf)), element, 'UNCOMPRESSED', rows);
}

/** All rows of an uncompressed chunk that is read from its pages. */
function rowsOf(element: SchemaElement, pages: readonly HandmadePage[], rows: number): Value[] {
  const reader = open(element, pages, rows)!;
  const target: Column = allocateColumn({ name: 'c', kind: reader.kind }, rows, () => new TextPool());
  reader.read(target, 0, rows);
  return Array.from({ length: rows }, (_, row) => valueAt(target, row));
}

/** Levels of rows that are all there, with their length. */
const present = (rows: number) => Buffer.from([2, 0, 0, 0, rows * 2, 1]);
const texts: HandmadePage = { values: 3, body: byteArrays('a', '', 'é'), dictionary: true };
/** A page of four texts by their indices, two bits each. */
const coded = (...indices: number[]): HandmadePage => {
  const bits = indices.reduce((sum, index, i) => sum | (index << (2 * i)), 0);
  return {
    values: 4,
    encoding: 'RLE_DICTIONARY',
    body: Buffer.concat([present(4), Buffer.from([2, 3, bits, 0])]),
  };
};

test('pages made by hand are read', () => {
  expect(rowsOf(TEXT, [texts, coded(0, 1, 2, 0), coded(2, 2, 2, 2)], 8)).toEqual([
    'a',
    '',
    'é',
    'a',
    'é',
    'é',
    'é',
    'é',
  ]);
  expect(rowsOf(NUMBER, [{ values: 2, body: doubles(1.5, -0) }], 2)).toEqual([1.5, -0]);
});

describe('a page is refused', () => {
  const plain = (body: Uint8Array, values = 2): HandmadePage => ({ values, body });
  const codes = (...bytes: number[]): HandmadePage => ({
    values: 4,
    encoding: 'RLE_DICTIONARY',
    body: Buffer.from(bytes),
  });
  const dictionary = (values: number, body: Uint8Array): HandmadePage => ({ values, body, dictionary: true });

  test.each<[string, SchemaElement, HandmadePage[], string]>([
    [
      'of an index beyond the dictionary',
      TEXT,
      [texts, coded(0, 3, 0, 0)],
      'there is no value 3 in the dictionary',
    ],
    [
      'of numbers beyond the dictionary',
      NUMBER,
      [dictionary(1, doubles(1)), codes(2, 8, 2)],
      'there is no value 2 in the dictionary',
    ],
    [
      'of indices into an empty dictionary',
      TEXT,
      [dictionary(0, Buffer.of()), coded(0, 0, 0, 0)],
      'there is no value 0 in the dictionary',
    ],
    [
      'of a text that is not UTF-8',
      TEXT,
      [dictionary(1, byteArrays(Buffer.of(0xc3))), coded(0, 0, 0, 0)],
      'a text is not UTF-8',
    ],
    [
      'of texts cut amid a letter',
      TEXT,
      [dictionary(2, byteArrays(Buffer.of(0xc3), Buffer.of(0xa9))), coded(0, 1, 0, 0)],
      'a text is not UTF-8',
    ],
    [
      'of a text longer than its page',
      TEXT,
      [dictionary(1, Buffer.of(9, 0, 0, 0, 65)), coded(0, 0, 0, 0)],
      'a dictionary ends before its values',
    ],
    [
      'of a text of 4 GiB',
      TEXT,
      [dictionary(1, Buffer.of(255, 255, 255, 255, 65)), coded(0, 0, 0, 0)],
      'a dictionary ends before its values',
    ],
    [
      'of fewer texts than it says',
      TEXT,
      [dictionary(3, byteArrays('abcdefgh', 'b')), coded(0, 0, 0, 0)],
      'a dictionary ends before its values',
    ],
    [
      'of four texts, of which one is there',
      TEXT,
      [dictionary(4, byteArrays('a')), coded(0, 0, 0, 0)],
      'a dictionary ends before its values',
    ],
    [
      'of four numbers, of which one is there',
      NUMBER,
      [dictionary(4, doubles(1)), codes(1, 8, 0)],
      'a dictionary ends before its values',
    ],
    ['of fewer values than it says', NUMBER, [plain(doubles(1), 4)], 'a page ends before its values'],
    [
      'of a part of a value',
      NUMBER,
      [plain(doubles(1, 2, 3, 4).subarray(1), 4)],
      'a page ends before its values',
    ],
    [
      'of too few flags',
      FLAG,
      [plain(Buffer.concat([present(9), Buffer.of(255)]), 9)],
      'a page ends before its values',
    ],
    ['of no bytes', FLAG, [plain(Buffer.of(), 4)], 'a page has no levels'],
    [
      'of levels beyond its end',
      FLAG,
      [plain(Buffer.of(3, 0, 0, 0, 8, 1), 4)],
      'the levels of a page are longer than it',
    ],
    [
      'of levels of 4 GiB',
      FLAG,
      [plain(Buffer.of(255, 255, 255, 255, 8, 1), 4)],
      'the levels of a page are longer than it',
    ],
    [
      'of too few levels',
      FLAG,
      [plain(Buffer.of(2, 0, 0, 0, 6, 1, 255), 4)],
      'a page ends before its values',
    ],
    ['of a level of 2', FLAG, [plain(Buffer.of(2, 0, 0, 0, 8, 2, 255), 4)], 'a run of more than 1 bits'],
    ['of no indices at all', NUMBER, [dictionary(1, doubles(1)), codes()], 'a page ends before its values'],
    ['of a width alone', NUMBER, [dictionary(1, doubles(1)), codes(1)], 'a page ends before its values'],
    ['of wide indices', NUMBER, [dictionary(1, doubles(1)), codes(25, 8, 0, 0, 0, 0)], 'indices of 25 bits'],
    [
      'shorter than its header says',
      NUMBER,
      [{ values: 4, body: doubles(1, 2, 3, 4), raw: 40 }],
      'a page is not as long as its header says',
    ],
    [
      'longer than its header says',
      NUMBER,
      [{ values: 4, body: doubles(1, 2, 3, 4), raw: 24 }],
      'a page is not as long as its header says',
    ],
  ])('%s', (_, element, pages, message) => {
    const rows = pages.reduce((sum, page) => sum + (page.dictionary ? 0 : page.values), 0);
    expect(() => rowsOf(element, pages, rows)).toThrow(new RangeError(message));
  });
});

describe('a chunk is left to parquet-wasm', () => {
  const page = { values: 2, body: doubles(1, 2) };

  test.each<[string, HandmadePage[]]>([
    ['whose pages have other rows than its row group', [page]],
    ['with a page beyond its end', [page, { ...page, stored: 17 }]],
    ['with a page of less than no bytes', [page, { ...page, stored: -1 }]],
    ['with a page of less than no rows', [page, { ...page, values: -1 }, { ...page, values: 3 }]],
    ['with a page that claims 2 GiB', [page, { ...page, raw: 2 ** 31 - 1 }]],
    ['with two dictionaries', [{ ...page, dictionary: true }, { ...page, dictionary: true }, page, page]],
    ['with a dictionary after its data', [page, { ...page, dictionary: true }, page]],
    [
      'with more in its dictionary than rows',
      [{ values: 5, body: doubles(1, 2, 3, 4, 5), dictionary: true }, page, page],
    ],
    ['with indices and no dictionary', [{ ...page, encoding: 'RLE_DICTIONARY' }, page]],
  ])('%s', (_, pages) => {
    expect(open(NUMBER, pages, 4)).toBeUndefined();
  });

  test('that ends amid a header, and is read where the header is whole', () => {
    const whole = Buffer.concat([pageOf(page), pageOf(page)]);
    expect(ChunkReader.open(whole, NUMBER, 'UNCOMPRESSED', 4)).toBeDefined();
    for (let end = 0; end < whole.length; end++) {
      expect(ChunkReader.open(whole.subarray(0, end), NUMBER, 'UNCOMPRESSED', 4)).toBeUndefined();
    }
  });

  const header = (...bytes: number[]): ThriftField => ({
    id: 99,
    type: bytes[0]!,
    bytes: Buffer.from(bytes.slice(1)),
  });

  test('whose header has a number of 300,000 digits, at once', () => {
    const digits = Buffer.alloc(300_000, 0xff);
    const more = [{ id: 99, type: 6, bytes: Buffer.concat([digits, Buffer.of(1)]) }];
    const start = performance.now();
    expect(open(NUMBER, [{ ...page, more }, page], 4)).toBeUndefined();
    expect(performance.now() - start).toBeLessThan(1_000);
  });

  test('whose header has more fields than a header can have, or is longer than one', () => {
    const fields = (count: number, bytes: number): ThriftField[] =>
      Array.from({ length: count }, (_, i) => ({
        id: 99 + i,
        type: 8,
        bytes: Buffer.concat([Buffer.of(bytes), Buffer.alloc(bytes)]),
      }));
    expect(open(NUMBER, [{ ...page, more: fields(40, 1) }, page], 4)).toBeDefined();
    expect(open(NUMBER, [{ ...page, more: fields(100, 1) }, page], 4)).toBeUndefined();
    const long = {
      id: 99,
      type: 8,
      bytes: Buffer.concat([Buffer.of(0xf0, 0xa2, 0x04), Buffer.alloc(70_000)]),
    };
    expect(open(NUMBER, [{ ...page, more: [long] }, page], 4)).toBeUndefined();
  });

  test('whose header has lists of millions within lists, without room being made for them', () => {
    const list = [0xf9, 0xff, 0xff, 0xff, 0x0f];
    const before = process.memoryUsage().rss;
    expect(
      open(NUMBER, [{ ...page, more: [header(9, ...list, ...list, ...list)] }, page], 4),
    ).toBeUndefined();
    expect(process.memoryUsage().rss - before).toBeLessThan(100_000_000);
  });

  test('whose header has structs within structs without end', () => {
    const deep = { id: 99, type: 12, bytes: Buffer.alloc(1_000_000, 0x1c) };
    expect(open(NUMBER, [{ ...page, more: [deep] }, page], 4)).toBeUndefined();
  });
});

test('fields of a header that mean nothing to us are passed over', () => {
  const more = [
    bytesField(20, Buffer.alloc(5_000)),
    { id: 21, type: 7, bytes: doubles(1) },
    { id: 22, type: 3, bytes: Buffer.of(9) },
  ];
  expect(rowsOf(NUMBER, [{ values: 2, body: doubles(1, 2), more }], 2)).toEqual([1, 2]);
});

test('pages without rows are passed over', () => {
  const none = { values: 0, body: Buffer.of(0, 0, 0, 0) };
  const flags = { values: 4, body: Buffer.concat([present(4), Buffer.of(0b0101)]) };
  expect(rowsOf(FLAG, [none, flags, none, none, flags, none], 8)).toEqual([
    true,
    false,
    true,
    false,
    true,
    false,
    true,
    false,
  ]);
});

test('a page of nulls alone needs no indices', () => {
  const nulls: HandmadePage = { values: 4, encoding: 'RLE_DICTIONARY', body: Buffer.of(2, 0, 0, 0, 8, 0) };
  expect(rowsOf(TEXT, [texts, nulls, coded(0, 0, 0, 0)], 8)).toEqual([
    null,
    null,
    null,
    null,
    'a',
    'a',
    'a',
    'a',
  ]);
});

test('half a million pages of a row each are read one by one in a moment', () => {
  const one = pageOf({ values: 1, body: doubles(7) });
  const bytes = Buffer.alloc(one.length * 500_000);
  for (let at = 0; at < bytes.length; at += one.length) bytes.set(one, at);
  const start = performance.now();
  const reader = ChunkReader.open(bytes, NUMBER, 'UNCOMPRESSED', 500_000)!;
  const target = allocateColumn({ name: 'c', kind: 'float64' }, 500_000, () => new TextPool());
  reader.read(target, 0, 500_000);
  expect(valueAt(target, 499_999)).toBe(7);
  expect(performance.now() - start).toBeLessThan(5_000);
});

test.each([1, 5, 2 ** 40])(
  'a file of 4 rows that claims %d is refused: room is made for what it claims',
  async (claimedRows) => {
    const group = { rows: 2, chunks: { value: { data: doubles(1, 2) } } };
    const bytes = handmadeParquet([VALUE], [group, group], { claimedRows });
    await expect(readRows(inMemory(bytes).file, [{ name: 'value', kind: 'float64' }])).rejects.toMatchObject({
      code: 'INPUT_READ_ERROR',
      message: `a.parquet can not be read: it claims ${claimedRows} rows, and its row groups have 4`,
    });
  },
);

describe('a file that is read from its pages', () => {
  const specs = [
    { name: 'k', kind: 'text' },
    { name: 'i', kind: 'int64' },
    { name: 'f', kind: 'float64' },
    { name: 'b', kind: 'boolean' },
  ] as const;
  const rows: readonly Row[] = Array.from({ length: 60 }, (_, i) => [
    i % 6 === 0 ? null : `k${i % 3}`,
    BigInt(i % 4),
    i % 5 === 0 ? null : Math.sin(i),
    i % 7 === 0 ? null : i % 2 === 0,
  ]);

  async function outcomeOf(bytes: Uint8Array): Promise<string> {
    try {
      const found = await readRows(inMemory(bytes).file, specs, 17);
      return found.length === rows.length ? 'rows' : 'other rows';
    } catch (error) {
      expect(error).toMatchObject({ code: 'INPUT_READ_ERROR' });
      return (error as Error).message;
    }
  }

  /** The same rows by DuckDB, not compressed: there damage comes to the values. */
  const SQL = `SELECT CASE WHEN i % 6 > 0 THEN 'k' || (i % 3) END AS k, (i % 4)::BIGINT AS i,
    CASE WHEN i % 5 > 0 THEN sin(i) END AS f, CASE WHEN i % 7 > 0 THEN i % 2 = 0 END AS b
    FROM range(60) t(i)`;

  test.each([
    ['ours', () => fileOf(specs, rows), 300],
    ["DuckDB's", () => parquetOf(SQL, 'COMPRESSION uncompressed'), 150],
  ] as const)(
    'is read or refused where any one byte is another, and says what is wrong: %s',
    async (_, make, least) => {
      const bytes = await make();
      expect(await outcomeOf(bytes)).toBe('rows');
      expect(await othersOf(bytes)).toEqual([]);
      const footer =
        bytes.length - 8 - new DataView(bytes.buffer, bytes.byteOffset).getUint32(bytes.length - 8, true);
      const outcomes: string[] = [];
      for (let at = 4; at < footer; at++) {
        for (const flip of [0x01, 0x80, 0xff]) {
          const damaged = Buffer.from(bytes);
          damaged[at]! ^= flip;
          outcomes.push(await outcomeOf(damaged));
        }
      }
      expect(outcomes).not.toContain('other rows');
      expect(
        outcomes.filter((outcome) => outcome.startsWith('a.parquet can not be read: row group 0, column'))
          .length,
      ).toBeGreaterThan(least);
    },
  );

  test('is refused where it is cut amid its pages', async () => {
    const bytes = await fileOf(specs, rows);
    const footer =
      bytes.length - 8 - new DataView(bytes.buffer, bytes.byteOffset).getUint32(bytes.length - 8, true);
    // What is cut of the last page is then the footer's: those bytes may be values as well.
    for (let cut = 40; cut < footer - 4; cut += 3) {
      const shorter = Buffer.concat([bytes.subarray(0, footer - cut), bytes.subarray(footer)]);
      expect(await outcomeOf(shorter)).toMatch(/^a\.parquet /);
    }
  });
});
