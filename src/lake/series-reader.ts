/**
 * Reading one series out of its Parquet files as a sorted stream of batches, with as little read and
 * held as the files allow.
 *
 * A unit (row group) of at most `HELD_ROWS` rows is decoded as a whole, checked, and sorted where it is
 * not in order. A larger one is first scanned for order, by its time column alone, and then streamed
 * when it is sorted. So memory is bounded by the row groups that overlap in time, not by files or series.
 */

import { InvalidRequestError } from '../common/errors.ts';
import { numbersOf, rowsHolding, timesOf } from './arrow-columns.ts';
import { openParquetReader, type ParquetReader } from './parquet-file.ts';
import { readFooter } from './parquet-footer.ts';
import type { RandomAccess } from './random-access.ts';
import { BATCH_ROWS, type SeriesBatch, type SeriesSource } from './series-batch.ts';
import { mergeUnits, type SortedUnit } from './series-merge.ts';
import {
  CODE_COLUMN,
  planUnits,
  type ReadUnit,
  type SeriesFile,
  TIME_COLUMN,
  VALUE_COLUMN,
} from './series-plan.ts';
import { isAscending, sortSeries } from './series-sort.ts';

/** Row groups up to this size are decoded as a whole: 16 MiB of columns. */
const HELD_ROWS = 1_048_576;

interface OpenFile {
  readonly access: RandomAccess;
  readonly reader: ParquetReader;
}

/** The rows of one unit as they lie in the file, filtered, without rows that have no time. */
async function* unitBatches(file: OpenFile, unit: ReadUnit, code: string): AsyncGenerator<SeriesBatch> {
  const { name } = file.access;
  for await (const batch of file.reader.batches(unit.group, unit.columns, BATCH_ROWS)) {
    const column = (wanted: string) => {
      const data = batch.getChild(wanted)?.data[0];
      if (data === undefined)
        throw new InvalidRequestError('INPUT_READ_ERROR', `${name} has no column "${wanted}"`);
      return data;
    };
    const timeColumn = column(TIME_COLUMN);
    let times = timesOf(timeColumn, `${name}: column "${TIME_COLUMN}"`);
    let values = numbersOf(column(VALUE_COLUMN), `${name}: column "${VALUE_COLUMN}"`);
    if (unit.filtered) {
      const rows = rowsHolding(column(CODE_COLUMN), code, `${name}: column "${CODE_COLUMN}"`);
      if (rows.length < times.length) {
        times = pick(times, rows);
        values = pick(values, rows);
      }
    }
    const kept = timeColumn.nullCount === 0 ? { times, values } : withoutTimeless(times, values);
    if (kept.times.length > 0) yield kept;
  }
}

function pick(source: Float64Array, rows: Uint32Array): Float64Array {
  const target = new Float64Array(rows.length);
  for (let i = 0; i < rows.length; i++) target[i] = source[rows[i]!]!;
  return target;
}

/** A row without a time stands nowhere in a series, and is left out. */
function withoutTimeless(times: Float64Array, values: Float64Array): SeriesBatch {
  let count = 0;
  for (let i = 0; i < times.length; i++) if (!Number.isNaN(times[i]!)) count++;
  const rows = new Uint32Array(count);
  for (let i = 0, n = 0; i < times.length; i++) if (!Number.isNaN(times[i]!)) rows[n++] = i;
  return { times: pick(times, rows), values: pick(values, rows) };
}

/** What the first pass over a unit finds: bounds of its times, and whether they ascend. */
interface UnitScan {
  readonly min: number;
  readonly sorted: boolean;
}

