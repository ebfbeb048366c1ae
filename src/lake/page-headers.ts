/** The headers of a chunk's pages, which are anyone's bytes: read with care, and asked what they claim. */

import type { PageHeader } from 'hyparquet';
import { parquetHeader } from 'hyparquet/src/column.js';
import { passStruct } from './thrift-guard.ts';

interface Reader {
  readonly view: DataView;
  offset: number;
}

/** The page's own fields, those of its kind, and their statistics; no lists. */
const LIMITS = { maxDepth: 3, maxStructs: 0 } as const;
/** A header is smaller, however long the texts of its statistics. */
const MAX_HEADER_BYTES = 65_536;
/** Pages of less are made room for, whatever the footer says of their chunk. */
const LARGE_BYTES = 64 * 1024 * 1024;

/** The header at the reader's place, which is passed; undefined where there is none that a writer makes. */
export function nextHeader(reader: Reader): PageHeader | undefined {
  const { view, offset } = reader;
  const room = Math.min(MAX_HEADER_BYTES, view.byteLength - offset);
  try {
    passStruct(new DataView(view.buffer, view.byteOffset + offset, room), 0, LIMITS);
    return parquetHeader(reader);
  } catch {
    return undefined;
  }
}

/**
 * Throws a RangeError for a page that is large, and larger than all of its chunk: parquet-wasm makes room for what
 * a header claims before it looks at what is there. Headers that can not be read are no affair of this.
 *
 * @param chunkBytes what the footer says of the chunk: all its pages, unpacked
 */
export function checkPageClaims(bytes: Uint8Array, chunkBytes: number): void {
  const reader = { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), offset: 0 };
  while (reader.offset < bytes.length) {
    const page = nextHeader(reader);
    if (page === undefined) return;
    const { uncompressed_page_size: raw, compressed_page_size: stored } = page;
    if (raw > LARGE_BYTES && raw > chunkBytes) {
      throw new RangeError(`a page claims ${raw} bytes, of a column that has ${chunkBytes}`);
    }
    if (!(stored >= 0)) return;
    reader.offset += stored;
  }
}
