/**
 * One merge, from objects to an object: the inputs are read in ranges, merged as a stream, encoded and
 * uploaded row group by row group. Memory is a row group or two of each input, whatever their sizes.
 * Thread-only.
 */

import { InvalidRequestError } from '../common/errors.ts';
import type { ColumnSpec } from '../contract/column-spec.ts';
import type { ObjectLocation } from '../contract/object-location.ts';
import { CEASED, canonicalColumns, sortColumns, type TierProvider } from '../contract/tier-provider.ts';
import type { WarmFileFacts } from '../contract/warm-manifest.ts';
import type { EncodeColumn } from '../lake/column-encoder.ts';
import type { Lake } from '../lake/lake.ts';
import { readFooter } from '../lake/parquet-footer.ts';
import { openObject } from '../lake/random-access.ts';
import { openFile, type TierFile } from '../lake/tier-file-reader.ts';
import { ROW_GROUP_ROWS, TierFileWriter } from '../lake/tier-file-writer.ts';
import { type AnyTable, columnOf, type WideColumn } from '../lake/tier-table/table.ts';
import { Merge, type Run, UnsortedRunError } from './merge.ts';
import { SORTABLE_ROWS, sortedRun } from './sorted-run.ts';

export interface MergeTask {
  readonly bucket: string;
  /** The output's key. */
  readonly key: string;
  /** The inputs' keys, oldest first. */
  readonly inputs: readonly string[];
  readonly provider: TierProvider;
  readonly createdBy: string;
}

/** `taken`: another file has the output's name, and nothing was written. */
export type MergeOutcome =
  | { readonly kind: 'written'; readonly facts: MergedFacts }
  | { readonly kind: 'taken' };

export interface MergedFacts extends WarmFileFacts {
  readonly rows: number;
  readonly bytes: number;
  /** Rows that were dropped since another of their key and time stayed. */
  readonly duplicates: number;
  /** Inputs that were out of order and had to be sorted first: files of other writers. */
  readonly unsorted: readonly string[];
}

export interface MergeContext {
  readonly lake: Lake;
  readonly signal: AbortSignal;
  readonly progress: (fraction: number) => void;
  /** Where the columns of large merges are encoded; default in this thread. */
  readonly encode?: EncodeColumn;
}

/** A file of as many bytes comes with its opening. */
const TAIL_BYTES = 1 << 20;
/** Rows of the merge's working memory. */
const SLAB_ROWS = 131_072;
/** Merges of fewer rows are encoded in the thread that merges: they are done before another has begun. */
export const MANY_ROWS = 100_000;

export async function mergeFiles(task: MergeTask, context: MergeContext): Promise<MergeOutcome> {
  const { lake, signal } = context;
  const target = { bucket: task.bucket, key: task.key };
  // A name that is taken is found before the work, not after it.
  const looking = lake.store.head(target, { signal });
  looking.catch(() => {}); // It is heard of below.
  const unsorted = new Set<string>();
  for (;;) {
    const files = await openAll(task, context);
    try {
      if ((await looking) !== undefined) return { kind: 'taken' };
      return await mergeInto(target, files, unsorted, task, context);
    } catch (error) {
      // The original writers did not sort what they wrote. Such a file is found when its turn comes.
      if (!(error instanceof UnsortedRunError) || unsorted.has(error.run)) throw error;
      const rows = files.find(({ name }) => name === error.run)?.footer.rows ?? 0;
      if (rows > SORTABLE_ROWS) throw error;
      unsorted.add(error.run);
    } finally {
      for (const file of files) file.close();
    }
  }
}

async function openAll(task: MergeTask, context: MergeContext): Promise<TierFile[]> {
  const opening = await Promise.allSettled(task.inputs.map((key) => openInput(task.bucket, key, context)));
  const files = opening.flatMap((opened) => (opened.status === 'fulfilled' ? [opened.value] : []));
  const failed = opening.find(({ status }) => status === 'rejected');
  if (failed?.status !== 'rejected') return files;
  for (const file of files) file.close();
  throw failed.reason;
}

