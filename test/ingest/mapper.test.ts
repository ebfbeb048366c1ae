/**
 * A row of bytes is mapped as the same row of texts is: numbers, times and series, in quotes or not. And
 * what becomes of rows that only one format has: typed moments, columns that come late.
 */

import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseIngestRunRequest } from '../../src/contract/ingest-run.ts';
import { createByteDictionary } from '../../src/ingest/byte-dictionary.ts';
import type { Collector } from '../../src/ingest/collector.ts';
import { createJsonlReader } from '../../src/ingest/jsonl-reader.ts';
import { createMapper } from '../../src/ingest/mapper.ts';

type Added = readonly [series: string, micros: number, value: number];

function mapperOf(mapping: Readonly<Record<string, unknown>>, read: Readonly<Record<string, unknown>> = {}) {
  const { request } = parseIngestRunRequest({
    type: 'ingest_run_requested',
    requestId: 'r',
    ingestionId: 'i',
    source: { prefix: 'raw/' },
    read,
    mapping,
    target: { datasetId: 'd' },
  });
  const added: Added[] = [];
  const collector: Collector = {
    series: (code) => ({ add: (micros, value) => void added.push([code, micros, value]) }),
    relieve: async () => {},
    finish: async () => ({ outputs: [], duplicates: 0 }),
    rows: 0,
  };
  const mapper = createMapper(request.mapping, request.read, { maxBadRows: 1_000, known: {} }, collector);
  return { mapper, added };
}

function mapped(read: Readonly<Record<string, unknown>>, codes: Readonly<Record<string, string>>) {
  const made = mapperOf({ layout: 'long', time: 't', series: 's', value: 'v', codes }, read);
  made.mapper.header(['t', 's', 'v']);
  return made;
}

/** Gives a row as the line of bytes that holds it. */
function giveBytes({ mapper }: ReturnType<typeof mapped>, fields: readonly string[], row: number): void {
  const starts = [1];
  for (const field of fields) starts.push(starts.at(-1)! + Buffer.byteLength(field) + 1);
  const line = Buffer.from(`\n${fields.join(',')}\n`);
  mapper.byteRow({ bytes: line, starts: Int32Array.from(starts), fields: 3 }, row);
}

const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
const time = fc.constantFrom(
  '2026-01-31',
  '2026-01-31T12:30:00Z',
  ' 2026-01-31',
  '20260131',
  '2026-02-30',
  '',
  'x"y',
);
const series = fc.constantFrom('A', 'a "b"', '""', ' A ', 'ü', '\ufeffA', 'NA', '');
const value = fc.constantFrom(
  '1',
  '-1.5',
  ' 2 ',
  '1,234.5',
  '$5',
  '',
  'NA',
  'mild',
  '1"',
  '"',
  '1e-3',
  '-999',
  '0',
  '0.0',
);
const nullValues = fc.constantFrom(undefined, ['', '-999', '0'], [' 2 ', '0.0', 'NA']);

