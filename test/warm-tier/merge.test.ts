import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { ColumnSpec } from '../../src/contract/column-spec.ts';
import { canonicalColumns, findProvider, tierProviders } from '../../src/contract/tier-provider.ts';
import { openFile } from '../../src/lake/tier-file-reader.ts';
import {
  type AnyColumn,
  type Column,
  clearRows,
  gather,
  pool,
  type TextColumn,
  type WideColumn,
} from '../../src/lake/tier-table/table.ts';
import { Merge, type MergeSpec, type Run } from '../../src/warm-tier/merge.ts';
import { fileOf, inMemory, type Row, rowsOf, tableOf, type Value } from '../lake/tier-table/tables.ts';

const specs: readonly ColumnSpec[] = [
  { name: 'a', kind: 'text' },
  { name: 'b', kind: 'text' },
  { name: 'Time', kind: 'timestamp' },
  { name: 'v', kind: 'int64' },
  { name: 'Ceased', kind: 'boolean' },
];
const spec: MergeSpec = { columns: specs, keys: ['a', 'b'], time: 'Time', ceased: 'Ceased' };

/** A run of rows in memory, `atOnce` of which are available at a time. */
function runOf(name: string, columns: readonly ColumnSpec[], rows: readonly Row[], atOnce = 1_000): Run {
  let at = 0;
  return {
    name,
    available: () => Promise.resolve(Math.min(atOnce, rows.length - at)),
    read(targets: readonly AnyColumn[], to: number, count: number) {
      const piece = rows.slice(at, at + count);
      at += count;
      for (const target of targets) {
        const index = columns.findIndex((column) => column.name === target.name);
        if (index < 0) {
          clearRows(target, to, count);
          continue;
        }
        const source = tableOf(
          [columns[index]!],
          piece.map((row) => [row[index]!]),
        ).columns[0]!;
        if (source.kind === 'text' && target.kind === 'text') {
          piece.forEach((row, i) => {
            const text = row[index];
            target.codes[to + i] = text === null ? 0 : target.pool.internString(String(text));
          });
        } else if (target.kind === 'pooled') pool(source as WideColumn, count, target, to);
        else gather(source, Uint32Array.from(piece.keys()), count, target, to);
      }
    },
  };
}

async function merged(runs: readonly Run[], options: Partial<MergeSpec> = {}) {
  const merge = new Merge(runs, { ...spec, ...options });
  const tables: Value[][][] = [];
  for await (const table of merge.tables()) tables.push(rowsOf(table));
  return { rows: tables.flat(), tables, counts: merge.counts };
}

function compareTexts(a: Value, b: Value): number {
  if (a === null || b === null) return a === b ? 0 : a === null ? -1 : 1;
  return Buffer.compare(Buffer.from(String(a)), Buffer.from(String(b)));
}

function compareTimes(a: Value, b: Value): number {
  if (a === null || b === null) return a === b ? 0 : a === null ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}

function compareKeys(x: Row, y: Row): number {
  return compareTexts(x[0]!, y[0]!) || compareTexts(x[1]!, y[1]!) || compareTimes(x[2]!, y[2]!);
}

/** What a merge must give, in a few lines: all rows sorted, the best of equal ones kept. */
function expectedRows(runs: readonly (readonly Row[])[]): Row[] {
  const rank = (row: Row) => (row[4] === false ? 0 : row[4] === null ? 1 : 2);
  const all = runs.flatMap((rows, run) => rows.map((row, i) => ({ row, run, i })));
  all.sort((x, y) => compareKeys(x.row, y.row) || rank(x.row) - rank(y.row) || y.run - x.run || x.i - y.i);
  return all.filter(({ row }, i) => i === 0 || compareKeys(row, all[i - 1]!.row) !== 0).map(({ row }) => row);
}

const text = fc.oneof(
  fc.constantFrom('', 'm5', 'm5.large', 'm6', 'é', '\uffff', '\u{10000}'),
  fc.string({ maxLength: 3 }),
);
const time = fc.oneof(
  fc.bigInt({ min: 0n, max: 5n }),
  fc.bigInt({ min: -(2n ** 53n) + 1n, max: 2n ** 53n - 1n }),
);
const nullable = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: null, freq: 8 });
const anyRow: fc.Arbitrary<Row> = fc.tuple(
  nullable(text),
  nullable(text),
  nullable(time),
  nullable(fc.bigInt({ min: 0n, max: 9n })),
  nullable(fc.boolean()),
);
const anyRun = fc.array(anyRow, { maxLength: 40 }).map((rows) => rows.toSorted(compareKeys));

/** Lost a row: the row group was full when a run was refilled, and the next row replaced the last one. */
const FULL_AT_A_REFILL: [Row[][], number, number, number, number] = [
  [
    [[null, null, 0n, null, null]],
    [
      [null, null, 0n, null, null],
      ['', null, null, null, null],
    ],
    [],
    [],
  ],
  2,
  1,
  1,
  -1,
];

