import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DuckDBConnection, DuckDBInstance, DuckDBTimestampTZValue } from '@duckdb/node-api';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parquetMetadata, parquetReadObjects } from 'hyparquet';
import type { ColumnSpec } from '../../src/contract/column-spec.ts';
import { createEncoderThreads } from '../../src/lake/encoder-threads.ts';
import { readFooter } from '../../src/lake/parquet-footer.ts';
import { openFile } from '../../src/lake/tier-file-reader.ts';
import { compressors } from './hyparquet-codecs.ts';
import { memoryFile } from './memory-file.ts';
import { anyTable } from './tier-table/arbitraries.ts';
import { fileOf, inMemory, type Row, readRows, type Value } from './tier-table/tables.ts';

const specs: readonly ColumnSpec[] = [
  { name: 'k', kind: 'text' },
  { name: 't', kind: 'timestamp' },
  { name: 'i', kind: 'int64' },
  { name: 'f', kind: 'float64' },
  { name: 'b', kind: 'boolean' },
];

function sampleRow(i: number): Row {
  return [
    `key ${i >> 2}`,
    BigInt(i) * 600_000_000n,
    i % 5 === 0 ? null : BigInt(i % 7),
    i / 3,
    i % 4 === 0 ? null : i % 3 === 0,
  ];
}

