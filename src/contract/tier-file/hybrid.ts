/**
 * Parquet's hybrid of run lengths and bit packing, in which dictionary indices and definition levels
 * are stored (https://parquet.apache.org/docs/file-format/data-pages/encodings/, RLE = 3).
 */

import type { ByteSink } from './byte-sink.ts';

/** A run shorter than this is cheaper packed. Packed values come in groups of eight. */
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
  while (at < count) {
    const value = values[at]!;
    let end = at + 1;
    while (end < count && values[end] === value) end++;
    // Packed values before the run must fill whole groups, if need be with the run's own first values.
    const lent = (packedFrom - at) & (GROUP - 1);
    if (end - at - lent >= GROUP) {
      const runFrom = at + lent;
      if (runFrom > packedFrom) writePacked(sink, values, packedFrom, runFrom, width);
      sink.varint((end - runFrom) * 2);
      for (let bits = 0; bits < width; bits += 8) sink.byte(value >>> bits);
      packedFrom = end;
    }
    at = end;
  }
  if (count > packedFrom) writePacked(sink, values, packedFrom, count, width);
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
