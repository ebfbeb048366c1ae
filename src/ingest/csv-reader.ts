/**
 * CSV as rows, from chunks of UTF-8 bytes. Two readers with one meaning (a property test holds them
 * against one another):
 *
 * - the plain one splits bytes at delimiters and line ends and makes no text of a field; it is several
 *   times as fast, and takes quotes that are where they belong: around a whole field;
 * - csv-parse takes over for the rest of the file, from the beginning of the first row with a quote
 *   elsewhere or a lone carriage return in it, or from the start where the delimiter is not a single byte.
 *
 * Rows are records: lines that are empty do not count. CRLF, LF and CR end a row, in any mixture.
 */

import { type CsvError, type Options, type Parser, parse } from 'csv-parse';
import { messageOf } from '../common/errors.ts';
import { BLOCK_BYTES, type ByteScanner, createByteScanner } from './byte-scanner.ts';
import { type ByteRow, checkColumns, fieldText, fileFault, QUOTE, type RowSink } from './rows.ts';

const LF = 0x0a;
const CR = 0x0d;
/**
 * A record longer than this, up to its line feed, is none: a wrong delimiter, a quote that is never closed,
 * not CSV at all.
 */
export const MAX_ROW_BYTES = 8 * 1024 * 1024;
const FIRST_FIELDS = 64;
/** What csv-parse is given at once. */
const PART_BYTES = 65_536;

/** One for all files of a thread: what it has found is used up before anything is awaited. */
let scanner: ByteScanner | undefined;

export interface CsvSettings {
  readonly delimiter: string;
  readonly header: boolean;
}

export interface CsvReader {
  /** Takes the next bytes, which are the caller's again when it resolves. */
  push(chunk: Uint8Array): Promise<void>;
  finish(): Promise<void>;
}

