/**
 * Writes a tier's table as a Parquet file, row group by row group, without holding the file.
 *
 * Why our own: the tiers know the codes of their texts already and need few types, so dictionaries cost
 * a table look-up here where a general writer hashes every value; parquet-wasm alone takes longer to
 * encode the merge of eight hot files than DuckDB takes for the whole of it (docs/TIERS.md has figures).
 *
 * The form: every column optional; text as STRING, timestamps as TIMESTAMP(MICROS, UTC), int64, double,
 * boolean; zstd; dictionary pages where they pay; null counts, least and greatest value for each chunk;
 * the sort order declared. Read by DuckDB, Polars, pyarrow, Spark, Athena, hyparquet.
 */

import { promisify } from 'node:util';
import { constants, zstdCompress } from 'node:zlib';
import type { Table } from '../../lake/tier-table/table.ts';
import type { ColumnSpec } from '../column-spec.ts';
import { ByteSink, type ThriftStruct, type ThriftValue, writeStruct } from './byte-sink.ts';
import { type ColumnChunk, ENCODING, encodeChunk, type Page } from './column-chunk.ts';
import { dictionaryScratch } from './dictionary.ts';

const MAGIC = new TextEncoder().encode('PAR1');
const TYPE = { boolean: 0, int64: 2, float64: 5, timestamp: 2, text: 6 } as const;
const OPTIONAL = 1;
const CONVERTED = { utf8: 0, timestampMicros: 10 } as const;
const PAGE_TYPE = { data: 0, dictionary: 2 } as const;
const CODEC_ZSTD = 6;
const ZSTD_LEVEL = 3;

const compress = promisify(zstdCompress);

export interface FileSpec {
  /** The columns in their order in the file. Every row group's table has exactly these. */
  readonly columns: readonly ColumnSpec[];
  /** The names of the columns by which rows ascend, nulls first. */
  readonly sortedBy: readonly string[];
  /** Who wrote the file, as `tidemill 0.1.0`. */
  readonly createdBy: string;
}

