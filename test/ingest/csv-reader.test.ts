/** Both CSV readers against csv-parse on whole texts, however the bytes are cut. */

import { describe, expect, test } from '@jest/globals';
import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { createCsvReader } from '../../src/ingest/csv-reader.ts';
import type { Cell, RowSink } from '../../src/ingest/rows.ts';
import { createTextBytes } from '../../src/ingest/text-bytes.ts';

function recording() {
  const rows: (readonly Cell[])[] = [];
  let bytesRows = 0;
  const sink: RowSink = {
    header: (columns) => void rows.push(columns),
    row: (cells) => void rows.push(cells),
    byteRow({ bytes, starts, fields }) {
      bytesRows++;
      const cell = (n: number) => Buffer.from(bytes.subarray(starts[n]!, starts[n + 1]! - 1)).toString();
      rows.push(Array.from({ length: fields }, (_, n) => cell(n)));
    },
    misshapen: (row, fields) => void rows.push([`row ${row} has ${fields}`]),
    relieve: async () => {},
  };
  return { sink, rows, bytesRows: () => bytesRows };
}

async function read(chunks: readonly Uint8Array[], delimiter = ',') {
  const { sink, rows, bytesRows } = recording();
  const reader = createCsvReader({ delimiter, header: true }, sink);
  for (const chunk of chunks) await reader.push(chunk);
  await reader.finish();
  return { rows, bytesRows: bytesRows() };
}

function cut(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  let at = 0;
  for (const size of sizes) {
    chunks.push(bytes.subarray(at, at + size));
    at += size;
  }
  return [...chunks, bytes.subarray(at)];
}

const field = fc.oneof(
  fc.string({ unit: fc.constantFrom(...'ab 1.-ü😀'), maxLength: 6 }),
  fc
    .string({ unit: fc.constantFrom('a', ',', '\n', '"', '\r\n'), maxLength: 5 })
    .map((text) => `"${text.replaceAll('"', '""')}"`),
);
const cuts = fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 12 });

describe('CSV', () => {
  test('is read as csv-parse reads the whole text, however its bytes are cut', async () => {
    const row = fc.array(field, { minLength: 3, maxLength: 3 });
    const end = fc.constantFrom('\n', '\r\n', '\r');
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(row, end), { minLength: 1, maxLength: 12 }),
        cuts,
        async (made, sizes) => {
          const text = `x,y,z\n${made.map(([cells, ending]) => cells.join(',') + ending).join('')}`;
          const wanted = parse(text, {
            record_delimiter: ['\r\n', '\n', '\r'],
            skip_empty_lines: true,
            relax_column_count: true,
          }) as string[][];
          const { rows } = await read(cut(Buffer.from(text), sizes));
          expect(rows).toEqual(wanted);
        },
      ),
      { numRuns: 400 },
    );
  });

  test('without quotes never leaves the reader of bytes', async () => {
    const text = 'a;b\r\n1;2\n\n3;ü\r\n4;5';
    expect(await read([Buffer.from(text)], ';')).toEqual({
      rows: [
        ['a', 'b'],
        ['1', '2'],
        ['3', 'ü'],
        ['4', '5'],
      ],
      bytesRows: 3,
    });
  });

  test('of many quoted rows in one chunk is read to its end', async () => {
    const text = `"a",b\n${Array.from({ length: 50_000 }, (_, n) => `"${n}",x\n`).join('')}`;
    const { rows } = await read([Buffer.from(text)]);
    expect(rows).toHaveLength(50_001);
    expect(rows.at(-1)).toEqual(['49999', 'x']);
  });

  test('tells rows of another shape', async () => {
    const { rows } = await read([Buffer.from('a,b\n1\n1,2,3\n"1"\n')]);
    expect(rows).toEqual([['a', 'b'], ['row 2 has 1'], ['row 3 has 3'], ['row 4 has 1']]);
  });

  test.each([
    ['', 'it is empty'],
    ['a,b\n1,"x\n2,3\n', 'row 2 has a quote that is never closed'],
    ['a,b\n1,"x"y\n', 'row 2 has text after a closing quote'],
    ['a,b\n1,x"y"\n', 'row 2 has a quote in the middle of a field'],
    ['a,b\n1,\u0000\n', 'row 2 holds a NUL byte'],
    [`a,b\n1,${'x'.repeat(9 * 1024 * 1024)}\n`, 'row 2 is longer than 8 MiB'],
    [`a,b\n1,"${'x'.repeat(9 * 1024 * 1024)}"\n`, 'row 2 is longer than 8 MiB'],
  ])('%#: what is wrong is said', async (text, message) => {
    const bytes = Buffer.from(text);
    await expect(read(cut(bytes, Array(16).fill(700_000)))).rejects.toThrow(message);
  });
});

describe('text bytes', () => {
  const decode = (
    bytes: Buffer,
    named: 'utf-8' | 'latin1' | 'utf-16le' | 'utf-16be',
    sizes: readonly number[],
  ) => {
    const text = createTextBytes(named);
    return Buffer.concat([...cut(bytes, sizes).map((chunk) => text.push(chunk)), text.finish()]).toString();
  };
  const sample = 'a,ü\n😀,ß€\n';
  const be = (text: string) => Buffer.from(text, 'utf16le').swap16();

  test('are UTF-8 whatever the file is, however it is cut', () => {
    fc.assert(
      fc.property(cuts, (sizes) => {
        expect(decode(Buffer.from(sample), 'utf-8', sizes)).toBe(sample);
        expect(decode(Buffer.from(`\ufeff${sample}`), 'latin1', sizes)).toBe(sample);
        expect(decode(Buffer.from(`\ufeff${sample}`, 'utf16le'), 'utf-8', sizes)).toBe(sample);
        expect(decode(be(`\ufeff${sample}`), 'utf-8', sizes)).toBe(sample);
        expect(decode(be(sample), 'utf-16be', sizes)).toBe(sample);
        expect(decode(Buffer.from('ü\u00e9', 'latin1'), 'latin1', sizes)).toBe('üé');
      }),
    );
  });

  test('say what they are not', () => {
    expect(() => decode(Buffer.from('a,ü\n', 'latin1'), 'utf-8', [])).toThrow(
      'it is not utf-8 (set read.encoding',
    );
    expect(() => decode(Buffer.from('time,value\n1,2\n', 'utf16le'), 'utf-8', [])).toThrow('is it UTF-16');
  });
});
