import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ByteSink } from '../../../src/contract/tier-file/byte-sink.ts';
import { bitWidth, writeHybrid } from '../../../src/contract/tier-file/hybrid.ts';
import { HybridReader } from '../../../src/contract/tier-file/hybrid-reader.ts';

/** Values of up to `width` bits with runs of any length among them. */
function values(width: number): fc.Arbitrary<number[]> {
  const value = fc.integer({ min: 0, max: 2 ** width - 1 });
  const run = fc.tuple(value, fc.integer({ min: 1, max: 40 })).map(([one, times]) => Array(times).fill(one));
  return fc.array(fc.oneof(run, fc.array(value, { maxLength: 20 }))).map((parts) => parts.flat());
}

const anyValues = fc
  .integer({ min: 0, max: 24 })
  .chain((width) => fc.record({ width: fc.constant(width), all: values(width) }));

function written(all: readonly number[], width: number): Uint8Array {
  const sink = new ByteSink(1);
  writeHybrid(sink, Int32Array.from(all), all.length, width);
  return sink.take();
}

describe('the hybrid of runs and packed values', () => {
  test('gives back what was written, read in pieces of any size', () => {
    fc.assert(
      fc.property(anyValues, fc.integer({ min: 1, max: 30 }), ({ width, all }, piece) => {
        const reader = new HybridReader(written(all, width), 0, width);
        const out = new Int32Array(all.length);
        for (let at = 0; at < all.length; at += piece) reader.read(out, at, Math.min(piece, all.length - at));
        expect([...out]).toEqual(all);
      }),
    );
  });

  test('stores a long run in a few bytes, and noise packed', () => {
    expect(written(Array(100_000).fill(3), 2)).toHaveLength(4);
    const noise = Array.from({ length: 800 }, (_, i) => i % 7);
    expect(written(noise, 3).length).toBe(2 + 300);
  });

  test('refuses to read more than there is', () => {
    const reader = new HybridReader(written([1, 2, 3], 2), 0, 2);
    expect(() => reader.read(new Int32Array(100), 0, 100)).toThrow(RangeError);
  });

  test.each([
    [0, 0],
    [1, 1],
    [2, 2],
    [3, 2],
    [255, 8],
    [256, 9],
  ])('numbers up to %i need %i bits', (max, bits) => {
    expect(bitWidth(max)).toBe(bits);
  });
});
