/**
 * Whether a month's manifest keeps its word: every file it names is there, is Parquet, is sorted by key and
 * time with no two rows of the same, and has the rows, bytes and times that were promised.
 */

import { InvalidRequestError } from '../common/errors.ts';
import { CEASED, canonicalColumns, type TierProvider } from '../contract/tier-provider.ts';
import type { Lake } from '../lake/lake.ts';
import { openObject } from '../lake/random-access.ts';
import { openFile, type TierFile } from '../lake/tier-file-reader.ts';
import { Merge } from './merge.ts';
import { TimeRange } from './merge-files.ts';
import type { SnapshotFile } from './snapshot.ts';

export interface Verified {
  readonly file: SnapshotFile;
  /** Rows that were counted. */
  readonly rows: number;
  /** What is wrong; empty for a file that is as it should be. */
  readonly problems: readonly string[];
}

/** Reads the whole file. */
export async function verifyFile(
  lake: Lake,
  bucket: string,
  provider: TierProvider,
  file: SnapshotFile,
  signal: AbortSignal,
): Promise<Verified> {
  const problems: string[] = [];
  let rows = 0;
  let opened: TierFile | undefined;
  const promise = (what: string, promised: number | null, found: number | null) => {
    if (promised !== null && promised !== found) problems.push(`has ${found} ${what}, not ${promised}`);
  };
  try {
    const object = await openObject(lake.store, { bucket, key: file.key }, { signal });
    const tierFile = await openFile(object);
    opened = tierFile;
    const columns = canonicalColumns(provider).filter(({ name }) => tierFile.has(name));
    opened.select(columns.map(({ name }) => name));
    const { keyColumns, timeColumn } = provider;
    const merge = new Merge([opened], { columns, keys: keyColumns, time: timeColumn, ceased: CEASED });
    const times = new TimeRange(timeColumn);
    for await (const table of merge.tables()) {
      signal.throwIfAborted();
      times.take(table);
    }
    const { rowsRead, duplicates } = merge.counts;
    rows = rowsRead;
    if (duplicates > 0) problems.push(`has ${duplicates} rows whose key and time another row has`);
    promise('rows', file.rows, rowsRead);
    promise('bytes', file.bytes, object.size);
    const { minTime, maxTime } = times.range();
    promise('as its least time (µs)', file.minTime, minTime);
    promise('as its greatest time (µs)', file.maxTime, maxTime);
  } catch (error) {
    if (!(error instanceof InvalidRequestError)) throw error;
    problems.push(error.message.replace(`s3://${bucket}/${file.key} `, ''));
  } finally {
    opened?.close();
  }
  return { file, rows, problems };
}
