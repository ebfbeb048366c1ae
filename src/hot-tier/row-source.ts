/** The rows of an upload from where they are: in the request, or in an object as JSON lines, CSV or Parquet. */

import { discard } from '../common/discard.ts';
import { InvalidRequestError } from '../common/errors.ts';
import { type BucketPolicy, parseLocation } from '../contract/object-location.ts';
import type { RowSource } from '../contract/tier-requests.ts';
import type { Lake } from '../lake/lake.ts';
import { readFooter } from '../lake/parquet-footer.ts';
import { openAtStart, openObject, type RandomAccess } from '../lake/random-access.ts';
import { openFile } from '../lake/tier-file-reader.ts';
import { CsvRows } from './csv-rows.ts';
import { JsonLines } from './json-lines.ts';
import { putJsonRows } from './json-rows.ts';
import { CHUNK_BYTES, objectBytes, packingOf } from './object-bytes.ts';
import { putParquetRows } from './parquet-rows.ts';
import type { RowBuilder, SourceRules } from './row-builder.ts';
import type { HotTierLimits } from './settings.ts';
import { formatOf, type SourceFormat } from './source-format.ts';

/** A small object comes whole with its opening. */
const TAIL_BYTES = 1 << 20;

export interface SourceParts {
  readonly lake: Lake;
  readonly policy: BucketPolicy;
  readonly limits: HotTierLimits;
  readonly signal: AbortSignal;
}

/**
 * Puts the rows of a source. Throws CONFIG_ERROR for a URI that may not be read or whose format is not
 * told, INPUT_READ_ERROR for what is wrong with the rows.
 */
export async function putSource(
  builder: RowBuilder,
  source: RowSource,
  rules: SourceRules,
  parts: SourceParts,
): Promise<void> {
  builder.begin(rules);
  if ('rows' in source) putJsonRows(builder, source.rows);
  else await putObjectRows(builder, source.uri, formatOf(source, rules.name), rules.name, parts);
  builder.end();
}

async function putObjectRows(
  builder: RowBuilder,
  uri: string,
  format: SourceFormat,
  name: string,
  parts: SourceParts,
): Promise<void> {
  const { lake, policy, limits, signal } = parts;
  const location = parseLocation(uri, `${name}.uri`, policy);
  if (format === 'parquet') {
    const object = await openObject(lake.store, location, { signal, tailBytes: TAIL_BYTES });
    await putParquet(builder, await uncompressed(object, limits, signal), limits);
    return;
  }
  const object = await openAtStart(lake.store, location, { signal, headBytes: CHUNK_BYTES });
  const isPlain = (await packingOf(object)) === undefined;
  const rows =
    format === 'csv' ? new CsvRows(builder) : new JsonLines(builder, isPlain ? object.size : undefined);
  for await (const bytes of objectBytes(object, limits.maxDecodedBytes, signal)) {
    rows.push(bytes);
    // Megabytes that V8 would count against its heap, and collect that for, until it did.
    if (isPlain) discard(bytes);
  }
  rows.end();
}

async function putParquet(builder: RowBuilder, object: RandomAccess, limits: HotTierLimits): Promise<void> {
  const { metadata, rows } = await readFooter(object);
  const decoded = metadata.row_groups.reduce((sum, group) => sum + Number(group.total_byte_size), 0);
  if (decoded > limits.maxDecodedBytes || rows > limits.maxRows) {
    throw new InvalidRequestError(
      'INPUT_READ_ERROR',
      `${object.name} has ${rows.toLocaleString('en')} rows and ${decoded.toLocaleString('en')} bytes decoded, ` +
        `more than the ${limits.maxRows.toLocaleString('en')} and ${limits.maxDecodedBytes.toLocaleString('en')} allowed`,
      { fields: { uri: object.name } },
    );
  }
  const file = await openFile(object);
  try {
    await putParquetRows(builder, file);
  } finally {
    file.close();
  }
}

/** A Parquet file that was compressed as a whole, in memory. */
async function uncompressed(
  object: RandomAccess,
  limits: HotTierLimits,
  signal: AbortSignal,
): Promise<RandomAccess> {
  if ((await packingOf(object)) === undefined) return object;
  const parts: Uint8Array[] = [];
  for await (const part of objectBytes(object, limits.maxDecodedBytes, signal)) parts.push(part);
  const bytes = Buffer.concat(parts);
  return {
    name: object.name,
    size: bytes.length,
    tail: bytes,
    etag: object.etag,
    read: async (start, end) => bytes.subarray(start, end),
    close: () => object.close(),
  };
}
