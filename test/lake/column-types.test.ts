/** What a series' columns may be, by whoever wrote the file, and what is refused and how. */

import { afterAll, describe, expect, test } from '@jest/globals';
import {
  DateMillisecond,
  Dictionary,
  Field,
  Float16,
  Float64,
  Int32,
  LargeUtf8,
  Schema,
  Table,
  TimestampMillisecond,
  TimestampNanosecond,
  TimestampSecond,
  tableToIPC,
  Uint64,
  Utf8,
  Utf8View,
  type Vector,
  vectorFromArray,
} from 'apache-arrow';
import type { Row } from '../support/conformance-cases.ts';
import { closeDuckDb, parquetOf } from '../support/parquet.ts';
import { byteArrays, doubles, handmadeParquet, longs, TIME, VALUE } from './handmade-parquet.ts';
import { readBytes, readFailure } from './memory-file.ts';
import { wasmParquet } from './wasm-parquet.ts';

afterAll(closeDuckDb);

/** 2024-01-02T03:04:05.678901Z in microseconds. */
const MOMENT = Date.UTC(2024, 0, 2, 3, 4, 5, 678) * 1000 + 901;
const SECOND = Math.floor(MOMENT / 1e6) * 1e6;
const MILLISECOND = Math.floor(MOMENT / 1e3) * 1e3;
const DAY = Date.UTC(2024, 0, 2) * 1000;
/** 1901-12-13, long before the epoch, with a fraction. */
const BEFORE = Date.UTC(1901, 11, 13, 20, 45, 52) * 1000 - 1;
const FAR = Date.UTC(9999, 11, 31, 23, 59, 59) * 1000;

async function timesOfSql(...expressions: string[]): Promise<(number | undefined)[]> {
  const selects = expressions.map((time, i) => `SELECT ${time} AS obs_time, ${i}::DOUBLE AS value`);
  const rows = await readBytes(await parquetOf(selects.join(' UNION ALL ')));
  return rows.map(([time]) => time);
}

async function valuesOfSql(...expressions: string[]): Promise<(number | null)[]> {
  const selects = expressions.map((value, i) => `SELECT make_timestamp(${i}) AS obs_time, ${value} AS value`);
  const rows = await readBytes(await parquetOf(selects.join(' UNION ALL ')));
  return rows.map(([, value]) => value);
}

const stamp = (text: string, type: string) => `'${text}'::TIMESTAMP::${type}`;

describe('a time by DuckDB as', () => {
  test.each([
    ['TIMESTAMP', [BEFORE, MOMENT, FAR]],
    ['TIMESTAMPTZ', [BEFORE, MOMENT, FAR]],
    ['TIMESTAMP_MS', [Math.floor(BEFORE / 1e3) * 1e3, MILLISECOND, FAR]],
    ['TIMESTAMP_S', [Math.floor(BEFORE / 1e6) * 1e6, SECOND, FAR]],
    ['TIMESTAMP_NS', [BEFORE, MOMENT]],
    ['DATE', [Date.UTC(1901, 11, 13) * 1000, DAY, Date.UTC(9999, 11, 31) * 1000]],
  ])('%s', async (type, times) => {
    const texts = ['1901-12-13 20:45:51.999999', '2024-01-02 03:04:05.678901', '9999-12-31 23:59:59'];
    const read = await timesOfSql(...texts.slice(0, times.length).map((text) => stamp(text, type)));
    if (type === 'TIMESTAMP_S' || type === 'TIMESTAMP_MS') {
      // DuckDB rounds half up where we would cut: compare what it says itself.
      expect(read.map((time, i) => Math.abs(time! - times[i]!) <= 1e6)).toEqual(times.map(() => true));
      expect(read.every((time) => time! % (type === 'TIMESTAMP_S' ? 1e6 : 1e3) === 0)).toBe(true);
    } else expect(read).toEqual(times);
  });

  test('ISO text, spelled in many ways', async () => {
    const texts = [
      '2024-01-01',
      '2024-01-01T00:00:01Z',
      '2024-01-01 00:00:02',
      '2024-01-01T02:00:03+02:00',
      '2023-12-31T18:30:04.5-0530',
      '2024-01-01T00:00:05.123456789z',
    ];
    const start = Date.UTC(2024, 0, 1) * 1000;
    expect(await timesOfSql(...texts.map((text) => `'${text}'`))).toEqual([
      start,
      start + 1e6,
      start + 2e6,
      start + 3e6,
      start + 4.5e6,
      start + 5_123_456,
    ]);
  });

  test('a column of text that only has one spelling, with a dictionary', async () => {
    const bytes = await parquetOf(
      `SELECT strftime(DATE '2024-01-01' + (i // 50)::INT, '%Y-%m-%d') AS obs_time, i::DOUBLE AS value
       FROM range(1000) t(i)`,
    );
    const rows = await readBytes(bytes);
    expect(rows).toHaveLength(20);
    expect(rows[1]).toEqual([Date.UTC(2024, 0, 2) * 1000, 99]);
  });
});

