import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { distinctWords } from '../../../src/lake/tier-table/distinct-words.ts';

const wordsOf = (values: readonly bigint[]) => new Int32Array(BigInt64Array.from(values).buffer);
const valuesOf = (words: Int32Array) => [...new BigInt64Array(words.slice().buffer)];

/** What a Map finds. */
function model(values: readonly bigint[]) {
  const places = new Map<bigint, number>();
  const indices = values.map((value) => {
    if (!places.has(value)) places.set(value, places.size);
    return places.get(value)!;
  });
  return { indices, distinct: [...places.keys()] };
}

describe('distinct words', () => {
  test('are what a map of 64-bit values finds, in the order in which they come up', () => {
    const value = fc.oneof(
      fc.bigInt({ min: -4n, max: 4n }),
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    );
    fc.assert(
      fc.property(fc.array(value, { maxLength: 300 }), (values) => {
        const found = distinctWords(wordsOf(values), values.length)!;
        const { indices, distinct } = model(values);
        expect([...found.indices]).toEqual(indices);
        expect(valuesOf(found.words)).toEqual(distinct);
      }),
    );
  });

  test('are found through every growth of the table, though they differ in one word only', () => {
    const values = Array.from({ length: 20_000 }, (_, i) =>
      i % 2 === 0 ? BigInt(i) : BigInt(i) << 32n,
    ).flatMap((value) => [value, value]);
    const found = distinctWords(wordsOf(values), 20_000)!;
    const { indices, distinct } = model(values);
    expect([...found.indices]).toEqual(indices);
    expect(valuesOf(found.words)).toEqual(distinct);
  });

  test('are given up when there is one more than asked for', () => {
    const words = wordsOf([1n, 2n, 2n, 3n]);
    expect(distinctWords(words, 2)).toBeUndefined();
    expect(distinctWords(words, 3)?.words).toHaveLength(6);
  });
});
