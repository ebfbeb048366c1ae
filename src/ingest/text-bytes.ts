/**
 * Text of any encoding as chunks of UTF-8 without a byte order mark: what the readers of CSV and JSON
 * Lines take. A mark wins over the encoding that was named; bytes that are none of it are a fault.
 */

import { isUtf8 } from 'node:buffer';
import type { Encoding } from '../contract/ingest-run.ts';
import { fileFault } from './rows.ts';

export interface TextBytes {
  /** The chunk as UTF-8, mostly a view of it, or empty while too little is known. */
  push(chunk: Uint8Array): Uint8Array;
  finish(): Uint8Array;
}

const NONE = new Uint8Array(0);

function markOf(bytes: Uint8Array): { encoding: Encoding; length: number } | undefined {
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) return { encoding: 'utf-8', length: 3 };
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return { encoding: 'utf-16le', length: 2 };
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return { encoding: 'utf-16be', length: 2 };
  return undefined;
}

/** How many bytes at the end begin a character that is not whole. */
function unfinished(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back]!;
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) {
      const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return length > back ? back : 0;
    }
  }
  return 0;
}

const join = (a: Uint8Array, b: Uint8Array) => (a.length === 0 ? b : Buffer.concat([a, b]));

export function createTextBytes(named: Encoding): TextBytes {
  let held: Uint8Array = NONE;
  let encoding: Encoding | undefined;
  let decoder: InstanceType<typeof TextDecoder> | undefined;
  let position = 0;

  function wrong(): Error {
    const hint = encoding === 'utf-8' ? ' (set read.encoding, as "windows-1252")' : '';
    return fileFault(`near byte ${position} it is not ${encoding ?? named}${hint}`);
  }

  function convert(chunk: Uint8Array, last: boolean): Uint8Array {
    if (encoding === 'utf-8') {
      const all = join(held, chunk);
      const keep = last ? 0 : unfinished(all);
      held = keep === 0 ? NONE : Uint8Array.from(all.subarray(all.length - keep));
      const whole = keep === 0 ? all : all.subarray(0, all.length - keep);
      if (!isUtf8(whole)) throw wrong();
      position += whole.length;
      return whole;
    }
    // WHATWG's latin1 is windows-1252; true ISO 8859-1 differs in control characters alone.
    decoder ??= new TextDecoder(encoding === 'latin1' ? 'windows-1252' : encoding, {
      fatal: true,
      ignoreBOM: true,
    });
    try {
      const text = decoder.decode(chunk, { stream: !last });
      position += chunk.length;
      return Buffer.from(text, 'utf8');
    } catch {
      throw wrong();
    }
  }

  function begin(bytes: Uint8Array, last: boolean): Uint8Array {
    if (bytes.length < 3 && !last) {
      held = Uint8Array.from(bytes);
      return NONE;
    }
    held = NONE;
    const mark = markOf(bytes);
    encoding = mark?.encoding ?? named;
    position = mark?.length ?? 0;
    const body = bytes.subarray(position);
    // Every other byte NUL: UTF-16 without its mark.
    const nuls = body.subarray(0, 64).filter((byte) => byte === 0).length;
    if (encoding === 'utf-8' && nuls >= 8) {
      throw fileFault(
        'it holds NUL bytes; is it UTF-16 (read.encoding "utf-16le" or "utf-16be"), or no text at all?',
      );
    }
    return convert(body, last);
  }

  return {
    push: (chunk) => (encoding === undefined ? begin(join(held, chunk), false) : convert(chunk, false)),
    finish: () => (encoding === undefined ? begin(held, true) : convert(NONE, true)),
  };
}
