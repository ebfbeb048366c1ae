/** Writing a series as Parquet: read back by DuckDB, by hyparquet and by ourselves; and its failures. */

import { afterAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parquetMetadata, parquetReadObjects } from 'hyparquet';
import { OUTPUT_COMPRESSIONS, type OutputCompression } from '../../src/contract/output-compression.ts';
import type { SeriesBatch, SeriesSource } from '../../src/lake/series-batch.ts';
import { encodeSeries } from '../../src/lake/series-encoder.ts';
import type { Row } from '../support/conformance-cases.ts';
import { closeDuckDb, readMetric } from '../support/parquet.ts';
import { sourceOf } from '../support/series-sources.ts';
import { readBytes } from './memory-file.ts';

afterAll(closeDuckDb);

const COLUMNS = ['obs_time TIMESTAMP WITH TIME ZONE', 'value DOUBLE'];
const CODECS: Readonly<Record<OutputCompression, string>> = {
  none: 'UNCOMPRESSED',
  snappy: 'SNAPPY',
  gzip: 'GZIP',
  zstd: 'ZSTD',
  brotli: 'BROTLI',
  lz4: 'LZ4_RAW',
};

async function encoded(source: SeriesSource, compression: OutputCompression = 'snappy'): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  // The bytes are the encoder's again once the sink has resolved.
  await encodeSeries(source, compression, async (bytes) => void parts.push(bytes.slice()));
  return Buffer.concat(parts);
}

const exact = (bytes: Buffer): ArrayBuffer => new Uint8Array(bytes).buffer;

const ROWS: readonly Row[] = [
  [Date.parse('0001-01-01T00:00:00Z') * 1000, 1],
  [Date.UTC(1883, 10, 18) * 1000 + 1, 0.1],
  [-1, null],
  [0, -0],
  [1, Number.MAX_VALUE],
  [2 ** 32 * 1000 + 1, Number.MIN_VALUE],
  [Date.UTC(2024, 1, 29, 23, 59, 59, 999) * 1000 + 999, Number.POSITIVE_INFINITY],
  [Date.UTC(2255, 0, 1) * 1000 + 1, Number.NEGATIVE_INFINITY],
  [Date.UTC(9999, 11, 31, 23, 59, 59) * 1000, null],
];

describe.each(OUTPUT_COMPRESSIONS)('compressed by %s', (compression) => {
  test('a series is read by DuckDB, with the documented schema', async () => {
    const bytes = await encoded(sourceOf(ROWS, [2, 4]), compression);
    expect(await readMetric(bytes)).toEqual({ columns: COLUMNS, rows: ROWS });
    expect(await readBytes(bytes)).toEqual(ROWS);
  });

  test('its footer tells hyparquet types, compression and bounds', async () => {
    const { schema, row_groups, num_rows, created_by } = parquetMetadata(
      exact(await encoded(sourceOf(ROWS), compression)),
    );
    expect(num_rows).toBe(BigInt(ROWS.length));
    expect(created_by).toBe('tidemill');
    expect(schema.slice(1)).toMatchObject([
      {
        name: 'obs_time',
        type: 'INT64',
        repetition_type: 'OPTIONAL',
        logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'MICROS' },
      },
      { name: 'value', type: 'DOUBLE', repetition_type: 'OPTIONAL' },
    ]);
    const columns = row_groups[0]!.columns.map((column) => column.meta_data!);
    expect(columns.map(({ codec }) => codec)).toEqual([CODECS[compression], CODECS[compression]]);
    expect(columns.map(({ statistics }) => statistics?.null_count)).toEqual([0n, 2n]);
    expect(columns[0]?.statistics?.max_value).toEqual(new Date('9999-12-31T23:59:59Z'));
  });

  test('an empty series is a file without rows, of the same schema', async () => {
    const bytes = await encoded(sourceOf([]), compression);
    expect(await readMetric(bytes)).toEqual({ columns: COLUMNS, rows: [] });
    expect(await readBytes(bytes)).toEqual([]);
  });
});

test.each(['none', 'snappy'] as const)('the values are read by hyparquet: %s', async (compression) => {
  const rows = ROWS.slice(1, -1);
  const file = exact(await encoded(sourceOf(rows), compression));
  const read = await parquetReadObjects({ file });
  // It gives milliseconds, cut towards the epoch.
  expect(read.map(({ obs_time, value }) => [(obs_time as Date).getTime(), value])).toEqual(
    rows.map(([time, value]) => [Math.trunc(time / 1000) + 0, value]),
  );
});

test.each<[string, Row[]]>([
  ['one row', [[7, 1.5]]],
  ['one null', [[7, null]]],
  ['only nulls', Array.from({ length: 1_000 }, (_, i) => [i, null])],
  ['no nulls', Array.from({ length: 3_000 }, (_, i) => [i, i / 3])],
])('%s', async (_, rows) => {
  const bytes = await encoded(sourceOf(rows, [700]));
  expect((await readMetric(bytes)).rows).toEqual(rows);
});

test('NaN in a batch is null in the file', async () => {
  const batch = { times: Float64Array.of(1, 2), values: Float64Array.of(Number.NaN, 2) };
  const batches = [batch];
  const source = { next: async () => batches.shift(), close: async () => {} };
  expect((await readMetric(await encoded(source))).rows).toEqual([
    [1, null],
    [2, 2],
  ]);
});

