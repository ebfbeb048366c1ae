/**
 * Encodes one column of one row group as a Parquet file of its own, by parquet-wasm: columns are encoded
 * apart, so in as many threads as there are, and put together by parquet-stitch.ts. Thread-only.
 *
 * Texts go in as an Arrow dictionary, and the file says no more of Arrow: readers see Parquet's own types.
 */

import {
  Bool,
  type Data,
  type DataType,
  Dictionary,
  Field,
  Float64,
  Int32,
  Int64,
  makeData,
  makeVector,
  RecordBatch,
  Schema,
  Struct,
  Table,
  TimestampMicrosecond,
  tableToIPC,
  Utf8,
} from 'apache-arrow';
import { discard } from '../common/discard.ts';
import type { ColumnKind } from '../contract/column-spec.ts';
import { parquetWasm, retireAfterPanic } from './parquet-wasm.ts';
import type { ColumnParts } from './tier-table/column-parts.ts';

/** The encoder of a thread, or of many: a column's file. The parts' buffers are its own from then on. */
export type EncodeColumn = (parts: ColumnParts) => Promise<Uint8Array>;

const TYPES: Readonly<Record<ColumnKind, () => DataType>> = {
  text: () => new Dictionary(new Utf8(), new Int32(), 0),
  timestamp: () => new TimestampMicrosecond('UTC'),
  int64: () => new Int64(),
  float64: () => new Float64(),
  boolean: () => new Bool(),
};

/** Encodes at once, in this thread. */
export function encodeColumn(parts: ColumnParts): Uint8Array {
  const wasm = parquetWasm();
  const message = streamOf(parts);
  try {
    const table = wasm.Table.fromIPCStream(message);
    discard(message);
    let properties = new wasm.WriterPropertiesBuilder()
      .setCompression(wasm.Compression.ZSTD)
      .setStatisticsEnabled(wasm.EnabledStatistics.Chunk)
      .setMaxRowGroupSize(Math.max(1, parts.rows))
      .setDictionaryEnabled(parts.dictionary);
    // What has too many distinct values for a dictionary: times and numbers then are stored as differences.
    if (parts.kind === 'int64' || parts.kind === 'timestamp')
      properties = properties.setColumnEncoding(parts.name, wasm.Encoding.DELTA_BINARY_PACKED);
    return wasm.writeParquet(table, properties.build());
  } catch (error) {
    retireAfterPanic(wasm, error);
    throw error;
  }
}

/** The Arrow stream of a batch of the column alone. */
function streamOf(parts: ColumnParts): Uint8Array {
  const type = TYPES[parts.kind]();
  const { rows } = parts;
  const schema = new Schema([new Field(parts.name, type, true)]);
  const children = [arrayOf(parts, type)];
  const data = makeData({ type: new Struct(schema.fields), length: rows, nullCount: 0, children });
  return tableToIPC(new Table(schema, [new RecordBatch(schema, data)]), 'stream');
}

function arrayOf({ rows, nulls, bitmap, values, texts }: ColumnParts, type: DataType): Data {
  const common = {
    length: rows,
    nullCount: nulls,
    ...(bitmap === undefined ? {} : { nullBitmap: bitmap }),
  };
  if (texts !== undefined) {
    const { offsets, bytes } = texts;
    const length = offsets.length - 1;
    const dictionary = makeVector(makeData({ type: new Utf8(), length, valueOffsets: offsets, data: bytes }));
    return makeData({
      ...common,
      type: type as Dictionary<Utf8, Int32>,
      data: values as Int32Array,
      dictionary,
    });
  }
  const { buffer, byteOffset } = values;
  if (type instanceof Bool) return makeData({ ...common, type, data: values });
  if (type instanceof Float64)
    return makeData({ ...common, type, data: new Float64Array(buffer, byteOffset, rows) });
  return makeData({ ...common, type: type as Int64, data: new BigInt64Array(buffer, byteOffset, rows) });
}
