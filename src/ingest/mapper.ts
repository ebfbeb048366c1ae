/**
 * From rows to series: the mapping of a request, compiled for the columns of one file. A row is taken
 * as a whole or, when a cell of it is bad, not at all; bad rows are kept and counted, and the file fails
 * with the first one that is too many.
 */

import { isSeriesCode, type Mapping, type ReadOptions } from '../contract/ingest-run.ts';
import { createByteDictionary } from './byte-dictionary.ts';
import { createIsoOfBytes, numberOfBytes } from './byte-value.ts';
import type { Collector, SeriesTarget } from './collector.ts';
import { decimalOf } from './decimal.ts';
import {
  type BadRow,
  type BadRowReason,
  type Cell,
  checkColumns,
  fieldText,
  fileFault,
  type GrowingSink,
  isMoment,
  QUOTE,
  shown,
} from './rows.ts';
import { openTimeReader } from './time-text.ts';

/** What a column held: `number`, `text` (nothing but texts that are no numbers), or `empty`. */
export type ColumnKind = 'time' | 'series' | 'number' | 'text' | 'empty';

export interface MapperLimits {
  readonly maxBadRows: number;
  /** Column -> kind, as earlier files had them: a message says what was. */
  readonly known: Readonly<Record<string, string>>;
}

export interface Mapper extends GrowingSink {
  /** The kinds of the mapped columns, by name; to be asked at the end. */
  kinds(): Record<string, ColumnKind>;
  readonly badRows: readonly BadRow[];
  /** Rows taken. */
  readonly taken: number;
}

interface ValueColumn {
  readonly name: string;
  readonly index: number;
  readonly target: SeriesTarget;
  numbers: number;
  texts: number;
}

/** Why a cell is bad; anything else is its value, NaN for null. */
interface Fault {
  readonly reason: BadRowReason;
  readonly message: string;
}

/** A list of names that a message can hold. */
function listed(names: readonly string[]): string {
  const some = names.slice(0, 20).map(shown).join(', ');
  return names.length > 20 ? `${some} and ${names.length - 20} more` : some;
}

export function missingColumn(name: string, columns: readonly string[], delimiter: string | undefined) {
  let hint = '';
  if (columns.length === 1 && delimiter !== undefined) {
    const other = [';', '\t', '|', ','].find((sign) => sign !== delimiter && columns[0]!.includes(sign));
    if (other !== undefined)
      hint = `; is its delimiter ${JSON.stringify(other)}, not ${JSON.stringify(delimiter)}?`;
  }
  return fileFault(`it has no column ${shown(name)} (it has: ${listed(columns)})${hint}`);
}

function quickNumberOf(text: string): number {
  const bytes = Buffer.from(text);
  return numberOfBytes(bytes, 0, bytes.length);
}

