import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { readRleBitPackedHybrid } from 'hyparquet/src/encoding.js';
import { ByteWriter } from 'hyparquet-writer';
import { writeRleBitPackedHybrid } from 'hyparquet-writer/src/encoding.js';
import { BitRuns, bitRunsOf, MAX_BITS } from '../../src/lake/bit-runs.ts';

interface Values {
  readonly width: number;
  readonly values: Int32Array;
}

/** Single values and runs of them, around the lengths at which a run begins to be one. */
const anyValues: fc.Arbitrary<Values> = fc.integer({ min: 0, max: MAX_BITS }).chain((width) => {
  const max = 2 ** width - 1;
  const value = fc.oneof(fc.integer({ min: 0, max }), fc.constantFrom(0, max));
  const times = fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 20 }), fc.constantFrom(8, 64, 300));
  return fc
    .array(fc.tuple(value, times), { maxLength: 60 })
    .map((runs) => ({ width, values: Int32Array.from(runs.flatMap(([v, n]) => Array<number>(n).fill(v))) }));
});

/** Reads all of `runs` by parts of these sizes, over and over. */
function readByParts(runs: BitRuns, count: number, sizes: readonly number[]): Int32Array {
  const out = new Int32Array(count);
  for (let at = 0, i = 0; at < count; i++) {
    const some = Math.min(count - at, sizes[i % sizes.length]!);
    runs.read(out, at, some);
    at += some;
  }
  return out;
}

const anySizes = fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 8 });

function runsOf(bytes: Uint8Array, width: number): BitRuns {
  return new BitRuns(bytes, 0, bytes.length, width);
}

describe('runs of bits', () => {
  test('are read as they were written, whatever the sizes of the reads', () => {
    fc.assert(
      fc.property(anyValues, anySizes, ({ width, values }, sizes) => {
        const bytes = bitRunsOf(values, width);
        expect(readByParts(runsOf(bytes, width), values.length, sizes)).toEqual(values);
      }),
      { numRuns: 500 },
    );
  });

  test('are read from amid other bytes, which they do not touch', () => {
    fc.assert(
      fc.property(anyValues, anySizes, fc.nat(9), fc.nat(9), ({ width, values }, sizes, before, after) => {
        const bytes = bitRunsOf(values, width);
        const whole = new Uint8Array(before + bytes.length + after + 3).fill(0xff);
        whole.set(bytes, before + 3);
        const runs = new BitRuns(whole.subarray(3), before, before + bytes.length, width);
        expect(readByParts(runs, values.length, sizes)).toEqual(values);
        // Of no width there are as many as one likes; elsewhere only the last group may be filled up.
        if (width > 0) expect(() => runs.read(new Int32Array(9), 0, 9)).toThrow(RangeError);
      }),
    );
  });

  test("are byte for byte the library's", () => {
    fc.assert(
      fc.property(anyValues, ({ width, values }) => {
        const writer = new ByteWriter();
        writeRleBitPackedHybrid(writer, [...values], width);
        expect(Buffer.from(bitRunsOf(values, width))).toEqual(Buffer.from(writer.getBytes()));
      }),
      { numRuns: 500 },
    );
  });

  test('are read by the library as they were written', () => {
    fc.assert(
      fc.property(anyValues, ({ width, values }) => {
        const bytes = bitRunsOf(values, width);
        const out: number[] = Array(values.length).fill(-1);
        const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
        readRleBitPackedHybrid({ view, offset: 0 }, width, out, bytes.length);
        expect(out).toEqual([...values]);
      }),
      { numRuns: 300 },
    );
  });

  test('of a million values take no more room than the values do', () => {
    const values = Int32Array.from({ length: 1_000_000 }, (_, i) => (i * 7_919) % 2 ** 20);
    const bytes = bitRunsOf(values, 20);
    expect(bytes.length).toBe(2_500_000 + 3);
    expect(readByParts(runsOf(bytes, 20), values.length, [65_536])).toEqual(values);
  });

  test('of no bits are zeros without end, and take no bytes of values', () => {
    expect([...bitRunsOf(new Int32Array(20), 0)]).toEqual([40]);
    const runs = new BitRuns(new Uint8Array(0), 0, 0, 0);
    const out = new Int32Array(100).fill(7);
    runs.read(out, 1, 98);
    expect([out[0], out[1], out[98], out[99]]).toEqual([7, 0, 0, 7]);
    expect(runs.constant(1_000_000)).toBe(0);
  });

  test('are passed as one value where the next ones are of one run, and are otherwise left as they were', () => {
    fc.assert(
      fc.property(anyValues, anySizes, ({ width, values }, sizes) => {
        const runs = runsOf(bitRunsOf(values, width), width);
        const out = new Int32Array(values.length);
        for (let at = 0, i = 0; at < values.length; i++) {
          const some = Math.min(values.length - at, sizes[i % sizes.length]!);
          const value = runs.constant(some);
          if (value === undefined) runs.read(out, at, some);
          else out.fill(value, at, at + some);
          at += some;
        }
        expect(out).toEqual(values);
      }),
      { numRuns: 300 },
    );
    const runs = runsOf(bitRunsOf(new Int32Array(100).fill(3), 2), 2);
    expect([runs.constant(60), runs.constant(41), runs.constant(40)]).toEqual([3, undefined, 3]);
    expect(() => runs.constant(1)).toThrow(RangeError);
  });
});

