/** Series as arrays of rows, given to the engine as sources of batches, and its answers read back. */

import type { SeriesBatch, SeriesSource } from '../../src/lake/series-batch.ts';
import { type EvaluateOptions, evaluate } from '../../src/metric-run/expression/evaluate.ts';
import type { Expression } from '../../src/metric-run/expression/expression.ts';
import type { Row } from './conformance-cases.ts';

/** A source of `rows` (sorted, distinct times) in batches of the sizes given, over and over. */
export function sourceOf(rows: readonly Row[], sizes: readonly number[] = [rows.length]): SeriesSource {
  let at = 0;
  let batches = 0;
  return {
    async next() {
      if (at >= rows.length) return undefined;
      const size = Math.max(1, sizes[batches++ % sizes.length] ?? 1);
      const part = rows.slice(at, at + size);
      at += part.length;
      return {
        times: Float64Array.from(part, ([time]) => time),
        values: Float64Array.from(part, ([, value]) => value ?? Number.NaN),
      };
    },
    async close() {},
  };
}

export function rowsOf(batch: SeriesBatch): Row[] {
  return Array.from(batch.times, (time, i): Row => {
    const value = batch.values[i]!;
    return [time, Number.isNaN(value) ? null : value];
  });
}

/** All rows of a source, which is closed then. */
export async function drained(source: SeriesSource): Promise<Row[]> {
  const rows: Row[] = [];
  try {
    for (let batch = await source.next(); batch !== undefined; batch = await source.next()) {
      rows.push(...rowsOf(batch));
    }
  } finally {
    await source.close();
  }
  return rows;
}

/** The result of `expression` over series that are sorted and have distinct times. */
export function resultOf(
  expression: Expression,
  series: ReadonlyMap<string, readonly Row[]>,
  options: EvaluateOptions & { readonly sizes?: readonly number[] | undefined } = {},
): Promise<Row[]> {
  const { sizes, ...rest } = options;
  return drained(evaluate(expression, (code) => sourceOf(series.get(code) ?? [], sizes), rest));
}
