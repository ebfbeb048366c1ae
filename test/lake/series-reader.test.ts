/** Reading one series out of Parquet files, however its rows are spread, sorted and repeated over them. */

import { afterAll, describe, expect, test } from '@jest/globals';
import { TimestampMicrosecond, vectorFromArray } from 'apache-arrow';
import fc from 'fast-check';
import { openSeries } from '../../src/lake/series-reader.ts';
import type { Row } from '../support/conformance-cases.ts';
import { closeDuckDb, parquetOf, seriesSql } from '../support/parquet.ts';
import { drained } from '../support/series-sources.ts';
import {
  byteArrays,
  CODE,
  doubles,
  type HandmadeGroup,
  handmadeParquet,
  longs,
  TIME,
  VALUE,
} from './handmade-parquet.ts';
import { memoryFile, readBytes, readFailure, readSeries } from './memory-file.ts';
import { wasmParquet } from './wasm-parquet.ts';

afterAll(closeDuckDb);

type CodedRow = readonly [code: string, time: number, value: number | null];

/** What the chunks of a group say of times and codes. */
type Statistics = 'none' | 'true' | 'deprecated';

function groupOf(rows: readonly CodedRow[], statistics: Statistics): HandmadeGroup {
  const times = rows.map(([, time]) => time);
  const codes = rows.map(([code]) => Buffer.from(code)).sort(Buffer.compare);
  const deprecated = statistics === 'deprecated';
  const said = statistics !== 'none' && rows.length > 0;
  const time = said && { min: longs(Math.min(...times)), max: longs(Math.max(...times)), deprecated };
  const code = said && { min: codes[0]!, max: codes.at(-1)!, deprecated };
  return {
    rows: rows.length,
    chunks: {
      obs_time: { data: longs(...times), ...(time && { statistics: time }) },
      value: { data: doubles(...rows.map(([, , value]) => value ?? Number.NaN)) },
      internal_series_code: {
        data: byteArrays(...rows.map(([name]) => name)),
        ...(code && { statistics: code }),
      },
    },
  };
}

function codedFile(groups: readonly (readonly CodedRow[])[], statistics: Statistics = 'true'): Uint8Array {
  return handmadeParquet(
    [TIME, CODE, VALUE],
    groups.map((rows) => groupOf(rows, statistics)),
  );
}

const seriesFile = (...groups: Row[][]) =>
  codedFile(groups.map((rows) => rows.map(([time, value]): CodedRow => ['A', time, value])));

describe('a file without rows', () => {
  test.each<[string, () => Promise<Uint8Array> | Uint8Array]>([
    ['by DuckDB', () => parquetOf(seriesSql([]))],
    ['without a row group', () => codedFile([])],
    ['with an empty row group', () => codedFile([[]])],
    [
      'by parquet-wasm',
      () =>
        wasmParquet({
          obs_time: vectorFromArray([], new TimestampMicrosecond()),
          value: vectorFromArray([], doubleType()),
        }),
    ],
  ])('is an empty series: %s', async (_, file) => {
    expect(await readBytes(await file())).toEqual([]);
  });

  test('adds nothing to those beside it', async () => {
    const files = [seriesFile([[1, 1]]), codedFile([]), seriesFile([], [[2, 2]], [])];
    const read = readSeries(files.map((bytes, i) => memoryFile(`${i}`, bytes)));
    expect(await read).toEqual([
      [1, 1],
      [2, 2],
    ]);
  });
});

function doubleType() {
  return vectorFromArray([1.5]).type;
}

describe('a footer beyond the tail that was read at opening', () => {
  test.each([8, 12, 100, 1_000])('is read by itself: a tail of %d bytes', async (tailBytes) => {
    const bytes = seriesFile([[1, 1]], [[2, 2]], [[3, 3]]);
    const file = memoryFile('a', bytes, tailBytes);
    expect(await readSeries([file])).toHaveLength(3);
    const footers = file.reads.filter(([, end]) => end === bytes.length);
    expect(footers).toHaveLength(tailBytes < 1_000 ? 1 : 0);
  });

  test('of 300 columns and 40 row groups', async () => {
    const extra = Array.from({ length: 298 }, (_, i) => `i AS a_column_with_a_long_name_${i}`).join(', ');
    const bytes = await parquetOf(
      `SELECT make_timestamp(i) AS obs_time, ${extra}, i::DOUBLE AS value FROM range(81920) t(i)`,
      'ROW_GROUP_SIZE 2048',
    );
    const file = memoryFile('wide', bytes);
    const rows = await readSeries([file]);
    expect(rows).toHaveLength(81_920);
    expect(rows.at(-1)).toEqual([81_919, 81_919]);
    expect(file.reads.filter(([, end]) => end === bytes.length)).toHaveLength(1);
    // Of the rest, two columns of 300.
    const read = file.reads.reduce((sum, [start, end]) => sum + (end - start), 0);
    expect(read).toBeLessThan(bytes.length / 4);
  });
});

