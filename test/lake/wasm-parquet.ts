/** Parquet files by parquet-wasm out of apache-arrow's vectors: for the types that DuckDB does not write. */

import { type RecordBatch, Table, tableToIPC, type Vector } from 'apache-arrow';
import {
  Compression,
  EnabledStatistics,
  Table as WasmTable,
  WriterPropertiesBuilder,
  writeParquet,
} from 'parquet-wasm';

export interface WasmParquetOptions {
  readonly statistics?: boolean;
  readonly rowGroupRows?: number;
  readonly dictionary?: boolean;
  readonly codec?: 'zstd' | 'uncompressed';
}

/** A file of these columns, in their order. */
export function wasmParquet(
  columns: Readonly<Record<string, Vector>> | readonly RecordBatch[],
  {
    statistics = true,
    rowGroupRows = 1_000_000,
    dictionary = true,
    codec = 'uncompressed',
  }: WasmParquetOptions = {},
): Uint8Array {
  const table = Array.isArray(columns) ? new Table(columns) : new Table(columns as Record<string, Vector>);
  const properties = new WriterPropertiesBuilder()
    .setStatisticsEnabled(statistics ? EnabledStatistics.Chunk : EnabledStatistics.None)
    .setDictionaryEnabled(dictionary)
    .setMaxRowGroupSize(rowGroupRows)
    .setCompression(codec === 'zstd' ? Compression.ZSTD : Compression.UNCOMPRESSED)
    .build();
  return writeParquet(WasmTable.fromIPCStream(tableToIPC(table, 'stream')), properties);
}
