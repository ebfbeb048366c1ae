/**
 * Encodes one column of one row group as a Parquet column chunk: plain values, headers and dictionaries by
 * hyparquet-writer, compression by Node's own zstd. Ours is which encoding a column gets (coded-column.ts), how
 * its rows are divided into pages, and the runs of indices and levels (bit-runs.ts).
 *
 * Columns are encoded apart, so in as many threads as there are, and put together by parquet-stitch.ts.
 */

import { constants, zstdCompressSync } from 'node:zlib';
import type { ColumnMetaData, Encoding, SchemaElement } from 'hyparquet';
import { ByteWriter } from 'hyparquet-writer';
import { writePageHeader } from 'hyparquet-writer/src/datapage.js';
import { writeDictionaryPage } from 'hyparquet-writer/src/dictionary.js';
import type { ColumnEncoder } from 'hyparquet-writer/src/types.js';
import { discard, discardBuffer } from '../common/discard.ts';
import { bitRunsOf } from './bit-runs.ts';
import { codeColumn } from './coded-column.ts';
import { type ColumnMessage, discardMessage } from './tier-table/column-message.ts';
import { elementOf } from './tier-table/parquet-kinds.ts';

/** A chunk's bytes, and its metadata as if they lay at the beginning of the file. */
export interface EncodedColumn {
  readonly bytes: Uint8Array;
  readonly meta: ColumnMetaData;
}

/** The encoder of a thread, or of many. The message's memory is its own from then on. */
export type EncodeColumn = (message: ColumnMessage) => Promise<EncodedColumn>;

/** Rows of a page: a reader that begins within a row group passes by pages unseen. */
const PAGE_ROWS = 65_536;
/** DuckDB's and Spark's. Higher ones save two percent, at twice the time. */
const ZSTD_LEVEL = 3;
/** Room for a page's header and levels. */
const PAGE_BYTES = 256;

/** Encodes at once, in this thread. */
export function encodeColumn(message: ColumnMessage): EncodedColumn {
  const { name, rows, levels } = message;
  const { encoding, dictionary, bounds, size, write, release } = codeColumn(message);
  const element = elementOf({ name, kind: message.kind === 'pooled' ? message.of : message.kind });
  const writer = new ByteWriter((size >> 1) + PAGE_BYTES);
  let rawBytes = dictionary === undefined ? 0 : writeDictionaryPage(writer, columnOf(element), dictionary);
  const dataOffset = writer.offset;
  let values = 0;
  for (let from = 0; from < rows; from += PAGE_ROWS) {
    const to = Math.min(rows, from + PAGE_ROWS);
    const end = values + (levels === undefined ? to - from : countOnes(levels, from, to));
    const page = new ByteWriter(Math.ceil((size * (to - from)) / rows) + PAGE_BYTES);
    writeLevels(page, levels, from, to);
    write(page, values, end);
    rawBytes += writeDataPage(writer, page.getBytes(), to - from, encoding);
    discard(new Uint8Array(page.buffer));
    values = end;
  }
  release();
  discardMessage(message);
  const meta: ColumnMetaData = {
    type: element.type!,
    encodings: dictionary === undefined ? [encoding, 'RLE'] : ['PLAIN', encoding, 'RLE'],
    path_in_schema: [name],
    codec: 'ZSTD',
    num_values: BigInt(rows),
    total_uncompressed_size: BigInt(rawBytes),
    total_compressed_size: BigInt(writer.offset),
    data_page_offset: BigInt(dataOffset),
    ...(dictionary === undefined ? {} : { dictionary_page_offset: 0n }),
    statistics: { ...bounds, null_count: BigInt(rows - values) },
  };
  const bytes = writer.getBytes().slice();
  discard(new Uint8Array(writer.buffer));
  return { bytes, meta };
}

/** What the library wants to know of a column to write its dictionary. */
function columnOf(element: SchemaElement): ColumnEncoder {
  return {
    columnName: element.name,
    element,
    schemaPath: [{ name: 'schema', num_children: 1 }, element],
    codec: 'ZSTD',
    compressors: { ZSTD: zstd },
    stats: true,
    pageSize: 0,
    columnIndex: false,
    offsetIndex: false,
  };
}

/** A page of the first version, which every reader knows. Returns its bytes before compression, header included. */
function writeDataPage(writer: ByteWriter, page: Uint8Array, rows: number, encoding: Encoding): number {
  const bytes = zstd(page);
  const start = writer.offset;
  writePageHeader(writer, {
    type: 'DATA_PAGE',
    uncompressed_page_size: page.length,
    compressed_page_size: bytes.length,
    data_page_header: {
      num_values: rows,
      encoding,
      definition_level_encoding: 'RLE',
      repetition_level_encoding: 'RLE',
    },
  });
  const headerBytes = writer.offset - start;
  writer.appendBytes(bytes);
  discardBuffer(bytes);
  return headerBytes + page.length;
}

/** Definition levels of rows [from, to), led by their length in bytes. */
function writeLevels(page: ByteWriter, levels: Uint8Array | undefined, from: number, to: number): void {
  const bytes = levels === undefined ? levelsOfOnes(to - from) : levelsOf(levels.subarray(from, to));
  page.appendUint32(bytes.length);
  page.appendBytes(bytes);
}

function levelsOf(levels: Uint8Array): Uint8Array {
  return bitRunsOf(Int32Array.from(levels), 1);
}

let ones = { rows: 0, bytes: new Uint8Array(0) as Uint8Array };

/** The levels of a page without nulls, which are mostly those of the page before. */
function levelsOfOnes(rows: number): Uint8Array {
  if (ones.rows !== rows) ones = { rows, bytes: levelsOf(new Uint8Array(rows).fill(1)) };
  return ones.bytes;
}

function zstd(bytes: Uint8Array): Uint8Array {
  // In one chunk: what does not shrink grows by less than a hundredth.
  const chunkSize = bytes.length + (bytes.length >> 7) + PAGE_BYTES;
  return zstdCompressSync(bytes, { chunkSize, params: { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL } });
}

function countOnes(flags: Uint8Array, from: number, to: number): number {
  let ones = 0;
  for (let row = from; row < to; row++) ones += flags[row]!;
  return ones;
}
