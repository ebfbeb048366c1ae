/**
 * Parquet's hybrid of run lengths and bit packing, in which dictionary indices and definition levels
 * are stored (https://parquet.apache.org/docs/file-format/data-pages/encodings/, RLE = 3).
 */

import type { ByteSink } from './byte-sink.ts';

/** Packed values come in groups of eight. */
const GROUP = 8;

/** Bits that a number up to `max` needs: 0 for 0. */
export function bitWidth(max: number): number {
  return 32 - Math.clz32(max);
}

/**
 * Writes values[0, count) as runs and packed groups of `width` bits each.
 *
 * @param values numbers from 0 to 2^width - 1
 * @param width 0 to 24
 */
export function writeHybrid(
  sink: ByteSink,
  values: Int32Array | Uint8Array,
  count: number,
  width: number,
): void {
  let packedFrom = 0;
  let at = 0;
  // Packed values come in whole groups, so a run pays where it fills one: look at groups only.
  while (at + GROUP <= count) {
    const value = values[at]!;
    if (values[at + GROUP - 1] !== value || !isRun(values, at, value)) {
      at += GROUP;
      continue;
    }
    let end = at + GROUP;
    while (end < count && values[end] === value) end++;
    if (at > packedFrom) writePacked(sink, values, packedFrom, at, width);
    sink.varint((end - at) * 2);
    for (let bits = 0; bits < width; bits += 8) sink.byte(value >>> bits);
    packedFrom = end;
    at = end;
  }
  if (count > packedFrom) writePacked(sink, values, packedFrom, count, width);
}

/** Whether the group from `at` on is all of one value; its first and last are. */
function isRun(values: Int32Array | Uint8Array, at: number, value: number): boolean {
  for (let i = at + 1; i < at + GROUP - 1; i++) if (values[i] !== value) return false;
  return true;
}

/** Values [from, to), packed low bits first; the last group is filled with zeros. */
function writePacked(
  sink: ByteSink,
  values: Int32Array | Uint8Array,
  from: number,
  to: number,
  width: number,
): void {
  const groups = Math.ceil((to - from) / GROUP);
  sink.varint(groups * 2 + 1);
  pack(values, from, to, width, sink.reserve(groups * width));
}

function pack(
  values: Int32Array | Uint8Array,
  from: number,
  to: number,
  width: number,
  room: Uint8Array,
): void {
  let word = 0;
  let bits = 0;
  let at = 0;
  for (let i = from; i < to; i++) {
    word |= values[i]! << bits;
    bits += width;
    while (bits >= 8) {
      room[at++] = word;
      word >>>= 8;
      bits -= 8;
    }
  }
  if (bits > 0) room[at++] = word;
  room.fill(0, at);
}