/** Batches of a day in seconds, each value the number of its row. */
function longSource(rows: number, batchRows = 65_536): SeriesSource & { pulled: () => number } {
  let at = 0;
  return {
    pulled: () => at,
    async next(): Promise<SeriesBatch | undefined> {
      if (at >= rows) return undefined;
      const length = Math.min(batchRows, rows - at);
      const times = new Float64Array(length);
      const values = new Float64Array(length);
      for (let i = 0; i < length; i++) {
        times[i] = (at + i) * 1e6;
        values[i] = at + i;
      }
      at += length;
      return { times, values };
    },
    async close() {},
  };
}

test('a long series is cut into row groups that can be pruned, and streamed to the sink', async () => {
  const sizes: number[] = [];
  const source = longSource(1_200_000, 50_000);
  const pulledAt: number[] = [];
  const parts: Uint8Array[] = [];
  const rows = await encodeSeries(source, 'zstd', async (bytes) => {
    sizes.push(bytes.length);
    pulledAt.push(source.pulled());
    parts.push(bytes.slice());
  });
  expect(rows).toBe(1_200_000);
  // The first bytes came long before the last batch.
  expect(pulledAt[0]).toBeLessThan(900_000);
  const bytes = Buffer.concat(parts);
  const { row_groups } = parquetMetadata(exact(bytes));
  expect(row_groups.map(({ num_rows }) => Number(num_rows))).toEqual([524_288, 524_288, 151_424]);
  const starts = row_groups.map(({ columns }) => columns[0]!.meta_data!.statistics!.min_value as Date);
  expect(starts.map((start) => start.getTime())).toEqual([0, 524_288_000, 1_048_576_000]);
  const read = await readBytes(bytes);
  expect(read).toHaveLength(1_200_000);
  expect(read[777_777]).toEqual([777_777e6, 777_777]);
});

test('whatever the batches are, what is written is read', async () => {
  const value = fc.option(fc.double({ noNaN: true }));
  const rows = fc.uniqueArray(fc.tuple(fc.maxSafeInteger(), value), {
    selector: ([time]) => time,
    maxLength: 60,
  });
  const cuts = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(
      rows,
      cuts,
      fc.constantFrom(...OUTPUT_COMPRESSIONS),
      async (list, sizes, compression) => {
        const sorted = list.toSorted(([a], [b]) => a - b);
        expect(await readBytes(await encoded(sourceOf(sorted, sizes), compression))).toEqual(sorted);
      },
    ),
    { numRuns: 60 },
  );
});

describe('a failure', () => {
  const boom = new Error('boom');

  test.each([0, 100_000, 3_000_000])(
    'of the sink after %d bytes is what encoding fails with',
    async (after) => {
      let bytes = 0;
      const source = longSource(2_000_000);
      const encoding = encodeSeries(source, 'none', async (part) => {
        bytes += part.length;
        if (bytes > after) throw boom;
      });
      await expect(encoding).rejects.toBe(boom);
      expect(source.pulled()).toBeLessThan(2_000_000);
    },
  );

  test('of the sink at the very last bytes', async () => {
    const all = (await encoded(longSource(10))).length;
    let bytes = 0;
    const encoding = encodeSeries(longSource(10), 'snappy', async (part) => {
      bytes += part.length;
      if (bytes >= all) throw boom;
    });
    await expect(encoding).rejects.toBe(boom);
  });

  test.each([1, 5, 12])('of the source at batch %d; the sink gets no bytes after it', async (failing) => {
    const source = longSource(2_000_000);
    let failed = false;
    let late = 0;
    const encoding = encodeSeries(
      {
        async next() {
          if (source.pulled() >= (failing - 1) * 65_536) {
            failed = true;
            throw boom;
          }
          return await source.next();
        },
        async close() {},
      },
      'snappy',
      async () => {
        if (failed) late++;
      },
    );
    await expect(encoding).rejects.toBe(boom);
    expect(late).toBe(0);
  });

  test('by its signal is the reason', async () => {
    const controller = new AbortController();
    const source = longSource(2_000_000);
    const next = async () => {
      if (source.pulled() > 500_000) controller.abort(boom);
      return await source.next();
    };
    const encoding = encodeSeries(
      { next, close: async () => {} },
      'snappy',
      async () => {},
      controller.signal,
    );
    await expect(encoding).rejects.toBe(boom);
  });
});

test('a slow sink slows the source', async () => {
  const source = longSource(3_000_000);
  const release = Promise.withResolvers<void>();
  const held = Promise.withResolvers<void>();
  const encoding = encodeSeries(source, 'snappy', async () => {
    held.resolve();
    await release.promise;
  });
  await held.promise;
  const seen = source.pulled();
  await new Promise((resolve) => {
    setTimeout(resolve, 100);
  });
  // One row group with the sink, one that waits for it, one in the making, and a few batches.
  expect(source.pulled()).toBeGreaterThanOrEqual(seen);
  expect(source.pulled()).toBeLessThanOrEqual(3 * 524_288 + 5 * 65_536);
  release.resolve();
  expect(await encoding).toBe(3_000_000);
});
