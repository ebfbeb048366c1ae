import { expect, test } from '@jest/globals';
import { hasControls, replaceControls } from '../../src/common/control-characters.ts';

test.each([
  ['plain, ünïcode 😀', false, 'plain, ünïcode 😀'],
  ['', false, ''],
  ['a\r\nb', true, 'a b'],
  ['\u0000a\tb\u007f', true, ' a b '],
  ['\u001b[31mred', true, ' [31mred'],
])('%j: whether it holds control characters, and each run of them as a blank', (text, holds, clean) => {
  expect(hasControls(text)).toBe(holds);
  // Twice: nothing is kept between calls.
  expect(hasControls(text)).toBe(holds);
  expect(replaceControls(text, ' ')).toBe(clean);
});
