/**
 * Column chunks put together as one file, row group by row group: where each lies now, and the footer.
 */

import type { ColumnMetaData, RowGroup } from 'hyparquet';
import { ByteWriter } from 'hyparquet-writer';
import { writeMetadata } from 'hyparquet-writer/src/metadata.js';
import type { ColumnSpec } from '../contract/column-spec.ts';
import type { EncodedColumn } from './column-encoder.ts';
import { elementOf } from './tier-table/parquet-kinds.ts';

export interface StitchSpec {
  /** The columns in their order in the file. */
  readonly columns: readonly ColumnSpec[];
  /** The names of the columns by which rows ascend, nulls first. */
  readonly sortedBy: readonly string[];
  readonly createdBy: string;
}

export interface Stitcher {
  /** Takes the next row group, a chunk for each column; returns its bytes in the whole file. */
  append(rows: number, chunks: readonly EncodedColumn[]): Uint8Array[];
  /** The end of the file. */
  finish(): Uint8Array[];
}

const MAGIC = Buffer.from('PAR1');
const FOOTER_BYTES = 8_192;
/** Longer texts are cut in statistics, the greatest rounded up. */
const BOUND_BYTES = 64;

/** A chunk's metadata where its bytes are moved by `shift`. */
function moved(meta: ColumnMetaData, shift: bigint): ColumnMetaData {
  const { dictionary_page_offset: dictionary } = meta;
  return {
    ...meta,
    data_page_offset: meta.data_page_offset + shift,
    ...(dictionary === undefined ? {} : { dictionary_page_offset: dictionary + shift }),
  };
}

export function createStitcher({ columns, sortedBy, createdBy }: StitchSpec): Stitcher {
  const sorting_columns = sortedBy.map((name) => ({
    column_idx: columns.findIndex((column) => column.name === name),
    descending: false,
    nulls_first: true,
  }));
  const schema = [{ name: 'schema', num_children: columns.length }, ...columns.map(elementOf)];
  const row_groups: RowGroup[] = [];
  let offset = 0;
  let num_rows = 0n;

  const begin = (): Uint8Array[] => {
    if (offset > 0) return [];
    offset = MAGIC.length;
    return [new Uint8Array(MAGIC)];
  };

  return {
    append(rows, chunks) {
      const parts = begin();
      const start = offset;
      let rawBytes = 0n;
      const group = chunks.map(({ bytes, meta }) => {
        const chunk = { file_offset: 0n, meta_data: moved(meta, BigInt(offset)) };
        parts.push(bytes);
        offset += bytes.length;
        rawBytes += meta.total_uncompressed_size;
        return chunk;
      });
      num_rows += BigInt(rows);
      row_groups.push({
        columns: group,
        total_byte_size: rawBytes,
        num_rows: BigInt(rows),
        ...(sorting_columns.length > 0 ? { sorting_columns } : {}),
        file_offset: BigInt(start),
        total_compressed_size: BigInt(offset - start),
      });
      return parts;
    },

    finish() {
      const parts = begin();
      const footer = new ByteWriter(FOOTER_BYTES);
      const metadata = {
        version: 1,
        schema,
        num_rows,
        row_groups,
        metadata_length: 0,
        created_by: createdBy,
      };
      writeMetadata(footer, metadata, BOUND_BYTES);
      footer.appendBytes(MAGIC);
      return [...parts, footer.getBytes()];
    },
  };
}