export class TierFileWriter {
  readonly #spec: FileSpec;
  readonly #scratch = dictionaryScratch();
  readonly #rowGroups: ThriftStruct[] = [];
  #offset = 0;
  #rows = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(spec: FileSpec) {
    this.#spec = spec;
  }

  /** Rows in all row groups so far. */
  get rows(): number {
    return this.#rows;
  }

  /**
   * Encodes a row group; resolves to its bytes, to be appended to the file. The table has been read when
   * the call returns, before the promise resolves (compression runs in other threads), and may be filled
   * anew. Row groups resolve in the order of the calls.
   */
  rowGroup(table: Table): Promise<Uint8Array[]> {
    // Each chunk is compressed while the next is encoded.
    const encoded = table.columns.map((column) => {
      const chunk = encodeChunk(column, table.rows, this.#scratch);
      return { chunk, bodies: Promise.all(chunk.pages.map(compressPage)) };
    });
    const chunks = encoded.map(({ chunk }) => chunk);
    const compressed = Promise.all(encoded.map(({ bodies }) => bodies));
    const result = this.#last.then(async () => this.#place(table.rows, chunks, await compressed));
    this.#last = result;
    return result;
  }

  /** The end of the file. Call it after all row groups have resolved; a file may have none. */
  finish(): Uint8Array[] {
    const { columns, createdBy } = this.#spec;
    const sink = new ByteSink(4_096);
    writeStruct(sink, [
      [1, { i32: 1 }],
      [2, { list: { of: 'struct', items: [rootElement(columns.length), ...columns.map(schemaElement)] } }],
      [3, { i64: this.#rows }],
      [4, { list: { of: 'struct', items: this.#rowGroups } }],
      [6, { binary: createdBy }],
      [7, { list: { of: 'struct', items: columns.map(() => [[1, { struct: [] }]] as ThriftStruct) } }],
    ]);
    const length = sink.length;
    sink.uint32(length);
    sink.bytes(MAGIC);
    return this.#offset === 0 ? [MAGIC, sink.take()] : [sink.take()];
  }

  #place(rows: number, chunks: readonly ColumnChunk[], bodies: readonly Uint8Array[][]): Uint8Array[] {
    const parts: Uint8Array[] = [];
    if (this.#offset === 0) {
      parts.push(MAGIC);
      this.#offset = MAGIC.length;
    }
    const start = this.#offset;
    let rawBytes = 0;
    const columns = chunks.map((chunk, i): ThriftStruct => {
      const chunkStart = this.#offset;
      let raw = 0;
      let dataOffset = 0;
      chunk.pages.forEach((page, j) => {
        const body = bodies[i]![j]!;
        const header = pageHeader(page, body.length);
        if (page.type === 'data') dataOffset = this.#offset;
        parts.push(header, body);
        raw += header.length + page.body.length;
        this.#offset += header.length + body.length;
      });
      rawBytes += raw;
      const placed = { start: chunkStart, dataOffset, raw, bytes: this.#offset - chunkStart, rows };
      return chunkElement(this.#spec.columns[i]!, chunk, placed);
    });
    this.#rowGroups.push([
      [1, { list: { of: 'struct', items: columns } }],
      [2, { i64: rawBytes }],
      [3, { i64: rows }],
      [4, { list: { of: 'struct', items: this.#sorting() } }],
      [5, { i64: start }],
      [6, { i64: this.#offset - start }],
      [7, { i16: this.#rowGroups.length }],
    ]);
    this.#rows += rows;
    return parts;
  }

  #sorting(): ThriftStruct[] {
    return this.#spec.sortedBy.map((name) => [
      [1, { i32: this.#spec.columns.findIndex((column) => column.name === name) }],
      [2, { bool: false }],
      [3, { bool: true }],
    ]);
  }
}

async function compressPage(page: Page): Promise<Uint8Array> {
  const size = page.body.length;
  return await compress(page.body, {
    // Known sizes make small work of small pages; one chunk for all output saves turns of the event loop.
    pledgedSrcSize: size,
    chunkSize: Math.max(1_024, size + (size >>> 7) + 512),
    params: { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL },
  });
}

function pageHeader(page: Page, compressedSize: number): Uint8Array {
  const sink = new ByteSink(64);
  const details: ThriftStruct =
    page.type === 'dictionary'
      ? [
          [1, { i32: page.values }],
          [2, { i32: page.encoding }],
        ]
      : [
          [1, { i32: page.values }],
          [2, { i32: page.encoding }],
          [3, { i32: ENCODING.rle }],
          [4, { i32: ENCODING.rle }],
        ];
  writeStruct(sink, [
    [1, { i32: PAGE_TYPE[page.type] }],
    [2, { i32: page.body.length }],
    [3, { i32: compressedSize }],
    [page.type === 'dictionary' ? 7 : 5, { struct: details }],
  ]);
  return sink.take();
}

interface PlacedChunk {
  readonly start: number;
  readonly dataOffset: number;
  readonly raw: number;
  readonly bytes: number;
  readonly rows: number;
}

function chunkElement(spec: ColumnSpec, chunk: ColumnChunk, placed: PlacedChunk): ThriftStruct {
  const { nulls, min, max } = chunk.statistics;
  const hasDictionary = chunk.pages[0]?.type === 'dictionary';
  const statistics: ThriftStruct = [
    [3, { i64: nulls }],
    [5, max && { binary: max }],
    [6, min && { binary: min }],
  ];
  const pageStats = chunk.pages.map(
    (page): ThriftStruct => [
      [1, { i32: PAGE_TYPE[page.type] }],
      [2, { i32: page.encoding }],
      [3, { i32: 1 }],
    ],
  );
  const encodings = [...new Set([ENCODING.rle, ...chunk.pages.map((page) => page.encoding)])];
  const metadata: ThriftStruct = [
    [1, { i32: TYPE[spec.kind] }],
    [2, { list: { of: 'i32', items: encodings } }],
    [3, { list: { of: 'binary', items: [spec.name] } }],
    [4, { i32: CODEC_ZSTD }],
    [5, { i64: placed.rows }],
    [6, { i64: placed.raw }],
    [7, { i64: placed.bytes }],
    [9, { i64: placed.dataOffset }],
    [11, hasDictionary ? { i64: placed.start } : undefined],
    [12, { struct: statistics }],
    [13, { list: { of: 'struct', items: pageStats } }],
  ];
  return [
    [2, { i64: placed.start }],
    [3, { struct: metadata }],
  ];
}

function rootElement(children: number): ThriftStruct {
  return [
    [4, { binary: 'schema' }],
    [5, { i32: children }],
  ];
}

function schemaElement(spec: ColumnSpec): ThriftStruct {
  let converted: ThriftValue | undefined;
  let logical: ThriftValue | undefined;
  if (spec.kind === 'text') {
    converted = { i32: CONVERTED.utf8 };
    logical = { struct: [[1, { struct: [] }]] };
  } else if (spec.kind === 'timestamp') {
    converted = { i32: CONVERTED.timestampMicros };
    const micros: ThriftStruct = [[2, { struct: [] }]];
    const timestamp: ThriftStruct = [
      [1, { bool: true }],
      [2, { struct: micros }],
    ];
    logical = { struct: [[8, { struct: timestamp }]] };
  }
  return [
    [1, { i32: TYPE[spec.kind] }],
    [3, { i32: OPTIONAL }],
    [4, { binary: spec.name }],
    [6, converted],
    [10, logical],
  ];
}
