import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { TextPool } from '../../../src/lake/tier-table/text-pool.ts';

const texts = fc.array(
  fc.oneof(fc.string({ unit: 'binary', maxLength: 20 }), fc.constantFrom('', 'a', 'aa', 'b')),
);

function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

describe('a text pool', () => {
  test('gives equal texts one code, other texts others, and gives each text back', () => {
    fc.assert(
      fc.property(texts, (all) => {
        const pool = new TextPool();
        const codes = all.map((text) => pool.internString(text));
        all.forEach((text, i) => {
          expect(pool.textOf(codes[i]!)).toBe(Buffer.from(text).toString());
          expect(pool.internString(text)).toBe(codes[i]);
        });
        expect(pool.size).toBe(new Set(all.map((text) => Buffer.from(text).toString('hex'))).size + 1);
      }),
    );
  });

  test('knows every one of many texts again, however often it has grown', () => {
    const pool = new TextPool();
    const codes = Array.from({ length: 20_000 }, (_, i) => pool.internString(`text ${i}`));
    codes.forEach((code, i) => {
      if (pool.internString(`text ${i}`) !== code) throw new Error(`text ${i} has two codes`);
    });
    expect(pool.size).toBe(codes.length + 1);
  });

  test('interns a column as it interns its texts one by one', () => {
    fc.assert(
      fc.property(texts, (all) => {
        const parts = all.map((text) => Buffer.from(text));
        // The column starts within a larger buffer, as a view of another memory would.
        const bytes = Buffer.concat([Buffer.from('xyz'), ...parts]).subarray(3);
        const starts = new Int32Array(all.length);
        const ends = new Int32Array(all.length);
        let at = 0;
        parts.forEach((part, i) => {
          starts[i] = at;
          at += part.length;
          ends[i] = at;
        });
        const pool = new TextPool();
        const codes = new Int32Array(all.length);
        pool.internColumn(starts, ends, bytes, all.length, codes, 0);
        expect([...codes]).toEqual(parts.map((part) => pool.intern(part, 0, part.length)));
      }),
    );
  });

  test('ranks texts by their bytes, null first, however they come in', () => {
    fc.assert(
      fc.property(fc.array(texts, { maxLength: 4 }), (loads) => {
        const pool = new TextPool();
        let before: Int32Array = new Int32Array(1);
        for (const load of loads) {
          for (const text of load) pool.internString(text);
          const { ranks, count, moved } = pool.rank();
          expect(count).toBe(pool.size);
          const byRank = Array.from({ length: count }, (_, code) => code).sort(
            (a, b) => ranks[a]! - ranks[b]!,
          );
          expect(byRank[0]).toBe(0);
          const inOrder = byRank.slice(1).map((code) => pool.textOf(code)!);
          expect(inOrder).toEqual(inOrder.toSorted(byBytes));
          expect(moved).toBe(before.some((rank, code) => ranks[code] !== rank));
          before = ranks;
        }
      }),
    );
  });

  test('orders as code points do, where UTF-16 does not', () => {
    const pool = new TextPool();
    const [high, low] = [pool.internString('\u{10000}'), pool.internString('\uffff')];
    expect(pool.compare(low, high)).toBeLessThan(0);
  });

  test('grows past many texts and long ones', () => {
    const pool = new TextPool();
    const codes = Array.from({ length: 20_000 }, (_, i) =>
      pool.internString(`text ${i} ${'x'.repeat(i % 50)}`),
    );
    expect(new Set(codes).size).toBe(20_000);
    expect(pool.textOf(codes[777]!)).toBe(`text 777 ${'x'.repeat(27)}`);
    const long = 'y'.repeat(100_000);
    expect(pool.textOf(pool.internString(long))).toBe(long);
  });
});
