/**
 * Gathers rows by series and month in typed arrays and writes each such partition as a Parquet file.
 * Memory is bounded: over the budget, the partitions that were not touched longest are written first, so
 * that of a file in order of time each month is written once, when it is over. A partition that gets
 * rows after it was written gets a further part. What is written depends on the rows and their order
 * alone, never on how the file's bytes came. Thread-only.
 */

import { discard } from '../common/discard.ts';
import type { OutputCompression } from '../contract/output-compression.ts';
import { BATCH_ROWS, type SeriesBatch } from '../lake/series-batch.ts';
import { encodeSeries } from '../lake/series-encoder.ts';
import { sortSeries } from '../lake/series-sort.ts';
import type { FileOutput } from '../ledger/file-ledger.ts';
import { fileFault } from './rows.ts';
import { monthOf, outputPath } from './series-path.ts';

/** Opens the file of a partition and takes its bytes; resolves to the bytes it has when it is whole. */
export type OpenOutput = (path: string) => {
  write(bytes: Uint8Array): Promise<void>;
  finish(): Promise<number>;
  abort(): Promise<void>;
};

export interface CollectorSettings {
  readonly digest: string;
  readonly compression: OutputCompression;
  /** Bytes of rows that may wait in memory. */
  readonly budgetBytes: number;
}

/** All rows of one series: what a mapper adds to. */
export interface SeriesTarget {
  add(micros: number, value: number): void;
}

export interface Collector {
  series(code: string): SeriesTarget;
  /** To be awaited every now and then: writes what is over the budget. */
  relieve(): Promise<void>;
  /** Writes the rest; all outputs of the file, in order of path. */
  finish(): Promise<{ readonly outputs: readonly FileOutput[]; readonly duplicates: number }>;
  readonly rows: number;
}

interface Partition {
  readonly code: string;
  readonly month: number;
  readonly part: number;
  /** Full chunks, and the one that is being filled. */
  readonly full: SeriesBatch[];
  times: Float64Array;
  values: Float64Array;
  filled: number;
  rows: number;
  last: number;
  sorted: boolean;
  epoch: number;
}

const FIRST_CHUNK = 32;
const BYTES_A_ROW = 16;
const MAX_PARTITIONS = 200_000;
const MAX_SERIES = 20_000;
const WRITES_AT_ONCE = 8;