/** What one pass over the rows that lie whole in a block has come to. */
interface Pass {
  /** Bytes taken. */
  readonly taken: number;
  /** Whether the row at `taken` needs the other reader. */
  readonly odd: boolean;
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

function nulByte(row: number): Error {
  return fileFault(`row ${row} holds a NUL byte; is it a text file, and is read.encoding right?`);
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

  function take(current: ByteRow): void {
    row++;
    if (columns < 0) {
      checkColumns(current.fields);
      const { bytes, starts } = current;
      const cells = Array.from({ length: current.fields }, (_, n) =>
        fieldText(bytes, starts[n]!, starts[n + 1]! - 1),
      );
      columns = current.fields;
      sink.header(settings.header ? cells.map((name) => name.trim()) : numbered(columns));
      if (settings.header) return;
    }
    if (current.fields === columns) sink.byteRow(current, row);
    else sink.misshapen(row, current.fields);
  }

  function widened(starts: Int32Array): Int32Array {
    const wider = new Int32Array(starts.length * 4);
    wider.set(starts);
    fields.starts = wider;
    return wider;
  }

  /** Takes the whole rows of `bytes`; `last`: what is left at the end is a row too. */
  function pass(bytes: Buffer, last: boolean): Pass {
    scanner ??= createByteScanner();
    const { offsets } = scanner;
    const { length } = bytes;
    let { starts } = fields;
    let begin = 0;
    let count = 0;
    /** Whether this is between a field's quotes, and where they were closed; -1 of a field without. */
    let inside = false;
    let closed = -1;
    fields.bytes = bytes;
    starts[0] = 0;

    /** Ends the row before `end`; false where its last field goes on behind its quotes. */
    const endRow = (end: number): boolean => {
      if (closed >= 0 && closed !== end - 1) return false;
      closed = -1;
      if (end === begin) return true;
      starts[count + 1] = end + 1;
      fields.fields = count + 1;
      take(fields);
      return true;
    };
    const beforeCr = (end: number) => (end > begin && bytes[end - 1] === CR ? end - 1 : end);
    // What is wrong behind the longest row's end is not looked at: a cut before it would have hidden it.
    const checkLength = (end: number) => {
      if (end - begin > MAX_ROW_BYTES) throw tooLong(row + 1);
    };
    const oddAt = (end: number): Pass => {
      checkLength(end);
      return { taken: begin, odd: true };
    };
    const nulAt = (end: number): Error => {
      checkLength(end);
      return nulByte(row + 1);
    };

    for (let block = 0; block < length; block += BLOCK_BYTES) {
      const found = scanner.scan(bytes, block, Math.min(length, block + BLOCK_BYTES), delimiter);
      for (let n = 0; n < found; n++) {
        const i = block + offsets[n]!;
        const c = bytes[i]!;
        if (inside) {
          if (c === QUOTE) {
            inside = false;
            closed = i;
          } else if (c === 0) throw nulAt(i);
        } else if (c === delimiter) {
          if (closed >= 0) {
            if (closed !== i - 1) return oddAt(i);
            closed = -1;
          }
          count++;
          if (count + 2 > starts.length) {
            checkLength(i);
            starts = widened(starts);
          }
          starts[count] = i + 1;
        } else if (c === LF) {
          checkLength(i);
          if (!endRow(beforeCr(i))) return oddAt(i);
          begin = i + 1;
          count = 0;
          starts[0] = begin;
        } else if (c === QUOTE) {
          // Two in a row within quotes are one of the field's own.
          const goesOn = closed >= 0 && closed === i - 1;
          if (!goesOn && !(closed < 0 && i === starts[count])) return oddAt(i);
          inside = true;
          closed = -1;
        } else if (c === CR && i + 1 < length && bytes[i + 1] !== LF) return oddAt(i + 1);
        else if (c === 0) throw nulAt(i);
      }
    }
    if (!last) return { taken: begin, odd: false };
    if (inside || !endRow(beforeCr(length))) return { taken: begin, odd: true };
    return { taken: length, odd: false };
  }

  async function advance(bytes: Buffer, last: boolean): Promise<void> {
    if (fallback === undefined && plain) {
      const { taken, odd } = pass(bytes, last);
      rest = Buffer.from(bytes.subarray(taken));
      await sink.relieve();
      if (!odd) {
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
      // One class of arrays throughout keeps the loops over bytes monomorphic.
      let chunk = Buffer.from(given.buffer, given.byteOffset, given.byteLength);
      while (chunk.length > 0) {
        if (fallback !== undefined) return await fallback.push(chunk);
        if (rest.length === 0) return await advance(chunk, false);
        // Only the row that the border cuts is copied, not the whole chunk: to its line's end, and where
        // that lies within quotes, on by pieces that double.
        const end = chunk.indexOf(LF) + 1;
        const piece = end === 0 ? chunk.length : Math.max(end, Math.min(rest.length, chunk.length));
        await advance(Buffer.concat([rest, chunk.subarray(0, piece)]), false);
        chunk = chunk.subarray(piece);
      }
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
  let part = Buffer.allocUnsafe(PART_BYTES);
  let filled = 0;
  /** Whole parts that came since a row ended, and how many had ended by then. */
  let parts = 0;
  let ended = 0;
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
      if (record.some((cell) => cell.includes('\u0000'))) throw nulByte(row);
      if (columns < 0) {
        columns = record.length;
        checkColumns(columns);
        sink.header(settings.header ? record.map((name) => name.trim()) : numbered(columns));
        if (settings.header) continue;
      }
      if (record.length === columns) sink.row(record, row);
      else sink.misshapen(row, record.length);
    }
    if (failure !== undefined) fail(failure);
  }

  async function write(): Promise<void> {
    const bytes = part.subarray(0, filled);
    // The parser keeps what is no whole row.
    part = Buffer.allocUnsafe(PART_BYTES);
    filled = 0;
    // Its callback waits until what was parsed is taken: so take it first.
    const written = new Promise<void>((resolve) => {
      parser.write(bytes, (error) => {
        failure ??= error ?? undefined;
        resolve();
      });
    });
    drain();
    await written;
    drain();
    // Its own limit leaves delimiters and quotes out of account.
    const { records, empty_lines } = parser.info;
    parts = records + empty_lines === ended ? parts + 1 : 0;
    ended = records + empty_lines;
    if (parts * PART_BYTES > MAX_ROW_BYTES) throw tooLong(row + 1);
  }

  return {
    async push(chunk) {
      // In parts that lie where they lie however the file is cut, and so does the verdict on a long row.
      for (let start = 0; start < chunk.length; ) {
        const taken = chunk.subarray(start, start + PART_BYTES - filled);
        part.set(taken, filled);
        filled += taken.length;
        start += taken.length;
        if (filled === PART_BYTES) await write();
      }
      await sink.relieve();
    },
    async finish() {
      if (filled > 0) await write();
      if (failure !== undefined) fail(failure);
      const closing = new Promise<void>((resolve) => {
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
      await Promise.race([closing, new Promise<void>((resolve) => parser.once('close', () => resolve()))]);
      if (failure !== undefined) {
        if ('kind' in failure) throw failure;
        fail(failure);
      }
      if (row === 0) throw fileFault('it is empty');
    },
  };
}
