/**
 * What the pages of a chunk claim to be when they are unpacked. parquet-wasm makes room for it before it looks at
 * what is there: a header of a few bytes could have half a gigabyte.
 */

import { parquetHeader } from 'hyparquet/src/column.js';
import { passStruct } from './thrift-guard.ts';

/** The page's own fields, those of its kind, and their statistics; no lists. */
export const HEADER_LIMITS = { maxDepth: 3, maxStructs: 0 } as const;

/** Pages of less are made room for, whatever the footer says of their chunk. */
const LARGE_BYTES = 64 * 1024 * 1024;

/**
 * Throws a RangeError for a page that is large, and larger than all of its chunk. Headers that can not be read
 * are no affair of this.
 *
 * @param chunkBytes what the footer says of the chunk: all its pages, unpacked
 */
export function checkPageClaims(bytes: Uint8Array, chunkBytes: number): void {
  const reader = { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), offset: 0 };
  while (reader.offset < bytes.length) {
    const page = headerOf(reader);
    if (page === undefined) return;
    const { uncompressed_page_size: raw, compressed_page_size: stored } = page;
    if (raw > LARGE_BYTES && raw > chunkBytes) {
      throw new RangeError(`a page claims ${raw} bytes, of a column that has ${chunkBytes}`);
    }
    if (!(stored >= 0)) return;
    reader.offset += stored;
  }
}

function headerOf(reader: { readonly view: DataView; offset: number }) {
  try {
    passStruct(reader.view, reader.offset, HEADER_LIMITS);
    return parquetHeader(reader);
  } catch {
    return undefined;
  }
}
