/**
 * Record batches across the border between apache-arrow (JavaScript) and parquet-wasm (WASM memory).
 *
 * Out of WASM a batch is a view of its memory (the Arrow C data interface), without a copy; it holds
 * until the next call into WASM, which may move that memory: a batch that is held for longer makes its
 * view anew then. Into WASM a batch goes as an IPC stream.
 */

import {
  DataType,
  type Field,
  type RecordBatch,
  type Schema,
  Table,
  tableFromIPC,
  tableToIPC,
} from 'apache-arrow';
import { parseRecordBatch } from 'arrow-js-ffi';
import type { RecordBatch as WasmBatch } from 'parquet-wasm';
import { discard } from '../common/discard.ts';
import { createDenseMessages } from './dense-message.ts';
import type { ParquetWasm } from './parquet-wasm.ts';

export interface BorrowedBatch {
  readonly batch: RecordBatch;
  /** Frees the WASM memory behind the batch. */
  release(): void;
}

export interface HeldBatch {
  readonly rows: number;
  /** The batch, to be copied from before the next call into WASM. */
  view(): RecordBatch;
  /** Frees the WASM memory behind the batch. */
  release(): void;
}

/** Whether the C interface's parser gives a true view of a column: of decimals, for one, it gives a part. */
function isBorrowable({ type }: Field): boolean {
  return (
    DataType.isTimestamp(type) ||
    DataType.isDate(type) ||
    DataType.isInt(type) ||
    DataType.isFloat(type) ||
    DataType.isUtf8(type)
  );
}

/** The same for whoever reads booleans and dictionaries as their buffers. */
function isHoldable(field: Field): boolean {
  return isBorrowable(field) || DataType.isBool(field.type) || DataType.isDictionary(field.type);
}

/** A batch of `wasm`'s, to be looked at again and again. Throws for types of which there is no view. */
export function holdBatch(wasm: ParquetWasm, source: WasmBatch): HeldBatch {
  const rows = source.numRows;
  const exported = source.toFFI();
  source.free();
  let memory: ArrayBufferLike | undefined;
  let batch: RecordBatch;
  return {
    rows,
    view() {
      const { buffer } = wasm.wasmMemory();
      if (buffer !== memory) {
        batch = parseRecordBatch(buffer, exported.arrayAddr(), exported.schemaAddr(), false);
        if (!batch.schema.fields.every(isHoldable)) throw new TypeError(`no view of ${batch.schema}`);
        memory = buffer;
      }
      return batch;
    },
    release: () => exported.free(),
  };
}

/** A batch of `wasm`'s as one of JavaScript's, to be copied from before the next call into WASM. */
export function borrowBatch(wasm: ParquetWasm, source: WasmBatch): BorrowedBatch {
  const exported = source.toFFI();
  const borrowed = (() => {
    try {
      const { buffer } = wasm.wasmMemory();
      return parseRecordBatch(buffer, exported.arrayAddr(), exported.schemaAddr(), false);
    } catch {
      return undefined; // A type that the parser does not know (string views).
    }
  })();
  if (borrowed?.schema.fields.every(isBorrowable)) {
    return {
      batch: borrowed,
      release() {
        exported.free();
        source.free();
      },
    };
  }
  exported.free();
  const batch = tableFromIPC(source.intoIPCStream()).batches[0];
  if (batch === undefined) throw new Error('the decoder gave an empty batch');
  return { batch, release() {} };
}

/** Lends batches of one schema to `wasm`, which must consume or free what it is given. */
export function createLender(wasm: ParquetWasm, schema: Schema): (batch: RecordBatch) => WasmBatch[] {
  const denseMessage = createDenseMessages(schema);
  return (batch) => {
    const message = denseMessage(batch) ?? tableToIPC(new Table(schema, [batch]), 'stream');
    const table = wasm.Table.fromIPCStream(message);
    discard(message);
    try {
      return table.recordBatches();
    } finally {
      table.free();
    }
  };
}
