/**
 * JSON Lines as rows: one object a line. The columns are those of the mapping and those of the first
 * object, and for a mapping that takes all of them also those that later objects bring, each from the row
 * on that it comes in: none before it is held in memory to be given a null. A column that is mapped and
 * that no object has is found out at the end.
 */

import { MAX_ROW_BYTES } from './csv-reader.ts';
import { missingColumn } from './mapper.ts';
import { type Cell, fileFault, type GrowingSink, shown } from './rows.ts';

const LF = 0x0a;
const DECODER = new TextDecoder('utf-8', { fatal: true });

export interface JsonlReader {
  /** Takes the next bytes, which are the caller's again when it resolves. */
  push(chunk: Uint8Array): Promise<void>;
  finish(): Promise<void>;
}

/** `takesAll`: whether the mapping takes every column, beside those of `mapped`. */
export function createJsonlReader(
  mapped: readonly string[],
  takesAll: boolean,
  sink: GrowingSink,
): JsonlReader {
  let rest: Uint8Array = new Uint8Array(0);
  let line = 0;
  let rows = 0;
  let columns: readonly string[] | undefined;
  const seen = new Set<string>();
  let unseen = [...new Set(mapped)];

  function take(bytes: Uint8Array): void {
    line++;
    let value: unknown;
    try {
      const text = DECODER.decode(bytes).trim();
      if (text === '') return;
      value = JSON.parse(text);
    } catch (error) {
      const why = error instanceof TypeError ? 'is not UTF-8' : 'is not JSON';
      throw fileFault(`row ${line} ${why}`, error);
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw fileFault(`row ${line} is JSON but no object`);
    }
    const object = value as Record<string, unknown>;
    rows++;
    if (unseen.length > 0) unseen = unseen.filter((name) => !Object.hasOwn(object, name));
    if (columns === undefined) {
      for (const name of [...Object.keys(object), ...mapped]) seen.add(name);
      columns = [...seen];
      sink.header(columns);
    } else if (takesAll) {
      const more = Object.keys(object).filter((name) => !seen.has(name));
      if (more.length > 0) {
        // Asked first: so many that they are refused are not kept.
        sink.moreColumns(more, line);
        for (const name of more) seen.add(name);
        columns = [...seen];
      }
    }
    sink.row(
      columns.map((name) => cellOf(object, name, line)),
      line,
    );
  }

  async function advance(bytes: Uint8Array, last: boolean): Promise<void> {
    let begin = 0;
    for (let end = bytes.indexOf(LF); end >= 0; end = bytes.indexOf(LF, begin)) {
      take(bytes.subarray(begin, end));
      begin = end + 1;
    }
    rest = Uint8Array.from(bytes.subarray(begin));
    if (last && rest.length > 0) take(rest);
    else if (rest.length > MAX_ROW_BYTES)
      throw fileFault(`row ${line + 1} is longer than ${MAX_ROW_BYTES} bytes`);
    await sink.relieve();
  }

  return {
    push: (chunk) => advance(rest.length === 0 ? chunk : Buffer.concat([rest, chunk]), false),
    async finish() {
      await advance(rest, true);
      if (rows === 0) throw fileFault('it is empty');
      const [first] = unseen;
      if (first !== undefined)
        throw missingColumn(
          first,
          [...seen].filter((name) => !unseen.includes(name)),
          undefined,
        );
    },
  };
}

function cellOf(object: Record<string, unknown>, name: string, line: number): Cell {
  const value = Object.hasOwn(object, name) ? object[name] : undefined;
  if (typeof value !== 'object') return value as Cell;
  if (value === null) return null;
  // Only mapped columns are read of a cell; a nested one among them is a text that is no number.
  const text = textOfNested(value);
  return text.length > 10_000 ? `${shown(text)} in row ${line}` : text;
}

function textOfNested(value: object): string {
  try {
    return JSON.stringify(value);
  } catch {
    return Array.isArray(value) ? '[…]' : '{…}'; // JSON is parsed deeper than the stack lets it be written.
  }
}