test('whether a field is in quotes changes nothing', () => {
  const rows = fc.array(
    fc.tuple(time, series, value, fc.array(fc.boolean(), { minLength: 3, maxLength: 3 })),
  );
  fc.assert(
    fc.property(rows, fc.constantFrom('.', ',', 'auto'), nullValues, (made, decimal, words) => {
      const codes = { 'a "b"': 'AB', NA: 'NORTH_AMERICA' };
      const texts = mapped({ decimal, nullValues: words }, codes);
      const bytes = mapped({ decimal, nullValues: words }, codes);
      made.forEach(([t, s, v, inQuotes], row) => {
        const cells = [t, s, v];
        texts.mapper.row(cells, row);
        // What holds a quote or the delimiter can only stand in quotes.
        const fields = cells.map((cell, n) => (inQuotes[n] || /[",]/.test(cell) ? quoted(cell) : cell));
        giveBytes(bytes, fields, row);
      });
      expect(bytes.added).toEqual(texts.added);
      expect(bytes.mapper.badRows).toEqual(texts.mapper.badRows);
      expect(bytes.mapper.kinds()).toEqual(texts.mapper.kinds());
    }),
    { numRuns: 500 },
  );
});

test('a null word that is a number is null as it is written, and no other text of its value is', () => {
  const read = { nullValues: ['', '-999', '0'] };
  const cells = ['-999', '5', '0', '', '0.0', '-0', '-999.0', '"-999"'];
  const wanted = [Number.NaN, 5, Number.NaN, Number.NaN, 0, -0, -999, Number.NaN];
  const texts = mapped(read, {});
  const bytes = mapped(read, {});
  cells.forEach((cell, row) => {
    texts.mapper.row(['2026-01-31', 'A', cell.replaceAll('"', '')], row);
    giveBytes(bytes, ['2026-01-31', 'A', cell], row);
  });
  expect(texts.added.map(([, , value]) => value)).toEqual(wanted);
  expect(bytes.added).toEqual(texts.added);
});

test('a code that the mapping names is a series, even if it is a null word; other null words are none', () => {
  const codes = { NA: 'NORTH_AMERICA', EU: 'EUROPE' };
  const texts = mapped({}, codes);
  const bytes = mapped({}, codes);
  ['NA', 'EU', ' NA ', 'N/A', ''].forEach((code, row) => {
    texts.mapper.row(['2026-01-31', code, '1'], row);
    giveBytes(bytes, ['2026-01-31', code, '1'], row);
  });
  for (const { mapper, added } of [texts, bytes]) {
    expect(added.map(([code]) => code)).toEqual(['NORTH_AMERICA', 'EUROPE', 'NORTH_AMERICA']);
    expect(mapper.badRows.map(({ row, message }) => [row, message])).toEqual([
      [3, 'the series is empty'],
      [4, 'the series is empty'],
    ]);
  }
});

test('a moment of a typed column is held to the years that a text is held to', () => {
  const { mapper, added } = mapped({}, {});
  const moments = [
    Date.UTC(9999, 11, 31) * 1000,
    Number(2n ** 63n - 1n),
    253_402_300_800_000_000,
    Number.NaN,
  ];
  moments.forEach((micros, row) => void mapper.row([{ micros }, 'A', 1], row));
  mapper.row(['2026-01-31', 'A', { micros: Number(2n ** 63n - 1n) }], 4);
  expect(added).toEqual([['A', moments[0], 1]]);
  expect(mapper.badRows.map(({ reason, message }) => [reason, message])).toEqual([
    ['time', '"9223372036854776000 µs since 1970" is no time of the years 1 to 9999'],
    ['time', '"+010000-01-01T00:00:00.000Z" is no time of the years 1 to 9999'],
    ['time', '"NaN µs since 1970" is no time of the years 1 to 9999'],
    ['number', '"9223372036854776000 µs since 1970" is no number'],
  ]);
});

test('a series that was looked up is known when the bytes that it came in have been given back', () => {
  const made: string[] = [];
  const dictionary = createByteDictionary((bytes) => made.push(Buffer.from(bytes).toString()));
  const ask = (text: string) => {
    const buffer = new ArrayBuffer(text.length + 2);
    const chunk = Buffer.from(buffer);
    chunk.write(`,${text},`);
    const found = dictionary.get(chunk, 1, text.length + 1);
    buffer.transfer(0);
    return found;
  };
  for (let round = 0; round < 3; round++) expect(['ABC', 'ABD', ''].map(ask)).toEqual([1, 2, 3]);
  expect(made).toEqual(['ABC', 'ABD', '']);
});

test('what is looked up is the same where it is too long or too many to be kept', () => {
  const dictionary = createByteDictionary((bytes) => Buffer.from(bytes).toString());
  for (let round = 0; round < 2; round++) {
    for (let n = 0; n < 100_000; n++) {
      const text = `${n}`.padEnd(n % 1_000 === 0 ? 1_000 : 1);
      if (dictionary.get(Buffer.from(text), 0, text.length) !== text) throw new Error(`${n} is another`);
    }
  }
});

describe('JSON Lines, all of whose columns are taken', () => {
  const ALL = { layout: 'wide', time: 't', values: '*' };
  async function read(objects: readonly object[], mapping: Readonly<Record<string, unknown>> = ALL) {
    const { mapper, added } = mapperOf(mapping);
    const reader = createJsonlReader(['t'], mapping.values === '*', mapper);
    for (const object of objects) await reader.push(Buffer.from(`${JSON.stringify(object)}\n`));
    await reader.finish();
    return { mapper, rows: added.map(([code, micros, value]) => [code, micros / 86_400_000_000, value]) };
  }

  test('have the columns that come late from their first row on', async () => {
    const { mapper, rows } = await read([
      { t: '1970-01-02', a: 1 },
      { t: '1970-01-03', b: 7, a: 2, c: 'NA' },
      { a: 3, t: '1970-01-04', d: null },
    ]);
    const none = Number.NaN;
    expect(rows).toEqual([
      ['a', 1, 1],
      ['a', 2, 2],
      ['b', 2, 7],
      ['c', 2, none],
      ['a', 3, 3],
      ['b', 3, none],
      ['c', 3, none],
      ['d', 3, none],
    ]);
    expect(mapper.kinds()).toEqual({ t: 'time', a: 'number', b: 'number', c: 'empty', d: 'empty' });
  });

  test('fail with a late column that can be no series, and say in which row', async () => {
    const objects = [{ t: '1970-01-02', a: 1 }, { t: '1970-01-03', a: 2 }, { 'b\n': 1 }];
    await expect(read(objects)).rejects.toThrow('row 3: its column "b\\n" can not be a series code');
  });

  test('have no more columns than a file may, one a row or all in one', async () => {
    const object = (from: number, count: number) => {
      const columns = Array.from({ length: count }, (_, n) => [`c${from + n}`, 1]);
      return { t: '1970-01-02', ...Object.fromEntries(columns) };
    };
    const sparse = { ...ALL, skipNulls: true };
    const most = Array.from({ length: 3 }, (_, n) => object(n * 5_461, 5_461));
    const { mapper } = await read(most, sparse);
    expect(Object.keys(mapper.kinds())).toHaveLength(16_384);
    await expect(read([...most, object(16_383, 1)], sparse)).rejects.toThrow('it has 16385 columns');
    await expect(read([object(0, 1), object(1, 20_000)])).rejects.toThrow('it has 20002 columns');
  });
});
