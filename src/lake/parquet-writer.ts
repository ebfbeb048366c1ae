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
import type { RecordBatch as WasmBatch } from 'parquet-wasm';
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
/** Batches that wait for the encoder, beside the one that it has. */
const MAX_WAITING = 2;

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
  /** Batches that the encoder has not asked for yet, in WASM memory and ours to free. */
  const waiting: WasmBatch[] = [];
  let controller!: ReadableStreamDefaultController;
  let asked = false;
  let wake: () => void = () => {};
  let batches = 0;
  let failure: unknown;
  let state = 'open' as 'open' | 'complete' | 'given up';

  /** Hands the encoder what it has asked for, once it is there. */
  function feed(): void {
    if (!asked) return;
    const part = waiting.shift();
    if (part !== undefined) controller.enqueue(part);
    else if (state === 'complete') controller.close();
    else return;
    asked = false;
    wake();
  }

  const input = new ReadableStream(
    {
      start: (given) => {
        controller = given;
      },
      pull: () => {
        asked = true;
        feed();
      },
    },
    { highWaterMark: 0 },
  );

  /** Ends the encoder, which then frees all that it holds. */
  function stop(): void {
    for (const part of waiting.splice(0)) part.free();
    controller.error(new Error('writing was given up'));
  }

  const drained = (async () => {
    const output = await wasm.transformParquetStream(input, writerProperties(wasm, layout));
    for await (const bytes of output as unknown as AsyncIterable<Uint8Array>) {
      if (state === 'given up') return;
      await sink(bytes);
      discard(bytes);
    }
  })().catch((error: unknown) => {
    failure = error;
    stop();
    wake();
  });

  function enqueue(batch: RecordBatch): void {
    waiting.push(...lend(batch));
    batches++;
    feed();
  }

  return {
    async write(batch) {
      if (failure !== undefined) throw failure;
      enqueue(batch);
      while (waiting.length >= MAX_WAITING && failure === undefined) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      if (failure !== undefined) throw failure;
    },

    async finish() {
      // An empty file still has its schema: the encoder takes it from a batch.
      if (batches === 0 && failure === undefined) enqueue(emptyBatch(schema));
      if (failure === undefined) {
        state = 'complete';
        feed();
      }
      await drained;
      if (failure !== undefined) throw failure;
    },

    async abort() {
      if (state === 'open') {
        state = 'given up';
        if (failure === undefined) stop();
      }
      await drained;
    },
  };
}
