/**
 * What must be read for one series, decided from footers alone: which row groups may hold rows of it,
 * which columns are needed, and in what bounds of time each lies. Pure.
 *
 * Terms: a *unit* is one row group that is read for the series. Units are listed in the order of the
 * manifest and of the file; that order decides which of two rows with one time wins (the last).
 */

import { InvalidRequestError } from '../common/errors.ts';
import type { ParquetFooter, RowGroup } from './parquet-footer.ts';

export const TIME_COLUMN = 'obs_time';
export const VALUE_COLUMN = 'value';
export const CODE_COLUMN = 'internal_series_code';

export interface SeriesFile {
  /** What to call the file in errors. */
  readonly name: string;
  readonly footer: ParquetFooter;
  /** Whether the file's path names the series; otherwise its rows are filtered by their code. */
  readonly named: boolean;
}

export interface ReadUnit {
  readonly file: number;
  readonly group: RowGroup;
  /** Place in the listing: among rows with one time, the highest wins. */
  readonly order: number;
  readonly columns: readonly string[];
  /** Whether rows must be filtered by their code. */
  readonly filtered: boolean;
  /** Bounds of the times, in microseconds; undefined where the statistics do not say. */
  readonly bounds: { readonly min: number; readonly max: number } | undefined;
}

type CodeVerdict = 'none' | 'all' | 'some';

/** Whether a row group holds rows of the series: none, all, or perhaps some. */
function codeVerdict(group: RowGroup, code: Uint8Array): CodeVerdict {
  const statistics = group.columns.get(CODE_COLUMN)?.statistics;
  if (statistics === undefined) return 'some';
  const { min, max, exact, nulls } = statistics;
  if (!(min instanceof Uint8Array) || !(max instanceof Uint8Array)) return 'some';
  const aboveMin = Buffer.compare(code, min);
  const belowMax = Buffer.compare(code, max);
  if (aboveMin < 0 || belowMax > 0) return 'none';
  return exact && nulls === 0 && aboveMin === 0 && belowMax === 0 ? 'all' : 'some';
}

function boundsOf(footer: ParquetFooter, group: RowGroup): ReadUnit['bounds'] {
  if (footer.columns.get(TIME_COLUMN)?.isTime !== true) return undefined;
  const statistics = group.columns.get(TIME_COLUMN)?.statistics;
  if (statistics === undefined) return undefined;
  const { min, max } = statistics;
  return typeof min === 'number' && typeof max === 'number' ? { min, max } : undefined;
}

function requireColumn(file: SeriesFile, column: string): void {
  if (file.footer.columns.has(column)) return;
  const there = [...file.footer.columns.keys()].slice(0, 20).join(', ');
  throw new InvalidRequestError(
    'INPUT_READ_ERROR',
    `${file.name} has no column "${column}" (it has: ${there})`,
  );
}

/** The units to read for series `code`, in listing order; row groups that hold none of its rows are left out. */
export function planUnits(files: readonly SeriesFile[], code: string): ReadUnit[] {
  const codeBytes = Buffer.from(code);
  const units: ReadUnit[] = [];
  files.forEach((file, index) => {
    requireColumn(file, TIME_COLUMN);
    requireColumn(file, VALUE_COLUMN);
    if (!file.named && !file.footer.columns.has(CODE_COLUMN)) {
      throw new InvalidRequestError(
        'INPUT_READ_ERROR',
        `${file.name} names no series in its path and has no column "${CODE_COLUMN}"`,
      );
    }
    for (const group of file.footer.rowGroups) {
      if (group.rows === 0) continue;
      const verdict = file.named ? 'all' : codeVerdict(group, codeBytes);
      if (verdict === 'none') continue;
      const filtered = verdict === 'some';
      units.push({
        file: index,
        group,
        order: units.length,
        columns: filtered ? [TIME_COLUMN, VALUE_COLUMN, CODE_COLUMN] : [TIME_COLUMN, VALUE_COLUMN],
        filtered,
        bounds: boundsOf(file.footer, group),
      });
    }
  });
  return units;
}

/** Rows in the units: an upper bound of the series' rows. */
export function unitRows(units: readonly ReadUnit[]): number {
  return units.reduce((sum, unit) => sum + unit.group.rows, 0);
}

/** Bytes that reading the units takes, compressed. */
export function unitBytes(units: readonly ReadUnit[]): number {
  let bytes = 0;
  for (const { group, columns } of units) {
    for (const name of columns) {
      const chunk = group.columns.get(name);
      if (chunk !== undefined) bytes += chunk.end - chunk.start;
    }
  }
  return bytes;
}
