/**
 * Decoding row groups of a Parquet file into Arrow record batches, column-pruned and streamed, by
 * parquet-wasm. It reads any Blob; ours answers from the ranges that were fetched ahead.
 *
 * Must only be loaded in worker threads: importing parquet-wasm compiles its module.
 */

import type { RecordBatch } from 'apache-arrow';
import { type RecordBatch as WasmBatch, ParquetFile as WasmFile } from 'parquet-wasm';
import { discard } from '../common/discard.ts';
import { InvalidRequestError, messageOf } from '../common/errors.ts';
import { borrowBatch } from './arrow-bridge.ts';
import type { ColumnChunk, RowGroup } from './parquet-footer.ts';
import type { RandomAccess } from './random-access.ts';

interface Span {
  readonly start: number;
  readonly end: number;
  readonly bytes: Promise<Uint8Array>;
}

/** Column chunks closer than this are fetched in one request. */
const COALESCE_BYTES = 131_072;

type ReadBytes = (start: number, end: number) => Promise<Uint8Array>;

/** A Blob whose bytes are read when they are asked for. */
class RangeBlob extends Blob {
  readonly #read: ReadBytes;
  readonly #start: number;
  readonly #end: number;

  constructor(read: ReadBytes, start: number, end: number) {
    super([]);
    this.#read = read;
    this.#start = start;
    this.#end = end;
    Object.defineProperty(this, 'size', { value: end - start });
  }

  override slice(start = 0, end = this.#end - this.#start): Blob {
    return new RangeBlob(this.#read, this.#start + start, this.#start + end);
  }

  override async arrayBuffer(): Promise<ArrayBuffer> {
    const bytes = await this.#read(this.#start, this.#end);
    const whole = bytes.byteLength === bytes.buffer.byteLength;
    return (whole ? bytes.buffer : bytes.slice().buffer) as ArrayBuffer;
  }
}

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
  close(): void;
}

export function openParquetReader(file: RandomAccess): ParquetReader {
  const spans = new Set<Span>();
  const groups = new Map<number, Span[]>();
  let wasm: Promise<WasmFile> | undefined;

  // A failed read, which on its way through WASM would lose its kind and code.
  let readFailure: unknown;

  async function readBytes(start: number, end: number): Promise<Uint8Array> {
    try {
      for (const span of spans) {
        if (span.start <= start && end <= span.end) {
          return (await span.bytes).subarray(start - span.start, end - span.start);
        }
      }
      return await file.read(start, end);
    } catch (error) {
      readFailure ??= error;
      throw error;
    }
  }

  const broken = (error: unknown): unknown => {
    if (readFailure !== undefined) return readFailure;
    return new InvalidRequestError(
      'INPUT_READ_ERROR',
      `${file.name} can not be decoded: ${messageOf(error)}`,
      {
        cause: error,
      },
    );
  };

  function prefetch(group: RowGroup, columns: readonly string[]): void {
    if (groups.has(group.index)) return;
    const fetched = rangesOf(group, columns).map(({ start, end }): Span => {
      const bytes = file.read(start, end);
      bytes.catch(() => {}); // Whoever reads the span hears of it.
      return { start, end, bytes };
    });
    groups.set(group.index, fetched);
    for (const span of fetched) spans.add(span);
  }

  function release(group: RowGroup): void {
    for (const span of groups.get(group.index) ?? []) {
      spans.delete(span);
      span.bytes.then(discard).catch(() => {});
    }
    groups.delete(group.index);
  }

  return {
    prefetch,

    async *batches(group, columns, batchRows) {
      prefetch(group, columns);
      try {
        wasm ??= WasmFile.fromFile(new RangeBlob(readBytes, 0, file.size));
        const stream = await (await wasm).stream({
          columns: [...columns],
          rowGroups: [group.index],
          batchSize: batchRows,
        });
        for await (const decoded of stream) {
          const borrowed = borrowBatch(decoded as WasmBatch);
          try {
            yield borrowed.batch;
          } finally {
            borrowed.release();
          }
        }
      } catch (error) {
        throw broken(error);
      } finally {
        release(group);
      }
    },

    close() {
      spans.clear();
      groups.clear();
      void wasm?.then((opened) => opened.free()).catch(() => {});
      wasm = undefined;
    },
  };
}
