/**
 * Encoding a series as Parquet: `obs_time timestamp(us, UTC)`, `value double`, both nullable, as a
 * stream of row groups. Thread-only (parquet-wasm).
 */

import { Field, Float64, makeData, RecordBatch, Schema, Struct, TimestampMicrosecond } from 'apache-arrow';
import { discard } from '../common/discard.ts';
import type { OutputCompression } from '../contract/output-compression.ts';
import { openParquetWriter, type ParquetLayout } from './parquet-writer.ts';
import type { SeriesBatch, SeriesSource } from './series-batch.ts';
import { TIME_COLUMN, VALUE_COLUMN } from './series-plan.ts';

const TIME = new Field(TIME_COLUMN, new TimestampMicrosecond('UTC'), true);
const VALUE = new Field(VALUE_COLUMN, new Float64(), true);
const SCHEMA = new Schema([TIME, VALUE]);

/** 8 MiB of columns: small enough to prune by time, large enough to scan fast. */
const ROW_GROUP_ROWS = 524_288;
const TWO_32 = 2 ** 32;

/** Doubles of whole numbers as signed 64-bit integers, in place and without a BigInt for each row. */
function toLongs(numbers: Float64Array): BigInt64Array {
  const halves = new Int32Array(numbers.buffer, numbers.byteOffset, numbers.length * 2);
  for (let i = 0; i < numbers.length; i++) {
    const number = numbers[i]!;
    const high = Math.floor(number / TWO_32);
    halves[2 * i] = (number - high * TWO_32) >>> 0;
    halves[2 * i + 1] = high;
  }
  return new BigInt64Array(numbers.buffer, numbers.byteOffset, numbers.length);
}

/** The validity bitmap of `values`, where NaN is null; undefined where there is none. */
function validity(values: Float64Array): { bitmap: Uint8Array; nulls: number } | undefined {
  let nulls = 0;
  for (let i = 0; i < values.length; i++) if (Number.isNaN(values[i]!)) nulls++;
  if (nulls === 0) return undefined;
  const bitmap = new Uint8Array(Math.ceil(values.length / 8));
  for (let i = 0; i < values.length; i++) if (!Number.isNaN(values[i]!)) bitmap[i >> 3]! |= 1 << (i & 7);
  return { bitmap, nulls };
}

/** The batch as Arrow, made in its own buffers. */
function toRecordBatch({ times, values }: SeriesBatch): RecordBatch {
  const { length } = times;
  const valid = validity(values);
  const children = [
    makeData({ type: TIME.type, length, nullCount: 0, data: toLongs(times) }),
    makeData({
      type: VALUE.type,
      length,
      nullCount: valid?.nulls ?? 0,
      data: values,
      ...(valid === undefined ? {} : { nullBitmap: valid.bitmap }),
    }),
  ];
  return new RecordBatch(
    SCHEMA,
    makeData({ type: new Struct(SCHEMA.fields), length, nullCount: 0, children }),
  );
}

function layoutOf(compression: OutputCompression): ParquetLayout {
  return { compression, rowGroupRows: ROW_GROUP_ROWS, deltaColumns: [TIME_COLUMN] };
}

/** Pulls `source` to its end and hands the file's bytes to `sink`; returns the rows written. */
export async function encodeSeries(
  source: SeriesSource,
  compression: OutputCompression,
  sink: (bytes: Uint8Array) => Promise<void>,
  signal?: AbortSignal,
): Promise<number> {
  const writer = openParquetWriter(SCHEMA, layoutOf(compression), sink);
  let rows = 0;
  try {
    for (let batch = await source.next(); batch !== undefined; batch = await source.next()) {
      signal?.throwIfAborted();
      rows += batch.times.length;
      await writer.write(toRecordBatch(batch));
      discard(batch.times);
      discard(batch.values);
    }
    await writer.finish();
    return rows;
  } finally {
    await writer.abort();
  }
}
