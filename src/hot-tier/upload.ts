/**
 * One hot upload, from request to object (docs/TIERS.md). Thread-only.
 *
 *   read and cast rows -> sort, each key and time once -> encode -> create, where nothing is yet
 *
 * A slot's file is written once. What is there already is compared by its rows, not by its bytes, so that a
 * file of the original writers, or of another version of ours, is the same content too.
 */

import { InvalidRequestError, RetryableError } from '../common/errors.ts';
import { hotObjectFacts, hotObjectMetadata, wasWrittenFor } from '../contract/hot-object.ts';
import type { ObjectLocation } from '../contract/object-location.ts';
import { hasSlot } from '../contract/slot-ranges.ts';
import { buildHotKey, manifestKey, slotOf } from '../contract/tier-keys.ts';
import { canonicalColumns, type TierProvider } from '../contract/tier-provider.ts';
import type { HotUploadRequest, HotUploadResult } from '../contract/tier-requests.ts';
import { parseManifest } from '../contract/warm-manifest.ts';
import type { Lake } from '../lake/lake.ts';
import { openObject } from '../lake/random-access.ts';
import { openFile } from '../lake/tier-file-reader.ts';
import {
  allocateColumn,
  columnOf,
  discardTable,
  type Table,
  takeRows,
  type WideColumn,
} from '../lake/tier-table/table.ts';
import { TextPool } from '../lake/tier-table/text-pool.ts';
import { encodeHotFile, hotRows, hotTable, sameContent } from './hot-file.ts';
import { RowBuilder } from './row-builder.ts';
import { putSource } from './row-source.ts';
import type { HotTierSettings } from './settings.ts';

export interface UploadInput {
  readonly request: HotUploadRequest;
  /** Of the request's body: with its id it tells a redelivery from another request. */
  readonly requestDigest: string;
  readonly provider: TierProvider;
  readonly settings: HotTierSettings;
}

export interface UploadParts {
  readonly lake: Lake;
  readonly signal: AbortSignal;
  readonly progress: (fraction: number) => void;
}

const decoder = new TextDecoder();
const TAIL_BYTES = 1 << 20;
/** Parts of the work, for progress. */
const READ_SHARE = 0.6;
const SORTED_SHARE = 0.8;

export async function uploadHotFile(input: UploadInput, parts: UploadParts): Promise<HotUploadResult> {
  const { request, provider, settings } = input;
  const key = buildHotKey(settings.root, provider.name, request.timestamp);
  const location = { bucket: settings.bucket, key };
  // Whether the slot is free is found while the rows are read.
  const looking = lookAtSlot(location, input, parts);
  looking.catch(() => {});
  const table = await readRows(input, parts);
  try {
    parts.progress(READ_SHARE);
    if (table.rows > 0) return await storeRows(table, location, looking, input, parts);
    await looking.catch(() => {});
    return { outcome: 'empty', key, rows: 0, bytes: 0 };
  } finally {
    discardTable(table);
  }
}

async function storeRows(
  table: Table,
  location: ObjectLocation,
  looking: Promise<SlotState>,
  input: UploadInput,
  parts: UploadParts,
): Promise<HotUploadResult> {
  const { request, provider, settings } = input;
  const { lake, signal, progress } = parts;
  const { key } = location;
  const rows = hotRows(table, provider);
  progress(SORTED_SHARE);
  const state = await looking;
  if (state === 'closed') {
    throw new InvalidRequestError(
      'HOT_SLOT_CLOSED',
      `${key} was merged already and its file has expired since: nothing can be added to the slot`,
      { fields: { key } },
    );
  }
  const body = Buffer.concat(await encodeHotFile(table, rows, provider, settings.createdBy));
  signal.throwIfAborted();
  const written = { key, rows: rows.length, bytes: body.length };
  if (state === 'free') {
    const { requestId } = request;
    // Rows that were left out are of times that others have.
    const times = timeRange(table, provider.timeColumn);
    const metadata = hotObjectMetadata({
      rows: rows.length,
      ...times,
      requestId,
      requestDigest: input.requestDigest,
    });
    const upload = lake.openUpload(location, {
      contentType: 'application/vnd.apache.parquet',
      metadata,
      signal,
    });
    try {
      await upload.write(body);
      const outcome = await upload.finish();
      if (outcome.outcome === 'written') return { outcome: 'uploaded', ...written };
    } finally {
      await upload.abort();
    }
  }
  return await compareWithStored(location, takeRows(table, rows), written, input, parts);
}

