/**
 * Encoding Arrow record batches into one Parquet file, as a stream, by parquet-wasm: bytes are handed
 * to `sink` as row groups fill up, so memory holds one row group and no file. They are the sink's until
 * it resolves, and are given back then.
 *
 * WASM memory is freed only by hand: every table handed over is freed once its batches are taken.
 * Must only be loaded in worker threads.
 */

import {
  type Data,
  type DataType,
  makeData,
  type Null,
  RecordBatch,
  type Schema,
  Struct,
} from 'apache-arrow';
import { discard } from '../common/discard.ts';
import type { OutputCompression } from '../contract/output-compression.ts';
import { createLender } from './arrow-bridge.ts';
import { type ParquetWasm, parquetWasm } from './parquet-wasm.ts';

export interface ParquetLayout {
  readonly compression: OutputCompression;
  /** Rows of a row group, but for the last. */
  readonly rowGroupRows: number;
  /** Columns of ascending integers or times: stored as differences. */
  readonly deltaColumns?: readonly string[];
  /** Columns worth a dictionary; all others are stored plainly. */
  readonly dictionaryColumns?: readonly string[];
}

export interface ParquetWriter {
  /** Takes a batch of the writer's schema; waits while the encoder is behind. */
  write(batch: RecordBatch): Promise<void>;
  /** Ends the file; resolves when the sink has taken its last byte. */
  finish(): Promise<void>;
  /** Gives up and frees what the encoder holds. Safe after `finish`. */
  abort(): Promise<void>;
}

const COMPRESSIONS = {
  none: 'UNCOMPRESSED',
  snappy: 'SNAPPY',
  gzip: 'GZIP',
  zstd: 'ZSTD',
  brotli: 'BROTLI',
  lz4: 'LZ4_RAW',
} as const satisfies Readonly<Record<OutputCompression, string>>;

const CREATED_BY = 'tidemill';

function writerProperties(wasm: ParquetWasm, layout: ParquetLayout) {
  let builder = new wasm.WriterPropertiesBuilder()
    .setCompression(wasm.Compression[COMPRESSIONS[layout.compression]])
    .setDictionaryEnabled(false)
    .setStatisticsEnabled(wasm.EnabledStatistics.Chunk)
    .setMaxRowGroupSize(layout.rowGroupRows)
    .setCreatedBy(CREATED_BY);
  for (const name of layout.dictionaryColumns ?? []) builder = builder.setColumnDictionaryEnabled(name, true);
  for (const name of layout.deltaColumns ?? []) {
    builder = builder.setColumnEncoding(name, wasm.Encoding.DELTA_BINARY_PACKED);
  }
  return builder.build();
}

function emptyBatch(schema: Schema): RecordBatch {
  const children = schema.fields.map((field) => makeVector(field.type));
  return new RecordBatch(schema, makeData({ type: new Struct(schema.fields), length: 0, children }));
}

function makeVector(type: DataType): Data {
  return makeData({ type: type as Null, length: 0 });
}

export function openParquetWriter(
  schema: Schema,
  layout: ParquetLayout,
  sink: (bytes: Uint8Array) => Promise<void>,
): ParquetWriter {
  const wasm = parquetWasm();
  const lend = createLender(wasm, schema);
  let controller!: ReadableStreamDefaultController;
  let wake: () => void = () => {};
  let batches = 0;
  let failure: unknown;
  let ended = false;

  const input = new ReadableStream(
    {
      start: (given) => {
        controller = given;
      },
      pull: () => wake(),
    },
    { highWaterMark: 2 },
  );

  const drained = (async () => {
    const output = await wasm.transformParquetStream(input, writerProperties(wasm, layout));
    for await (const bytes of output as unknown as AsyncIterable<Uint8Array>) {
      await sink(bytes);
      discard(bytes);
    }
  })().catch((error: unknown) => {
    failure = error;
    wake();
  });

  function enqueue(batch: RecordBatch): void {
    for (const part of lend(batch)) controller.enqueue(part);
    batches++;
  }

  return {
    async write(batch) {
      if (failure !== undefined) throw failure;
      enqueue(batch);
      while ((controller.desiredSize ?? 0) <= 0 && failure === undefined) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      if (failure !== undefined) throw failure;
    },

    async finish() {
      // An empty file still has its schema: the encoder takes it from a batch.
      if (batches === 0 && failure === undefined) enqueue(emptyBatch(schema));
      ended = true;
      if (failure === undefined) controller.close();
      await drained;
      if (failure !== undefined) throw failure;
    },

    async abort() {
      if (ended) return;
      ended = true;
      if (failure === undefined) controller.error(new Error('writing was given up'));
      await drained;
    },
  };
}
