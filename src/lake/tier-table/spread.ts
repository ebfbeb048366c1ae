/**
 * Values that were read together to their rows, and null to the others: rows [at, at + rows), of which those with
 * level 1 have a value, `values` in all, which lie at `at` and on. From the last row on, so that none is overtaken.
 * Without levels no row has one, or each.
 */

/** @param none what a row without a value gets */
export function spreadValues(
  target: Int32Array | Uint8Array,
  at: number,
  rows: number,
  values: number,
  levels: Int32Array | undefined,
  none: number,
): void {
  if (values === rows) return;
  for (let row = rows - 1, value = values; row >= 0; row--) {
    target[at + row] = levels?.[row] === 1 ? target[at + --value]! : none;
  }
}

/** The same of a wide column, whose values are two words. */
export function spreadWords(
  words: Int32Array,
  valid: Uint8Array,
  at: number,
  rows: number,
  values: number,
  levels: Int32Array | undefined,
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