async function readRows({ request, provider, settings }: UploadInput, parts: UploadParts): Promise<Table> {
  const { limits, bucket, allowedBuckets } = settings;
  const builder = RowBuilder.of(provider, limits.maxRows);
  const policy = { defaultBucket: bucket, allowedBuckets: new Set(allowedBuckets) };
  const { changed, removed, sentinel } = request;
  const sourceParts = { ...parts, policy, limits };
  if (changed !== undefined)
    await putSource(builder, changed, { name: 'changed', ceased: false, sentinel }, sourceParts);
  if (removed !== undefined)
    await putSource(builder, removed, { name: 'removed', ceased: true }, sourceParts);
  return builder.finish().table;
}

type SlotState = 'taken' | 'free' | 'closed';

/**
 * Whether the slot has a file, or has none and may get one. One whose rows are in the warm tier already
 * and whose file is gone is closed: a new file would never be merged.
 */
async function lookAtSlot(
  location: ObjectLocation,
  { request, provider, settings }: UploadInput,
  { lake, signal }: UploadParts,
): Promise<SlotState> {
  const slot = slotOf(request.timestamp);
  const manifestAt = { bucket: settings.bucket, key: manifestKey(settings.root, provider.name, slot) };
  const exists = async () => (await lake.store.head(location, { signal })) !== undefined;
  const [isTaken, stored] = await Promise.all([exists(), lake.store.get(manifestAt, { signal })]);
  if (isTaken) return 'taken';
  if (stored === undefined) return 'free';
  const manifest = parseManifest(decoder.decode(stored.bytes), manifestAt.key, provider.name, slot);
  if (!hasSlot(manifest.processed, slot.slot)) return 'free';
  // It may have been uploaded and merged between the two looks.
  return (await exists()) ? 'taken' : 'closed';
}

async function compareWithStored(
  location: ObjectLocation,
  sorted: Table,
  written: Omit<HotUploadResult, 'outcome'>,
  { request, requestDigest, provider }: UploadInput,
  { lake, signal }: UploadParts,
): Promise<HotUploadResult> {
  const { key } = location;
  const found = await lake.store.head(location, { signal });
  if (found === undefined) {
    throw new RetryableError('OUTPUT_WRITE_ERROR', `${key} went away while it was compared`, {
      fields: { key },
    });
  }
  const facts = hotObjectFacts(found.metadata, found.size);
  if (facts !== undefined && wasWrittenFor(found.metadata, request.requestId, requestDigest)) {
    return { outcome: 'uploaded', key, rows: facts.rows, bytes: found.size };
  }
  // Of an upload that says how many rows it has, most differences are told by that.
  const mayBeSame = facts === undefined || facts.rows === sorted.rows;
  if (mayBeSame && sameContent(sorted, await readStored(location, provider, lake, signal))) {
    return { outcome: 'unchanged', key, rows: sorted.rows, bytes: found.size };
  }
  if (request.onConflict === 'skip') return { outcome: 'skipped', ...written };
  throw new InvalidRequestError('HOT_SLOT_CONFLICT', `${key} holds other rows already`, { fields: { key } });
}

/** A stored file's rows as an upload would have them. */
async function readStored(
  location: ObjectLocation,
  provider: TierProvider,
  lake: Lake,
  signal: AbortSignal,
): Promise<Table> {
  const file = await openFile(await openObject(lake.store, location, { signal, tailBytes: TAIL_BYTES }));
  const canonical = canonicalColumns(provider);
  const { rows } = file.footer;
  const columns = file.footer.columns.map(({ name, kind }) => {
    const spec = canonical.find((one) => one.name === name) ?? { name, kind: kind ?? 'text' };
    return allocateColumn(spec, rows, () => new TextPool());
  });
  try {
    file.select(columns.map(({ name }) => name));
    let at = 0;
    for (let some = await file.available(); some > 0; some = await file.available()) {
      file.read(columns, at, some);
      at += some;
    }
  } finally {
    file.close();
  }
  return hotTable({ rows, columns }, provider);
}

function timeRange(table: Table, timeColumn: string) {
  const { words, valid } = columnOf(table, timeColumn) as WideColumn;
  let minTime = Number.POSITIVE_INFINITY;
  let maxTime = Number.NEGATIVE_INFINITY;
  for (let row = 0; row < table.rows; row++) {
    if (valid[row] === 0) continue;
    const time = words[row * 2 + 1]! * 4_294_967_296 + (words[row * 2]! >>> 0);
    if (time < minTime) minTime = time;
    if (time > maxTime) maxTime = time;
  }
  return minTime > maxTime ? { minTime: null, maxTime: null } : { minTime, maxTime };
}
