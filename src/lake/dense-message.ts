/**
 * The Arrow IPC stream of a batch whose columns are all of 8-byte values without nulls, assembled with
 * one copy. For a schema and a row count such streams differ in their column values alone, so the rest
 * is made once by apache-arrow and used again: its writer copies each column twice.
 */

import { makeData, RecordBatch, type Schema, Struct, Table, tableToIPC } from 'apache-arrow';

/** Where the columns' values lie in a stream that is otherwise ready. */
interface Template {
  readonly bytes: Uint8Array;
  readonly offsets: readonly number[];
}

export type DenseMessages = (batch: RecordBatch) => Uint8Array | undefined;

const VALUE_BYTES = 8;
const MAX_TEMPLATES = 8;

/** The bytes of a column, if it is dense: 8-byte values, no nulls, not sliced. */
function denseBytes(batch: RecordBatch, index: number): Uint8Array | undefined {
  const column = batch.data.children[index];
  if (column === undefined || column.nullCount > 0 || column.offset > 0) return undefined;
  const values = column.values as unknown;
  if (!(values instanceof BigInt64Array || values instanceof Float64Array)) return undefined;
  if (values.length !== batch.numRows) return undefined;
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/** A stream of `rows` rows in which each column holds one byte value, by which it is found. */
function makeTemplate(schema: Schema, rows: number): Template | undefined {
  const children = schema.fields.map(({ type }, i) => {
    const values = new Float64Array(rows);
    new Uint8Array(values.buffer).fill(0xa1 + i);
    return makeData({ type, length: rows, nullCount: 0, data: values } as Parameters<typeof makeData>[0]);
  });
  const data = makeData({ type: new Struct(schema.fields), length: rows, nullCount: 0, children });
  const bytes = tableToIPC(new Table(schema, [new RecordBatch(schema, data)]), 'stream');
  const offsets = children.map((_, i) =>
    Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).indexOf(
      Buffer.alloc(rows * VALUE_BYTES, 0xa1 + i),
    ),
  );
  return offsets.includes(-1) ? undefined : { bytes, offsets };
}

/** For batches of `schema`: the stream of a dense one, or undefined for one that is not. */
export function createDenseMessages(schema: Schema): DenseMessages {
  const templates = new Map<number, Template>();
  return (batch) => {
    const rows = batch.numRows;
    if (rows < 1024) return undefined; // Too small to gain by it.
    const columns = schema.fields.map((_, i) => denseBytes(batch, i));
    if (columns.some((column) => column === undefined)) return undefined;
    let template = templates.get(rows);
    if (template === undefined) {
      template = makeTemplate(schema, rows);
      if (template === undefined) return undefined;
      if (templates.size === MAX_TEMPLATES) templates.clear();
      templates.set(rows, template);
    }
    const message = template.bytes.slice();
    columns.forEach((column, i) => {
      message.set(column!, template.offsets[i]);
    });
    return message;
  };
}