describe('a merge', () => {
  test('gives all rows in order, of equal ones the living, then the later; whatever the pieces', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyRun, { minLength: 1, maxLength: 9 }),
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 30 }),
        fc.constantFrom(1, 1_000),
        // No pool, one that is given up for every value, or for some, or never.
        fc.constantFrom(-1, 0, 4, 1_000),
        async (runs, atOnce, rowGroupRows, maxTexts, maxPooled) => {
          const inputs = runs.map((rows, i) => runOf(`run ${i}`, specs, rows, atOnce));
          const pooled = new Set(maxPooled < 0 ? [] : ['v']);
          const { rows, tables, counts } = await merged(inputs, {
            rowGroupRows,
            maxTexts,
            pooled,
            maxPooled,
          });
          const expected = expectedRows(runs);
          expect(rows).toEqual(expected);
          const sizes = tables.map((table) => table.length);
          expect(sizes.slice(0, -1).every((size) => size === rowGroupRows)).toBe(true);
          const rowsRead = runs.flat().length;
          expect(counts).toEqual({
            rowsRead,
            rowsWritten: expected.length,
            duplicates: rowsRead - expected.length,
          });
        },
      ),
      { numRuns: 300, examples: [FULL_AT_A_REFILL] },
    );
  });

  test('forgets texts that are past, of columns that are no keys too', async () => {
    const columns: readonly ColumnSpec[] = [...specs, { name: 'note', kind: 'text' }];
    const rows = Array.from({ length: 500 }, (_, i): Row => ['m5', null, BigInt(i), 1n, false, `note ${i}`]);
    const run = runOf('run', columns, rows, 10);
    const merge = new Merge([run], { ...spec, columns, rowGroupRows: 10, maxTexts: 20 });
    const notes: Value[] = [];
    const sizes: number[] = [];
    for await (const table of merge.tables()) {
      notes.push(...rowsOf(table).map((row) => row[5]!));
      sizes.push((table.columns[5] as TextColumn).pool.size);
    }
    expect(notes).toEqual(rows.map((row) => row[5]));
    expect(Math.max(...sizes)).toBeLessThan(100);
  });

  test('takes long stretches of one run as it takes single rows', async () => {
    const stretch = (from: number, to: number): Row[] =>
      Array.from({ length: to - from }, (_, i) => [
        `k${10 + Math.floor((from + i) / 700)}`,
        'b',
        BigInt(from + i),
        1n,
        false,
      ]);
    const runs = [stretch(0, 3_000), stretch(3_000, 9_000), stretch(1_000, 2_000)];
    const inputs = runs.map((rows, i) => runOf(`run ${i}`, specs, rows, 500));
    const { rows } = await merged(inputs, { rowGroupRows: 1_111 });
    expect(rows).toEqual(expectedRows(runs));
  });

  test('puts null where a run lacks a column', async () => {
    const old = specs.filter(({ name }) => name !== 'v' && name !== 'Ceased');
    const { rows } = await merged([
      runOf('old', old, [
        ['a', 'b', 1n],
        ['c', 'd', 1n],
      ]),
      runOf('new', specs, [
        ['a', 'b', 2n, 7n, false],
        ['c', 'd', 1n, 8n, true],
      ]),
    ]);
    expect(rows).toEqual([
      ['a', 'b', 1n, null, null],
      ['a', 'b', 2n, 7n, false],
      ['c', 'd', 1n, null, null],
    ]);
  });

  test('without a column that tells ceased rows keeps the later of equal ones', async () => {
    const columns = specs.filter(({ name }) => name !== 'Ceased');
    const { rows } = await merged(
      [runOf('one', columns, [['a', 'b', 1n, 1n]]), runOf('two', columns, [['a', 'b', 1n, 2n]])],
      { columns },
    );
    expect(rows).toEqual([['a', 'b', 1n, 2n]]);
  });

  test('of one run is that run, and of empty ones is empty', async () => {
    expect((await merged([runOf('one', specs, [['a', 'b', 1n, 1n, false]])])).rows).toHaveLength(1);
    expect((await merged([runOf('one', specs, []), runOf('two', specs, [])])).rows).toEqual([]);
  });

  test('keeps times apart that are one as doubles', async () => {
    const far = 9_007_199_254_740_993n;
    const columns: ColumnSpec[] = [
      { name: 'a', kind: 'text' },
      { name: 'Time', kind: 'timestamp' },
    ];
    const files = await Promise.all(
      [
        [far - 1n, far + 1n],
        [far, far + 1n],
      ].map((times) =>
        fileOf(
          [
            { name: 'a', kind: 'text' },
            { name: 'Time', kind: 'int64' },
          ],
          times.map((t) => ['k', t]),
        ),
      ),
    );
    const runs = await Promise.all(
      files.map(async (bytes, i) => {
        const file = await openFile(inMemory(bytes, `f${i}`).file);
        file.select(['a', 'Time']);
        return file;
      }),
    );
    // A timestamp has the words of an int64; the file's own kind is put right here.
    const asTimes = runs.map(
      (run): Run => ({
        name: run.name,
        available: () => run.available(),
        read(targets, at, rows) {
          const [a, t] = targets;
          run.read([a!, { ...t!, kind: 'int64' } as Column], at, rows);
        },
      }),
    );
    const { rows } = await merged(asTimes, { columns, keys: ['a'] });
    expect(rows).toEqual([far - 1n, far, far + 1n].map((t) => ['k', t]));
  });

  test.each([
    [
      'key',
      [
        ['b', 'x', 1n, 1n, false],
        ['a', 'x', 2n, 1n, false],
      ],
    ],
    [
      'second key',
      [
        ['a', 'y', 1n, 1n, false],
        ['a', 'x', 2n, 1n, false],
      ],
    ],
    [
      'time',
      [
        ['a', 'x', 2n, 1n, false],
        ['a', 'x', 1n, 1n, false],
      ],
    ],
  ] as [string, Row[]][])(
    'refuses a run that is not sorted by %s, within a piece and across pieces',
    async (_, rows) => {
      for (const atOnce of [1, 2]) {
        const other = runOf('other', specs, [['a', 'a', 0n, 0n, false]]);
        await expect(merged([other, runOf('hot/a.parquet', specs, rows, atOnce)])).rejects.toMatchObject({
          code: 'INPUT_READ_ERROR',
          message: 'hot/a.parquet is not sorted by primary key and time',
          fields: { key: 'hot/a.parquet' },
        });
      }
    },
  );

  test('fails as a run fails', async () => {
    const broken: Run = {
      name: 'x',
      available: () => Promise.reject(new Error('the bucket is gone')),
      read: () => {},
    };
    await expect(merged([runOf('one', specs, []), broken])).rejects.toThrow('the bucket is gone');
  });

  test('takes keys of many columns and many texts, which need more than one word', async () => {
    const columns: ColumnSpec[] = [
      ...['a', 'b', 'c', 'd', 'e', 'f'].map((name) => ({ name, kind: 'text' as const })),
      { name: 'Time', kind: 'timestamp' },
    ];
    // 600 texts a column: 11 bits each, 66 in all.
    const rowAt = (i: number): Row => {
      const key = Array.from(
        { length: 6 },
        (_, column) => `t${String((i * (column + 7)) % 600).padStart(3, '0')}`,
      );
      return [...key, BigInt(i)];
    };
    const all = Array.from({ length: 3_000 }, (_, i) => rowAt(i));
    const compare = (x: Row, y: Row) => {
      for (let column = 0; column < 6; column++) {
        const order = compareTexts(x[column]!, y[column]!);
        if (order !== 0) return order;
      }
      return compareTimes(x[6]!, y[6]!);
    };
    const runs = [0, 1, 2].map((run) => all.filter((_, i) => i % 3 === run).toSorted(compare));
    const { rows } = await merged(
      runs.map((run, i) => runOf(`run ${i}`, columns, run, 100)),
      { columns, keys: ['a', 'b', 'c', 'd', 'e', 'f'] },
    );
    expect(rows).toEqual(all.toSorted(compare));
  });

  test('of files of the aws schema, with one that the first writers made before a column was added', async () => {
    const aws = findProvider(tierProviders(), 'aws');
    const columns = canonicalColumns(aws);
    const row = (key: string, minute: number, price: number, ceased = false): Row => {
      return [
        key,
        'us-east-1',
        'use1-az1',
        BigInt(minute) * 60_000_000n,
        3n,
        50n,
        50n,
        1.5,
        0.1,
        price,
        70n,
        ceased,
      ];
    };
    const short = columns.slice(0, -2);
    const files = [
      await fileOf(short, [row('a', 0, 1).slice(0, -2), row('b', 0, 1).slice(0, -2)]),
      await fileOf(columns, [row('a', 10, 2, true), row('b', 10, 2)], { rowGroupRows: 1 }),
      await fileOf(columns, [row('a', 10, 3)]),
    ];
    const runs = await Promise.all(
      files.map(async (bytes, i) => {
        const file = await openFile(inMemory(bytes, `f${i}`).file);
        file.select(columns.map(({ name }) => name));
        return file;
      }),
    );
    const { rows } = await merged(runs, { columns, keys: aws.keyColumns });
    expect(rows).toEqual([
      [...row('a', 0, 1).slice(0, -2), null, null],
      row('a', 10, 3),
      [...row('b', 0, 1).slice(0, -2), null, null],
      row('b', 10, 2),
    ]);
  });
});
