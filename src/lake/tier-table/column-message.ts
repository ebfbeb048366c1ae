/**
 * A column of a row group as an encoder is given it: in the column's own memory, which is not the column's any
 * more and can be transferred. Nulls are taken out of the values; texts go as a dictionary of those that come
 * up, which their codes tell without looking at a byte.
 */

import type { WideKind } from '../../contract/column-spec.ts';
import {
  type AnyColumn,
  type BooleanColumn,
  NULL_FLAG,
  type PooledColumn,
  type TextColumn,
  type WideColumn,
} from './table.ts';

interface AnyMessage {
  readonly name: string;
  /** Rows, null or not. */
  readonly rows: number;
  /** A byte for each row, 1 for a value and 0 for null; undefined where no row is null. */
  readonly levels: Uint8Array | undefined;
}

export interface TextMessage extends AnyMessage {
  readonly kind: 'text';
  /** For each value its place among `texts`; texts are in the order in which they first come up. */
  readonly indices: Int32Array;
  /** Text i is bytes[offsets[i], offsets[i + 1]). */
  readonly bytes: Uint8Array;
  readonly offsets: Int32Array;
}

export interface WideMessage extends AnyMessage {
  readonly kind: WideKind;
  /** Two words for each value, low word first. */
  readonly words: Int32Array;
}

export interface PooledMessage extends AnyMessage {
  readonly kind: 'pooled';
  readonly of: WideKind;
  /** For each value its code. */
  readonly codes: Int32Array;
  /** Two words for each code, null's first. */
  readonly words: Int32Array;
}

export interface BooleanMessage extends AnyMessage {
  readonly kind: 'boolean';
  /** 1 or 0 for each value. */
  readonly flags: Uint8Array;
}

export type ColumnMessage = TextMessage | WideMessage | BooleanMessage | PooledMessage;

/** The first `rows` rows of a column, whose memory is the message's from then on. */
export function columnMessage(column: AnyColumn, rows: number): ColumnMessage {
  if (column.kind === 'text') return textMessage(column, rows);
  if (column.kind === 'pooled') return pooledMessage(column, rows);
  return column.kind === 'boolean' ? booleanMessage(column, rows) : wideMessage(column, rows);
}

/** The memory of a message, for its transfer. */
export function buffersOf(message: ColumnMessage): ArrayBuffer[] {
  const { levels } = message;
  const marks = levels === undefined ? [] : [levels];
  return [...arraysOf(message), ...marks].map(({ buffer }) => buffer as ArrayBuffer);
}

function arraysOf(message: ColumnMessage): (Int32Array | Uint8Array)[] {
  if (message.kind === 'text') return [message.indices, message.bytes, message.offsets];
  if (message.kind === 'pooled') return [message.codes, message.words];
  return [message.kind === 'boolean' ? message.flags : message.words];
}

/** Gives back the memory of a message, which nobody may use any more. */
export function discardMessage(message: ColumnMessage): void {
  for (const buffer of buffersOf(message)) if (!buffer.detached) buffer.transfer(0);
}

function wideMessage({ name, kind, words, valid }: WideColumn, rows: number): WideMessage {
  const levels = valid.subarray(0, rows);
  if (!levels.includes(0)) return { name, kind, rows, levels: undefined, words: words.subarray(0, rows * 2) };
  let to = 0;
  for (let row = 0; row < rows; row++) {
    if (levels[row] === 0) continue;
    words[to++] = words[row * 2]!;
    words[to++] = words[row * 2 + 1]!;
  }
  return { name, kind, rows, levels, words: words.subarray(0, to) };
}

function pooledMessage({ name, of, pool, codes }: PooledColumn, rows: number): PooledMessage {
  const all = codes.subarray(0, rows);
  const levels = all.includes(0) ? levelsOf(codes, rows) : undefined;
  let values = rows;
  if (levels !== undefined) {
    values = 0;
    for (let row = 0; row < rows; row++) if (codes[row] !== 0) codes[values++] = codes[row]!;
  }
  return {
    name,
    kind: 'pooled',
    of,
    rows,
    levels,
    codes: all.subarray(0, values),
    words: pool.words.slice(),
  };
}

function booleanMessage({ name, kind, flags }: BooleanColumn, rows: number): BooleanMessage {
  const all = flags.subarray(0, rows);
  if (!all.includes(NULL_FLAG)) return { name, kind, rows, levels: undefined, flags: all };
  const levels = all.map((flag) => (flag === NULL_FLAG ? 0 : 1));
  let values = 0;
  for (let row = 0; row < rows; row++) if (levels[row] === 1) flags[values++] = flags[row]!;
  return { name, kind, rows, levels, flags: flags.subarray(0, values) };
}

function textMessage({ name, kind, pool, codes }: TextColumn, rows: number): TextMessage {
  const levels = codes.subarray(0, rows).includes(0) ? levelsOf(codes, rows) : undefined;
  /** For each code: its index plus 1, 0 for one that has not come up. */
  const known = new Int32Array(pool.size);
  const distinct: number[] = [];
  let values = 0;
  let length = 0;
  for (let row = 0; row < rows; row++) {
    const code = codes[row]!;
    if (code === 0) continue;
    let index = known[code]!;
    if (index === 0) {
      index = distinct.push(code);
      known[code] = index;
      length += pool.lengthOf(code);
    }
    codes[values++] = index - 1;
  }
  const offsets = new Int32Array(distinct.length + 1);
  const bytes = new Uint8Array(length);
  distinct.forEach((code, i) => {
    offsets[i + 1] = pool.copyTo(code, bytes, offsets[i]!);
  });
  return { name, kind, rows, levels, indices: codes.subarray(0, values), bytes, offsets };
}

function levelsOf(codes: Int32Array, rows: number): Uint8Array {
  const levels = new Uint8Array(rows);
  for (let row = 0; row < rows; row++) levels[row] = codes[row] === 0 ? 0 : 1;
  return levels;
}