describe('statistics', () => {
  const groups: CodedRow[][] = [
    [
      ['A', 1, 1],
      ['A', 2, 2],
    ],
    [
      ['A', 3, 3],
      ['B', 1, 4],
    ],
    [
      ['B', 2, 5],
      ['C', 1, 6],
    ],
  ];

  test.each<[Statistics, string, number]>([
    ['true', 'A', 2],
    ['true', 'B', 2],
    ['true', 'C', 1],
    ['true', 'D', 0],
    ['none', 'A', 3],
    // Those of text were compared as signed bytes: of no use.
    ['deprecated', 'A', 3],
  ])('that are %s leave of the row groups for %s: %d', async (statistics, code, read) => {
    const reader = await openSeries(
      [{ access: memoryFile('a', codedFile(groups, statistics)), named: false }],
      code,
    );
    expect(reader.plan.units).toHaveLength(read);
    const rows = await drained(await reader.open());
    await reader.close();
    expect(rows).toEqual(
      groups.flat().flatMap(([name, time, value]) => (name === code ? [[time, value]] : [])),
    );
  });

  test('that say a row group holds the series alone spare its codes', async () => {
    const bytes = await parquetOf(
      `SELECT make_timestamp(i) AS obs_time, i::DOUBLE AS value, CASE WHEN i < 2048 THEN 'A' ELSE 'B' END AS internal_series_code
       FROM range(4096) t(i)`,
      'ROW_GROUP_SIZE 2048',
    );
    const reader = await openSeries([{ access: memoryFile('a', bytes), named: false }], 'A');
    expect(reader.plan.units.map(({ filtered }) => filtered)).toEqual([false]);
    expect(await drained(await reader.open())).toHaveLength(2048);
    await reader.close();
  });

  test('that are cut short are taken as bounds', async () => {
    // Arrow's writer cuts texts in statistics at 64 bytes.
    const long = 'x'.repeat(100);
    const codes = [`${long}1`, `${long}2`, `${long}3`];
    for (const code of codes) {
      const bytes = wasmParquet(
        {
          obs_time: vectorFromArray(
            codes.map((_, i) => i + 1),
            new TimestampMicrosecond(),
          ),
          value: vectorFromArray([1.5, 2.5, 3.5]),
          internal_series_code: vectorFromArray(codes),
        },
        { dictionary: false },
      );
      expect(await readBytes(bytes, { named: false, code })).toHaveLength(1);
    }
  });

  test('that claim a later beginning than the rows have are an error, not rows out of order', async () => {
    const late = groupOf([['A', 5, 1]], 'none');
    const lying: HandmadeGroup = {
      rows: 1,
      chunks: {
        ...late.chunks,
        obs_time: { data: longs(1), statistics: { min: longs(7), max: longs(9) } },
      },
    };
    const bytes = handmadeParquet([TIME, CODE, VALUE], [late, lying]);
    expect(await readFailure(readBytes(bytes))).toBe(
      'INPUT_READ_ERROR: a.parquet has times before the minimum that its statistics state',
    );
  });

  test('in nanoseconds are cut as the rows are, at both ends of their range', async () => {
    // Beyond 2^53 microseconds, where doubles step by two.
    const first = -(2n ** 53n + 1n) * 1_000n - 1n;
    const last = 2n ** 63n - 1n;
    const times = longs(first, 0, last);
    const statistics = { min: longs(first), max: longs(last) };
    const nanos = { ...TIME, logical: 'timestampNanos' } as const;
    const groups = [0, 1].map(() => ({
      rows: 3,
      chunks: { obs_time: { data: times, statistics }, value: { data: doubles(1, 2, 3) } },
    }));
    const rows = await readBytes(handmadeParquet([nanos, VALUE], groups));
    expect(rows.map(([time]) => time)).toEqual([-(2 ** 53) - 2, 0, Number(last / 1_000n)]);
  });

  test('are not needed: parquet-wasm without any, in many row groups out of order', async () => {
    const count = 5_000;
    const obs_time = vectorFromArray(
      Array.from({ length: count }, (_, i) => (i * 7_919) % count),
      new TimestampMicrosecond(),
    );
    const value = vectorFromArray(Array.from({ length: count }, (_, i) => ((i * 7_919) % count) + 0.5));
    const bytes = wasmParquet({ obs_time, value }, { statistics: false, rowGroupRows: 400 });
    const rows = await readBytes(bytes);
    expect(rows).toEqual(Array.from({ length: count }, (_, i) => [i * 1000, i + 0.5]));
  });
});

