/** Parquet as rows: only the mapped columns are decoded, row group by row group. Thread-only. */

import { numbersOf, timesOf } from '../lake/arrow-columns.ts';
import { openParquetReader } from '../lake/parquet-file.ts';
import { type FooterColumn, type ParquetFooter, readFooter } from '../lake/parquet-footer.ts';
import type { RandomAccess } from '../lake/random-access.ts';
import { missingColumn } from './mapper.ts';
import { type Cell, fileFault, type RowSink, shown } from './rows.ts';

const BATCH = 16_384;
const TEXT = /^BYTE_ARRAY(?: \((?:UTF8|STRING|ENUM|JSON)\))?$/;
const NUMBER = /^(?:INT32|INT64|FLOAT|DOUBLE|INT96)|DECIMAL|FLOAT16/;

/** The columns to read: those that are mapped, or all plain ones where the mapping takes what is there. */
function chosenColumns(footer: ParquetFooter, mapped: readonly string[], all: boolean): string[] {
  for (const name of mapped) {
    if (!footer.columns.has(name)) throw missingColumn(name, [...footer.columns.keys()], undefined);
  }
  const names = all ? [...footer.columns.keys()] : [...new Set(mapped)];
  for (const name of names) {
    const { typeName } = footer.columns.get(name)!;
    if (typeName.startsWith('group')) {
      throw fileFault(
        `its column ${shown(name)} is nested (${typeName}); only plain columns can be ingested`,
      );
    }
  }
  return names;
}

type Batch = Awaited<
  ReturnType<ReturnType<ReturnType<typeof openParquetReader>['batches']>['next']>
>['value'];

/** A column of a batch as cells, copied from the batch's memory. */
function cellsOf(
  batch: NonNullable<Batch>,
  column: FooterColumn,
  name: string,
  file: string,
): (row: number) => Cell {
  const vector = batch.getChild(name);
  const data = vector?.data[0];
  const where = `${file}, column ${shown(name)},`;
  if (vector === null || vector === undefined || data === undefined)
    throw fileFault(`${where} can not be decoded`);
  if (column.isTime) {
    const times = timesOf(data, where);
    return (row) => (Number.isNaN(times[row]!) ? null : { micros: times[row]! });
  }
  if (TEXT.test(column.typeName)) {
    const texts = Array.from({ length: batch.numRows }, (_, row): Cell => {
      const value: unknown = vector.get(row);
      return value instanceof Uint8Array ? Buffer.from(value).toString('utf8') : (value as string | null);
    });
    return (row) => texts[row];
  }
  if (column.typeName.startsWith('BOOLEAN')) {
    const flags = Array.from({ length: batch.numRows }, (_, row) => vector.get(row) as boolean | null);
    return (row) => flags[row];
  }
  if (!NUMBER.test(column.typeName))
    throw fileFault(`${where} is of type ${column.typeName}, which can not be ingested`);
  const numbers = numbersOf(data, where);
  return (row) => (Number.isNaN(numbers[row]!) ? null : numbers[row]!);
}

export async function readParquetRows(
  file: RandomAccess,
  mapped: readonly string[],
  all: boolean,
  sink: RowSink,
  signal: AbortSignal,
  progress: (rows: number, of: number) => void,
): Promise<void> {
  const footer = await readFooter(file);
  const names = chosenColumns(footer, mapped, all);
  sink.header(names);
  const reader = openParquetReader(file, footer);
  let rows = 0;
  try {
    for (const group of footer.rowGroups) {
      if (group.rows === 0) continue;
      for await (const batch of reader.batches(group, names, BATCH)) {
        signal.throwIfAborted();
        const cells = names.map((name) => cellsOf(batch, footer.columns.get(name)!, name, file.name));
        const count = batch.numRows;
        for (let row = 0; row < count; row++) {
          rows++;
          sink.row(
            cells.map((cell) => cell(row)),
            rows,
          );
        }
        progress(rows, footer.rows);
        await sink.relieve();
      }
    }
  } finally {
    reader.close();
  }
}
