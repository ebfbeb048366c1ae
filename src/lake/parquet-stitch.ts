/**
 * Column chunks that were encoded as Parquet files of their own, one column and one row group each, put
 * together as one file: the reverse of parquet-extract.ts. The chunks' bytes are taken as they are; their
 * metadata is moved to where they lie now, statistics bit by bit the same.
 */

import {
  type ColumnMetaData,
  type ParquetParsers,
  parquetMetadata,
  type RowGroup,
  type SchemaElement,
} from 'hyparquet';
import { ByteWriter } from 'hyparquet-writer';
import { writeMetadata } from 'hyparquet-writer/src/metadata.js';

export interface StitchSpec {
  /** The columns' names, in their order in the file. */
  readonly columns: readonly string[];
  /** The names of the columns by which rows ascend, nulls first. */
  readonly sortedBy: readonly string[];
  readonly createdBy: string;
}

export interface Stitcher {
  /** Takes the next row group, a file for each column; returns its bytes in the whole file. */
  append(files: readonly Uint8Array[]): Uint8Array[];
  /** The end of the file. `files` of no rows say what the columns are, where there is no row group. */
  finish(files: () => readonly Uint8Array[]): Uint8Array[];
}

const MAGIC = Buffer.from('PAR1');
const FOOTER_BYTES = 8_192;

/** Statistics as they are stored: no value passes through a Date, a double or a string. */
const AS_STORED: ParquetParsers = {
  timestampFromMilliseconds: (value: bigint) => value,
  timestampFromMicroseconds: (value: bigint) => value,
  timestampFromNanoseconds: (value: bigint) => value,
  dateFromDays: (days: number) => days,
  stringFromBytes: (bytes: Uint8Array) => bytes,
  jsonFromBytes: (bytes: Uint8Array) => bytes,
  geometryFromBytes: (bytes: Uint8Array) => bytes,
  geographyFromBytes: (bytes: Uint8Array) => bytes,
  uuidFromBytes: (bytes: Uint8Array) => bytes,
};

function metadataOf(file: Uint8Array) {
  return parquetMetadata(file.buffer as ArrayBuffer, { parsers: AS_STORED, geoparquet: false });
}

/** A chunk's metadata where its bytes are moved by `shift`. Indexes of pages are not taken along. */
function moved(meta: ColumnMetaData, shift: bigint): ColumnMetaData {
  const { type, encodings, path_in_schema, codec, num_values, statistics, encoding_stats } = meta;
  const { total_uncompressed_size, total_compressed_size, dictionary_page_offset: dictionary } = meta;
  return {
    ...{ type, encodings, path_in_schema, codec, num_values, total_uncompressed_size, total_compressed_size },
    data_page_offset: meta.data_page_offset + shift,
    ...(dictionary === undefined ? {} : { dictionary_page_offset: dictionary + shift }),
    ...(statistics === undefined ? {} : { statistics }),
    ...(encoding_stats === undefined ? {} : { encoding_stats }),
  };
}

export function createStitcher({ columns, sortedBy, createdBy }: StitchSpec): Stitcher {
  const sorting = sortedBy.map((name) => ({
    column_idx: columns.indexOf(name),
    descending: false,
    nulls_first: true,
  }));
  const groups: RowGroup[] = [];
  let schema: SchemaElement[] | undefined;
  let offset = 0;
  let rows = 0n;

  const begin = (): Uint8Array[] => {
    if (offset > 0) return [];
    offset = MAGIC.length;
    return [new Uint8Array(MAGIC)];
  };
  const schemaOf = (elements: readonly (SchemaElement | undefined)[]): SchemaElement[] => [
    { name: 'schema', num_children: columns.length },
    ...elements.map((element) => element!),
  ];

  return {
    append(files) {
      const parts = begin();
      const start = offset;
      const parsed = files.map(metadataOf);
      schema ??= schemaOf(parsed.map((metadata) => metadata.schema[1]));
      let rawBytes = 0n;
      const chunks = parsed.map((metadata, i) => {
        const [group] = metadata.row_groups;
        const meta = group?.columns[0]?.meta_data;
        if (group === undefined || meta === undefined || metadata.row_groups.length !== 1)
          throw new RangeError(`column ${columns[i]} came in ${metadata.row_groups.length} row groups`);
        const from = Number(meta.dictionary_page_offset ?? meta.data_page_offset);
        const bytes = files[i]!.subarray(from, from + Number(meta.total_compressed_size));
        const chunk = { file_offset: 0n, meta_data: moved(meta, BigInt(offset - from)) };
        parts.push(bytes);
        offset += bytes.length;
        rawBytes += meta.total_uncompressed_size;
        return chunk;
      });
      const num_rows = parsed[0]?.num_rows ?? 0n;
      rows += num_rows;
      groups.push({
        columns: chunks,
        total_byte_size: rawBytes,
        num_rows,
        ...(sorting.length > 0 ? { sorting_columns: sorting } : {}),
        file_offset: BigInt(start),
        total_compressed_size: BigInt(offset - start),
      });
      return parts;
    },

    finish(files) {
      const parts = begin();
      schema ??= schemaOf(files().map((file) => metadataOf(file).schema[1]));
      const footer = new ByteWriter(FOOTER_BYTES);
      const common = { version: 1, schema, num_rows: rows, row_groups: groups, metadata_length: 0 };
      writeMetadata(footer, { ...common, created_by: createdBy }, Number.POSITIVE_INFINITY);
      footer.appendBytes(MAGIC);
      return [...parts, footer.getBytes()];
    },
  };
}
