/**
 * Writes a tier's tables as a Parquet file, row group by row group, without holding the file.
 *
 * The form: every column optional; text as STRING, timestamps as TIMESTAMP(MICROS, UTC), int64, double,
 * boolean; pages of the first version, zstd; dictionaries where they pay; null counts, least and greatest value for each chunk; the
 * sort order declared. Read by DuckDB, Polars, pyarrow, Spark, Athena, hyparquet.
 *
 * Columns are encoded one by one (column-encoder.ts), in this thread or in an encoder thread, and put
 * together here.
 */

import type { ColumnSpec } from '../contract/column-spec.ts';
import { type EncodeColumn, encodeColumn } from './column-encoder.ts';
import { createStitcher, type Stitcher } from './parquet-stitch.ts';
import { columnMessage } from './tier-table/column-message.ts';
import type { AnyTable } from './tier-table/table.ts';

export interface FileSpec {
  /** The columns in their order in the file. Every row group's table has exactly these. */
  readonly columns: readonly ColumnSpec[];
  /** The names of the columns by which rows ascend, nulls first. */
  readonly sortedBy: readonly string[];
  /** Who wrote the file, as `tidemill 0.1.0`. */
  readonly createdBy: string;
}

/**
 * Rows of a row group, of hot and warm files. A dictionary is made for each, so fewer rows make larger files
 * (twice as many save a tenth); more rows take more memory, and cannot be encoded before they are all there.
 */
export const ROW_GROUP_ROWS = 131_072;

export class TierFileWriter {
  readonly #encode: EncodeColumn;
  readonly #stitcher: Stitcher;
  #rows = 0;
  #last: Promise<unknown> = Promise.resolve();

  /** @param encode where columns are encoded; default in this thread, as `rowGroup` is called */
  constructor(spec: FileSpec, encode: EncodeColumn = async (column) => encodeColumn(column)) {
    this.#encode = encode;
    this.#stitcher = createStitcher(spec);
  }

  /** Rows in all row groups so far. */
  get rows(): number {
    return this.#rows;
  }

  /**
   * Encodes a row group; resolves to its bytes, to be appended to the file. The table's memory is given away:
   * nobody else may use it any more. Row groups resolve in the order of the calls.
   */
  rowGroup(table: AnyTable): Promise<Uint8Array[]> {
    if (table.rows === 0) return this.#last.then(() => []);
    const { rows, columns } = table;
    const chunks = Promise.all(columns.map((column) => this.#encode(columnMessage(column, rows))));
    chunks.catch(() => {}); // It is heard of below.
    const result = this.#last.then(async () => {
      const parts = this.#stitcher.append(rows, await chunks);
      this.#rows += rows;
      return parts;
    });
    this.#last = result;
    result.catch(() => {}); // Whoever awaits the row group hears of it.
    return result;
  }

  /** The end of the file. Call it after all row groups have resolved; a file may have none. */
  finish(): Uint8Array[] {
    return this.#stitcher.finish();
  }
}
