/**
 * A source as a flow of frames of a steady size: small batches are put together, large ones cut, so that
 * what an operator does once a frame stays small beside what it does once a row.
 *
 * A batch of about the right size passes through as it is.
 */

import type { SeriesBatch, SeriesSource } from '../../lake/series-batch.ts';
import type { Flow, Frame } from './frame.ts';

/** The rows of `open()`, opened at the first pull, in frames of a quarter of `batchRows` up to twice as many. */
export function sourceFlow(open: () => SeriesSource, batchRows: number): Flow {
  const enough = Math.max(1, batchRows >> 2);
  let source: SeriesSource | undefined;
  let ended = false;
  /** A large batch, of which `cut` rows are handed on. */
  let large: SeriesBatch | undefined;
  let cut = 0;

  async function gather(): Promise<SeriesBatch | undefined> {
    source ??= open();
    const parts: SeriesBatch[] = [];
    let rows = 0;
    while (!ended && rows < enough) {
      const batch = await source.next();
      if (batch === undefined) ended = true;
      else if (batch.times.length > 0) {
        parts.push(batch);
        rows += batch.times.length;
      }
    }
    return parts.length > 1 ? joined(parts, rows) : parts[0];
  }

  function cutOff(batch: SeriesBatch): Frame {
    const left = batch.times.length - cut;
    const rows = left < batchRows + enough ? left : batchRows;
    const frame = {
      times: batch.times.subarray(cut, cut + rows),
      values: batch.values.subarray(cut, cut + rows),
      ownsValues: true,
    };
    cut += rows;
    large = cut < batch.times.length ? batch : undefined;
    return frame;
  }

  return {
    async next() {
      if (large !== undefined) return cutOff(large);
      const batch = await gather();
      if (batch === undefined) return undefined;
      if (batch.times.length <= 2 * batchRows) {
        return { times: batch.times, values: batch.values, ownsValues: true };
      }
      cut = 0;
      return cutOff(batch);
    },
  };
}

function joined(parts: readonly SeriesBatch[], rows: number): SeriesBatch {
  const times = new Float64Array(rows);
  const values = new Float64Array(rows);
  let at = 0;
  for (const part of parts) {
    times.set(part.times, at);
    values.set(part.values, at);
    at += part.times.length;
  }
  return { times, values };
}
