import { describe, expect, test } from '@jest/globals';
import { parseProvidersFile } from '../../src/contract/tier-provider.ts';
import { putJsonRows } from '../../src/hot-tier/json-rows.ts';
import { putParquetRows } from '../../src/hot-tier/parquet-rows.ts';
import { RowBuilder } from '../../src/hot-tier/row-builder.ts';
import { openFile } from '../../src/lake/tier-file-reader.ts';
import { fileOf, inMemory } from '../lake/tier-table/tables.ts';
import {
  aws,
  awsRow,
  CHANGED,
  fromCsv,
  fromJson,
  fromJsonLines,
  micros,
  objectsOf,
  REMOVED,
  valuesOf,
} from './uploads.ts';

describe('a row', () => {
  test('that does not say whether it has ceased says what its source says; a null stays null', () => {
    const rows = [awsRow(), awsRow({ Ceased: true }), awsRow({ Ceased: false }), awsRow({ Ceased: null })];
    expect(valuesOf(fromJson(rows, CHANGED), 'Ceased')).toEqual([false, true, false, null]);
    expect(valuesOf(fromJson(rows, REMOVED), 'Ceased')).toEqual([true, true, false, null]);
  });

  test('may lack value columns; one that no row has is not there', () => {
    const table = fromJson([awsRow({ SPS: 1 }), awsRow({ IF: 2.5 })]);
    expect(table.columns.map(({ name }) => name)).toEqual([
      'InstanceType',
      'Region',
      'AZ',
      'Time',
      'SPS',
      'IF',
      'Ceased',
    ]);
    expect(valuesOf(table, 'SPS')).toEqual([1n, null]);
    expect(valuesOf(table, 'IF')).toEqual([null, 2.5]);
  });

  test.each([
    [{ SPS: 2.7 }, 'SPS', 2n],
    [{ SPS: -2.7 }, 'SPS', -2n],
    [{ SPS: '12' }, 'SPS', 12n],
    [{ SPS: '-9223372036854775808' }, 'SPS', -(2n ** 63n)],
    [{ SPS: '9223372036854775807' }, 'SPS', 2n ** 63n - 1n],
    [{ SPS: 9_007_199_254_740_991 }, 'SPS', 9_007_199_254_740_991n],
    [{ SPS: '1e3' }, 'SPS', 1000n],
    [{ SPS: '2.9' }, 'SPS', 2n],
    [{ IF: '1.5' }, 'IF', 1.5],
    [{ IF: 3 }, 'IF', 3],
    [{ IF: '-1e-7' }, 'IF', -1e-7],
    [{ IF: '0.1' }, 'IF', 0.1],
    [{ IF: '123456789012345678' }, 'IF', Number('123456789012345678')],
    [{ AZ: 7 }, 'AZ', '7'],
    [{ AZ: 'é𝄞' }, 'AZ', 'é𝄞'],
    [{ Ceased: 'true' }, 'Ceased', true],
    [{ Ceased: 0 }, 'Ceased', false],
    [{ Time: '2026-01-23 14:20:00' }, 'Time', micros('2026-01-23T14:20:00Z')],
    [{ Time: '2026-01-23T14:20:00+00:00' }, 'Time', micros('2026-01-23T14:20:00Z')],
    [{ Time: '2026-01-23T14:20:00.5+09:00' }, 'Time', micros('2026-01-23T05:20:00.500Z')],
    [{ Time: '2026-01-23 14:20:00.123456-05:30' }, 'Time', micros('2026-01-23T19:50:00.123Z') + 456n],
    [{ Time: '2024-02-29 23:59:59' }, 'Time', micros('2024-02-29T23:59:59Z')],
    [{ Time: '1969-12-31 23:59:59' }, 'Time', -1_000_000n],
    [{ Time: '0001-01-01 00:00:00' }, 'Time', micros('0001-01-01T00:00:00Z')],
  ])('with %j has %s %p', (values, name, expected) => {
    expect(valuesOf(fromJson([awsRow(values)]), name)).toEqual([expected]);
    expect(valuesOf(fromJsonLines(JSON.stringify(awsRow(values))), name)).toEqual([expected]);
  });

  test.each([
    [{ SPS: 'three' }, 'SPS', '"three" is not a number'],
    [{ SPS: '' }, 'SPS', '"" is not a number'],
    [{ SPS: ' 3' }, 'SPS', '" 3" is not a number'],
    [{ SPS: '1,000' }, 'SPS', '"1,000" is not a number'],
    [{ SPS: 'NaN' }, 'SPS', '"NaN" is not a number'],
    [{ SPS: 'x'.repeat(100) }, 'SPS', `"${'x'.repeat(40)}…" is not a number`],
    [{ SPS: true }, 'SPS', 'is true, not a number'],
    [{ SPS: [] }, 'SPS', 'is a list, not a number'],
    [{ SPS: {} }, 'SPS', 'is an object, not a number'],
    [{ SPS: '9223372036854775808' }, 'SPS', '9223372036854775808 is beyond int64'],
    [{ SPS: 1e19 }, 'SPS', 'is beyond int64'],
    [{ SPS: '1e19' }, 'SPS', '1e19 is beyond int64'],
    [{ IF: '1e400' }, 'IF', '1e400 is beyond float64'],
    [{ IF: 'nan' }, 'IF', '"nan" is not a number'],
    [{ IF: 'Infinity' }, 'IF', '"Infinity" is not a number'],
    [
      { Time: '2026-01-23T14:20:00Z' },
      'Time',
      '"2026-01-23T14:20:00Z" is not a time as YYYY-MM-DD HH:MM:SS (UTC)',
    ],
    [{ Time: '2026-01-23T14:20:00' }, 'Time', 'is not a time'],
    [{ Time: '2026-02-29 00:00:00' }, 'Time', 'is not a time'],
    [{ Time: '2026-01-23 24:00:00' }, 'Time', 'is not a time'],
    [{ Time: '2026-01-23' }, 'Time', 'is not a time'],
    [{ Time: 1769178000 }, 'Time', 'is the number 1769178000, not a time as text'],
    [{ Time: null }, 'Time', 'is missing or null, and every row must have it'],
    [{ AZ: null }, 'AZ', 'is missing or null, and every row must have it'],
    [{ AZ: undefined }, 'AZ', 'is missing or null'],
    [{ AZ: true }, 'AZ', 'is true, not text'],
    [{ Ceased: 'yes' }, 'Ceased', '"yes" is not true or false'],
  ])('with %j is refused, and the error names row and column', (values, name, problem) => {
    const rows = [awsRow(), awsRow(values)];
    const error = { code: 'INPUT_READ_ERROR', kind: 'invalid', fields: { row: 2, column: name } };
    const lines = rows.map((row) => JSON.stringify(row)).join('\n');
    for (const read of [() => fromJson(rows), () => fromJsonLines(lines)]) {
      expect(read).toThrow(expect.objectContaining(error));
      expect(read).toThrow(`changed: row 2, column ${name}: `);
      expect(read).toThrow(problem);
    }
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY])('with %p, which JSON cannot say, is refused', (value) => {
    expect(() => fromJson([awsRow({ IF: value })])).toThrow('row 1, column IF: is ');
    expect(() => fromJson([awsRow({ SPS: value })])).toThrow('row 1, column SPS: is ');
  });

  test('beyond 2^53 must come as text in a request, and comes as it is in lines', () => {
    expect(() => fromJson([awsRow({ SPS: 2 ** 53 + 2 })])).toThrow(
      'beyond 2^53, where a JSON number is not exact',
    );
    expect(valuesOf(fromJson([awsRow({ SPS: String(2n ** 53n + 1n) })]), 'SPS')).toEqual([2n ** 53n + 1n]);
    const line =
      '{"InstanceType":"a","Region":"r","AZ":"z","Time":"2026-01-23 14:20:00","SPS":9007199254740993}';
    expect(valuesOf(fromJsonLines(line), 'SPS')).toEqual([2n ** 53n + 1n]);
    // With an escape the line goes the long way, and its numbers stay what they are all the same.
    expect(valuesOf(fromJsonLines(line.replace('"a"', '"\\u0061"')), 'SPS')).toEqual([2n ** 53n + 1n]);
  });

  test('of a source with more rows than are allowed is refused', () => {
    const builder = RowBuilder.of(aws, 2);
    builder.begin(CHANGED);
    builder.startRow();
    builder.startRow();
    expect(() => builder.startRow()).toThrow('changed: more than 2 rows');
    const lines = Array.from({ length: 3 }, () => JSON.stringify(awsRow())).join('\n');
    expect(() => fromJsonLines(lines, 10, 2)).toThrow('changed: more than 2 rows');
  });
});

