/**
 * Reading the header of a page. hyparquet's parser takes a header for what it claims to be: it makes room for
 * as long a list as one says, and reads a number of any length in the square of the time. A chunk is anyone's
 * bytes; so it gets only what has been passed over once without that.
 */

import type { PageHeader } from 'hyparquet';
import { parquetHeader } from 'hyparquet/src/column.js';

/** Of 64 bits. */
const MAX_VARINT_BYTES = 10;
/** The page's own fields, those of its kind, and their statistics. */
const MAX_DEPTH = 3;

/** The header at `start`, and where it ends. Throws where there is none, or one that no writer makes. */
export function pageHeaderAt(view: DataView, start: number): { header: PageHeader; end: number } {
  passStruct(view, start, 1);
  const reader = { view, offset: start };
  return { header: parquetHeader(reader), end: reader.offset };
}

/** Where a struct of Thrift's compact protocol ends. A view throws where it is read beyond its end. */
function passStruct(view: DataView, at: number, depth: number): number {
  if (depth > MAX_DEPTH) throw new RangeError('a page header has too many parts');
  for (;;) {
    const byte = view.getUint8(at++);
    const type = byte & 0x0f;
    if (type === 0) return at;
    // A field's number, where it is not told by the step from the one before.
    if (byte >> 4 === 0) at = passVarint(view, at);
    at = passValue(view, at, type, depth);
  }
}

function passValue(view: DataView, at: number, type: number, depth: number): number {
  switch (type) {
    case 1: // true
    case 2: // false
      return at;
    case 3: // a byte
      return at + 1;
    case 4: // integers
    case 5:
    case 6:
      return passVarint(view, at);
    case 7: // a double
      return at + 8;
    case 8: // bytes
      return passBytes(view, at);
    case 12:
      return passStruct(view, at, depth + 1);
    default:
      throw new RangeError(`a page header has a field of type ${type}`);
  }
}

function passVarint(view: DataView, at: number): number {
  for (const end = at + MAX_VARINT_BYTES; at < end; ) if (view.getUint8(at++) < 0x80) return at;
  throw new RangeError('a page header has a number beyond 64 bits');
}

function passBytes(view: DataView, at: number): number {
  let length = 0;
  const end = passVarint(view, at);
  for (let i = end - 1; i >= at; i--) length = length * 128 + (view.getUint8(i) & 0x7f);
  // Nor may the parser, for which a length has 32 bits and a sign, go back.
  if (length > view.byteLength - end) throw new RangeError('a page header is longer than its chunk');
  return end + length;
}