async function scanUnit(file: OpenFile, unit: ReadUnit, code: string): Promise<UnitScan> {
  const columns = unit.columns.filter((name) => name !== VALUE_COLUMN);
  const { name } = file.access;
  let min = Number.POSITIVE_INFINITY;
  let last = Number.NEGATIVE_INFINITY;
  let sorted = true;
  for await (const batch of file.reader.batches(unit.group, columns, BATCH_ROWS)) {
    const data = batch.getChild(TIME_COLUMN)!.data[0]!;
    let times = timesOf(data, `${name}: column "${TIME_COLUMN}"`);
    if (unit.filtered) {
      const where = `${name}: column "${CODE_COLUMN}"`;
      times = pick(times, rowsHolding(batch.getChild(CODE_COLUMN)!.data[0]!, code, where));
    }
    for (let i = 0; i < times.length; i++) {
      const time = times[i]!;
      if (Number.isNaN(time)) continue;
      if (time <= last) sorted = false;
      else last = time;
      if (time < min) min = time;
    }
  }
  return { min, sorted };
}

function generatorSource(generator: AsyncGenerator<SeriesBatch>): SeriesSource {
  return {
    next: async () => (await generator.next()).value as SeriesBatch | undefined,
    close: async () => {
      await generator.return(undefined);
    },
  };
}

/** The unit as a source of strictly ascending batches. */
function sortedUnit(file: OpenFile, unit: ReadUnit, code: string, scan: UnitScan | undefined): SortedUnit {
  const streamed = scan?.sorted === true && unit.group.rows > HELD_ROWS;

  async function* held(): AsyncGenerator<SeriesBatch> {
    const batches: SeriesBatch[] = [];
    for await (const batch of unitBatches(file, unit, code)) batches.push(batch);
    if (isAscending(batches)) yield* batches;
    else yield* sortSeries(batches, BATCH_ROWS);
  }

  return {
    name: file.access.name,
    min: unit.bounds?.min ?? scan?.min ?? Number.NEGATIVE_INFINITY,
    order: unit.order,
    prefetch: () => file.reader.prefetch(unit.group, unit.columns),
    open: () => generatorSource(streamed ? unitBatches(file, unit, code) : held()),
  };
}

export interface SeriesPlan {
  readonly units: readonly ReadUnit[];
  /** Sizes of the files, in bytes, all columns and series included. */
  readonly fileBytes: number;
}

export interface SeriesReader {
  readonly plan: SeriesPlan;
  /** The rows, from the first; to be called once. */
  open(): Promise<SeriesSource>;
  close(): Promise<void>;
}

export interface SeriesInput {
  readonly access: RandomAccess;
  /** Whether the path names the series (see series-plan.ts). */
  readonly named: boolean;
}

async function planFiles(files: readonly SeriesInput[]): Promise<SeriesFile[]> {
  return await Promise.all(
    files.map(async ({ access, named }): Promise<SeriesFile> => {
      return { name: access.name, footer: await readFooter(access), named };
    }),
  );
}

/** Reads the footers and plans; `files` are in listing order, and closed by the reader or on failure. */
export async function openSeries(files: readonly SeriesInput[], code: string): Promise<SeriesReader> {
  try {
    return readerOf(files, await planFiles(files), code);
  } catch (error) {
    for (const { access } of files) await access.close();
    throw error;
  }
}

function readerOf(files: readonly SeriesInput[], planned: readonly SeriesFile[], code: string): SeriesReader {
  const units = planUnits(planned, code);
  const open = files.map(
    ({ access }, i): OpenFile => ({ access, reader: openParquetReader(access, planned[i]!.footer) }),
  );
  let source: SeriesSource | undefined;
  return {
    plan: { units, fileBytes: files.reduce((sum, { access }) => sum + access.size, 0) },

    async open() {
      const sorted: SortedUnit[] = [];
      for (const unit of units) {
        const file = open[unit.file]!;
        const needsScan = unit.group.rows > HELD_ROWS || (unit.bounds === undefined && units.length > 1);
        const scan = needsScan ? await scanUnit(file, unit, code) : undefined;
        if (scan === undefined || scan.min !== Number.POSITIVE_INFINITY)
          sorted.push(sortedUnit(file, unit, code, scan));
      }
      source = mergeUnits(sorted);
      return source;
    },

    async close() {
      await source?.close();
      for (const { access, reader } of open) {
        reader.close();
        await access.close();
      }
    },
  };
}
