import { describe, expect, test } from '@jest/globals';
import { passStruct } from '../../src/lake/thrift-guard.ts';

const view = (bytes: readonly number[]) => new DataView(Uint8Array.from(bytes).buffer);
const LIMITS = { maxDepth: 2, maxStructs: 3 };
/** Field 1, a list of `count` elements of a type, up to 127. */
const list = (type: number, count: number) => [0x19, 0xf0 | type, count];

describe('a struct', () => {
  test.each([
    ['without fields', [0x00]],
    [
      'of many numbers of a byte, as paths and encodings have them',
      [...list(5, 100), ...Array(100).fill(2), 0],
    ],
    ['of as many structs as there may be', [...list(12, 3), 0, 0, 0, 0]],
    ['with a true field, a double and a text', [0x11, 0x17, ...Array(8).fill(0), 0x18, 2, 97, 98, 0]],
    ['with 64 fields', [...Array(64).fill(0x11), 0]],
  ])('%s is passed to its end', (_, bytes) => {
    expect(passStruct(view([...bytes, 0x55]), 0, LIMITS)).toBe(bytes.length);
    for (let end = 0; end < bytes.length; end++)
      expect(() => passStruct(view(bytes.slice(0, end)), 0, LIMITS)).toThrow(RangeError);
  });

  test.each([
    [
      'with a struct more than there may be',
      [...list(12, 4), 0, 0, 0, 0, 0],
      'it has more parts than can be in it',
    ],
    ['with 65 fields', [...Array(65).fill(0x11), 0], 'a part of it has too many fields'],
    ['three levels deep', [0x1c, 0x1c, 0, 0, 0], 'it has too many levels'],
  ])('%s is refused', (_, bytes, why) => {
    expect(() => passStruct(view(bytes), 0, LIMITS)).toThrow(why);
  });
});
