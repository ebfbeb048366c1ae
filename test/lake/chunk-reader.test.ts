/**
 * Columns that are read straight from their pages: to the rows that were written, whoever wrote them, and
 * whichever of the two ways their neighbours are read.
 */

import { afterAll, describe, expect, test } from '@jest/globals';
import { Bool, Float64, Int64, TimestampMicrosecond, Utf8, type Vector, vectorFromArray } from 'apache-arrow';
import fc from 'fast-check';
import type { ColumnKind, ColumnSpec } from '../../src/contract/column-spec.ts';
import { openFile } from '../../src/lake/tier-file-reader.ts';
import { allocateColumn, type TextColumn, valueAt } from '../../src/lake/tier-table/table.ts';
import { TextPool } from '../../src/lake/tier-table/text-pool.ts';
import { closeDuckDb, parquetOf } from '../support/parquet.ts';
import { chunksOf, othersOf } from './chunks.ts';
import { fileOf, inMemory, type Row, readRows, type Value } from './tier-table/tables.ts';
import { wasmParquet } from './wasm-parquet.ts';

afterAll(closeDuckDb);

const KINDS: readonly ColumnKind[] = ['text', 'timestamp', 'int64', 'float64', 'boolean'];

/** Where nulls are: all of a column's rows, none, each second, in runs, and as it comes. */
const NULLS: Readonly<Record<string, (row: number) => boolean>> = {
  all: () => true,
  none: () => false,
  alternate: (row) => row % 2 === 0,
  runs: (row) => row % 700 > 300,
  random: (row) => Math.imul(row + 1, 0x9e3779b1) >>> 30 === 0,
  first: (row) => row < 1_000,
};

/** A column of each kind for each way in which nulls lie. */
const specs: readonly ColumnSpec[] = Object.keys(NULLS).flatMap((nulls) =>
  KINDS.map((kind) => ({ name: `${kind}_${nulls}`, kind })),
);

function sampleOf(kind: ColumnKind, i: number): Value {
  const few = i % 11;
  if (kind === 'text') return few === 3 ? '' : `é ${few}`;
  if (kind === 'boolean') return i % 3 === 0;
  if (kind === 'float64') return few / 7;
  return BigInt(few - 5) * (kind === 'int64' ? 2n ** 59n : 86_400_000_001n);
}

function cellOf({ name, kind }: ColumnSpec, row: number): Value {
  return NULLS[name.split('_')[1]!]!(row) ? null : sampleOf(kind, row);
}

const sampleRows = (count: number): Row[] =>
  Array.from({ length: count }, (_, row) => specs.map((spec) => cellOf(spec, row)));

/** The same in SQL; times as DuckDB has them. */
function sqlOf(count: number): string {
  const values: Readonly<Record<ColumnKind, string>> = {
    text: "CASE WHEN i % 11 = 3 THEN '' ELSE 'é ' || (i % 11) END",
    boolean: 'i % 3 = 0',
    float64: '(i % 11)::DOUBLE / 7',
    int64: '(i % 11 - 5) * 576460752303423488',
    timestamp: 'make_timestamptz((i % 11 - 5) * 86400000001)',
  };
  const nulls: Readonly<Record<string, string>> = {
    all: 'true',
    none: 'false',
    alternate: 'i % 2 = 0',
    runs: 'i % 700 > 300',
    random: '(((i + 1) * 2654435761) % 4294967296) >> 30 = 0',
    first: 'i < 1000',
  };
  const columns = specs.map(({ name, kind }) => {
    const [, where] = name.split('_') as [string, string];
    return `CASE WHEN ${nulls[where]} THEN NULL ELSE ${values[kind]} END AS "${name}"`;
  });
  return `SELECT ${columns.join(', ')} FROM range(${count}) t(i)`;
}

/** By columns: a file of many rows differs from another in few places, if at all. */
async function expectRows(bytes: Uint8Array, rows: readonly Row[], atOnce: number, read = specs) {
  const found = await readRows(inMemory(bytes).file, read, atOnce);
  expect(found.length).toBe(rows.length);
  const wrong = found.findIndex((row, i) => row.some((value, j) => !Object.is(value, rows[i]![j])));
  expect(wrong < 0 ? undefined : { row: wrong, is: found[wrong] }).toEqual(
    wrong < 0 ? undefined : { row: wrong, is: rows[wrong] },
  );
}

const COUNT = 5_000;
const rows = sampleRows(COUNT);

