/**
 * The inputs of one run: which files hold each series, and its rows as a source, from the cache, decoded
 * here, or, where it is long, decoded in a thread of its own while another input is decoded in another.
 */

import { InvalidRequestError, RetryableError, TidemillError } from '../common/errors.ts';
import type { MetricInput } from '../contract/metric-manifest.ts';
import type { MetricRunRequest } from '../contract/metric-run.ts';
import { type BucketPolicy, uriOf } from '../contract/object-location.ts';
import type { DecoderThreads } from '../lake/decoder-threads.ts';
import type { Lake } from '../lake/lake.ts';
import { openObject, type RandomAccess } from '../lake/random-access.ts';
import type { SeriesBatch, SeriesSource } from '../lake/series-batch.ts';
import { unitRows } from '../lake/series-plan.ts';
import { openSeries, type SeriesReader } from '../lake/series-reader.ts';
import { type OpenDataset, placeOfSeries } from './dataset.ts';
import { chooseFiles, type SeriesFileChoice } from './dataset-files.ts';
import type { RunBudget } from './run-budget.ts';
import type { CachedSeries, SeriesCache } from './series-cache.ts';

export interface RunInput {
  readonly code: string;
  /** Rows to read at most, for progress and limits. */
  readonly rows: number;
  readonly facts: MetricInput;
  /** The rows from the first; may be called again after a version was taken by another. */
  open(): SeriesSource;
  close(): Promise<void>;
}

export interface InputParts {
  readonly lake: Lake;
  readonly openDataset: OpenDataset;
  readonly cache: SeriesCache;
  readonly decoders: DecoderThreads;
  readonly policy: BucketPolicy;
  readonly budget: RunBudget;
  readonly signal: AbortSignal;
}

/** Files opened at once. */
const OPEN_AT_ONCE = 16;
/** Series of more rows are decoded in a thread of their own. */
const THREAD_ROWS = 400_000;
const MAX_CACHED_ROWS = 200_000;

/** "Failed to read input series: A", as the originals say it, with what happened. */
function unreadable(code: string, error: unknown): unknown {
  if (!(error instanceof TidemillError) || error.message.startsWith('Failed to read input series'))
    return error;
  if (error.code !== 'INPUT_READ_ERROR') return error;
  const options = { cause: error, fields: error.fields };
  const message = `Failed to read input series: ${code} (${error.message})`;
  if (error instanceof RetryableError) return new RetryableError(error.code, message, options);
  return new InvalidRequestError(error.code, message, options);
}

async function openFiles(files: readonly SeriesFileChoice[], parts: InputParts): Promise<RandomAccess[]> {
  const opened: RandomAccess[] = new Array(files.length);
  let next = 0;
  const work = async (): Promise<void> => {
    for (let i = next++; i < files.length; i = next++) {
      opened[i] = await openObject(parts.lake.store, files[i]!.location, { signal: parts.signal });
    }
  };
  await Promise.all(Array.from({ length: Math.min(OPEN_AT_ONCE, files.length) }, work));
  return opened;
}

function batchesSource(batches: readonly SeriesBatch[]): SeriesSource {
  let next = 0;
  return {
    // The receiver owns what it gets: kept batches are handed out as copies.
    next: async () => {
      const batch = batches[next++];
      return batch === undefined ? undefined : { times: batch.times.slice(), values: batch.values.slice() };
    },
    close: async () => {},
  };
}

/** A source that is opened at its first pull, whose errors name the series. */
function lazily(code: string, opening: () => Promise<SeriesSource>): SeriesSource {
  let source: Promise<SeriesSource> | undefined;
  return {
    async next() {
      try {
        source ??= opening();
        return await (await source).next();
      } catch (error) {
        throw unreadable(code, error);
      }
    },
    async close() {
      if (source === undefined) return;
      await source.then(
        (opened) => opened.close(),
        () => {},
      );
    },
  };
}

async function readWhole(reader: SeriesReader): Promise<SeriesBatch[]> {
  const source = await reader.open();
  const batches: SeriesBatch[] = [];
  for (let batch = await source.next(); batch !== undefined; batch = await source.next()) batches.push(batch);
  return batches;
}

/** Finds and opens the input for series `code`: its footers are read, its rows are not yet. */
export async function openInput(
  request: MetricRunRequest,
  code: string,
  parts: InputParts,
): Promise<RunInput> {
  try {
    return await openKnownInput(request, code, parts);
  } catch (error) {
    throw unreadable(code, error);
  }
}

async function openKnownInput(request: MetricRunRequest, code: string, parts: InputParts): Promise<RunInput> {
  const { cache, decoders, signal } = parts;
  const dataset = await parts.openDataset(placeOfSeries(request, code, parts.policy), signal);
  const files = chooseFiles(dataset.contents, dataset.files, code, dataset.datasetId);
  const version = dataset.contents.version_id;
  const factsOf = (read: number, bytes: number): MetricInput => ({
    series_code: code,
    dataset_id: dataset.datasetId,
    dataset_version: version === null || version === undefined ? null : String(version),
    manifest: uriOf(dataset.manifest),
    manifest_etag: dataset.etag,
    files: read,
    bytes,
  });

  const key = `${uriOf(dataset.manifest)}\n${dataset.etag}\n${uriOf(dataset.projections)}\n${code}`;
  const fromCache = (cached: CachedSeries): RunInput => ({
    code,
    rows: cached.rows,
    facts: factsOf(cached.files, cached.bytes),
    open: () => batchesSource(cached.batches),
    close: async () => {},
  });
  const cached = cache.get(key);
  if (cached !== undefined) return fromCache(cached);

  parts.budget.takeFiles(files.length);
  const accesses = await openFiles(files, parts);
  const inputs = accesses.map((access, i) => ({ access, named: files[i]!.named }));
  const reader = await openSeries(inputs, code);
  const rows = unitRows(reader.plan.units);
  try {
    // Of rows that are filtered it is not known how many stay.
    parts.budget.takeRows(unitRows(reader.plan.units.filter(({ filtered }) => !filtered)));
  } catch (error) {
    await reader.close();
    throw error;
  }
  const listed = dataset.contents.series_codes ?? undefined;
  if (rows === 0 && listed === undefined && !files.some(({ named }) => named)) {
    throw new InvalidRequestError(
      'INPUT_READ_ERROR',
      `no file of dataset "${dataset.datasetId}" holds a row of it`,
    );
  }
  if (rows <= MAX_CACHED_ROWS) {
    try {
      const batches = await readWhole(reader);
      const count = batches.reduce((sum, { times }) => sum + times.length, 0);
      const series: CachedSeries = {
        batches,
        rows: count,
        files: files.length,
        bytes: reader.plan.fileBytes,
      };
      cache.set(key, series);
      return fromCache(series);
    } finally {
      await reader.close();
    }
  }

  const remote = rows > THREAD_ROWS;
  const readers: SeriesReader[] = [reader];
  let used = false;
  const opening = async (): Promise<SeriesSource> => {
    if (remote) {
      return decoders.open(
        inputs.map(({ access, named }, i) => {
          const { etag, size, tail } = access;
          return { file: { kind: 's3', location: files[i]!.location, etag, size, tail }, named };
        }),
        code,
        signal,
      );
    }
    if (!used) {
      used = true;
      return await reader.open();
    }
    const again = await openSeries(inputs, code);
    readers.push(again);
    return await again.open();
  };
  return {
    code,
    rows,
    facts: factsOf(files.length, reader.plan.fileBytes),
    open: () => lazily(code, opening),
    close: async () => {
      for (const opened of readers) await opened.close();
    },
  };
}
