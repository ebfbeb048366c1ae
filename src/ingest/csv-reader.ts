/**
 * CSV as rows, from chunks of UTF-8 bytes. Two readers with one meaning (a property test holds them
 * against one another):
 *
 * - the plain one splits bytes at delimiters and line ends and makes no text of a field; it is several
 *   times as fast, and knows no quotes;
 * - csv-parse takes over for the rest of the file, from the beginning of the first row with a quote or a
 *   lone carriage return in it, or from the start where the delimiter is not a single byte.
 *
 * Rows are records: lines that are empty do not count. CRLF, LF and CR end a row, in any mixture.
 */

import { type CsvError, type Options, type Parser, parse } from 'csv-parse';
import { messageOf } from '../common/errors.ts';
import { type ByteRow, fileFault, type RowSink } from './rows.ts';

const LF = 0x0a;
const CR = 0x0d;
const QUOTE = 0x22;
/** A record longer than this is none: a wrong delimiter, a quote that is never closed, not CSV at all. */
export const MAX_ROW_BYTES = 8 * 1024 * 1024;
const FIRST_FIELDS = 64;
const DECODER = new TextDecoder('utf-8', { fatal: true });

export interface CsvSettings {
  readonly delimiter: string;
  readonly header: boolean;
}

export interface CsvReader {
  /** Takes the next bytes, which must not change any more. */
  push(chunk: Uint8Array): Promise<void>;
  finish(): Promise<void>;
}

/** What one pass over the rows that lie whole in a block has come to. */
interface Pass {
  /** Bytes taken. */
  readonly taken: number;
  /** Whether the row at `taken` needs the other reader. */
  readonly quoted: boolean;
}

function tooLong(row: number): Error {
  return fileFault(
    `row ${row} is longer than ${MAX_ROW_BYTES / 1024 / 1024} MiB; is the delimiter or a quote wrong?`,
  );
}

/** Names for the columns of a file without a header. */
function numbered(fields: number): string[] {
  return Array.from({ length: fields }, (_, n) => `column${n + 1}`);
}

function checkText(text: string, row: number): string {
  if (!text.includes('\u0000')) return text;
  throw fileFault(`row ${row} holds a NUL byte; is it a text file, and is read.encoding right?`);
}

export function createCsvReader(settings: CsvSettings, sink: RowSink): CsvReader {
  const delimiter = settings.delimiter.length === 1 ? settings.delimiter.charCodeAt(0) : 0;
  const plain = delimiter > 0 && delimiter < 0x80 && delimiter !== QUOTE;
  let rest: Buffer = Buffer.alloc(0);
  let row = 0;
  let columns = -1;
  let fallback: ReturnType<typeof createQuotedReader> | undefined;
  const fields: { bytes: Uint8Array; starts: Int32Array; fields: number } = {
    bytes: rest,
    starts: new Int32Array(FIRST_FIELDS),
    fields: 0,
  };

  const text = (bytes: Uint8Array, start: number, end: number) => {
    try {
      return checkText(DECODER.decode(bytes.subarray(start, end)), row);
    } catch (error) {
      if (error instanceof TypeError) throw fileFault(`row ${row} is not UTF-8; set read.encoding`, error);
      throw error;
    }
  };

  function take(current: ByteRow): void {
    row++;
    if (columns < 0) {
      const { bytes, starts } = current;
      const cells = Array.from({ length: current.fields }, (_, n) =>
        text(bytes, starts[n]!, starts[n + 1]! - 1),
      );
      columns = current.fields;
      sink.header(settings.header ? cells.map((name) => name.trim()) : numbered(columns));
      if (settings.header) return;
    }
    if (current.fields === columns) sink.byteRow(current, row);
    else sink.misshapen(row, current.fields);
  }

  /** Takes the whole rows of `bytes` from `start`; `last`: what is left at the end is a row too. */
  function pass(bytes: Buffer, last: boolean): Pass {
    const { length } = bytes;
    const highest = Math.max(delimiter, QUOTE);
    let { starts } = fields;
    let begin = 0;
    let count = 0;
    let i = 0;
    fields.bytes = bytes;
    starts[0] = 0;
    for (; i < length; i++) {
      const c = bytes[i]!;
      if (c > highest) continue;
      if (c === delimiter) {
        count++;
        if (count + 2 > starts.length) {
          const wider = new Int32Array(starts.length * 4);
          wider.set(starts);
          starts = wider;
          fields.starts = wider;
        }
        starts[count] = i + 1;
      } else if (c === LF) {
        const end = i > begin && bytes[i - 1] === CR ? i - 1 : i;
        if (end > begin) {
          starts[count + 1] = end + 1;
          fields.fields = count + 1;
          take(fields);
        }
        begin = i + 1;
        count = 0;
        starts[0] = begin;
      } else if (c === QUOTE) return { taken: begin, quoted: true };
      else if (c === CR && i + 1 < length && bytes[i + 1] !== LF) return { taken: begin, quoted: true };
      else if (c === 0)
        throw fileFault(`row ${row + 1} holds a NUL byte; is it a text file, and is read.encoding right?`);
    }
    if (!last) return { taken: begin, quoted: false };
    const end = length > begin && bytes[length - 1] === CR ? length - 1 : length;
    if (end > begin) {
      starts[count + 1] = end + 1;
      fields.fields = count + 1;
      take(fields);
    }
    return { taken: length, quoted: false };
  }

  async function advance(bytes: Buffer, last: boolean): Promise<void> {
    if (fallback === undefined && plain) {
      const { taken, quoted } = pass(bytes, last);
      rest = bytes.subarray(taken);
      await sink.relieve();
      if (!quoted) {
        if (rest.length > MAX_ROW_BYTES) throw tooLong(row + 1);
        return;
      }
    } else rest = bytes;
    fallback ??= createQuotedReader(settings, sink, { row, columns });
    await fallback.push(rest);
    rest = Buffer.alloc(0);
  }

  return {
    async push(given) {
      if (fallback !== undefined) return await fallback.push(given);
      // One class of arrays throughout keeps the loop over bytes monomorphic.
      const chunk = Buffer.from(given.buffer, given.byteOffset, given.byteLength);
      if (rest.length === 0) return await advance(chunk, false);
      // Only the row that the border cuts is copied, not the whole chunk.
      const end = chunk.indexOf(LF) + 1;
      await advance(Buffer.concat([rest, end === 0 ? chunk : chunk.subarray(0, end)]), false);
      if (end > 0) await this.push(chunk.subarray(end));
    },
    async finish() {
      if (fallback === undefined) await advance(rest, true);
      await fallback?.finish();
      if (row === 0 && fallback === undefined) throw fileFault('it is empty');
    },
  };
}