describe('damaged runs of bits', () => {
  test('that are cut give the values before the cut, or a RangeError', () => {
    fc.assert(
      fc.property(anyValues, fc.nat(), ({ width, values }, cut) => {
        const whole = bitRunsOf(values, width);
        const end = cut % (whole.length + 1);
        // What lies behind the end is there, and is not read.
        const runs = new BitRuns(whole, 0, end, width);
        const out = new Int32Array(1);
        let read = 0;
        try {
          for (; read < values.length; read++) {
            runs.read(out, 0, 1);
            expect(out[0]).toBe(values[read]);
          }
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
          expect((error as Error).message).toBe('a page ends before its values');
        }
        // The last group may be filled up, by less than eight values.
        if (end < whole.length - width && width > 0) expect(read).toBeLessThan(values.length);
      }),
      { numRuns: 500 },
    );
  });

  test('of any bytes give values of their width, or a RangeError, and never hang', () => {
    const bytes = fc.uint8Array({ maxLength: 60 });
    const width = fc.integer({ min: 1, max: MAX_BITS });
    fc.assert(
      fc.property(bytes, width, anySizes, (content, bits, sizes) => {
        const whole = new Uint8Array(content.length + 40).fill(0xff);
        whole.set(content);
        // The same before other bytes and at the very end: nothing behind counts.
        const results = [whole, content].map((source) => {
          try {
            return readByParts(new BitRuns(source, 0, content.length, bits), 2_000, sizes);
          } catch (error) {
            expect(error).toBeInstanceOf(RangeError);
            return (error as Error).message;
          }
        });
        expect(results[0]).toEqual(results[1]);
        if (typeof results[0] === 'object') {
          expect(results[0].every((value) => value >= 0 && value < 2 ** bits)).toBe(true);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test.each([
    ['a run without a value', [0x10], 'a page ends before its values'],
    ['a run with half of its value', [0x10, 1], 'a page ends before its values'],
    ['a run of more bits than a value has', [0x10, 0xff, 0xff], 'a run of more than 9 bits'],
    ['a group of too few bytes', [0x03, 1, 2, 3], 'a page ends before its values'],
    ['a run without an end', [0x80, 0x80, 0x80, 0x80, 0x80, 0x01], 'a run has a length beyond all values'],
    ['a length that is cut', [0x80, 0x80], 'a page ends before its values'],
    [
      'runs of no values',
      Array<number>(300)
        .fill(0)
        .flatMap(() => [0, 0, 0]),
      'a page ends before its values',
    ],
    ['groups of no values', Array<number>(300).fill(1), 'a page ends before its values'],
  ])('such as %s are told', (_, bytes, message) => {
    const runs = runsOf(Uint8Array.from(bytes), 9);
    expect(() => runs.read(new Int32Array(8), 0, 8)).toThrow(new RangeError(message));
  });

  test('that claim billions of values give those that are asked for', () => {
    const runs = runsOf(Uint8Array.of(0xfe, 0xff, 0xff, 0xff, 0x0f, 5), 3);
    expect(runs.constant(2 ** 31 - 2)).toBe(5);
    const packed = runsOf(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f, 0b11_010_001), 3);
    const out = new Int32Array(3);
    packed.read(out, 0, 2);
    expect([...out]).toEqual([1, 2, 0]);
    expect(() => packed.read(out, 0, 1)).toThrow(RangeError);
  });
});