describe('of rows with one time the last listed stays:', () => {
  test('in a row group', async () => {
    expect(
      await readBytes(
        seriesFile([
          [1, 1],
          [2, 1],
          [1, 2],
          [2, null],
        ]),
      ),
    ).toEqual([
      [1, 2],
      [2, null],
    ]);
  });

  test('over row groups', async () => {
    expect(
      await readBytes(
        seriesFile(
          [[2, 1]],
          [
            [1, 2],
            [2, 2],
          ],
          [[2, 3]],
        ),
      ),
    ).toEqual([
      [1, 2],
      [2, 3],
    ]);
  });

  test('over files, in the order of the listing and not of their times', async () => {
    const files = [
      seriesFile([
        [5, 1],
        [9, 1],
      ]),
      seriesFile([
        [1, 2],
        [9, 2],
      ]),
      seriesFile([[5, 3]]),
    ];
    const inOrder = files.map((bytes, i) => memoryFile(`${i}`, bytes));
    expect(await readSeries(inOrder)).toEqual([
      [1, 2],
      [5, 3],
      [9, 2],
    ]);
    const reversed = files.toReversed().map((bytes, i) => memoryFile(`${i}`, bytes));
    expect(await readSeries(reversed)).toEqual([
      [1, 2],
      [5, 1],
      [9, 1],
    ]);
  });
});

describe('series of one file are told apart by their codes:', () => {
  const codes = ['A', 'AB', 'ABC', 'a', 'A ', ' A', 'Ä', 'A\u0308', '日本', '', 'A\0'];
  const rows = Array.from({ length: 400 }, (_, i): CodedRow => [codes[i % codes.length]!, i, i]);
  const values = rows
    .map(([code, time]) => `('${code.replace('\0', "' || chr(0) || '")}', ${time})`)
    .join(', ');
  const sql = `SELECT c AS internal_series_code, make_timestamp(t) AS obs_time, t::DOUBLE AS value
    FROM (VALUES ${values}) rows(c, t)`;

  test.each([
    ['with a dictionary', 'COMPRESSION zstd'],
    ['in the second format of pages', 'PARQUET_VERSION v2'],
    ['with no dictionary', 'DICTIONARY_SIZE_LIMIT 1'],
  ])('%s', async (_, options) => {
    const bytes = await parquetOf(sql, options);
    for (const code of codes) {
      const expected = rows.flatMap(([name, time]) => (name === code ? [[time, time]] : []));
      expect(await readBytes(bytes, { named: false, code })).toEqual(expected);
    }
    expect(await readBytes(bytes, { named: false, code: 'B' })).toEqual([]);
  });

  test('a row without a code is of no series', async () => {
    const bytes =
      await parquetOf(`SELECT * FROM (VALUES (make_timestamp(1), 1.0, 'A'), (make_timestamp(2), 2.0, NULL),
      (make_timestamp(3), 3.0, 'A'), (make_timestamp(4), 4.0, '')) t(obs_time, value, internal_series_code)`);
    expect(await readBytes(bytes, { named: false })).toEqual([
      [1, 1],
      [3, 3],
    ]);
    expect(await readBytes(bytes, { named: false, code: '' })).toEqual([[4, 4]]);
  });

  test('a path that names the series is believed', async () => {
    expect(await readBytes(codedFile([[['B', 1, 1]]]), { named: true, code: 'A' })).toEqual([[1, 1]]);
  });
});

test('what is left early is let go', async () => {
  const file = memoryFile('a', seriesFile([[1, 1]], [[2, 2]], [[3, 3]]), 8);
  const reader = await openSeries([{ access: file, named: true }], 'A');
  const source = await reader.open();
  expect((await source.next())?.times[0]).toBe(1);
  const reads = file.reads.length;
  await reader.close();
  await reader.close();
  expect(file.isClosed()).toBe(true);
  expect(file.reads).toHaveLength(reads);
  expect(await source.next()).toBeUndefined();
});

const codedRows = fc.array(
  fc.tuple(
    fc.constantFrom('A', 'AB', 'B', ''),
    fc.integer({ min: -20, max: 40 }),
    fc.option(fc.integer({ min: -9, max: 9 })),
  ),
  { maxLength: 14 },
);
const files = fc.array(
  fc.record({
    groups: fc.array(codedRows, { maxLength: 4 }),
    statistics: fc.constantFrom<Statistics>('none', 'true', 'deprecated'),
    sorted: fc.boolean(),
  }),
  { minLength: 1, maxLength: 5 },
);

test('however rows are spread over files and row groups, a series is what a map of them holds', async () => {
  await fc.assert(
    fc.asyncProperty(files, fc.constantFrom('A', 'AB', 'B', ''), async (given, code) => {
      const written = given.map(({ groups, statistics, sorted }) => ({
        statistics,
        groups: groups.map((rows) => (sorted ? rows.toSorted(([, a], [, b]) => a - b) : rows)),
      }));
      const map = new Map<number, number | null>();
      for (const { groups } of written) {
        for (const [name, time, value] of groups.flat()) if (name === code) map.set(time, value);
      }
      const accesses = written.map(({ groups, statistics }, i) =>
        memoryFile(`${i}`, codedFile(groups, statistics), 64),
      );
      const rows = await readSeries(accesses, { named: false, code });
      expect(rows).toEqual([...map].sort(([a], [b]) => a - b));
    }),
    { numRuns: 200 },
  );
});