/** Rows by csv-parse, beginning after `from.row` rows, the header among them if there were any. */
function createQuotedReader(
  settings: CsvSettings,
  sink: RowSink,
  from: { row: number; columns: number },
): CsvReader {
  let { row, columns } = from;
  const options: Options = {
    delimiter: settings.delimiter,
    record_delimiter: ['\r\n', '\n', '\r'],
    relax_column_count: true,
    skip_empty_lines: true,
    max_record_size: MAX_ROW_BYTES,
  };
  const parser: Parser = parse(options);
  let failure: Error | undefined;
  parser.on('error', (error: Error) => {
    failure ??= error;
  });

  function fail(error: Error): never {
    const { code } = error as CsvError;
    const at = `row ${row + 1}`;
    if (code === 'CSV_MAX_RECORD_SIZE') throw tooLong(row + 1);
    if (code === 'CSV_QUOTE_NOT_CLOSED') throw fileFault(`${at} has a quote that is never closed`, error);
    if (code === 'CSV_INVALID_CLOSING_QUOTE') throw fileFault(`${at} has text after a closing quote`, error);
    if (code === 'INVALID_OPENING_QUOTE')
      throw fileFault(`${at} has a quote in the middle of a field`, error);
    throw fileFault(`${at} can not be parsed: ${messageOf(error).slice(0, 200)}`, error);
  }

  function drain(): void {
    for (
      let record = parser.read() as string[] | null;
      record !== null;
      record = parser.read() as string[] | null
    ) {
      row++;
      for (const cell of record) checkText(cell, row);
      if (columns < 0) {
        columns = record.length;
        sink.header(settings.header ? record.map((name) => name.trim()) : numbered(columns));
        if (settings.header) continue;
      }
      if (record.length === columns) sink.row(record, row);
      else sink.misshapen(row, record.length);
    }
    if (failure !== undefined) fail(failure);
  }

  return {
    async push(chunk) {
      for (let start = 0; start < chunk.length; start += 65_536) {
        const part = Buffer.from(
          chunk.buffer,
          chunk.byteOffset + start,
          Math.min(65_536, chunk.length - start),
        );
        // Its callback waits until what was parsed is taken: so take it first.
        const written = new Promise<void>((resolve) => {
          parser.write(part, (error) => {
            failure ??= error ?? undefined;
            resolve();
          });
        });
        drain();
        await written;
        drain();
      }
      await sink.relieve();
    },
    async finish() {
      if (failure !== undefined) fail(failure);
      const ended = new Promise<void>((resolve) => {
        parser.once('end', resolve);
        parser.once('error', () => resolve());
      });
      parser.on('readable', () => {
        try {
          drain();
        } catch (error) {
          failure ??= error as Error;
          parser.destroy();
        }
      });
      parser.end();
      await Promise.race([ended, new Promise<void>((resolve) => parser.once('close', () => resolve()))]);
      if (failure !== undefined) {
        if ('kind' in failure) throw failure;
        fail(failure);
      }
      if (row === 0) throw fileFault('it is empty');
    },
  };
}
