import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { encodeColumn } from '../../../src/lake/column-encoder.ts';
import { columnMessage } from '../../../src/lake/tier-table/column-message.ts';
import {
  emptyLike,
  gather,
  pool,
  pooledColumn,
  valueAt,
  type WideColumn,
  widened,
} from '../../../src/lake/tier-table/table.ts';
import { WordPool } from '../../../src/lake/tier-table/word-pool.ts';
import { valuesOf } from './arbitraries.ts';
import { type Row, rowsOf, tableOf, type Value } from './tables.ts';

const KINDS = ['int64', 'float64', 'timestamp'] as const;
type Kind = (typeof KINDS)[number];

/** A kind, and values of it that repeat, null among them. */
const anyColumn = fc.constantFrom(...KINDS).chain((kind) =>
  fc.record({
    kind: fc.constant(kind),
    values: fc
      .array(fc.option(valuesOf(kind), { nil: null }), { minLength: 1, maxLength: 40 })
      .chain((some) => fc.array(fc.constantFrom(...some), { maxLength: 200 })),
  }),
);

function wideOf(kind: Kind, values: readonly Value[]): WideColumn {
  const rows: Row[] = values.map((value) => [value]);
  return tableOf([{ name: 'v', kind }], rows).columns[0] as WideColumn;
}

describe('a pooled column', () => {
  test('has the values of the wide one it was made of, and makes it again', () => {
    fc.assert(
      fc.property(anyColumn, fc.nat(9), ({ kind, values }, at) => {
        const wide = wideOf(kind, values);
        const pooled = pooledColumn('v', kind, values.length + at);
        pool(wide, values.length, pooled, at);
        const all = [...Array<Value>(at).fill(null), ...values];
        expect(all.map((_, row) => valueAt(pooled, row))).toEqual(all);
        expect(rowsOf({ rows: all.length, columns: [widened(pooled)] })).toEqual(all.map((value) => [value]));
        // Null, and each value once, told apart by its bits.
        const distinct = new Set(
          values.flatMap((value, row) =>
            value === null ? [] : `${wide.words[row * 2]} ${wide.words[row * 2 + 1]}`,
          ),
        );
        // The words beneath a null are zeros, which are a value.
        expect([0, 1]).toContain(pooled.pool.size - 1 - distinct.size);
      }),
    );
  });

  test('is moved row by row, within its pool', () => {
    const pooled = pooledColumn('v', 'int64', 4);
    pool(wideOf('int64', [5n, null, 7n, 5n]), 4, pooled, 0);
    const moved = emptyLike(pooled, 3);
    gather(pooled, Uint32Array.of(2, 1, 0), 3, moved, 0);
    expect([0, 1, 2].map((row) => valueAt(moved, row))).toEqual([7n, null, 5n]);
    expect(() => gather(pooled, Uint32Array.of(0), 1, pooledColumn('v', 'int64', 1), 0)).toThrow(
      'its source is',
    );
  });

  test('is encoded byte for byte as the wide one is, with a dictionary or without', () => {
    fc.assert(
      fc.property(anyColumn, fc.array(fc.bigInt({ min: 0n, max: 99n })), ({ kind, values }, others) => {
        const wide = wideOf(kind, values);
        const pooled = pooledColumn('v', kind, values.length);
        // Values of other row groups are in the pool as well.
        pooled.pool.intern(
          new Int32Array(BigInt64Array.from(others).buffer),
          others.length,
          new Int32Array(others.length),
        );
        pool(wide, values.length, pooled, 0);
        const rows = values.length;
        expect(encodeColumn(columnMessage(pooled, rows))).toEqual(encodeColumn(columnMessage(wide, rows)));
      }),
    );
  });
});

test('a pool gives each value one code, in the order in which they come up, through every growth', () => {
  const values = Array.from({ length: 20_000 }, (_, i) => BigInt(i) << (i % 2 === 0 ? 0n : 32n));
  const words = new Int32Array(BigInt64Array.from([...values, ...values]).buffer);
  const codes = new Int32Array(values.length * 2);
  const all = new WordPool();
  expect(all.intern(words, codes.length, codes)).toBe(true);
  expect([...codes]).toEqual([...values, ...values].map((_, i) => 1 + (i % values.length)));
  expect(new BigInt64Array(all.words.slice().buffer)).toEqual(BigInt64Array.from([0n, ...values]));
});
