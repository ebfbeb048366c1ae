/**
 * One file, from its bytes to the Parquet files of its series and months. Thread-only.
 *
 *   bytes -> unpacked -> text -> rows -> series -> partitions -> uploads
 *
 * Every stage is bounded in memory. A fault of the file is INPUT_READ_ERROR with row and column; nothing
 * that it wrote is in sight of readers, since no manifest names it.
 */

import { discard } from '../common/discard.ts';
import { RetryableError } from '../common/errors.ts';
import type { IngestFormat, Mapping, ReadOptions } from '../contract/ingest-run.ts';
import { type ObjectLocation, uriOf } from '../contract/object-location.ts';
import type { OutputCompression } from '../contract/output-compression.ts';
import { compressionOf } from '../lake/byte-stream.ts';
import type { Lake } from '../lake/lake.ts';
import { openObject, type RandomAccess } from '../lake/random-access.ts';
import type { FileOutput } from '../ledger/file-ledger.ts';
import { readChunks, type SourceFile, unpack } from './byte-source.ts';
import { createCollector, type OpenOutput } from './collector.ts';
import { createCsvReader } from './csv-reader.ts';
import { checkHead, delimiterOfName, type FileFormat, formatOfHead, formatOfName } from './format.ts';
import { createJsonlReader } from './jsonl-reader.ts';
import { createMapper, type Mapper } from './mapper.ts';
import { readParquetRows } from './parquet-rows.ts';
import { type BadRow, fileFault } from './rows.ts';
import { compareColumns } from './schema-check.ts';
import { createTextBytes } from './text-bytes.ts';
import { MAX_WORKBOOK_BYTES, readWorkbook } from './workbook.ts';

export interface LoadInput {
  readonly file: SourceFile;
  readonly format: IngestFormat;
  readonly read: ReadOptions;
  readonly mapping: Mapping;
  readonly maxBadRows: number;
  /** Names what this load writes, and no other. */
  readonly digest: string;
  /** The dataset's projections folder. */
  readonly projections: ObjectLocation;
  /** Where bad rows are kept. */
  readonly badRows: ObjectLocation;
  readonly knownColumns: Readonly<Record<string, string>>;
  readonly compression: OutputCompression;
  /** A file above this is read in chunks, one up to it at once. */
  readonly streamingBytes: number;
  /** Memory for rows that wait for their partition to be written. */
  readonly budgetBytes: number;
}

export interface Loaded {
  readonly format: FileFormat;
  /** Rows of all outputs. */
  readonly records: number;
  /** Rows of the file that were taken. */
  readonly rows: number;
  /** Rows left out since a later one of the file has the same series and time. */
  readonly duplicates: number;
  readonly bytesRead: number;
  readonly outputs: readonly FileOutput[];
  /** What the ingestion did not know of the columns, and which of them are new to it. */
  readonly learnedColumns: Readonly<Record<string, string>>;
  readonly newColumns: readonly string[];
  readonly badRows: Readonly<Record<string, number>>;
}

export interface LoadParts {
  readonly lake: Lake;
  readonly signal: AbortSignal;
  readonly progress: (fraction: number) => void;
}

const CHUNK_BYTES = 8 * 1024 * 1024;
/** A packed Parquet file or workbook must be unpacked as a whole. */
const MAX_UNPACKED_BYTES = MAX_WORKBOOK_BYTES;

function mappedColumns(mapping: Mapping): string[] {
  if (mapping.layout === 'long') return [mapping.time, mapping.series, mapping.value];
  return [mapping.time, ...(mapping.values === '*' ? [] : Object.keys(mapping.values))];
}

async function gather(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let total = 0;
  for await (const chunk of chunks) {
    total += chunk.length;
    if (total > MAX_UNPACKED_BYTES)
      throw fileFault(`it is larger than ${MAX_UNPACKED_BYTES} bytes, the most for its kind`);
    parts.push(chunk);
  }
  return Buffer.concat(parts);
}

function inMemory(name: string, bytes: Uint8Array): RandomAccess {
  const read = async (start: number, end: number) => bytes.subarray(start, end);
  return { name, size: bytes.length, tail: bytes, etag: '', read, close: async () => {} };
}

/** The first chunk, and all of them. */
async function peek(chunks: AsyncGenerator<Uint8Array>) {
  const first = await chunks.next();
  const head = first.done === true ? new Uint8Array(0) : first.value;
  async function* all() {
    if (head.length > 0) yield head;
    yield* chunks;
  }
  return { head, all: all() };
}