describe('a time by parquet-wasm as', () => {
  const value = vectorFromArray([1, 2]);
  const ms = [Date.UTC(1960, 0, 1, 0, 0, 1), Date.UTC(2024, 0, 2, 3, 4, 5)];
  const rows: Row[] = [
    [ms[0]! * 1000, 1],
    [ms[1]! * 1000, 2],
  ];
  test.each<[string, Vector]>([
    ['timestamp(s)', vectorFromArray(ms, new TimestampSecond())],
    ['timestamp(s, UTC)', vectorFromArray(ms, new TimestampSecond('UTC'))],
    ['timestamp(ms)', vectorFromArray(ms, new TimestampMillisecond())],
    ['timestamp(ms, Europe/Berlin)', vectorFromArray(ms, new TimestampMillisecond('Europe/Berlin'))],
    ['timestamp(ns)', vectorFromArray(ms, new TimestampNanosecond())],
    ['date64', vectorFromArray(ms, new DateMillisecond())],
    [
      'large_utf8',
      vectorFromArray(
        ms.map((at) => new Date(at).toISOString()),
        new LargeUtf8(),
      ),
    ],
    [
      'dictionary text',
      vectorFromArray(
        ms.map((at) => new Date(at).toISOString()),
        new Dictionary(new Utf8(), new Int32()),
      ),
    ],
  ])('%s', async (_, obs_time) => {
    expect(await readBytes(wasmParquet({ obs_time, value }))).toEqual(rows);
    // The same beside columns that are not wanted, before and between.
    const beside = { x: vectorFromArray(['a', 'b']), value, y: vectorFromArray([1, 2]), obs_time };
    expect(await readBytes(wasmParquet(beside))).toEqual(rows);
  });
});

test('a time as INT96, as Impala and old Spark write it', async () => {
  // Nanoseconds of the day, then the Julian day; 2440588 is 1970-01-01.
  const int96 = Buffer.alloc(24);
  int96.writeBigUInt64LE(1_000n, 0);
  int96.writeUInt32LE(2_440_588, 8);
  int96.writeBigUInt64LE(BigInt(3_600e9), 12);
  int96.writeUInt32LE(2_440_588 + 19_724, 20);
  const bytes = handmadeParquet(
    [{ name: 'obs_time', type: 'INT96' }, VALUE],
    [{ rows: 2, chunks: { obs_time: { data: int96 }, value: { data: doubles(1, 2) } } }],
  );
  expect(await readBytes(bytes)).toEqual([
    [1, 1],
    [19_724 * 86_400e6 + 3_600e6, 2],
  ]);
});

describe('a value by DuckDB as', () => {
  test.each([
    ['TINYINT', ['-128', '127'], [-128, 127]],
    ['SMALLINT', ['-32768', '32767'], [-32768, 32767]],
    ['INTEGER', ['-2147483648', '2147483647'], [-2147483648, 2147483647]],
    ['BIGINT', ['-9007199254740991', '9223372036854775807'], [-9007199254740991, 2 ** 63]],
    ['UTINYINT', ['0', '255'], [0, 255]],
    ['USMALLINT', ['0', '65535'], [0, 65535]],
    ['UINTEGER', ['0', '4294967295'], [0, 4294967295]],
    ['UBIGINT', ['0', '18446744073709551615'], [0, 2 ** 64]],
    ['HUGEINT', ['-1', '170141183460469231731687303715884105727'], [-1, 2 ** 127]],
    ['FLOAT', ['0.5', '-1.25'], [0.5, -1.25]],
    ['DOUBLE', ['0.1', '-1e300'], [0.1, -1e300]],
    ['DECIMAL(4,1)', ['-123.4', '999.9'], [-123.4, 999.9]],
    ['DECIMAL(18,3)', ['-123456789012345.678', '0.001'], [Number('-123456789012345.678'), 0.001]],
    [
      'DECIMAL(38,5)',
      ['-12345678901234567890.12345', '0.00001'],
      [Number('-12345678901234567890.12345'), 0.00001],
    ],
  ])('%s', async (type, written, read) => {
    const values = [...written.map((value) => `'${value}'::${type}`), `NULL::${type}`];
    expect(await valuesOfSql(...values)).toEqual([...read, null]);
    expect(await valuesOfSql(...written.map((value) => `'${value}'::${type}`))).toEqual(read);
  });

  test('NaN is null, and infinities stay what they are', async () => {
    const values = ["'NaN'::DOUBLE", "'Infinity'::DOUBLE", "'-Infinity'::DOUBLE", 'NULL', "'-0'::DOUBLE"];
    expect(await valuesOfSql(...values)).toEqual([null, Infinity, -Infinity, null, -0]);
    const floats = ["'NaN'::FLOAT", "'Infinity'::FLOAT", 'NULL'];
    expect(await valuesOfSql(...floats)).toEqual([null, Infinity, null]);
  });
});

