import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { BLOCK_BYTES, createByteScanner } from '../../src/ingest/byte-scanner.ts';

/** What the scanner is to find, one byte after the other. */
function naive(bytes: Uint8Array, start: number, end: number, delimiter: number): number[] {
  const found: number[] = [];
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!;
    if (byte === delimiter || byte === 0x22 || byte < 0x20) found.push(i - start);
  }
  return found;
}

const scanner = createByteScanner();
const scanned = (bytes: Uint8Array, start: number, end: number, delimiter: number) => [
  ...scanner.offsets.subarray(0, scanner.scan(bytes, start, end, delimiter)),
];

test('finds delimiters, quotes and control characters, and nothing else, wherever the bytes begin and end', () => {
  const bytes = fc.array(
    fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(0x2c, 0x22, 0x0a, 0x20)),
    {
      maxLength: 100,
    },
  );
  const delimiter = fc.constantFrom(...Buffer.from(',;|\t:'));
  fc.assert(
    fc.property(bytes, fc.nat(20), fc.nat(20), delimiter, (made, from, less, sign) => {
      const all = Uint8Array.from(made);
      const start = Math.min(from, all.length);
      const end = Math.max(start, all.length - less);
      expect(scanned(all, start, end, sign)).toEqual(naive(all, start, end, sign));
    }),
    { numRuns: 2_000 },
  );
});

test.each([',', 'a'])('a whole block of %j is found or passed by, to its last byte', (text) => {
  const bytes = Buffer.alloc(BLOCK_BYTES + 5, text);
  expect(scanned(bytes, 5, bytes.length, 0x2c)).toHaveLength(text === ',' ? BLOCK_BYTES : 0);
  bytes[bytes.length - 1] = 0x0a;
  expect(scanned(bytes, 5, bytes.length, 0x2c).at(-1)).toBe(BLOCK_BYTES - 1);
});