describe('a tier file', () => {
  let folder: string;
  let instance: DuckDBInstance;
  let duckdb: DuckDBConnection;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'tier-file-'));
    // Its cache takes a file that was written again within a tick of the file system's clock for the one before.
    instance = await DuckDBInstance.create(':memory:', { threads: '1', enable_external_file_cache: 'false' });
    duckdb = await instance.connect();
    await duckdb.run("set TimeZone = 'UTC'");
  });

  afterAll(() => {
    duckdb.closeSync();
    instance.closeSync();
    rmSync(folder, { recursive: true });
  });

  async function duckRows(bytes: Uint8Array, query = 'select * from'): Promise<Value[][]> {
    const path = join(folder, 'a.parquet');
    writeFileSync(path, bytes);
    const result = await duckdb.runAndReadAll(`${query} '${path}'`);
    return result
      .getRows()
      .map((row) =>
        row.map((value) => (value instanceof DuckDBTimestampTZValue ? value.micros : value) as Value),
      );
  }

  test('reads back as it was written, whatever its columns, row groups and the pieces of reading', async () => {
    await fc.assert(
      fc.asyncProperty(
        anyTable,
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 1, max: 50 }),
        async (table, rowGroupRows, atOnce) => {
          const bytes = await fileOf(table.specs, table.rows, { rowGroupRows });
          expect(await readRows(inMemory(bytes).file, table.specs, atOnce)).toEqual(table.rows);
        },
      ),
      { numRuns: 200 },
    );
  });

  test('reads in DuckDB as it was written', async () => {
    await fc.assert(
      fc.asyncProperty(anyTable, fc.integer({ min: 1, max: 50 }), async (table, rowGroupRows) => {
        // DuckDB's times end before ours.
        const bytes = await fileOf(table.specs, table.rows, { rowGroupRows });
        expect(await duckRows(bytes)).toEqual(table.rows);
      }),
      { numRuns: 60 },
    );
  });

  test('reads in hyparquet as it was written', async () => {
    const rows = Array.from({ length: 100 }, (_, i) => sampleRow(i));
    const bytes = await fileOf(specs, rows, { rowGroupRows: 33 });
    const file = new Uint8Array(bytes).buffer;
    const objects = await parquetReadObjects({ file, compressors });
    expect(objects.map(({ k, t, i, f, b }) => [k, BigInt((t as Date).getTime()) * 1000n, i, f, b])).toEqual(
      rows,
    );
  });

  test('has the documented types', async () => {
    const described = await duckRows(await fileOf(specs, [sampleRow(1)]), 'describe select * from');
    expect(described.map((row) => row.slice(0, 3))).toEqual([
      ['k', 'VARCHAR', 'YES'],
      ['t', 'TIMESTAMP WITH TIME ZONE', 'YES'],
      ['i', 'BIGINT', 'YES'],
      ['f', 'DOUBLE', 'YES'],
      ['b', 'BOOLEAN', 'YES'],
    ]);
  });

  test('tells its writer, its sort order, and the bounds of each chunk', async () => {
    const rows: Row[] = [
      ['b', 5_000n, null, -0, false],
      ['a', -5_000n, 2n ** 62n, Number.NaN, true],
      [null, null, -1n, 7, null],
    ];
    const bytes = await fileOf(specs, rows, { sortedBy: ['k', 't'] });
    const metadata = parquetMetadata(new Uint8Array(bytes).buffer);
    expect(metadata.created_by).toBe('tidemill test');
    expect(metadata.row_groups[0]!.sorting_columns).toEqual([
      { column_idx: 0, descending: false, nulls_first: true },
      { column_idx: 1, descending: false, nulls_first: true },
    ]);
    const statistics = metadata.row_groups[0]!.columns.map(({ meta_data }) => meta_data!.statistics!);
    const bounds = statistics.map(({ min_value, max_value, null_count }) => [
      min_value,
      max_value,
      null_count,
    ]);
    expect(bounds).toEqual([
      ['a', 'b', 1n],
      [new Date(-5), new Date(5), 1n],
      [-1n, 2n ** 62n, 1n],
      [-0, 7, 0n],
      [false, true, 1n],
    ]);
  });

  test('has exact statistics in DuckDB: beyond 2^53, before the epoch, in several row groups', async () => {
    const long = 'x'.repeat(100);
    const rows: Row[] = [
      ['a', -1n, 2n ** 63n - 1n, 0.1, true],
      [long, -62_135_596_800_000_000n, -(2n ** 63n), -1e300, true],
      ['é', 2n ** 52n + 1n, 9_007_199_254_740_993n, null, null],
    ];
    const bytes = await fileOf(specs, rows, { rowGroupRows: 2 });
    const query =
      'select row_group_id, path_in_schema, stats_min_value, stats_max_value, stats_null_count from parquet_metadata(';
    writeFileSync(join(folder, 'a.parquet'), bytes);
    const result = await duckdb.runAndReadAll(`${query}'${join(folder, 'a.parquet')}')`);
    const found = result.getRows().map((row) => row.map(String));
    expect(found.filter(([, column]) => column !== 'k' && column !== 't')).toEqual([
      ['0', 'i', '-9223372036854775808', '9223372036854775807', '0'],
      ['0', 'f', '-1e+300', '0.1', '0'],
      ['0', 'b', 'true', 'true', '0'],
      ['1', 'i', '9007199254740993', '9007199254740993', '0'],
      ['1', 'f', 'null', 'null', '1'],
      ['1', 'b', 'null', 'null', '1'],
    ]);
    const footer = await readFooter(memoryFile('a.parquet', bytes));
    const [first, second] = footer.rowGroups.map(({ columns }) => columns);
    expect(first?.get('t')?.statistics).toMatchObject({ min: -62_135_596_800_000_000, max: -1, exact: true });
    expect(second?.get('t')?.statistics).toMatchObject({ min: 2 ** 52 + 1, max: 2 ** 52 + 1 });
    const text = first?.get('k')?.statistics;
    // A long text's bound is cut, rounded up, and said to be so.
    expect([Buffer.from(text!.min as Uint8Array).toString(), text!.exact]).toEqual(['a', false]);
    expect(Buffer.compare(text!.max as Uint8Array, Buffer.from(long))).toBeGreaterThan(0);
    expect(second?.get('k')?.statistics).toMatchObject({ exact: true, nulls: 0 });
  });

  test('is small where values repeat', async () => {
    const rows = Array.from({ length: 50_000 }, (_, i) => sampleRow(i % 64));
    expect((await fileOf(specs, rows)).length).toBeLessThan(10_000);
  });

  test('stores many distinct values plainly, and reads them back', async () => {
    const rows = Array.from(
      { length: 3_000 },
      (_, i): Row => [`${i}`, BigInt(i) ** 4n % 2n ** 52n, BigInt(i) * 2n ** 33n, Math.sin(i), true],
    );
    const bytes = await fileOf(specs, rows);
    expect(await readRows(inMemory(bytes).file, specs, 700)).toEqual(rows);
    expect(await duckRows(bytes)).toEqual(rows);
  });

  test('reads back beyond a page: with dictionaries and without, nulls here and there, a column of nulls', async () => {
    const columns: readonly ColumnSpec[] = [
      ...specs,
      { name: 'none', kind: 'int64' },
      { name: 'u', kind: 'text' },
    ];
    const rows = Array.from({ length: 150_000 }, (_, i): Row => {
      const distinct = BigInt(i) * 7_919n + (BigInt(i) << 34n);
      const cell = (value: Value, every: number) =>
        i % every === 0 || (i > 70_000 && i < 137_000) ? null : value;
      return [
        `key ${i >> 6}`,
        distinct,
        cell(distinct, 3),
        cell(Math.sin(i), 5),
        cell(i % 2 === 0, 7),
        null,
        `${i}`,
      ];
    });
    const bytes = await fileOf(columns, rows);
    expect(await readRows(inMemory(bytes).file, columns, 40_000)).toEqual(rows);
    const sums =
      'select count(*), count(i), sum(i::hugeint), sum(f), count(b), count("none"), count(distinct u), max(t) from';
    const found = (await duckRows(bytes, sums))[0]!;
    const values = rows.flatMap((row) => (row[2] === null ? [] : [row[2] as bigint]));
    const doubles = rows.reduce((sum, row) => sum + ((row[3] as number | null) ?? 0), 0);
    expect(found.toSpliced(3, 1)).toEqual([
      150_000n,
      BigInt(values.length),
      values.reduce((sum, value) => sum + value, 0n),
      BigInt(rows.filter((row) => row[4] !== null).length),
      0n,
      150_000n,
      rows.at(-1)![1],
    ]);
    expect(found[3]).toBeCloseTo(doubles, 6);
  });

  test('with no rows is a file all the same', async () => {
    const bytes = await fileOf(specs, []);
    expect(await duckRows(bytes)).toEqual([]);
    expect(await readRows(inMemory(bytes).file, specs)).toEqual([]);
  });

  test('is read by footer and row group, the next one ahead', async () => {
    const rows = Array.from(
      { length: 60_000 },
      (_, i): Row => [`${i}`, BigInt(i) ** 3n, BigInt(i) ** 3n * 77n, Math.sin(i), true],
    );
    const file = memoryFile('a.parquet', await fileOf(specs, rows, { rowGroupRows: 20_000 }));
    const opened = await openFile(file);
    expect(file.reads).toHaveLength(0);
    opened.select(['i', 'f']);
    expect(file.reads).toHaveLength(1);
    expect(await opened.available()).toBe(20_000);
    expect(file.reads).toHaveLength(2);
    opened.close();
  });

  test('that is closed while rows are waited for says so, and reads nothing more', async () => {
    const rows = Array.from({ length: 40_000 }, (_, i): Row => [`${i}`, BigInt(i), BigInt(i) ** 3n, i, true]);
    const file = memoryFile('a.parquet', await fileOf(specs, rows, { rowGroupRows: 20_000 }));
    for (const columns of [['f'], ['k', 'f']]) {
      const opened = await openFile(file);
      opened.select(columns);
      const before = file.reads.length;
      const waiting = opened.available();
      opened.close();
      await expect(waiting).rejects.toThrow('a.parquet was closed while it was read');
      await expect(opened.available()).rejects.toThrow('a.parquet is closed');
      expect(file.reads).toHaveLength(before);
    }
  });

  test('says that a column is missing as null, and tells the kinds of those there are', async () => {
    const opened = await openFile(inMemory(await fileOf(specs, [sampleRow(1)])).file);
    expect(opened.footer.columns).toEqual(specs);
    expect(specs.map(({ name }) => opened.kindOf(name))).toEqual(specs.map(({ kind }) => kind));
    expect([opened.has('k'), opened.has('x'), opened.kindOf('x')]).toEqual([true, false, undefined]);
    const other = [{ name: 'x', kind: 'text' }] as const;
    expect(await readRows(inMemory(await fileOf(specs, [sampleRow(1), sampleRow(2)])).file, other)).toEqual([
      [null],
      [null],
    ]);
  });

  test('is the same bytes whether columns are encoded here or in threads', async () => {
    const rows = Array.from({ length: 5_000 }, (_, i) => sampleRow(i));
    const threads = createEncoderThreads(2);
    try {
      const apart = await fileOf(specs, rows, { rowGroupRows: 1_700, encode: threads.encode });
      expect(apart).toEqual(await fileOf(specs, rows, { rowGroupRows: 1_700 }));
    } finally {
      await threads.close();
    }
  });
});
