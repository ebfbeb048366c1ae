/** Columns, values and tables of all kinds for property tests. */

import fc from 'fast-check';
import type { ColumnKind, ColumnSpec } from '../../../src/contract/column-spec.ts';
import type { Row, Value } from './tables.ts';

const kinds: readonly ColumnKind[] = ['text', 'timestamp', 'int64', 'float64', 'boolean'];

/** Microseconds that a test can put through a double. */
const micros = fc.bigInt({ min: -(2n ** 53n) + 1n, max: 2n ** 53n - 1n });
const int64 = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.bigInt({ min: 0n, max: 70_000n }),
  fc.bigInt({ min: 0n, max: 3n }),
);
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.constantFrom('', 'a', 'ab', 'abc', 'abcd', 'é', '𝄞'),
);

export function valuesOf(kind: ColumnKind): fc.Arbitrary<Value> {
  switch (kind) {
    case 'text':
      return text;
    case 'timestamp':
      return micros;
    case 'int64':
      return int64;
    case 'float64':
      return fc.oneof(fc.double(), fc.constantFrom(0, -0, 1.5, Number.NaN));
    case 'boolean':
      return fc.boolean();
  }
}

/** A value or null, either now and then, always or never, so that runs of both kinds come up. */
function nullable(kind: ColumnKind, nulls: number): fc.Arbitrary<Value> {
  const value = valuesOf(kind);
  if (nulls === 0) return value;
  return nulls === 1 ? fc.constant(null) : fc.oneof(value, fc.constant(null));
}

export interface AnyTable {
  readonly specs: readonly ColumnSpec[];
  readonly rows: readonly Row[];
}

export const anyTable: fc.Arbitrary<AnyTable> = fc
  .array(fc.record({ kind: fc.constantFrom(...kinds), nulls: fc.constantFrom(0, 0.5, 1) }), {
    minLength: 1,
    maxLength: 5,
  })
  .chain((columns) =>
    fc.record({
      specs: fc.constant(columns.map(({ kind }, i) => ({ name: `c${i}`, kind }))),
      rows: fc
        .array(fc.tuple(...columns.map(({ kind, nulls }) => nullable(kind, nulls))), { maxLength: 60 })
        .chain((rows) =>
          fc.integer({ min: 1, max: 9 }).map((times) => rows.flatMap((row) => Array(times).fill(row))),
        ),
    }),
  );
