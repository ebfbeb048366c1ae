/** Undoing compression: every byte comes out, or the file is refused. */

import { gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import { type Compression, inflate } from '../../src/ingest/byte-source.ts';

const TEXT = Buffer.from('2024-01-01,1.5\n'.repeat(10_000));

async function inflated(packed: Buffer, compression: Compression): Promise<number> {
  async function* chunks() {
    for (let at = 0; at < packed.length; at += 50) yield packed.subarray(at, at + 50);
  }
  let bytes = 0;
  for await (const chunk of inflate(chunks(), compression, packed.length)) bytes += chunk.length;
  return bytes;
}

describe('a packed file', () => {
  test.each([
    ['gzip', gzipSync(TEXT), 1],
    ['gzip', Buffer.concat([gzipSync(TEXT), gzipSync(TEXT)]), 2],
    ['zstd', zstdCompressSync(TEXT), 1],
  ] as const)('of %s gives all of its bytes', async (compression, packed, times) => {
    expect(await inflated(packed, compression)).toBe(times * TEXT.length);
  });

  test('of several zstd frames is refused, since only the first would be read', async () => {
    const packed = Buffer.concat([zstdCompressSync(TEXT), zstdCompressSync(TEXT)]);
    await expect(inflated(packed, 'zstd')).rejects.toThrow(/are one zstd frame/);
  });
});
