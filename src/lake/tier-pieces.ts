/**
 * Columns of a row group as parquet-wasm decodes them: those that are stored in a way that chunk-reader.ts does
 * not read.
 *
 * A piece is what is decoded at once, the row group or PIECE_ROWS of a larger one. It stays in WASM memory, its
 * texts as a dictionary, and rows are copied straight from there; so a text is interned once a piece.
 *
 * To be imported when there is such a column: few files have one, and Arrow is 15 MiB of memory in each thread,
 * the decoder another 20. Thread-only (parquet-wasm).
 */

import type { Data } from 'apache-arrow';
import type { RecordBatch as WasmBatch, Table as WasmTable } from 'parquet-wasm';
import { discard } from '../common/discard.ts';
import { messageOf } from '../common/errors.ts';
import { type HeldBatch, holdBatch } from './arrow-bridge.ts';
import type { ColumnSource } from './chunk-reader.ts';
import { createExtractor } from './parquet-extract.ts';
import type { FetchedGroup } from './parquet-fetch.ts';
import type { ParquetFooter, RowGroup } from './parquet-footer.ts';
import { type ParquetWasm, parquetWasm, retireAfter, undecodable } from './parquet-wasm.ts';
import { copyRows, type DictionaryCodes, internDictionary, kindOfArrow } from './tier-table/from-arrow.ts';
import type { Column } from './tier-table/table.ts';

/**
 * Rows that are decoded at once, at most: some 5 MB, of eight files that are merged 40 MB. Of a larger row
 * group each piece is decoded anew from the group's start, past what came before, which costs little as
 * long as pieces are pages (measured: a third of decoding for pieces of a quarter).
 */
const PIECE_ROWS = 65_536;

export class TierPieces {
  readonly #fileName: string;
  readonly #columns: readonly string[];
  readonly #rows: number;
  /** The columns as a file of their own. */
  readonly #bytes: Uint8Array;
  #piece: HeldBatch | undefined;
  /** The row group's rows before the piece, and those of the piece that were read. */
  #before = 0;
  #read = 0;
  #codes = new Map<string, DictionaryCodes>();

  /** Throws INPUT_READ_ERROR where the row group makes no sense. */
  constructor(
    fileName: string,
    { metadata }: ParquetFooter,
    group: RowGroup,
    columns: readonly string[],
    { bytesOf }: FetchedGroup,
  ) {
    this.#fileName = fileName;
    this.#columns = columns;
    this.#rows = group.rows;
    try {
      this.#bytes = createExtractor(metadata, { dictionaryText: true }).extract(group, columns, bytesOf);
    } catch (error) {
      throw undecodable(fileName, error);
    }
  }

  /** Rows of the piece that were not read yet. */
  get left(): number {
    return (this.#piece?.rows ?? 0) - this.#read;
  }

  /** Decodes the next piece. Throws INPUT_READ_ERROR where it can not. */
  next(): void {
    this.#before += this.#piece?.rows ?? 0;
    this.#free();
    const rows = Math.min(PIECE_ROWS, this.#rows - this.#before);
    const wasm = parquetWasm();
    try {
      const batch = this.#decode(wasm, rows);
      if (batch.numRows !== rows) {
        batch.free();
        throw new RangeError(`not ${rows} rows`);
      }
      this.#piece = holdBatch(wasm, batch);
    } catch (error) {
      retireAfter(wasm, error);
      throw undecodable(this.#fileName, error);
    }
  }

  /** The next `rows` rows, or fewer where there are no more. */
  #decode(wasm: ParquetWasm, rows: number): WasmBatch {
    const before = this.#before;
    try {
      return lastBatch(wasm.readParquet(this.#bytes, { batchSize: rows, offset: before, limit: rows }));
    } catch (error) {
      // It can not go past differences in blocks as large as DuckDB makes them: then what comes before is decoded too.
      if (before === 0 || !messageOf(error).includes('cannot skip')) throw error;
      return lastBatch(wasm.readParquet(this.#bytes, { batchSize: PIECE_ROWS, limit: before + rows }));
    }
  }

  /** A column of the piece, from where `advance` has come to; undefined when it is not one of these. */
  source(name: string): ColumnSource | undefined {
    const index = this.#columns.indexOf(name);
    if (index < 0) return undefined;
    const data = this.#data(index);
    const kind = kindOfArrow(data);
    if (kind === undefined) throw new RangeError(`it came as ${data.type}`);
    return {
      kind,
      read: (target, at, rows) => copyRows(data, this.#read, rows, target, at, this.#codesOf(data, target)),
    };
  }

  /** Goes past rows that were read of all columns. */
  advance(rows: number): void {
    this.#read += rows;
  }

  /** Frees what is decoded. */
  close(): void {
    this.#free();
    discard(this.#bytes);
  }

  #free(): void {
    this.#piece?.release();
    this.#piece = undefined;
    this.#read = 0;
    this.#codes.clear();
  }

  #data(index: number): Data {
    try {
      return this.#piece!.view().data.children[index]!;
    } catch (error) {
      throw new RangeError(messageOf(error), { cause: error });
    }
  }

  #codesOf(source: Data, target: Column): DictionaryCodes | undefined {
    if (target.kind !== 'text') return undefined;
    let codes = this.#codes.get(target.name);
    if (codes?.pool !== target.pool) {
      codes = internDictionary(source, target.pool);
      this.#codes.set(target.name, codes);
    }
    return codes;
  }
}

/** The last batch of a table, which is given back with all the others. */
function lastBatch(table: WasmTable): WasmBatch {
  const batches = table.recordBatches();
  table.free();
  const last = batches.pop();
  for (const other of batches) other.free();
  if (last === undefined) throw new RangeError('no rows');
  return last;
}
