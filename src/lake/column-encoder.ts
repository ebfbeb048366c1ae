/**
 * Encodes one column of one row group as a Parquet file of its own, by parquet-wasm: columns are encoded
 * apart, so in as many threads as there are, and put together by parquet-stitch.ts. Thread-only.
 */

import { discard } from '../common/discard.ts';
import { parquetWasm, retireAfterPanic } from './parquet-wasm.ts';
import type { ColumnMessage } from './tier-table/column-message.ts';

/** The encoder of a thread, or of many: a column's file. The message's buffer is its own from then on. */
export type EncodeColumn = (message: ColumnMessage) => Promise<Uint8Array>;

/** Encodes at once, in this thread. */
export function encodeColumn({ name, kind, rows, stream, dictionary }: ColumnMessage): Uint8Array {
  const wasm = parquetWasm();
  try {
    const table = wasm.Table.fromIPCStream(stream);
    discard(stream);
    let properties = new wasm.WriterPropertiesBuilder()
      .setCompression(wasm.Compression.ZSTD)
      .setStatisticsEnabled(wasm.EnabledStatistics.Chunk)
      .setMaxRowGroupSize(Math.max(1, rows))
      .setDictionaryEnabled(dictionary);
    // What has too many distinct values for a dictionary: times and integers then are stored as differences.
    if (kind === 'int64' || kind === 'timestamp')
      properties = properties.setColumnEncoding(name, wasm.Encoding.DELTA_BINARY_PACKED);
    return wasm.writeParquet(table, properties.build());
  } catch (error) {
    retireAfterPanic(wasm, error);
    throw error;
  }
}
