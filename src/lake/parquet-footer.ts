/**
 * The footer of a Parquet file as the read planner wants it: top-level columns, row groups, where each
 * column chunk lies, and its statistics. Parsed by hyparquet, since parquet-wasm shows no statistics.
 *
 * Statistics are kept exact: times as microseconds since the epoch, text as bytes, so that comparing
 * is never a matter of locale or of lost digits.
 */

import {
  type CompressionCodec,
  type FileMetaData,
  type ParquetParsers,
  parquetMetadata,
  type SchemaElement,
} from 'hyparquet';
import { InvalidRequestError, messageOf } from '../common/errors.ts';
import type { RandomAccess } from './random-access.ts';
import { passStruct } from './thrift-guard.ts';

export type StatisticsValue = number | bigint | boolean | Uint8Array;

export interface ColumnStatistics {
  readonly min: StatisticsValue;
  readonly max: StatisticsValue;
  /** Whether min and max are values that occur, not cut-off bounds. */
  readonly exact: boolean;
  readonly nulls: number | undefined;
}

export interface ColumnChunk {
  /** Where the chunk's bytes begin, its dictionary page included. */
  readonly start: number;
  readonly end: number;
  readonly codec: CompressionCodec;
  /** Whether it has a dictionary: some values, mostly all, are indices into it. */
  readonly coded: boolean;
  readonly statistics: ColumnStatistics | undefined;
}

export interface RowGroup {
  readonly index: number;
  readonly rows: number;
  readonly columns: ReadonlyMap<string, ColumnChunk>;
}

export interface FooterColumn {
  readonly name: string;
  /** True where min and max of the statistics are microseconds since the epoch. */
  readonly isTime: boolean;
  /** The physical and logical type, for error messages. */
  readonly typeName: string;
}

export interface ParquetFooter {
  readonly rows: number;
  readonly columns: ReadonlyMap<string, FooterColumn>;
  readonly rowGroups: readonly RowGroup[];
  readonly createdBy: string | undefined;
  /** The metadata as hyparquet gives it. */
  readonly metadata: FileMetaData;
}

const MAGIC = 0x31524150;
/** What pages of indices say of themselves. */
export const DICTIONARIES: readonly string[] = ['RLE_DICTIONARY', 'PLAIN_DICTIONARY'];
/** A footer is parsed into objects many times its size; real ones have kilobytes, of many columns megabytes. */
const MAX_FOOTER_BYTES = 16 * 1024 * 1024;
/** The footer's length and the magic, after it. */
const TRAILER_BYTES = 8;
/** Row groups, their columns, those' metadata and its parts are six levels. */
const MAX_DEPTH = 12;
/** A column of the schema takes more, a chunk ten times as many. */
const BYTES_A_STRUCT = 6;
const MICROS_A_DAY = 86_400_000_000;
const MAX_ROWS = BigInt(Number.MAX_SAFE_INTEGER);

const PARSERS: ParquetParsers = {
  timestampFromMilliseconds: (value: bigint) => Number(value) * 1_000,
  timestampFromMicroseconds: (value: bigint) => Number(value),
  timestampFromNanoseconds: (value: bigint) => Number(value / 1_000n - (value % 1_000n < 0n ? 1n : 0n)),
  dateFromDays: (days: number) => days * MICROS_A_DAY,
  stringFromBytes: (bytes: Uint8Array) => bytes,
  jsonFromBytes: (bytes: Uint8Array) => bytes,
  geometryFromBytes: (bytes: Uint8Array) => bytes,
  geographyFromBytes: (bytes: Uint8Array) => bytes,
  uuidFromBytes: (bytes: Uint8Array) => bytes,
};

function notParquet(file: RandomAccess, why: string, cause?: unknown): InvalidRequestError {
  return new InvalidRequestError('INPUT_READ_ERROR', `${file.name} is not a readable Parquet file: ${why}`, {
    cause,
  });
}

async function footerBytes(file: RandomAccess): Promise<Uint8Array> {
  const { tail, size } = file;
  if (size < 12) throw notParquet(file, `it has ${size} bytes`);
  const view = new DataView(tail.buffer, tail.byteOffset, tail.byteLength);
  if (view.getUint32(tail.byteLength - 4, true) !== MAGIC)
    throw notParquet(file, 'it does not end with PAR1');
  const length = view.getUint32(tail.byteLength - 8, true) + TRAILER_BYTES;
  if (length > size) throw notParquet(file, 'its footer is longer than the file');
  if (length > MAX_FOOTER_BYTES) throw notParquet(file, `its footer has ${length} bytes`);
  return length <= tail.byteLength
    ? tail.subarray(tail.byteLength - length)
    : await file.read(size - length, size);
}

