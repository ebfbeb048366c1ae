/** Putting the rows of a unit in order: ascending times, of rows with one time the last one kept. Pure. */

import type { SeriesBatch } from './series-batch.ts';

/** Whether times ascend strictly, within the batches and from one to the next. */
export function isAscending(batches: readonly SeriesBatch[]): boolean {
  let last = Number.NEGATIVE_INFINITY;
  for (const { times } of batches) {
    for (let i = 0; i < times.length; i++) {
      if (!(times[i]! > last)) return false;
      last = times[i]!;
    }
  }
  return true;
}

/** The rows of all batches in order of time, in batches of `batchRows`; of equal times the last row stays. */
export function sortSeries(batches: readonly SeriesBatch[], batchRows: number): SeriesBatch[] {
  const total = batches.reduce((sum, { times }) => sum + times.length, 0);
  const times = new Float64Array(total);
  const values = new Float64Array(total);
  let offset = 0;
  for (const batch of batches) {
    times.set(batch.times, offset);
    values.set(batch.values, offset);
    offset += batch.times.length;
  }
  const order = Uint32Array.from(times, (_, i) => i).sort((a, b) => times[a]! - times[b]! || a - b);
  const kept = order.filter((row, i) => i + 1 === total || times[order[i + 1]!] !== times[row]);
  const sorted: SeriesBatch[] = [];
  for (let start = 0; start < kept.length; start += batchRows) {
    const rows = kept.subarray(start, start + batchRows);
    sorted.push({
      times: Float64Array.from(rows, (row) => times[row]!),
      values: Float64Array.from(rows, (row) => values[row]!),
    });
  }
  return sorted;
}