async function mergeInto(
  target: ObjectLocation,
  files: readonly TierFile[],
  unsorted: ReadonlySet<string>,
  { provider, createdBy }: MergeTask,
  { lake, signal, progress, encode }: MergeContext,
): Promise<MergeOutcome> {
  const columns = outputColumns(files, provider);
  for (const file of files) file.select(columns.map(({ name }) => name));
  const { keyColumns: keys, timeColumn: time } = provider;
  const total = files.reduce((sum, { footer }) => sum + footer.rows, 0);
  // Small merges are many: they take no more memory than they have rows.
  const runs: Run[] = [];
  for (const file of files) {
    runs.push(unsorted.has(file.name) ? await sortedRun(file, file.footer.rows, columns, keys, time) : file);
  }
  const merge = new Merge(runs, {
    columns,
    keys,
    time,
    pooled: columnsWithDictionaries(columns, files),
    ceased: CEASED,
    rowGroupRows: Math.max(1, Math.min(ROW_GROUP_ROWS, total)),
    slabRows: Math.max(1, Math.min(SLAB_ROWS, total)),
  });
  const spec = { columns, sortedBy: sortColumns(provider), createdBy };
  const writer = new TierFileWriter(spec, total < MANY_ROWS ? undefined : encode);
  const times = new TimeRange(time);
  const upload = lake.openUpload(target, { contentType: 'application/vnd.apache.parquet', signal });
  const put = async (parts: readonly Uint8Array[]) => {
    for (const part of parts) await upload.write(part);
  };
  try {
    // One row group is encoded and sent while the next one is merged.
    let underWay: Promise<void> = Promise.resolve();
    for await (const table of merge.tables()) {
      signal.throwIfAborted();
      times.take(table);
      const encoded = writer.rowGroup(table);
      const before = underWay;
      underWay = before.then(async () => put(await encoded));
      underWay.catch(() => {});
      await before;
      progress(merge.counts.rowsRead / Math.max(1, total));
    }
    await underWay;
    await put(writer.finish());
    const outcome = await upload.finish();
    if (outcome.outcome === 'conflict') return { kind: 'taken' };
    const { rowsWritten: rows, duplicates } = merge.counts;
    return {
      kind: 'written',
      facts: { rows, bytes: outcome.size, duplicates, unsorted: [...unsorted], ...times.range() },
    };
  } finally {
    await upload.abort();
  }
}

async function openInput(bucket: string, key: string, { lake, signal }: MergeContext): Promise<TierFile> {
  const object = await openObject(lake.store, { bucket, key }, { signal, tailBytes: TAIL_BYTES });
  return await openFile(object);
}

/**
 * The provider's columns that any input has, in canonical order, and before the last one those that are
 * not the provider's any more: nothing that was stored is lost.
 */
function outputColumns(files: readonly TierFile[], provider: TierProvider): ColumnSpec[] {
  const canonical = canonicalColumns(provider);
  const required = new Set(sortColumns(provider));
  for (const file of files) {
    const missing = [...required].filter((name) => !file.has(name));
    if (missing.length > 0) throw unusable(file, `has no column ${missing.join(', ')}`);
  }
  const present = canonical.filter(({ name }) => files.some((file) => file.has(name)));
  const known = new Set(canonical.map(({ name }) => name));
  const others = new Map<string, ColumnSpec>();
  for (const file of files) {
    for (const { name, kind } of file.footer.columns) {
      if (known.has(name) || kind === undefined) continue;
      const other = others.get(name);
      if (other === undefined) others.set(name, { name, kind });
      else if (other.kind !== kind) throw unusable(file, `has ${name} as ${kind}, another as ${other.kind}`);
    }
  }
  const ceased = present.findIndex(({ name }) => name === CEASED);
  return present.toSpliced(ceased < 0 ? present.length : ceased, 0, ...others.values());
}

/** The columns that have dictionaries in all files that have them. */
export function columnsWithDictionaries(
  columns: readonly ColumnSpec[],
  files: readonly TierFile[],
): ReadonlySet<string> {
  const coded = columns.filter(({ name }) =>
    files.every((file) => !file.has(name) || file.hasDictionaries(name)),
  );
  return new Set(coded.map(({ name }) => name));
}

function unusable(file: TierFile, why: string): InvalidRequestError {
  return new InvalidRequestError('INPUT_READ_ERROR', `${file.name} ${why}`, { fields: { key: file.name } });
}

/** The least and greatest time of rows that go by. */
export class TimeRange {
  readonly #column: string;
  #min = Number.POSITIVE_INFINITY;
  #max = Number.NEGATIVE_INFINITY;

  constructor(column: string) {
    this.#column = column;
  }

  take(table: AnyTable): void {
    const { words, valid } = columnOf(table, this.#column) as WideColumn;
    for (let row = 0; row < table.rows; row++) {
      if (valid[row] === 0) continue;
      const time = words[row * 2 + 1]! * 4_294_967_296 + (words[row * 2]! >>> 0);
      if (time < this.#min) this.#min = time;
      if (time > this.#max) this.#max = time;
    }
  }

  range(): { readonly minTime: number | null; readonly maxTime: number | null } {
    if (this.#min > this.#max) return { minTime: null, maxTime: null };
    return { minTime: this.#min, maxTime: this.#max };
  }
}

/** A file's facts by its footer; times are null where its statistics do not tell them. */
export async function readFileFacts(
  bucket: string,
  key: string,
  timeColumn: string,
  { lake, signal }: Pick<MergeContext, 'lake' | 'signal'>,
): Promise<WarmFileFacts> {
  const object = await openObject(lake.store, { bucket, key }, { signal });
  const footer = await readFooter(object);
  const isTime = footer.columns.get(timeColumn)?.isTime === true;
  const chunks = footer.rowGroups.map(({ columns }) => columns.get(timeColumn)?.statistics);
  const known = isTime && chunks.length > 0 && chunks.every((statistics) => statistics !== undefined);
  const facts = { rows: footer.rows, bytes: object.size };
  if (!known) return { ...facts, minTime: null, maxTime: null };
  return {
    ...facts,
    minTime: Math.min(...chunks.map((statistics) => Number(statistics!.min))),
    maxTime: Math.max(...chunks.map((statistics) => Number(statistics!.max))),
  };
}
