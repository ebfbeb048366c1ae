/**
 * Values that were read together to their rows, and null to the others: rows [at, at + rows), of which those with
 * level 1 have a value, `values` in all, which lie at `at` and on. From the last row on, so that none is overtaken.
 * Without levels no row has one, or each.
 */

import { NULL_FLAG } from './table.ts';

export function spreadCodes(
  codes: Int32Array,
  at: number,
  rows: number,
  values: number,
  levels?: Int32Array,
): void {
  if (values === rows) return;
  for (let row = rows - 1, value = values; row >= 0; row--) {
    codes[at + row] = levels?.[row] === 1 ? codes[at + --value]! : 0;
  }
}

export function spreadFlags(
  flags: Uint8Array,
  at: number,
  rows: number,
  values: number,
  levels?: Int32Array,
): void {
  if (values === rows) return;
  for (let row = rows - 1, value = values; row >= 0; row--) {
    flags[at + row] = levels?.[row] === 1 ? flags[at + --value]! : NULL_FLAG;
  }
}

export function spreadWords(
  words: Int32Array,
  valid: Uint8Array,
  at: number,
  rows: number,
  values: number,
  levels?: Int32Array,
): void {
  if (values === rows) return;
  for (let row = rows - 1, value = values; row >= 0; row--) {
    const to = (at + row) * 2;
    const isThere = levels?.[row] === 1;
    if (isThere) value--;
    words[to] = isThere ? words[(at + value) * 2]! : 0;
    words[to + 1] = isThere ? words[(at + value) * 2 + 1]! : 0;
    valid[at + row] = isThere ? 1 : 0;
  }
}