/** Feeds the rows of the file to the mapper. */
async function readRows(
  input: LoadInput,
  mapper: Mapper,
  parts: LoadParts,
): Promise<{ format: FileFormat; bytesRead: number }> {
  const { file, read, mapping } = input;
  const { lake, signal, progress } = parts;
  const { key } = file.location;
  const named = input.format === 'auto' ? formatOfName(key) : input.format;
  const mapped = mappedColumns(mapping);
  const takesAll = mapping.layout === 'wide' && mapping.values === '*';
  let bytesRead = 0;

  async function parquet(access: RandomAccess): Promise<void> {
    await readParquetRows(access, mapped, takesAll, mapper, signal, (rows, of) =>
      progress(rows / Math.max(1, of)),
    );
  }
  async function openedParquet() {
    const access = await openObject(lake.store, file.location, { signal });
    if (access.etag !== file.etag) {
      throw new RetryableError('INPUT_READ_ERROR', `${uriOf(file.location)} changed since it was listed`);
    }
    bytesRead += access.tail.length;
    const counted: RandomAccess = {
      ...access,
      read(start, end) {
        bytesRead += end - start;
        return access.read(start, end);
      },
    };
    await parquet(counted);
    return { format: 'parquet', bytesRead } as const;
  }
  const packedName = /\.(?:gz|gzip|zst|zstd)$/i.test(key);
  if (named === 'parquet' && !packedName) return await openedParquet();

  const chunkBytes = file.size <= input.streamingBytes ? Math.max(1, file.size) : CHUNK_BYTES;
  async function* counted() {
    for await (const chunk of readChunks(lake.store, file, chunkBytes, signal)) {
      bytesRead += chunk.length;
      yield chunk;
      progress(bytesRead / file.size);
    }
  }
  const packed = await peek(counted());
  const compression = compressionOf(packed.head);
  const { head, all } = await peek(unpack(packed.all, compression, file.size));
  if (head.length === 0) throw fileFault('it is empty');
  const format = named ?? formatOfHead(head);
  checkHead(format, head);
  if (format === 'parquet') {
    if (compression === undefined) {
      await all.return();
      return await openedParquet();
    }
    await parquet(inMemory(uriOf(file.location), await gather(all)));
  } else if (format === 'xlsx') {
    await readWorkbook(await gather(all), { sheet: read.sheet, header: read.header }, mapper, signal);
  } else {
    const text = createTextBytes(read.encoding);
    const delimiter = read.delimiter ?? delimiterOfName(key);
    const reader =
      format === 'csv'
        ? createCsvReader({ delimiter, header: read.header }, mapper)
        : createJsonlReader(mapped, takesAll, mapper);
    for await (const chunk of all) {
      signal.throwIfAborted();
      await reader.push(text.push(chunk));
      // Megabytes that only the collector would find: each time it did, it looked through the whole heap.
      discard(chunk);
    }
    await reader.push(text.finish());
    await reader.finish();
  }
  return { format, bytesRead };
}

/** Keeps the bad rows as JSON Lines beside the dataset. */
async function keepBadRows(input: LoadInput, rows: readonly BadRow[], parts: LoadParts): Promise<void> {
  if (rows.length === 0) return;
  const file = uriOf(input.file.location);
  const lines = rows.map((row) => `${JSON.stringify({ file, ...row })}\n`).join('');
  const { signal } = parts;
  await parts.lake.writer.create(input.badRows, Buffer.from(lines), {
    contentType: 'application/x-ndjson',
    signal,
  });
}

export async function loadFile(input: LoadInput, parts: LoadParts): Promise<Loaded> {
  const { lake, signal } = parts;
  const { projections, digest, compression, budgetBytes } = input;
  const open: OpenOutput = (path) => {
    const location = { bucket: projections.bucket, key: `${projections.key}${path}` };
    const upload = lake.openUpload(location, { contentType: 'application/vnd.apache.parquet', signal });
    return {
      write: (bytes) => upload.write(bytes),
      abort: () => upload.abort(),
      async finish() {
        const outcome = await upload.finish();
        if (outcome.outcome === 'written') return outcome.size;
        throw new RetryableError('OUTPUT_WRITE_ERROR', `${uriOf(location)} was written by another`);
      },
    };
  };
  const collector = createCollector({ digest, compression, budgetBytes }, open, signal);
  const known = input.knownColumns;
  const mapper = createMapper(input.mapping, input.read, { maxBadRows: input.maxBadRows, known }, collector);
  const { format, bytesRead } = await readRows(input, mapper, parts);
  const { learned, fresh } = compareColumns(known, mapper.kinds());
  const { outputs, duplicates } = await collector.finish();
  await keepBadRows(input, mapper.badRows, parts);
  const badRows: Record<string, number> = {};
  for (const { reason } of mapper.badRows) badRows[reason] = (badRows[reason] ?? 0) + 1;
  return {
    format,
    records: outputs.reduce((sum, { records }) => sum + records, 0),
    rows: mapper.taken,
    duplicates,
    bytesRead,
    outputs,
    learnedColumns: learned,
    newColumns: fresh,
    badRows,
  };
}
