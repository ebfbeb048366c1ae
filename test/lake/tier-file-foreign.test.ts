import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import type { ColumnSpec } from '../../src/contract/column-spec.ts';
import { openFile } from '../../src/lake/tier-file-reader.ts';
import { fileOf, inMemory, type Row, readRows, type Value } from './tier-table/tables.ts';

const folder = new URL('./tier-fixtures/', import.meta.url);

interface Expected {
  readonly k: readonly string[];
  readonly name: readonly (string | null)[];
  readonly t: readonly number[];
  readonly i: readonly (string | null)[];
  readonly f: readonly (number | null)[];
  readonly b: readonly (boolean | null)[];
}

const expected: Expected = JSON.parse(readFileSync(new URL('expected.json', folder), 'utf8'));
const specs: readonly ColumnSpec[] = [
  { name: 'k', kind: 'text' },
  { name: 'name', kind: 'text' },
  { name: 't', kind: 'timestamp' },
  { name: 'i', kind: 'int64' },
  { name: 'f', kind: 'float64' },
  { name: 'b', kind: 'boolean' },
];

function fixture(name: string) {
  return inMemory(readFileSync(new URL(name, folder)), name).file;
}

const micros = expected.t.map((time) => BigInt(time));
const millis = micros.map((time) => (time / 1000n) * 1000n);
const ints = expected.i.map((text) => (text === null ? null : BigInt(text)));
/** As Python does it: the result has the divisor's sign. */
const modulo = (by: bigint) => ints.map((int) => (int === null ? null : ((int % by) + by) % by));
const whole = { k: expected.k, name: expected.name, t: micros, i: ints, f: expected.f, b: expected.b };

type Columns = Readonly<Record<string, readonly Value[]>>;

const readable: readonly [name: string, columns: Columns][] = [
  ['polars-zstd.parquet', whole],
  ['polars-categorical-ns.parquet', whole],
  ['polars-enum-brotli.parquet', whole],
  [
    'polars-ms-naive-gzip.parquet',
    { ...whole, t: millis, name: Array(40).fill(null), i: Array(40).fill(null) },
  ],
  [
    'pyarrow-views-zstd-v2.parquet',
    {
      ...whole,
      i: modulo(1000n),
      f: expected.f.map((value) => (value === null ? null : Math.fround(value))),
    },
  ],
  ['pyarrow-snappy.parquet', { ...whole, i: modulo(200n) }],
  ['pyarrow-plain-gzip.parquet', { ...whole, i: modulo(200n) }],
  ['pyarrow-delta.parquet', { ...whole, i: modulo(200n) }],
];

describe('a file of another writer', () => {
  test.each(readable)('%s is read', async (name, columns) => {
    const opened = await openFile(fixture(name));
    expect(opened.unreadable(specs.map((spec) => spec.name))).toBeUndefined();
    const rows = await readRows(fixture(name), specs, 7);
    expect(rows).toEqual(expected.k.map((_, row) => specs.map((spec) => columns[spec.name]![row])));
  });

  test('with required and nested columns is read: the flat ones, in their own places', async () => {
    const rows = await readRows(fixture('pyarrow-required-nested.parquet'), [
      { name: 'i', kind: 'int64' },
      { name: 't', kind: 'timestamp' },
      { name: 'n', kind: 'int64' },
      { name: 'k', kind: 'text' },
    ]);
    expect(rows).toEqual(expected.k.map((k, i) => [BigInt(i), 1_767_225_600_000_000n, null, k]));
  });

  test('is cast to the kinds that are asked for', async () => {
    const rows = await readRows(fixture('polars-zstd.parquet'), [
      { name: 'f', kind: 'int64' },
      { name: 'i', kind: 'text' },
      { name: 'b', kind: 'boolean' },
    ]);
    const floats = expected.f.map((value) => (value === null ? null : BigInt(Math.trunc(value))));
    expect(rows).toEqual(floats.map((value, row) => [value, expected.i[row], expected.b[row]]));
  });

  test('names the row and column of what cannot be cast', async () => {
    const file = fixture('polars-zstd.parquet');
    await expect(readRows(file, [{ name: 'name', kind: 'int64' }])).rejects.toMatchObject({
      code: 'INPUT_READ_ERROR',
      message: 'polars-zstd.parquet: row 1, column name: "x0" is not a number',
    });
    await expect(readRows(file, [{ name: 't', kind: 'text' }])).rejects.toThrow('row 1, column t: is a time');
  });
});

describe('a damaged file', () => {
  const good: readonly Row[] = Array.from({ length: 50 }, (_, i) => [`k${i}`, BigInt(i)]);
  const goodSpecs: readonly ColumnSpec[] = [
    { name: 'k', kind: 'text' },
    { name: 'i', kind: 'int64' },
  ];

  test.each([
    ['empty', (bytes: Uint8Array) => bytes.subarray(0, 0)],
    ['cut short', (bytes: Uint8Array) => bytes.subarray(0, bytes.length - 1)],
    ['only the end', (bytes: Uint8Array) => bytes.subarray(-8)],
    ['text', () => Buffer.from('InstanceType,Region\nm5.large,us-east-1\n')],
  ])('that is %s is refused', async (_, damage) => {
    const bytes = damage(await fileOf(goodSpecs, good));
    await expect(readRows(inMemory(bytes).file, goodSpecs)).rejects.toMatchObject({
      code: 'INPUT_READ_ERROR',
    });
  });

  test('at any one byte is read or refused, and never hangs or crashes', async () => {
    const bytes = await fileOf(goodSpecs, good);
    for (let at = 0; at < bytes.length; at++) {
      const damaged = Buffer.from(bytes);
      damaged[at]! ^= 0x55;
      try {
        await readRows(inMemory(damaged).file, goodSpecs);
      } catch (error) {
        expect(error).toMatchObject({ code: 'INPUT_READ_ERROR' });
      }
    }
  });
});
