/**
 * Decoding row groups of a Parquet file into Arrow record batches, column-pruned, by parquet-wasm.
 *
 * The chunks that are wanted are fetched first, and handed over as a file of their own (see
 * parquet-extract.ts). parquet-wasm could read them itself, through a Blob, but any error on that way, a
 * failed read or a corrupt page, is a panic in a task of its own: nobody can catch it, and the reader
 * would wait for ever. Called at once and in one piece, it throws.
 *
 * Must only be loaded in worker threads: decoding holds the thread.
 */

import type { RecordBatch } from 'apache-arrow';
import type { RecordBatch as WasmBatch } from 'parquet-wasm';
import { discard } from '../common/discard.ts';
import { InvalidRequestError, messageOf } from '../common/errors.ts';
import { borrowBatch, type HeldBatch, holdBatch } from './arrow-bridge.ts';
import { createExtractor, type ExtractOptions, type RowGroupExtractor } from './parquet-extract.ts';
import type { ColumnChunk, ParquetFooter, RowGroup } from './parquet-footer.ts';
import { parquetWasm, retireAfterPanic } from './parquet-wasm.ts';
import type { RandomAccess } from './random-access.ts';

interface Span {
  readonly start: number;
  readonly end: number;
  readonly bytes: Promise<Uint8Array>;
}

/** Column chunks closer than this are fetched in one request. */
const COALESCE_BYTES = 131_072;

/** The byte ranges that reading `columns` of a row group takes, near ones joined; in file order. */
export function rangesOf(group: RowGroup, columns: readonly string[]): { start: number; end: number }[] {
  const chunks = columns
    .map((name) => group.columns.get(name))
    .filter((chunk): chunk is ColumnChunk => chunk !== undefined)
    .sort((a, b) => a.start - b.start);
  const ranges: { start: number; end: number }[] = [];
  for (const { start, end } of chunks) {
    const last = ranges.at(-1);
    if (last !== undefined && start - last.end <= COALESCE_BYTES) last.end = Math.max(last.end, end);
    else ranges.push({ start, end });
  }
  return ranges;
}

export interface ParquetReader {
  /** Begins to fetch what `batches` will need for this row group. */
  prefetch(group: RowGroup, columns: readonly string[]): void;
  /**
   * The rows of one row group in order, in batches of at most `batchRows`. A batch is a view of WASM
   * memory: what is wanted of it must be copied before the next one is asked for.
   */
  batches(group: RowGroup, columns: readonly string[], batchRows: number): AsyncGenerator<RecordBatch>;
  /**
   * The rows of one row group in order, in batches of at most `batchRows`, each decoded when it is asked
   * for: of a large row group there are no more rows in memory. A batch lives until it is released.
   */
  held(group: RowGroup, columns: readonly string[], batchRows: number): AsyncGenerator<HeldBatch>;
  close(): void;
}

export function openParquetReader(
  file: RandomAccess,
  footer: ParquetFooter,
  options: ExtractOptions = {},
): ParquetReader {
  const fetched = new Map<string, Span[]>();
  let extractor: RowGroupExtractor | undefined;

  const keyOf = (group: RowGroup, columns: readonly string[]) => [group.index, ...columns].join('\n');

  const broken = (error: unknown): InvalidRequestError => {
    const what = `${file.name} can not be decoded: ${messageOf(error).slice(0, 200)}`;
    return new InvalidRequestError('INPUT_READ_ERROR', what, { cause: error });
  };

  function prefetch(group: RowGroup, columns: readonly string[]): Span[] {
    const key = keyOf(group, columns);
    const under = fetched.get(key);
    if (under !== undefined) return under;
    const spans = rangesOf(group, columns).map(({ start, end }): Span => {
      const bytes = file.read(start, end);
      bytes.catch(() => {}); // Whoever reads the span hears of it.
      return { start, end, bytes };
    });
    fetched.set(key, spans);
    return spans;
  }

  function release(key: string): void {
    for (const { bytes } of fetched.get(key) ?? []) bytes.then(discard).catch(() => {});
    fetched.delete(key);
  }

  /** The columns of the row group, as a file of their own. */
  async function extract(group: RowGroup, columns: readonly string[]): Promise<Uint8Array> {
    const spans = await Promise.all(
      prefetch(group, columns).map(async ({ start, end, bytes }) => ({ start, end, bytes: await bytes })),
    );
    const bytesOf = (from: number, to: number): Uint8Array => {
      const span = spans.find(({ start, end }) => start <= from && to <= end);
      if (span === undefined) throw new RangeError(`bytes ${from} to ${to} were not fetched`);
      return span.bytes.subarray(from - span.start, to - span.start);
    };
    try {
      extractor ??= createExtractor(footer.metadata, options);
      return extractor.extract(group, columns, bytesOf);
    } catch (error) {
      throw broken(error);
    } finally {
      release(keyOf(group, columns));
    }
  }

  /** The batches of a whole file in memory, which is discarded. */
  function* decode(bytes: Uint8Array, batchRows: number): Generator<RecordBatch> {
    const wasm = parquetWasm();
    let waiting: WasmBatch[] = [];
    try {
      const table = wasm.readParquet(bytes, { batchSize: batchRows });
      discard(bytes);
      waiting = table.recordBatches();
      table.free();
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        const borrowed = borrowBatch(wasm, next);
        try {
          yield borrowed.batch;
        } finally {
          borrowed.release();
        }
      }
    } catch (error) {
      if (retireAfterPanic(wasm, error)) waiting = [];
      throw broken(error);
    } finally {
      for (const batch of waiting) batch.free();
    }
  }

  /** Rows [offset, offset + rows) of a whole file in memory, as one batch. */
  function decodeHeld(bytes: Uint8Array, offset: number, rows: number): HeldBatch {
    const wasm = parquetWasm();
    try {
      const table = wasm.readParquet(bytes, { batchSize: rows, offset, limit: rows });
      const [batch, ...more] = table.recordBatches();
      table.free();
      for (const other of more) other.free();
      if (batch?.numRows !== rows || more.length > 0) throw new RangeError(`not ${rows} rows`);
      return holdBatch(wasm, batch);
    } catch (error) {
      retireAfterPanic(wasm, error);
      throw broken(error);
    }
  }

  return {
    prefetch,

    async *held(group, columns, batchRows) {
      const bytes = await extract(group, columns);
      for (let offset = 0; offset < group.rows; offset += batchRows) {
        yield decodeHeld(bytes, offset, Math.min(batchRows, group.rows - offset));
      }
      discard(bytes);
    },

    async *batches(group, columns, batchRows) {
      yield* decode(await extract(group, columns), batchRows);
    },

    close() {
      for (const key of [...fetched.keys()]) release(key);
    },
  };
}
