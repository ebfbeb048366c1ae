/**
 * A file whose rows are out of order, as a sorted run: read as a whole and sorted in memory. The original
 * writers wrote hot files in the order in which rows were collected; ours are sorted already.
 */

import type { ColumnSpec } from '../contract/column-spec.ts';
import {
  allocateColumn,
  clearRows,
  emptyLike,
  gather,
  pool,
  type TextColumn,
  type WideColumn,
} from '../lake/tier-table/table.ts';
import { TextPool } from '../lake/tier-table/text-pool.ts';
import type { Run } from './merge.ts';
import { RowOrder } from './row-order.ts';

/** More rows are not sorted: some 400 MB. */
export const SORTABLE_ROWS = 4_000_000;

/**
 * Reads all of a run and sorts it; of equal rows the earlier comes first, as in the file.
 *
 * @param rows how many rows the run has
 * @param columns the columns that will be read
 */
export async function sortedRun(
  run: Run,
  rows: number,
  columns: readonly ColumnSpec[],
  keys: readonly string[],
  time: string,
): Promise<Run> {
  // The last row is the order's own.
  const all = columns.map((spec) => allocateColumn(spec, rows + 1, () => new TextPool()));
  let at = 0;
  for (let some = await run.available(); some > 0; some = await run.available()) {
    run.read(all, at, some);
    at += some;
  }
  const named = (name: string) => all.find((column) => column.name === name);
  const order = new RowOrder(
    keys.map((name) => named(name) as TextColumn),
    named(time) as WideColumn,
    rows + 1,
  );
  order.refresh();
  order.fill(0, rows);
  const sorted = Uint32Array.from({ length: rows }, (_, row) => row).sort(
    (a, b) => order.compare(a, b) || a - b,
  );
  let next = 0;
  const codes = new WeakMap<TextPool, Map<string, Int32Array>>();
  return {
    name: run.name,
    available: () => Promise.resolve(rows - next),
    read(targets, to, count) {
      const chosen = sorted.subarray(next, next + count);
      for (const target of targets) {
        const source = named(target.name);
        if (source === undefined) clearRows(target, to, count);
        else if (source.kind === 'text' && target.kind === 'text')
          copyTexts(source, chosen, target, to, codesFor(codes, source, target));
        else if (target.kind === 'pooled' && 'words' in source) {
          const wide = emptyLike(source, count);
          gather(source, chosen, count, wide, 0);
          pool(wide, count, target, to);
        } else gather(source, chosen, count, target, to);
      }
      next += count;
    },
  };
}

/** The codes of a source's texts in a target's pool, as far as they are known; kept from read to read. */
function codesFor(
  known: WeakMap<TextPool, Map<string, Int32Array>>,
  source: TextColumn,
  target: TextColumn,
): Int32Array {
  const ofPool = known.get(target.pool) ?? new Map<string, Int32Array>();
  known.set(target.pool, ofPool);
  const codes = ofPool.get(target.name) ?? new Int32Array(source.pool.size);
  ofPool.set(target.name, codes);
  return codes;
}

function copyTexts(
  source: TextColumn,
  rows: Uint32Array,
  target: TextColumn,
  to: number,
  codes: Int32Array,
): void {
  for (let i = 0; i < rows.length; i++) {
    const code = source.codes[rows[i]!]!;
    if (code !== 0 && codes[code] === 0) {
      const bytes = source.pool.bytesOf(code);
      codes[code] = target.pool.intern(bytes, 0, bytes.length);
    }
    target.codes[to + i] = codes[code]!;
  }
}
