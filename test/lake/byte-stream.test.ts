/** Undoing compression: every byte comes out, or the file is refused. */

import { gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import { InvalidRequestError } from '../../src/common/errors.ts';
import { type Compression, compressionOf, inflate, readAhead } from '../../src/lake/byte-stream.ts';

const PACK = { gzip: gzipSync, zstd: zstdCompressSync } as const;
const PARTS = [1, 2, 3].map((n) => Buffer.from(`${n},2024-01-01,1.5\n`.repeat(n * 3_000)));
const WHOLE = Buffer.concat(PARTS);
/** A zstd frame that readers must pass by, as pzstd and seekable files have them. */
const SKIPPED = Buffer.from('502a4d180400000061626364', 'hex');

const refusal = (message: string) => new InvalidRequestError('INPUT_READ_ERROR', message);

async function* inPieces(bytes: Buffer, size: number) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function inflated(
  packed: AsyncIterable<Uint8Array>,
  compression: Compression,
  maxBytes = 1e9,
): Promise<Buffer> {
  const rules = {
    compression,
    maxBytes,
    tooLarge: () => refusal('too large'),
    damaged: (why: string) => refusal(`damaged: ${why}`),
  };
  const out: Uint8Array[] = [];
  for await (const bytes of inflate(packed, rules)) out.push(bytes);
  return Buffer.concat(out);
}

describe.each(['gzip', 'zstd'] as const)('%s', (compression) => {
  const packed = PARTS.map((part) => PACK[compression](part));
  const all = Buffer.concat(packed);

  test.each([1, 7, packed[0]!.length, 1_000, 1_000_000])(
    'of several parts, in pieces of %d bytes',
    async (size) => {
      expect(compressionOf(all)).toBe(compression);
      expect(WHOLE.equals(await inflated(inPieces(all, size), compression))).toBe(true);
    },
  );

  test('that is cut anywhere but between its parts is refused', async () => {
    const ends = packed.map((_, n) => Buffer.concat(packed.slice(0, n + 1)).length);
    const wrong: number[] = [];
    for (let cut = 1; cut < all.length; cut++) {
      const whole = await inflated(inPieces(all.subarray(0, cut), 64), compression).then(
        () => true,
        ({ message }: Error) => !message.startsWith('damaged: '),
      );
      if (whole !== ends.includes(cut)) wrong.push(cut);
    }
    expect(wrong).toEqual([]);
  });

  test.each([
    ['followed by what is none of it', Buffer.concat([all, Buffer.from('garbage')])],
    ['followed by zeros', Buffer.concat([all, Buffer.alloc(10)])],
    ['with nothing in it', Buffer.alloc(0)],
    ['with a flipped byte', Buffer.from(all).fill(0xff, 30, 31)],
  ])('%s is refused', async (_, bytes) => {
    await expect(inflated(inPieces(bytes, 64), compression)).rejects.toThrow(/^damaged: /);
  });

  test('is refused as soon as more comes out than may, over all parts', async () => {
    expect(await inflated(inPieces(all, 64), compression, WHOLE.length)).toHaveLength(WHOLE.length);
    await expect(inflated(inPieces(all, 64), compression, WHOLE.length - 1)).rejects.toThrow('too large');
  });

  test('whose reading fails fails with just that', async () => {
    const failure = new Error('S3 is gone');
    async function* broken() {
      yield all.subarray(0, 20);
      throw failure;
    }
    await expect(inflated(broken(), compression)).rejects.toBe(failure);
  });

  test('that is left midway lets go of its source', async () => {
    let left = false;
    async function* source() {
      try {
        yield* inPieces(all, 10);
      } finally {
        left = true;
      }
    }
    const rules = { compression, maxBytes: 1e9, tooLarge: () => refusal(''), damaged: () => refusal('') };
    for await (const bytes of inflate(source(), rules)) {
      expect(bytes.length).toBeGreaterThan(0);
      break;
    }
    expect(left).toBe(true);
  });
});

test('zstd frames that are to be skipped are, at the beginning too', async () => {
  const packed = Buffer.concat([SKIPPED, zstdCompressSync(WHOLE), SKIPPED, zstdCompressSync(WHOLE), SKIPPED]);
  expect(compressionOf(packed)).toBe('zstd');
  expect(WHOLE.length * 2).toBe((await inflated(inPieces(packed, 50), 'zstd')).length);
});

test.each([
  ['2024-01-01', undefined],
  ['', undefined],
  ['P*M', undefined],
  ['PAR1', undefined],
])('%j is packed with nothing', (text, compression) => {
  expect(compressionOf(Buffer.from(text))).toBe(compression);
});

describe('reading ahead', () => {
  test.each([
    [0, 10, []],
    [10, 10, ['0-10']],
    [25, 10, ['0-10', '10-20', '20-25']],
  ])('%d bytes in ranges of %d: each once, one ahead of its use', async (size, chunk, ranges) => {
    const asked: string[] = [];
    const read = async (start: number, end: number) => {
      asked.push(`${start}-${end}`);
      return new Uint8Array(end - start);
    };
    let used = 0;
    let total = 0;
    for await (const bytes of readAhead(read, size, chunk)) {
      total += bytes.length;
      used++;
      expect(asked).toHaveLength(Math.min(ranges.length, used + 1));
    }
    expect(total).toBe(size);
    expect(asked).toEqual(ranges);
  });

  test('a read that fails fails where its bytes are awaited', async () => {
    const read = async (start: number) => {
      if (start === 10) throw new Error('no bytes');
      return new Uint8Array(10);
    };
    const bytes = readAhead(read, 20, 10);
    expect((await bytes.next()).value).toHaveLength(10);
    await expect(bytes.next()).rejects.toThrow('no bytes');
  });
});
