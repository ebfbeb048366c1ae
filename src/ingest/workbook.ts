/**
 * A workbook (.xlsx) as rows of one of its sheets, read as a stream of XML. The archive's own figures
 * are checked before anything is unpacked, and yauzl holds every entry to them: a ZIP bomb is refused.
 *
 * Shared strings and styles are held in memory, the sheet is not. Dates are numbers with a date's style.
 */

import type { Readable } from 'node:stream';
import { SaxesParser } from 'saxes';
import { type Entry, fromBufferPromise, type ZipFile } from 'yauzl';
import { messageOf, TidemillError } from '../common/errors.ts';
import { type Cell, fileFault, type RowSink, shown } from './rows.ts';
import { excelMicros } from './time-text.ts';

const MEBIBYTE = 1024 * 1024;
/** The file itself, which is held in memory while it is read. */
export const MAX_WORKBOOK_BYTES = 256 * MEBIBYTE;
const MAX_ENTRIES = 10_000;
const MAX_RATIO = 200;
const HARMLESS_BYTES = 16 * MEBIBYTE;
const MAX_HELD_BYTES = 128 * MEBIBYTE;
const MAX_SHEET_BYTES = 4096 * MEBIBYTE;
const MAX_CELL_COLUMNS = 16_384;
const ROWS_A_BREATH = 4_096;
/** Number formats that are dates or times, of those every workbook has. */
const DATE_FORMATS = new Set([
  14, 15, 16, 17, 18, 19, 20, 21, 22, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 45, 46, 47, 50, 51, 52, 53, 54,
  55, 56, 57, 58,
]);

interface Archive {
  has(name: string): boolean;
  /** Feeds an entry's text to `parser`; `breathe` is awaited between pieces. */
  parse(name: string, maxBytes: number, parser: SaxesParser, breathe?: () => Promise<void>): Promise<void>;
  close(): void;
}

async function openArchive(bytes: Buffer): Promise<Archive> {
  if (bytes.length > 3 && bytes.readUInt32BE(0) === 0xd0cf11e0) {
    throw fileFault(
      'it is an encrypted workbook, or one of Excel 97 (.xls): save it without a password as .xlsx',
    );
  }
  let zip: ZipFile;
  try {
    zip = await fromBufferPromise(bytes, { lazyEntries: true, autoClose: false });
  } catch (error) {
    throw fileFault(`it is no workbook: ${messageOf(error)}`, error);
  }
  const entries = new Map<string, Entry>();
  if (zip.entryCount > MAX_ENTRIES) throw fileFault(`it holds ${zip.entryCount} entries; is it a bomb?`);
  await new Promise<void>((resolve, reject) => {
    zip.on('entry', (entry: Entry) => {
      entries.set(entry.fileName, entry);
      zip.readEntry();
    });
    zip.once('end', resolve);
    zip.once('error', (error: Error) => reject(fileFault(`it is no workbook: ${messageOf(error)}`, error)));
    zip.readEntry();
  });
  return {
    has: (name) => entries.has(name),
    async parse(name, maxBytes, parser, breathe) {
      const entry = entries.get(name);
      if (entry === undefined) throw fileFault(`it has no ${name}; is it a workbook?`);
      const { uncompressedSize: size, compressedSize: packed } = entry;
      const bomb = size > maxBytes || (size > HARMLESS_BYTES && size > packed * MAX_RATIO);
      if (bomb) throw fileFault(`its ${name} would unpack from ${packed} to ${size} bytes; is it a bomb?`);
      const decoder = new TextDecoder('utf-8');
      try {
        const stream: Readable = await zip.openReadStreamPromise(entry);
        for await (const chunk of stream as AsyncIterable<Buffer>) {
          parser.write(decoder.decode(chunk, { stream: true }));
          await breathe?.();
        }
        parser.close();
      } catch (error) {
        if (error instanceof TidemillError) throw error;
        throw fileFault(`its ${name} can not be read: ${messageOf(error).slice(0, 200)}`, error);
      }
    },
    close: () => zip.close(),
  };
}

type Attributes = Readonly<Record<string, string>>;

/** A parser that calls `open` and `close` by local name, and hands the text of an element to `close`. */
function parserOf(
  open: (name: string, attributes: Attributes) => void,
  close: (name: string, text: string) => void,
) {
  const parser = new SaxesParser();
  const local = (name: string) => name.slice(name.indexOf(':') + 1);
  let text = '';
  parser.on('error', (error) => {
    throw error;
  });
  // Entities of a document's own could grow without bound; no workbook has any.
  parser.on('doctype', () => {
    throw fileFault('its XML has a document type, which no workbook has');
  });
  parser.on('opentag', (tag) => {
    text = '';
    open(local(tag.name), tag.attributes as Attributes);
  });
  parser.on('text', (part) => {
    text += part;
  });
  parser.on('closetag', (tag) => {
    close(local(tag.name), text);
    text = '';
  });
  return parser;
}

