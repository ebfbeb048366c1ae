/** WASM memory is freed by hand, on every way out: it does not grow over hundreds of reads and writes. */

import { beforeAll, describe, expect, test } from '@jest/globals';
import type { MemoryKind, MemoryReport } from './apart/memory.ts';
import { runApart } from './apart/run-apart.ts';

const MEMORY = new URL('apart/memory.ts', import.meta.url);
const MIB = 1024 * 1024;

describe('over many times it stays as it is:', () => {
  // Those that would leak many megabytes each time need fewer times.
  const cases: readonly (readonly [kind: MemoryKind, times: number, error: string | undefined])[] = [
    ['write', 200, undefined],
    ['write, the sink failing at the end', 200, 'sink'],
    ['write, the source failing', 200, 'source'],
    ['write, the source failing at once', 200, 'source'],
    ['read', 200, undefined],
    ['read, left early', 200, undefined],
    ['read, never begun', 200, undefined],
    ['read, the file broken', 200, 'can not be decoded'],
    ['write, the sink failing midway', 40, 'sink'],
  ];
  let reports: Readonly<Record<string, MemoryReport>>;

  beforeAll(async () => {
    const times = Object.fromEntries(cases.map(([kind, count]) => [kind, count]));
    reports = await runApart(MEMORY, 'measure', times);
  }, 60_000);

  test.each(cases)('%s, %d times', (kind, _, error) => {
    const { early, late, errors } = reports[kind]!;
    expect(errors).toEqual(error === undefined ? [] : [expect.stringContaining(error)]);
    expect(late - early).toBeLessThan(MIB);
    expect(late).toBeLessThan(64 * MIB);
  });
});

test('instances that panicked are collected', async () => {
  expect(await runApart<number>(MEMORY, 'renew', 60)).toBeLessThan(120);
});