describe('two sources', () => {
  test('become one table, each row counted in its own', () => {
    const builder = RowBuilder.of(aws, 100);
    builder.begin(CHANGED);
    putJsonRows(builder, [awsRow({ SPS: 1 }), awsRow({ SPS: 2 })]);
    builder.end();
    builder.begin(REMOVED);
    expect(() => putJsonRows(builder, [awsRow({ SPS: 'x' })])).toThrow('removed: row 1, column SPS: ');
    builder.begin(REMOVED);
    putJsonRows(builder, [awsRow({ IF: 0 })]);
    builder.end();
  });

  test('have the columns of both, null where a row is of the other', () => {
    const builder = RowBuilder.of(aws, 100);
    builder.begin(CHANGED);
    putJsonRows(builder, [awsRow({ SPS: 1 })]);
    builder.end();
    builder.begin(REMOVED);
    putJsonRows(builder, [awsRow({ IF: 0 })]);
    builder.end();
    const { table } = builder.finish();
    expect(objectsOf(table).map(({ SPS, IF, Ceased }) => [SPS, IF, Ceased])).toEqual([
      [1n, null, false],
      [null, 0, true],
    ]);
  });

  test('leave out the changed rows that hold the sentinel in a value column, and say how many', () => {
    const builder = RowBuilder.of(aws, 100);
    builder.begin({ ...CHANGED, sentinel: -1 });
    putJsonRows(
      builder,
      [{ SPS: 1 }, { SPS: -1 }, { SPS: null }, { IF: -1.5 }, { IF: -1 }].map((values) => awsRow(values)),
    );
    builder.end();
    builder.begin(REMOVED);
    putJsonRows(builder, [awsRow({ SPS: -1 })]);
    builder.end();
    const { table, dropped } = builder.finish();
    expect(dropped).toBe(2);
    expect(objectsOf(table).map(({ SPS, IF }) => [SPS, IF])).toEqual([
      [1n, null],
      [null, null],
      [null, -1.5],
      [-1n, null],
    ]);
  });
});