function statisticsOf(
  stats: FileMetaData['row_groups'][number]['columns'][number]['meta_data'],
  element: SchemaElement | undefined,
): ColumnStatistics | undefined {
  const raw = stats?.statistics;
  if (raw === undefined) return undefined;
  // The deprecated min and max of byte arrays were compared as signed bytes: of no use.
  const old = element?.type !== 'BYTE_ARRAY' && element?.type !== 'FIXED_LEN_BYTE_ARRAY';
  const min = raw.min_value ?? (old ? raw.min : undefined);
  const max = raw.max_value ?? (old ? raw.max : undefined);
  if (min === undefined || max === undefined) return undefined;
  return {
    min: min as StatisticsValue,
    max: max as StatisticsValue,
    exact: raw.is_min_value_exact !== false && raw.is_max_value_exact !== false,
    nulls: raw.null_count === undefined ? undefined : Number(raw.null_count),
  };
}

function isTimeElement(element: SchemaElement): boolean {
  const { converted_type: converted, logical_type: logical } = element;
  return (
    converted === 'DATE' ||
    converted === 'TIMESTAMP_MILLIS' ||
    converted === 'TIMESTAMP_MICROS' ||
    logical?.type === 'TIMESTAMP'
  );
}

/** Reads and parses the footer; a file that is not Parquet, or cut off, is INPUT_READ_ERROR. */
export async function readFooter(file: RandomAccess): Promise<ParquetFooter> {
  const bytes = await footerBytes(file);
  try {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength - TRAILER_BYTES);
    passStruct(view, 0, { maxDepth: MAX_DEPTH, maxStructs: view.byteLength / BYTES_A_STRUCT });
    const metadata = parquetMetadata(bytes, { parsers: PARSERS, geoparquet: false });
    return footerOf(metadata, file.size - bytes.byteLength);
  } catch (error) {
    // A corrupt footer may parse into anything, and fail anywhere in here.
    throw notParquet(file, `its footer is damaged (${messageOf(error).slice(0, 120)})`, error);
  }
}

/** @param dataEnd where the footer begins: what chunks there are lies before it */
function footerOf(metadata: FileMetaData, dataEnd: number): ParquetFooter {
  if (metadata.schema.length === 0) throw new Error('it has no schema');
  // The parser gives what lies in the bytes, of whatever type, or nothing.
  if (!metadata.schema.every(({ name }) => typeof name === 'string')) throw new Error('a column has no name');
  const columns = new Map<string, FooterColumn>();
  const elements = new Map<string, SchemaElement>();
  let nested = 0;
  for (const element of metadata.schema.slice(1)) {
    const atTop = nested === 0;
    nested = Math.max(0, nested - 1) + (element.num_children ?? 0);
    if (!atTop) continue;
    const logical = element.logical_type?.type ?? element.converted_type;
    const typeName = `${element.type ?? 'group'}${logical === undefined ? '' : ` (${logical})`}`;
    columns.set(element.name, { name: element.name, isTime: isTimeElement(element), typeName });
    if (element.num_children === undefined) elements.set(element.name, element);
  }

  const rowGroups = metadata.row_groups.map((group, index): RowGroup => {
    const chunks = new Map<string, ColumnChunk>();
    for (const { meta_data: meta } of group.columns) {
      const name = meta?.path_in_schema[0];
      if (meta === undefined || name === undefined || meta.path_in_schema.length !== 1) continue;
      const dictionary = Number(meta.dictionary_page_offset ?? 0n);
      const data = Number(meta.data_page_offset);
      const start = dictionary > 0 && dictionary < data ? dictionary : data;
      const end = start + Number(meta.total_compressed_size);
      if (!(start >= 0 && start <= end && end <= dataEnd)) {
        throw new Error(`row group ${index} lies outside of the file`);
      }
      const coded = meta.encodings?.some((encoding) => DICTIONARIES.includes(encoding)) === true;
      chunks.set(name, {
        start,
        end,
        codec: meta.codec,
        coded,
        statistics: statisticsOf(meta, elements.get(name)),
      });
    }
    return { index, rows: countOf(group.num_rows), columns: chunks };
  });
  return { rows: countOf(metadata.num_rows), columns, rowGroups, createdBy: metadata.created_by, metadata };
}

function countOf(rows: bigint): number {
  if (typeof rows !== 'bigint' || rows < 0n || rows > MAX_ROWS) throw new Error(`it claims ${rows} rows`);
  return Number(rows);
}