export function createCollector(
  settings: CollectorSettings,
  open: OpenOutput,
  signal: AbortSignal,
): Collector {
  const partitions = new Set<Partition>();
  const targets = new Map<string, { target: SeriesTarget; forget(month: number): void }>();
  const parts = new Map<string, number>();
  const outputs: FileOutput[] = [];
  let held = 0;
  let epoch = 0;
  let rows = 0;
  let duplicates = 0;
  let opened = 0;

  function openPartition(code: string, month: number): Partition {
    const key = `${month}/${code}`;
    const part = (parts.get(key) ?? 0) + 1;
    parts.set(key, part);
    if (++opened > MAX_PARTITIONS) {
      throw fileFault(
        `it holds more than ${MAX_PARTITIONS} series and months; is its time or series column right?`,
      );
    }
    const partition: Partition = {
      code,
      month,
      part,
      full: [],
      times: new Float64Array(FIRST_CHUNK),
      values: new Float64Array(FIRST_CHUNK),
      filled: 0,
      rows: 0,
      last: Number.NEGATIVE_INFINITY,
      sorted: true,
      epoch,
    };
    held += FIRST_CHUNK * BYTES_A_ROW;
    partitions.add(partition);
    return partition;
  }

  function grow(partition: Partition): void {
    const { times, values } = partition;
    if (times.length >= BATCH_ROWS) {
      partition.full.push({ times, values });
      partition.times = new Float64Array(BATCH_ROWS);
      partition.values = new Float64Array(BATCH_ROWS);
      partition.filled = 0;
      held += BATCH_ROWS * BYTES_A_ROW;
      return;
    }
    const size = Math.min(BATCH_ROWS, times.length * 4);
    partition.times = new Float64Array(size);
    partition.values = new Float64Array(size);
    partition.times.set(times);
    partition.values.set(values);
    held += (size - times.length) * BYTES_A_ROW;
    discard(times);
    discard(values);
  }

  function openSeries(code: string) {
    if (targets.size >= MAX_SERIES) {
      throw fileFault(`it holds more than ${MAX_SERIES} series; is its series column right?`);
    }
    const months = new Map<number, Partition>();
    let start = Number.POSITIVE_INFINITY;
    let end = Number.NEGATIVE_INFINITY;
    let month = -1;
    let current: Partition | undefined;
    const target: SeriesTarget = {
      add(micros, value) {
        if (!(micros >= start && micros < end)) {
          ({ month, start, end } = monthOf(micros));
          current = months.get(month);
        }
        if (current === undefined) {
          current = openPartition(code, month);
          months.set(month, current);
        }
        const into = current;
        if (into.filled === into.times.length) grow(into);
        into.times[into.filled] = micros;
        into.values[into.filled] = value;
        into.filled++;
        into.rows++;
        into.epoch = epoch;
        if (micros > into.last) into.last = micros;
        else into.sorted = false;
        rows++;
      },
    };
    const forget = (gone: number) => {
      months.delete(gone);
      if (gone === month) current = undefined;
    };
    return { target, forget };
  }

  /** The partition's rows in order of time, of equal times the last. */
  function batchesOf(partition: Partition): SeriesBatch[] {
    const { full, times, values, filled, sorted } = partition;
    const all =
      filled === 0 ? full : [...full, { times: times.slice(0, filled), values: values.slice(0, filled) }];
    discard(times);
    discard(values);
    if (sorted) return all;
    const ordered = sortSeries(all, BATCH_ROWS);
    const kept = ordered.reduce((sum, batch) => sum + batch.times.length, 0);
    duplicates += partition.rows - kept;
    return ordered;
  }

  async function write(partition: Partition): Promise<void> {
    const { code, month, part } = partition;
    const path = outputPath(code, month, settings.digest, part);
    const batches = batchesOf(partition);
    const output = open(path);
    try {
      let next = 0;
      const source = { next: async () => batches[next++], close: async () => {} };
      const records = await encodeSeries(
        source,
        settings.compression,
        (bytes) => output.write(bytes),
        signal,
      );
      const bytes = await output.finish();
      outputs.push({ path, series: code, records, bytes });
    } finally {
      await output.abort();
    }
  }

  /** Takes partitions out, in the order given, and writes them, a few at a time. */
  async function writeAll(chosen: readonly Partition[]): Promise<void> {
    for (const partition of chosen) {
      partitions.delete(partition);
      targets.get(partition.code)?.forget(partition.month);
    }
    let next = 0;
    const lane = async () => {
      for (let at = next++; at < chosen.length; at = next++) {
        signal.throwIfAborted();
        const partition = chosen[at]!;
        const bytes = (partition.full.length * BATCH_ROWS + partition.times.length) * BYTES_A_ROW;
        await write(partition);
        held -= bytes;
      }
    };
    const lanes = await Promise.allSettled(
      Array.from({ length: Math.min(WRITES_AT_ONCE, chosen.length) }, lane),
    );
    const failed = lanes.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  return {
    series(code) {
      let known = targets.get(code);
      if (known === undefined) {
        known = openSeries(code);
        targets.set(code, known);
      }
      return known.target;
    },

    async relieve() {
      epoch++;
      if (held <= settings.budgetBytes) return;
      const oldest = [...partitions].sort((a, b) => a.epoch - b.epoch || b.rows - a.rows);
      let rest = held;
      const chosen: Partition[] = [];
      for (const partition of oldest) {
        if (rest <= settings.budgetBytes / 2) break;
        chosen.push(partition);
        rest -= (partition.full.length * BATCH_ROWS + partition.times.length) * BYTES_A_ROW;
      }
      await writeAll(chosen);
    },

    async finish() {
      await writeAll([...partitions]);
      outputs.sort((a, b) => (a.path < b.path ? -1 : 1));
      return { outputs, duplicates };
    },

    get rows() {
      return rows;
    },
  };
}