describe('columns with nulls in all places are read from their pages', () => {
  test('of our own files, in several row groups, by reads of any size', async () => {
    const bytes = await fileOf(specs, rows, { rowGroupRows: 2_100 });
    // Where there are only nulls, there is no dictionary: these are for parquet-wasm.
    for (const name of await othersOf(bytes)) expect(name).toMatch(/_all$|_first$/);
    for (const atOnce of [7, 256, 1_999, COUNT]) await expectRows(bytes, rows, atOnce);
  });

  test.each(['zstd', 'uncompressed'])("of DuckDB's files, %s", async (codec) => {
    const bytes = await parquetOf(sqlOf(COUNT), `COMPRESSION ${codec}, ROW_GROUP_SIZE 2048`);
    expect(await othersOf(bytes)).toEqual(['text_all']);
    for (const atOnce of [13, 1_000, COUNT]) await expectRows(bytes, rows, atOnce);
  });

  const TYPES = {
    text: new Utf8(),
    timestamp: new TimestampMicrosecond(),
    int64: new Int64(),
    float64: new Float64(),
    boolean: new Bool(),
  };

  function vectors(): Record<string, Vector> {
    return Object.fromEntries(
      specs.map((spec, j) => {
        const cells = rows.map((row) => row[j]!);
        // Arrow's own times are in milliseconds: these are put in as they are.
        const vector =
          spec.kind === 'timestamp'
            ? vectorFromArray(cells, new Int64())
            : vectorFromArray(cells, TYPES[spec.kind]);
        return [spec.name, vector];
      }),
    );
  }

  test.each([
    ['zstd', true],
    ['zstd', false],
    ['uncompressed', true],
  ] as const)("of parquet-rs' files, %s, with dictionaries: %s", async (codec, dictionary) => {
    const bytes = wasmParquet(vectors(), { dictionary, codec, rowGroupRows: 2_100 });
    const others = dictionary ? [] : specs.filter(({ kind }) => kind === 'text').map(({ name }) => name);
    expect(await othersOf(bytes)).toEqual(others);
    const kinds = specs.map(
      ({ name, kind }) => ({ name, kind: kind === 'timestamp' ? 'int64' : kind }) as const,
    );
    for (const atOnce of [17, COUNT]) await expectRows(bytes, rows, atOnce, kinds);
  });
});

test('a column is read into the middle of another, by parts of any size, and touches nothing beside them', async () => {
  const bytes = await fileOf(
    specs.filter(({ name }) => name.endsWith('_random') || name.endsWith('_runs')),
    rows.map((row) => row.filter((_, j) => /_(random|runs)$/.test(specs[j]!.name))),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 1, maxLength: 6 }),
      fc.nat(50),
      async (sizes, before) => {
        for (const { name, reader } of await chunksOf(bytes)) {
          const j = specs.findIndex((spec) => spec.name === name);
          const [spec] = specs.slice(j, j + 1) as [ColumnSpec];
          const target = allocateColumn(spec, before + COUNT + 9, () => new TextPool());
          let at = 0;
          for (let i = 0; at < COUNT; i++) {
            const some = Math.min(COUNT - at, sizes[i % sizes.length]!);
            reader!.read(target, before + at, some);
            at += some;
            // What was not read yet is null, as it was.
            expect(valueAt(target, before + at)).toBeNull();
          }
          if (before > 0) expect(valueAt(target, before - 1)).toBeNull();
          const wrong = rows.findIndex((row, i) => !Object.is(valueAt(target, before + i), row[j]));
          expect([name, wrong]).toEqual([name, -1]);
          expect(() => reader!.read(target, 0, 1)).toThrow('a column has fewer rows than its row group');
        }
      },
    ),
    { numRuns: 8 },
  );
});

test('what lies beneath null is zero, and text is of no code, as tables have it', async () => {
  const kinds = KINDS.map((kind) => ({ name: `${kind}_random`, kind }));
  const bytes = await fileOf(
    kinds,
    Array.from({ length: 300 }, (_, i) => kinds.map((spec) => cellOf(spec, i))),
  );
  for (const { name, reader } of await chunksOf(bytes)) {
    const spec = kinds.find((kind) => kind.name === name)!;
    const target = allocateColumn(spec, 300, () => new TextPool());
    // As a merge does it: over rows that were there before.
    if ('words' in target) target.words.fill(-1);
    if ('codes' in target) target.codes.fill(99);
    reader!.read(target, 0, 300);
    for (let row = 0; row < 300; row++) {
      if (cellOf(spec, row) !== null) continue;
      if ('words' in target) expect([...target.words.subarray(row * 2, row * 2 + 2)]).toEqual([0, 0]);
      else expect(valueAt(target, row)).toBeNull();
    }
  }
});

