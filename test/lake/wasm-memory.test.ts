/** WASM memory is freed by hand, on every way out: it does not grow over hundreds of reads and writes. */

import { expect, test } from '@jest/globals';
import type { MemoryInput, MemoryReport } from './apart/memory.ts';
import { runApart } from './apart/run-apart.ts';

const MEMORY = new URL('apart/memory.ts', import.meta.url);
const MIB = 1024 * 1024;

test.each<[MemoryInput['what'], string | undefined]>([
  ['write', undefined],
  ['write, the sink failing at the end', 'sink'],
  ['write, the sink failing midway', 'sink'],
  ['write, the source failing', 'source'],
  ['write, the source failing at once', 'source'],
  ['read', undefined],
  ['read, left early', undefined],
  ['read, never begun', undefined],
  ['read, the file broken', 'can not be decoded'],
])('%s', async (what, error) => {
  // A leak midway would be of many megabytes each time.
  const input: MemoryInput = { what, times: what.endsWith('midway') ? 60 : 200 };
  const { early, late, errors } = await runApart<MemoryReport>(MEMORY, 'measure', input);
  expect(errors).toEqual(error === undefined ? [] : [expect.stringContaining(error)]);
  expect(late - early).toBeLessThan(MIB);
  expect(late).toBeLessThan(64 * MIB);
});

test('instances that panicked are collected', async () => {
  expect(await runApart<number>(MEMORY, 'renew', 60)).toBeLessThan(120);
});