describe('a value by other writers as', () => {
  const obs_time = vectorFromArray([1, 2], new TimestampMillisecond());

  test('half floats', async () => {
    const value = vectorFromArray([0.5, Infinity], new Float16());
    const written = wasmParquet({ obs_time, value });
    expect((await readBytes(written)).map(([, number]) => number)).toEqual([0.5, Infinity]);
  });

  test('half floats in files without an Arrow schema', async () => {
    const column = { name: 'value', type: 'FIXED_LEN_BYTE_ARRAY', length: 2, logical: 'float16' } as const;
    const halves = new Uint8Array(Uint16Array.of(0x3800, 0x7c00, 0x7e00, 0x8001).buffer);
    const chunks = { obs_time: { data: longs(1, 2, 3, 4) }, value: { data: halves } };
    const written = handmadeParquet([TIME, column], [{ rows: 4, chunks }]);
    expect((await readBytes(written)).map(([, number]) => number)).toEqual([
      0.5,
      Infinity,
      null,
      -(2 ** -24),
    ]);
  });

  test('uint64 beside a dictionary', async () => {
    const value = vectorFromArray([1n, 2n ** 63n], new Uint64());
    const written = wasmParquet({ obs_time, value });
    expect((await readBytes(written)).map(([, number]) => number)).toEqual([1, 2 ** 63]);
  });
});

describe('refused, with the file and the column named:', () => {
  const select = (time: string, value: string) => parquetOf(`SELECT ${time} AS obs_time, ${value} AS value`);
  test.each([
    ['a boolean time', 'true', '1.0', 'obs_time'],
    ['a time of day', "TIME '10:00:00'", '1.0', 'obs_time'],
    ['an integer time', '17::BIGINT', '1.0', 'obs_time'],
    ['a double time', '1.5::DOUBLE', '1.0', 'obs_time'],
    ['an interval', "INTERVAL '1 day'", '1.0', 'obs_time'],
    ['a time in a struct', "{'t': make_timestamp(1)}", '1.0', 'obs_time'],
    ['a list of times', '[make_timestamp(1)]', '1.0', 'obs_time'],
    ['a text value', 'make_timestamp(1)', "'1.5'", 'value'],
    ['a boolean value', 'make_timestamp(1)', 'true', 'value'],
    ['a date value', 'make_timestamp(1)', "DATE '2024-01-01'", 'value'],
    ['a list of values', 'make_timestamp(1)', '[1.0]', 'value'],
    ['a struct of values', 'make_timestamp(1)', "{'v': 1.0}", 'value'],
    ['a binary value', 'make_timestamp(1)', "'ab'::BLOB", 'value'],
  ])('%s', async (_, time, value, column) => {
    const failure = await readFailure(readBytes(await select(time, value)));
    expect(failure).toMatch(/^INPUT_READ_ERROR: a\.parquet/);
    expect(failure).toContain(`column "${column}"`);
  });

  test.each(['yesterday', '2024-13-01', '2024-02-30', '2024-01-01T25:00:00Z', '01/02/2024', ''])(
    'the text %j as a time',
    async (text) => {
      const failure = await readFailure(readBytes(await select(`'${text}'`, '1.0')));
      expect(failure).toBe(
        `INPUT_READ_ERROR: a.parquet: column "obs_time" holds ${JSON.stringify(text)}, which is no ISO date or time`,
      );
    },
  );

  test.each([
    ['obs_time', 'SELECT 1.0 AS value', 'it has: value'],
    ['value', 'SELECT make_timestamp(1) AS obs_time, 1 AS val', 'it has: obs_time, val'],
    ['obs_time', 'SELECT make_timestamp(1) AS "Obs_Time", 1 AS value', 'it has: Obs_Time, value'],
  ])('no column %s', async (column, sql, there) => {
    const failure = await readFailure(readBytes(await parquetOf(sql)));
    expect(failure).toBe(`INPUT_READ_ERROR: a.parquet has no column "${column}" (${there})`);
  });

  test('neither a series in the path nor a column of codes', async () => {
    const bytes = await select('make_timestamp(1)', '1.0');
    expect(await readFailure(readBytes(bytes, { named: false }))).toBe(
      'INPUT_READ_ERROR: a.parquet names no series in its path and has no column "internal_series_code"',
    );
  });

  test.each([
    ['numbers', '17'],
    ['a list', "['A']"],
  ])('%s as series codes', async (_, code) => {
    const bytes = await parquetOf(
      `SELECT make_timestamp(1) AS obs_time, 1.0 AS value, ${code} AS internal_series_code`,
    );
    const failure = await readFailure(readBytes(bytes, { named: false }));
    expect(failure).toMatch(/^INPUT_READ_ERROR: a\.parquet.* column "internal_series_code"/);
  });
});

