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
import { borrowBatch } from './arrow-bridge.ts';
import { createExtractor, type RowGroupExtractor } from './parquet-extract.ts';
import { createFetcher } from './parquet-fetch.ts';
import type { ParquetFooter, RowGroup } from './parquet-footer.ts';
import { parquetWasm, retireAfter, undecodable } from './parquet-wasm.ts';
import type { RandomAccess } from './random-access.ts';

export interface ParquetReader {
  /** Begins to fetch what `batches` will need for this row group. */
  prefetch(group: RowGroup, columns: readonly string[]): void;
  /**
   * The rows of one row group in order, in batches of at most `batchRows`. A batch is a view of WASM
   * memory: what is wanted of it must be copied before the next one is asked for.
   */
  batches(group: RowGroup, columns: readonly string[], batchRows: number): AsyncGenerator<RecordBatch>;
  close(): void;
}

export function openParquetReader(file: RandomAccess, footer: ParquetFooter): ParquetReader {
  const fetcher = createFetcher(file);
  let extractor: RowGroupExtractor | undefined;

  /** The columns of the row group, as a file of their own. */
  async function extract(group: RowGroup, columns: readonly string[]): Promise<Uint8Array> {
    const fetched = await fetcher.fetch(group, columns);
    try {
      extractor ??= createExtractor(footer.metadata);
      return extractor.extract(group, columns, fetched.bytesOf);
    } catch (error) {
      throw undecodable(file.name, error);
    } finally {
      fetched.release();
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
      if (retireAfter(wasm, error)) waiting = [];
      throw undecodable(file.name, error);
    } finally {
      for (const batch of waiting) batch.free();
    }
  }

  return {
    prefetch: fetcher.prefetch,

    async *batches(group, columns, batchRows) {
      yield* decode(await extract(group, columns), batchRows);
    },

    close: fetcher.close,
  };
}