describe('an upload of no rows', () => {
  test('is a table of none, whatever it comes as', () => {
    for (const table of [
      fromJson([]),
      fromJsonLines(''),
      fromJsonLines('\n \n'),
      fromCsv(''),
      fromCsv('SPS,AZ\n'),
    ]) {
      expect(table).toEqual({ rows: 0, columns: [] });
    }
  });
});

describe('many rows', () => {
  test('are all there, though nobody said how many there would be', () => {
    const rows = Array.from({ length: 5_000 }, (_, i) =>
      awsRow({ AZ: `z${i}`, SPS: i, Ceased: i % 2 === 0 ? true : undefined }),
    );
    const lines = rows.map((row) => JSON.stringify(row)).join('\n');
    const table = fromJsonLines(lines, 1 << 16, 10_000);
    expect(table.rows).toBe(5_000);
    expect(valuesOf(table, 'SPS')).toEqual(rows.map((_, i) => BigInt(i)));
    expect(valuesOf(table, 'AZ')).toEqual(rows.map((_, i) => `z${i}`));
    expect(valuesOf(table, 'Ceased')).toEqual(rows.map((_, i) => i % 2 === 0));
  });
});

describe('rows of an own provider', () => {
  test('have its columns', () => {
    const [own] = parseProvidersFile(
      JSON.stringify({
        providers: [{ name: 'oci', keyColumns: ['Shape'], timeColumn: 'At', values: { Price: 'float64' } }],
      }),
      'own.json',
    );
    const table = fromJson(
      [{ At: '2026-01-01 00:00:00', Shape: 's', Price: '1.5', AZ: 'no column' }],
      CHANGED,
      own!,
    );
    expect(objectsOf(table)).toEqual([
      { Shape: 's', At: micros('2026-01-01T00:00:00Z'), Price: 1.5, Ceased: false },
    ]);
  });
});

describe('rows of a Parquet file', () => {
  const specs = [
    { name: 'SPS', kind: 'float64' },
    { name: 'AZ', kind: 'text' },
    { name: 'Time', kind: 'timestamp' },
    { name: 'Extra', kind: 'text' },
    { name: 'Region', kind: 'text' },
    { name: 'InstanceType', kind: 'text' },
    { name: 'IF', kind: 'int64' },
  ] as const;
  const row = (sps: number | null, az: string | null, ratio = 7n) => [
    sps,
    az,
    1_000_000n,
    'x',
    'r',
    'i',
    ratio,
  ];

  async function fromParquet(rows: Parameters<typeof fileOf>[1]) {
    const file = await openFile(
      inMemory(await fileOf(specs, rows, { rowGroupRows: 2 }), 'rows.parquet').file,
    );
    const builder = RowBuilder.of(aws, 100);
    builder.begin(REMOVED);
    await putParquetRows(builder, file);
    builder.end();
    return builder.finish().table;
  }

  test('are cast, in any order of columns', async () => {
    const table = await fromParquet([row(2.7, 'a'), row(null, 'b'), row(-1, 'c', -3n)]);
    expect(objectsOf(table)).toEqual([
      { InstanceType: 'i', Region: 'r', AZ: 'a', Time: 1_000_000n, SPS: 2n, IF: 7, Ceased: true },
      { InstanceType: 'i', Region: 'r', AZ: 'b', Time: 1_000_000n, SPS: null, IF: 7, Ceased: true },
      { InstanceType: 'i', Region: 'r', AZ: 'c', Time: 1_000_000n, SPS: -1n, IF: -3, Ceased: true },
    ]);
  });

  test('that cannot be cast, or lack a key, are refused by row and column', async () => {
    await expect(fromParquet([row(1, 'a'), row(1, 'a'), row(Number.NaN, 'c')])).rejects.toThrow(
      'rows.parquet: row 3, column SPS: is NaN, not a number',
    );
    await expect(fromParquet([row(1, 'a'), row(1, null)])).rejects.toThrow(
      'removed: row 2, column AZ: is missing or null',
    );
  });

  test('may hold no NaN among doubles either', async () => {
    const doubles = await fileOf(
      [...specs.slice(1, 6), { name: 'IF', kind: 'float64' }],
      [['a', 0n, 'x', 'r', 'i', Number.NaN]],
    );
    const file = await openFile(inMemory(doubles).file);
    const builder = RowBuilder.of(aws, 100);
    builder.begin(CHANGED);
    await putParquetRows(builder, file);
    expect(() => builder.end()).toThrow('changed: row 1, column IF: is NaN, not a number');
  });
});
