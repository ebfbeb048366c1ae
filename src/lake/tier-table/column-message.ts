/**
 * A column of a row group as an encoder is given it: a copy, so that the table may be filled anew, in typed
 * arrays that can be transferred. Nulls are taken out of the values; texts go as a dictionary of those that
 * come up, which their codes tell without looking at a byte.
 */

import { discard } from '../../common/discard.ts';
import type { WideKind } from '../../contract/column-spec.ts';
import { type BooleanColumn, type Column, NULL_FLAG, type TextColumn, type WideColumn } from './table.ts';

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

export interface BooleanMessage extends AnyMessage {
  readonly kind: 'boolean';
  /** 1 or 0 for each value. */
  readonly flags: Uint8Array;
}

export type ColumnMessage = TextMessage | WideMessage | BooleanMessage;

/** The first `rows` rows of a column. */
export function columnMessage(column: Column, rows: number): ColumnMessage {
  if (column.kind === 'text') return textMessage(column, rows);
  return column.kind === 'boolean' ? booleanMessage(column, rows) : wideMessage(column, rows);
}

/** All arrays of a message. */
function arraysOf(message: ColumnMessage): (Int32Array | Uint8Array)[] {
  const { kind, levels } = message;
  const marks = levels === undefined ? [] : [levels];
  if (kind === 'text') return [message.indices, message.bytes, message.offsets, ...marks];
  return [kind === 'boolean' ? message.flags : message.words, ...marks];
}

/** The memory of a message, for its transfer. */
export function buffersOf(message: ColumnMessage): ArrayBuffer[] {
  return arraysOf(message).map(({ buffer }) => buffer as ArrayBuffer);
}

/** Gives back the memory of a message, which nobody may use any more. */
export function discardMessage(message: ColumnMessage): void {
  for (const array of arraysOf(message)) discard(array);
}

function wideMessage({ name, kind, words, valid }: WideColumn, rows: number): WideMessage {
  const values = countOnes(valid, rows);
  if (values === rows) return { name, kind, rows, levels: undefined, words: words.slice(0, rows * 2) };
  const kept = new Int32Array(values * 2);
  for (let row = 0, to = 0; row < rows; row++) {
    if (valid[row] === 0) continue;
    kept[to++] = words[row * 2]!;
    kept[to++] = words[row * 2 + 1]!;
  }
  return { name, kind, rows, levels: valid.slice(0, rows), words: kept };
}

function booleanMessage({ name, kind, flags }: BooleanColumn, rows: number): BooleanMessage {
  const kept = new Uint8Array(rows);
  const levels = new Uint8Array(rows);
  let values = 0;
  for (let row = 0; row < rows; row++) {
    if (flags[row] === NULL_FLAG) continue;
    kept[values++] = flags[row]!;
    levels[row] = 1;
  }
  const isWhole = values === rows;
  return { name, kind, rows, levels: isWhole ? undefined : levels, flags: kept.slice(0, values) };
}

function textMessage({ name, kind, pool, codes }: TextColumn, rows: number): TextMessage {
  const indices = new Int32Array(rows);
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
    indices[values++] = index - 1;
  }
  const offsets = new Int32Array(distinct.length + 1);
  const bytes = new Uint8Array(length);
  distinct.forEach((code, i) => {
    offsets[i + 1] = pool.copyTo(code, bytes, offsets[i]!);
  });
  const texts = { bytes, offsets };
  if (values === rows) return { name, kind, rows, levels: undefined, indices, ...texts };
  const levels = new Uint8Array(rows);
  for (let row = 0; row < rows; row++) levels[row] = codes[row] === 0 ? 0 : 1;
  return { name, kind, rows, levels, indices: indices.slice(0, values), ...texts };
}

function countOnes(flags: Uint8Array, rows: number): number {
  let ones = 0;
  for (let row = 0; row < rows; row++) ones += flags[row]!;
  return ones;
}