export function createMapper(
  mapping: Mapping,
  read: ReadOptions,
  limits: MapperLimits,
  collector: Collector,
): Mapper {
  const times = openTimeReader(read.dates, read.timeZone);
  const isoOfBytes = createIsoOfBytes();
  const nulls = new Set(read.nullValues);
  const quickNumbers = read.decimal === '.';
  // What null words are as numbers: where a cell has such a value, its text must tell which it is.
  const nullNumbers = new Set(read.nullValues.map(quickNumberOf).filter((value) => !Number.isNaN(value)));
  const numericNulls = nullNumbers.size > 0;
  const badRows: BadRow[] = [];
  let taken = 0;
  let columns: readonly string[] = [];
  let timeIndex = -1;
  let seriesIndex = -1;
  let values: ValueColumn[] = [];
  let micros = new Float64Array(0);

  function indexOf(name: string): number {
    const index = columns.indexOf(name);
    if (index < 0) {
      const fault = missingColumn(name, columns, read.delimiter ?? ',');
      const was = Object.hasOwn(limits.known, name) ? limits.known[name] : undefined;
      throw was === undefined ? fault : fileFault(`${fault.message}; in earlier files it held: ${was}`);
    }
    if (columns.indexOf(name, index + 1) >= 0) throw fileFault(`it has two columns ${shown(name)}`);
    return index;
  }

  function bad(row: number, column: string, { reason, message }: Fault): void {
    if (badRows.length >= limits.maxBadRows) {
      const before = badRows.length === 0 ? '' : ` (${badRows.length} bad rows were before it)`;
      throw fileFault(`row ${row}, column ${shown(column)}: ${message}${before}`);
    }
    badRows.push({ row, column, reason, message });
  }

  const isNull = (text: string) => nulls.has(text) || nulls.has(text.trim());

  function timeOf(cell: Cell): number | Fault {
    let at = Number.NaN;
    if (typeof cell === 'string') at = times.ofText(cell);
    else if (typeof cell === 'number') at = times.ofNumber(cell);
    else if (cell !== null && cell !== undefined && isMoment(cell)) at = times.ofMoment(cell.micros);
    if (!Number.isNaN(at)) return at;
    const empty = cell === null || cell === undefined || (typeof cell === 'string' && isNull(cell));
    if (empty) return { reason: 'time', message: 'the time is empty' };
    const what = isMoment(cell) ? 'no time of the years 1 to 9999' : `no time of the style "${read.dates}"`;
    return { reason: 'time', message: `${shown(cellText(cell))} is ${what}` };
  }

  /** Whether a cell was a number or a text is counted in its column. */
  function numberOf(cell: Cell, column: ValueColumn): number | Fault {
    if (typeof cell === 'number') {
      column.numbers++;
      return cell;
    }
    if (cell === null || cell === undefined) return Number.NaN;
    if (typeof cell === 'boolean') {
      column.numbers++;
      return cell ? 1 : 0;
    }
    if (typeof cell === 'string') {
      if (isNull(cell)) return Number.NaN;
      const value = decimalOf(cell, read.decimal);
      if (value !== undefined) {
        column.numbers++;
        return value;
      }
    }
    column.texts++;
    const changed = column.numbers === 0 && limits.known[column.name] === 'number';
    const was = changed ? '; the column held numbers in earlier files and holds texts here' : '';
    return { reason: 'number', message: `${shown(cellText(cell))} is no number${was}` };
  }

  function codeOf(text: string): SeriesTarget | Fault {
    const trimmed = text.trim();
    const { codes } = mapping as Extract<Mapping, { layout: 'long' }>;
    // What the request names is a series, were it a null word otherwise: NA may be North America.
    if (codes !== undefined && Object.hasOwn(codes, trimmed)) return collector.series(codes[trimmed]!);
    if (trimmed === '' || isNull(trimmed)) return { reason: 'series', message: 'the series is empty' };
    if (isSeriesCode(trimmed)) return collector.series(trimmed);
    return { reason: 'series', message: `${shown(text)} can not be a series code` };
  }

  const isFault = (found: number | SeriesTarget | Fault): found is Fault =>
    typeof found === 'object' && 'reason' in found;

  /** Takes a row whose cells have been read: `micros[0]` is the time, `micros[n + 1]` the nth value. */
  function take(target: SeriesTarget | undefined): void {
    const at = micros[0]!;
    for (let v = 0; v < values.length; v++) {
      const value = micros[v + 1]!;
      if (mapping.skipNulls && Number.isNaN(value)) continue;
      (target ?? values[v]!.target).add(at, value);
    }
    taken++;
  }

  const valueColumn = (name: string, index: number, target: SeriesTarget): ValueColumn => {
    return { name, index, target, numbers: 0, texts: 0 };
  };

  /** A column that is a series by its own name. */
  function ownSeries(name: string, index: number, where: string): ValueColumn {
    if (!isSeriesCode(name)) throw fileFault(`${where}its column ${shown(name)} can not be a series code`);
    return valueColumn(name, index, collector.series(name));
  }

  const byteSeries = createByteDictionary((bytes) => codeOf(fieldText(bytes, 0, bytes.length)));

  return {
    header(given) {
      checkColumns(given.length);
      columns = given;
      timeIndex = indexOf(mapping.time);
      if (mapping.layout === 'long') {
        seriesIndex = indexOf(mapping.series);
        values = [valueColumn(mapping.value, indexOf(mapping.value), { add() {} })];
      } else if (mapping.values === '*') {
        const names = given.filter((name) => name !== mapping.time);
        values = names.map((name) => ownSeries(name, indexOf(name), ''));
      } else {
        values = Object.entries(mapping.values).map(([name, code]) =>
          valueColumn(name, indexOf(name), collector.series(code)),
        );
      }
      micros = new Float64Array(values.length + 1);
    },

    moreColumns(names, row) {
      const first = columns.length;
      checkColumns(first + names.length);
      columns = [...columns, ...names];
      for (const [n, name] of names.entries()) values.push(ownSeries(name, first + n, `row ${row}: `));
      micros = new Float64Array(values.length + 1);
    },

    row(cells, row) {
      const at = timeOf(cells[timeIndex]);
      if (isFault(at)) return bad(row, mapping.time, at);
      micros[0] = at;
      let target: SeriesTarget | undefined;
      if (mapping.layout === 'long') {
        const cell = cells[seriesIndex];
        const found = codeOf(cell === null || cell === undefined ? '' : cellText(cell));
        if (isFault(found)) return bad(row, mapping.series, found);
        target = found;
      }
      for (let v = 0; v < values.length; v++) {
        const column = values[v]!;
        const value = numberOf(cells[column.index], column);
        if (isFault(value)) return bad(row, column.name, value);
        micros[v + 1] = value;
      }
      take(target);
    },

    byteRow({ bytes, starts }, row) {
      const begin = starts[timeIndex]!;
      const end = starts[timeIndex + 1]! - 1;
      const quotes = bytes[begin] === QUOTE ? 1 : 0;
      let at = times.plainIso ? isoOfBytes(bytes, begin + quotes, end - quotes) : Number.NaN;
      if (Number.isNaN(at)) {
        const found = timeOf(fieldText(bytes, begin, end));
        if (isFault(found)) return bad(row, mapping.time, found);
        at = found;
      }
      micros[0] = at;
      let target: SeriesTarget | undefined;
      if (seriesIndex >= 0) {
        const found = byteSeries.get(bytes, starts[seriesIndex]!, starts[seriesIndex + 1]! - 1);
        if (isFault(found)) return bad(row, (mapping as { series: string }).series, found);
        target = found;
      }
      for (let v = 0; v < values.length; v++) {
        const column = values[v]!;
        const from = starts[column.index]!;
        const to = starts[column.index + 1]! - 1;
        const within = bytes[from] === QUOTE ? 1 : 0;
        const quick = quickNumbers ? numberOfBytes(bytes, from + within, to - within) : Number.NaN;
        if (!Number.isNaN(quick) && !(numericNulls && nullNumbers.has(quick))) {
          column.numbers++;
          micros[v + 1] = quick;
          continue;
        }
        const value = numberOf(fieldText(bytes, from, to), column);
        if (isFault(value)) return bad(row, column.name, value);
        micros[v + 1] = value;
      }
      take(target);
    },

    misshapen(row, fields) {
      const message = `the row has ${fields} fields, the header ${columns.length}`;
      bad(row, columns[Math.min(fields, columns.length) - 1] ?? '', { reason: 'columns', message });
    },

    relieve: () => collector.relieve(),

    kinds() {
      const kinds: Record<string, ColumnKind> = { [mapping.time]: 'time' };
      if (mapping.layout === 'long') kinds[mapping.series] = 'series';
      for (const { name, numbers, texts } of values) {
        kinds[name] = numbers > 0 ? 'number' : texts > 0 ? 'text' : 'empty';
      }
      return kinds;
    },

    badRows,
    get taken() {
      return taken;
    },
  };
}

function cellText(cell: Cell): string {
  if (typeof cell === 'string') return cell;
  if (cell !== null && cell !== undefined && isMoment(cell)) {
    const date = new Date(cell.micros / 1000);
    // A sentinel of a typed column may lie beyond what a date can be, and a workbook's serial be no day.
    return Number.isNaN(date.getTime()) ? `${cell.micros} µs since 1970` : date.toISOString();
  }
  return String(cell ?? '');
}