test('an embedded Arrow schema is heeded where Parquet says too little, string views and all', async () => {
  const schema = new Schema([
    new Field('unwanted', new Utf8View(), true),
    new Field('internal_series_code', new Utf8View(), true),
    new Field('obs_time', new TimestampSecond(), true),
    new Field('value', new Float64(), true),
  ]);
  const embedded = Buffer.from(tableToIPC(new Table(schema), 'stream')).toString('base64');
  const columns = [
    { name: 'unwanted', type: 'BYTE_ARRAY', logical: 'utf8' },
    { name: 'internal_series_code', type: 'BYTE_ARRAY', logical: 'utf8' },
    { name: 'obs_time', type: 'INT64' },
    VALUE,
  ] as const;
  const chunks = {
    unwanted: { data: byteArrays('x', 'y', 'z') },
    internal_series_code: { data: byteArrays('B', 'A', 'A') },
    obs_time: { data: longs(1, 2, 3) },
    value: { data: doubles(1, 2, 3) },
  };
  const bytes = handmadeParquet(columns, [{ rows: 3, chunks }], { keyValues: { 'ARROW:schema': embedded } });
  expect(await readBytes(bytes, { named: false })).toEqual([
    [2e6, 2],
    [3e6, 3],
  ]);
  const damaged = { 'ARROW:schema': embedded.slice(0, 50) };
  const without = handmadeParquet(columns, [{ rows: 3, chunks }], { keyValues: damaged });
  expect(await readFailure(readBytes(without))).toBe(
    'INPUT_READ_ERROR: a.parquet: column "obs_time" is of type Int64, must be a timestamp, a date or ISO text',
  );
});

test('bytes that are text by their content only are no text', async () => {
  const bytes = handmadeParquet(
    [TIME, VALUE, { name: 'internal_series_code', type: 'BYTE_ARRAY' }],
    [
      {
        rows: 1,
        chunks: {
          obs_time: { data: longs(1) },
          value: { data: doubles(1) },
          internal_series_code: { data: byteArrays('A') },
        },
      },
    ],
  );
  expect(await readFailure(readBytes(bytes, { named: false }))).toContain('must be text');
});

test('a handmade file is as good as any', async () => {
  const chunks = { obs_time: { data: longs(5, 6) }, value: { data: doubles(1, 2) } };
  expect(await readBytes(handmadeParquet([VALUE, TIME], [{ rows: 2, chunks }]))).toEqual([
    [5, 1],
    [6, 2],
  ]);
});

test('column order, extra columns and nested ones do not matter', async () => {
  const bytes = await parquetOf(`SELECT {'a': 1, 'value': 9} AS nested, 2.5 AS value, [1, 2] AS list,
    'x' AS "other", make_timestamp(7) AS obs_time, MAP {'k': 1} AS map`);
  expect(await readBytes(bytes)).toEqual([[7, 2.5]]);
});

test('a row without a time is left out, one without a value is null', async () => {
  const bytes = await parquetOf(`SELECT * FROM (VALUES (NULL, 1.0), (make_timestamp(1), NULL),
    (make_timestamp(2), 2.0), (NULL, NULL)) t(obs_time, value)`);
  expect(await readBytes(bytes)).toEqual([
    [1, null],
    [2, 2],
  ]);
});