async function sheetPath(archive: Archive, wanted: string | undefined) {
  const sheets: { name: string; id: string }[] = [];
  let from1904 = false;
  const workbook = parserOf(
    (name, attributes) => {
      if (name === 'sheet')
        sheets.push({ name: attributes.name ?? '', id: attributes['r:id'] ?? attributes.id ?? '' });
      if (name === 'workbookPr') from1904 = attributes.date1904 === '1' || attributes.date1904 === 'true';
    },
    () => {},
  );
  await archive.parse('xl/workbook.xml', MAX_HELD_BYTES, workbook);
  const sheet = wanted === undefined ? sheets[0] : sheets.find(({ name }) => name === wanted);
  if (sheet === undefined) {
    const names = sheets.slice(0, 20).map(({ name }) => shown(name));
    throw fileFault(
      `it has no sheet ${wanted === undefined ? 'at all' : shown(wanted)} (it has: ${names.join(', ')})`,
    );
  }
  const targets = new Map<string, string>();
  const relations = parserOf(
    (name, attributes) => {
      if (name === 'Relationship') targets.set(attributes.Id ?? '', attributes.Target ?? '');
    },
    () => {},
  );
  await archive.parse('xl/_rels/workbook.xml.rels', MAX_HELD_BYTES, relations);
  const target = targets.get(sheet.id) ?? '';
  return { path: target.startsWith('/') ? target.slice(1) : `xl/${target}`, from1904 };
}

async function sharedStrings(archive: Archive): Promise<string[]> {
  const strings: string[] = [];
  if (!archive.has('xl/sharedStrings.xml')) return strings;
  let current = '';
  let phonetic = false;
  const parser = parserOf(
    (name) => {
      if (name === 'si') current = '';
      if (name === 'rPh') phonetic = true;
    },
    (name, text) => {
      if (name === 't' && !phonetic) current += text;
      if (name === 'rPh') phonetic = false;
      if (name === 'si') strings.push(current);
    },
  );
  await archive.parse('xl/sharedStrings.xml', MAX_HELD_BYTES, parser);
  return strings;
}

/** For each cell style, whether it shows a date. */
async function dateStyles(archive: Archive): Promise<boolean[]> {
  const styles: boolean[] = [];
  if (!archive.has('xl/styles.xml')) return styles;
  const custom = new Map<number, boolean>();
  let inCells = false;
  const parser = parserOf(
    (name, attributes) => {
      if (name === 'numFmt') {
        // What is quoted, escaped or in brackets is shown as it is; elapsed time ([h]) is no date.
        const code = (attributes.formatCode ?? '').replace(/"[^"]*"|\\.|\[[^\]]*\]/g, '');
        custom.set(Number(attributes.numFmtId), /[ymdhs]/i.test(code.split(';')[0] ?? ''));
      }
      if (name === 'cellXfs') inCells = true;
      if (name === 'xf' && inCells) {
        const id = Number(attributes.numFmtId ?? 0);
        styles.push(custom.get(id) ?? DATE_FORMATS.has(id));
      }
    },
    (name) => {
      if (name === 'cellXfs') inCells = false;
    },
  );
  await archive.parse('xl/styles.xml', MAX_HELD_BYTES, parser);
  return styles;
}

/** `BC12` -> 54: the column's index from 0. */
function columnOf(reference: string): number {
  let column = 0;
  for (let i = 0; i < reference.length; i++) {
    const letter = reference.charCodeAt(i) - 64;
    if (letter < 1 || letter > 26) break;
    column = column * 26 + letter;
  }
  return column - 1;
}

export async function readWorkbook(
  bytes: Buffer,
  options: { readonly sheet: string | undefined; readonly header: boolean },
  sink: RowSink,
  signal: AbortSignal,
): Promise<void> {
  const archive = await openArchive(bytes);
  try {
    const { path, from1904 } = await sheetPath(archive, options.sheet);
    const strings = await sharedStrings(archive);
    const dates = await dateStyles(archive);
    let columns: number | undefined;
    let row = 0;
    let cells: Cell[] = [];
    let cell = { column: -1, type: 'n', style: 0, value: '' as string | undefined };
    let sinceBreath = 0;

    const cellOf = (text: string): Cell => {
      const { type, style } = cell;
      if (type === 's') return strings[Number(text)] ?? null;
      if (type === 'b') return text === '1';
      if (type === 'str' || type === 'inlineStr' || type === 'd' || type === 'e') return text;
      const number = Number(text);
      if (!Number.isFinite(number)) return text;
      return dates[style] === true ? { micros: excelMicros(number, from1904) } : number;
    };

    const endRow = () => {
      if (cells.every((one) => one === undefined || one === null || one === '')) return;
      sinceBreath++;
      if (columns === undefined) {
        columns = cells.length;
        const names = Array.from({ length: columns }, (_, n) => String(cells[n] ?? '').trim());
        sink.header(options.header ? names : names.map((_, n) => `column${n + 1}`));
        if (options.header) return;
      }
      sink.row(cells, row);
    };

    const parser = parserOf(
      (name, attributes) => {
        if (name === 'row') {
          row = attributes.r === undefined ? row + 1 : Number(attributes.r);
          cells = [];
        } else if (name === 'c') {
          const column = attributes.r === undefined ? cells.length : columnOf(attributes.r);
          if (!(column >= 0 && column < MAX_CELL_COLUMNS))
            throw fileFault(`row ${row} has a cell in no column`);
          cell = { column, type: attributes.t ?? 'n', style: Number(attributes.s ?? 0), value: undefined };
        }
      },
      (name, text) => {
        if (name === 'v') cell.value = text;
        else if (name === 't' && cell.type === 'inlineStr') cell.value = (cell.value ?? '') + text;
        else if (name === 'c' && cell.value !== undefined) cells[cell.column] = cellOf(cell.value);
        else if (name === 'row') endRow();
      },
    );
    await archive.parse(path, MAX_SHEET_BYTES, parser, async () => {
      signal.throwIfAborted();
      if (sinceBreath < ROWS_A_BREATH) return;
      sinceBreath = 0;
      await sink.relieve();
    });
    if (columns === undefined) throw fileFault('its sheet is empty');
  } finally {
    archive.close();
  }
}