describe('beyond a page and a piece', () => {
  const LARGE = 150_000;
  const mixed: readonly ColumnSpec[] = [
    { name: 'few', kind: 'text' },
    { name: 'many', kind: 'text' },
    { name: 't', kind: 'timestamp' },
    { name: 'i', kind: 'int64' },
    { name: 'f', kind: 'float64' },
    { name: 'b', kind: 'boolean' },
    { name: 'one', kind: 'text' },
  ];
  const large = Array.from(
    { length: LARGE },
    (_, i): Row => [
      i % 3 === 0 ? null : `k${i % 1_000}`,
      i > 60_000 && i < 70_000 ? null : `${i}`,
      BigInt(i) * 1_000_003n,
      i > 65_000 && i < 140_000 ? null : BigInt(i % 50),
      i % 7 === 0 ? null : i / 3,
      i % 5 === 0 ? null : i % 2 === 0,
      'always',
    ],
  );
  const SQL = `SELECT CASE WHEN i % 3 > 0 THEN 'k' || (i % 1000) END AS few,
    CASE WHEN i <= 60000 OR i >= 70000 THEN i::VARCHAR END AS many,
    make_timestamptz(i * 1000003) AS t,
    CASE WHEN i <= 65000 OR i >= 140000 THEN (i % 50)::BIGINT END AS i,
    CASE WHEN i % 7 > 0 THEN i::DOUBLE / 3 END AS f,
    CASE WHEN i % 5 > 0 THEN i % 2 = 0 END AS b, 'always' AS one FROM range(${LARGE}) t(i)`;

  test.each([
    ['one row group', 'ROW_GROUP_SIZE 200000', 40_001],
    ['one row group, by whatever there is', 'ROW_GROUP_SIZE 200000', LARGE],
    ['two row groups', 'ROW_GROUP_SIZE 83000', 9_999],
  ])('columns of both ways keep in step: in %s', async (_, groups, atOnce) => {
    const bytes = await parquetOf(SQL, `COMPRESSION zstd, PARQUET_VERSION v2, ${groups}`);
    expect(await othersOf(bytes)).toEqual(['many', 't', 'f']);
    await expectRows(bytes, large, atOnce, mixed);
    // Each way by itself as well.
    const [pages, pieces] = [
      [0, 3, 5, 6],
      [1, 2, 4],
    ] as const;
    for (const chosen of [pages, pieces]) {
      const part = large.map((row) => chosen.map((j) => row[j]!));
      await expectRows(
        bytes,
        part,
        atOnce,
        chosen.map((j) => mixed[j]!),
      );
    }
  });

  test('our own files are read so too', async () => {
    const bytes = await fileOf(mixed, large);
    expect(await othersOf(bytes)).toEqual(['many', 't']);
    await expectRows(bytes, large, 33_333, mixed);
  });

  test('a text has its code in the pool that it is read into, also where that is another within a page', async () => {
    const bytes = await parquetOf(SQL, 'COMPRESSION zstd, PARQUET_VERSION v2, ROW_GROUP_SIZE 200000');
    const file = await openFile(inMemory(bytes).file);
    const names = ['few', 'many', 'one'];
    file.select(names);
    let at = 0;
    for (let some = await file.available(); some > 0; some = await file.available()) {
      const count = Math.min(some, 20_000);
      const columns = names.map((name) => {
        const pool = new TextPool();
        for (let i = 0; i < at % 7; i++) pool.internString(`before ${i}`);
        return allocateColumn({ name, kind: 'text' }, count, () => pool) as TextColumn;
      });
      file.read(columns, 0, count);
      for (let row = 0; row < count; row += 37) {
        const expected = [0, 1, 6].map((j) => large[at + row]![j]);
        expect(columns.map((column) => valueAt(column, row))).toEqual(expected);
      }
      at += count;
    }
    expect(at).toBe(LARGE);
  });

  test('is cast to other kinds, and the row is named that can not be', async () => {
    const bytes = await fileOf(mixed, large);
    const cast: readonly ColumnSpec[] = [
      { name: 'i', kind: 'text' },
      { name: 'many', kind: 'int64' },
    ];
    const expected = large.map(([, many, , i]) => [
      i === null ? null : String(i),
      many === null ? null : BigInt(many as string),
    ]);
    await expectRows(bytes, expected, 50_000, cast);
    const wrong = readRows(inMemory(bytes).file, [{ name: 'few', kind: 'int64' }], 50_000);
    await expect(wrong).rejects.toMatchObject({
      code: 'INPUT_READ_ERROR',
      message: 'a.parquet: row 2, column few: "k1" is not a number',
    });
  });
});

test.each([
  ['at once, where all is decoded from a copy', 'snappy', true],
  ['in the end, where pages are read from them', 'zstd', false],
])('stored bytes are given back %s', async (_, codec, back) => {
  const bytes = await parquetOf(sqlOf(COUNT), `COMPRESSION ${codec}`);
  const parts: Uint8Array[] = [];
  const memory = inMemory(bytes).file;
  const read = async (start: number, end: number) => {
    const part = await memory.read(start, end);
    parts.push(part);
    return part;
  };
  const file = await openFile({ ...memory, read });
  file.select(['text_none', 'int64_random']);
  expect(await file.available()).toBeGreaterThan(0);
  expect(parts.map(({ byteLength }) => byteLength === 0)).toEqual([back]);
  file.close();
  await Promise.resolve();
  expect(parts.map(({ byteLength }) => byteLength)).toEqual([0]);
});
