/** Both CSV readers against csv-parse on whole texts, however the bytes are cut. */

import { describe, expect, test } from '@jest/globals';
import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { BLOCK_BYTES } from '../../src/ingest/byte-scanner.ts';
import { createCsvReader, MAX_ROW_BYTES } from '../../src/ingest/csv-reader.ts';
import { type Cell, fieldText, type RowSink } from '../../src/ingest/rows.ts';
import { createTextBytes } from '../../src/ingest/text-bytes.ts';

/** Records as the sink is told of them: of one that is not as the header is, only how many fields it has. */
function told(records: readonly string[][]): string[][] {
  return records.map((cells, n) =>
    cells.length === records[0]!.length ? cells : [`row ${n + 1} has ${cells.length}`],
  );
}

function recording() {
  const rows: (readonly Cell[])[] = [];
  let bytesRows = 0;
  const sink: RowSink = {
    header: (columns) => void rows.push(columns),
    row: (cells) => void rows.push(cells),
    byteRow({ bytes, starts, fields }) {
      bytesRows++;
      const cell = (n: number) => fieldText(bytes, starts[n]!, starts[n + 1]! - 1);
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
  for (const chunk of chunks) {
    const own = Uint8Array.from(chunk);
    await reader.push(own);
    own.fill(0x22); // It is ours again: nothing of it may be read later.
  }
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
const AS_WE_DO = {
  record_delimiter: ['\r\n', '\n', '\r'],
  skip_empty_lines: true,
  relax_column_count: true,
};
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
          const wanted = parse(text, AS_WE_DO) as string[][];
          const { rows } = await read(cut(Buffer.from(text), sizes));
          expect(rows).toEqual(wanted);
        },
      ),
      { numRuns: 400 },
    );
  });

  test('with quotes and control characters anywhere is read as csv-parse reads it, or refused as by it', async () => {
    const letters = fc.constantFrom('a', 'ü', ',', '"', '"', '""', '\n', '\r\n', '\r', '\t', '\ufeff', ' ');
    await fc.assert(
      fc.asyncProperty(fc.array(letters, { maxLength: 40 }), cuts, async (made, sizes) => {
        const text = `x,y\n${made.join('')}`;
        let wanted: string[][] | undefined;
        try {
          wanted = told(parse(text, AS_WE_DO) as string[][]);
        } catch {
          wanted = undefined;
        }
        const found = await read(cut(Buffer.from(text), sizes)).then(
          ({ rows }) => rows,
          () => undefined,
        );
        expect(found).toEqual(wanted);
      }),
      { numRuns: 1_500 },
    );
  });

  test('with quotes where they belong never leaves the reader of bytes, however its bytes are cut', async () => {
    const quoted = fc
      .string({ unit: fc.constantFrom('a', 'ü', ',', '\n', '"', '\r\n', '\r', ' '), maxLength: 8 })
      .map((text) => `"${text.replaceAll('"', '""')}"`);
    const row = fc.array(fc.oneof(quoted, fc.constantFrom('', 'b', ' 1')), { minLength: 2, maxLength: 2 });
    const end = fc.constantFrom('\n', '\r\n', '\n\r\n');
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(row, end), { minLength: 1, maxLength: 9 }),
        cuts,
        async (made, sizes) => {
          const text = `x,"y"\n${made.map(([cells, ending]) => cells.join(',') + ending).join('')}`;
          const wanted = parse(text, AS_WE_DO) as string[][];
          const { rows, bytesRows } = await read(cut(Buffer.from(text), sizes));
          expect(rows).toEqual(wanted);
          expect(bytesRows).toBe(wanted.length - 1);
        },
      ),
      { numRuns: 500 },
    );
  });

  test('longer than a block of the scanner, with what matters at its borders', async () => {
    for (const around of [-2, -1, 0, 1]) {
      const wide = 'w'.repeat(BLOCK_BYTES + around - 'x,y\n1,'.length);
      const text = `x,y\n1,${wide}\r\n"2","a""b"\n3,"${wide}"\n`;
      expect((await read([Buffer.from(text)])).rows).toEqual([
        ['x', 'y'],
        ['1', wide],
        ['2', 'a"b'],
        ['3', wide],
      ]);
    }
  });

  test('with many line ends within quotes takes no longer than its length allows', async () => {
    const cell = 'line\n'.repeat(400_000);
    const started = process.cpuUsage();
    const bytes = Buffer.from(`x,y\n1,"${cell}"\n`);
    const { rows, bytesRows } = await read(cut(bytes, Array(40).fill(50_000)));
    expect(rows[1]).toEqual(['1', cell]);
    expect(bytesRows).toBe(1);
    // By one line at a time it would be half a terabyte of copying.
    expect(process.cpuUsage(started).user / 1e6).toBeLessThan(5);
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

  const MIB = 1024 * 1024;
  test.each([
    ['the longest row', `a,b\n1,${'x'.repeat(MAX_ROW_BYTES - 2)}\n2,3\n`, 'rows: 3'],
    ['one byte more', `a,b\n1,${'x'.repeat(MAX_ROW_BYTES - 1)}\n2,3\n`, 'row 2 is longer than 8 MiB'],
    ['the longest with its return', `a,b\n1,${'x'.repeat(MAX_ROW_BYTES - 3)}\r\n2,3\n`, 'rows: 3'],
    ['a longer one', `a,b\n1,${'x'.repeat(MAX_ROW_BYTES - 2)}\r\n2,3\n`, 'row 2 is longer than 8 MiB'],
    ['quotes', `a,b\n1,"${'x\n'.repeat(5 * MIB)}"\n2,3\n`, 'row 2 is longer than 8 MiB'],
    ['an odd quote far out', `a,b\n1,${'x'.repeat(9 * MIB)}"\n`, 'row 2 is longer than 8 MiB'],
    ['a lone return far out', `a,b\n1,${'x'.repeat(9 * MIB)}\r2,3\n`, 'row 2 is longer than 8 MiB'],
    ['a NUL far out', `a,b\n1,${'x'.repeat(9 * MIB)}\u0000\n`, 'row 2 is longer than 8 MiB'],
    ['no end', `a,b\n1,${'x'.repeat(9 * MIB)}`, 'row 2 is longer than 8 MiB'],
    ['fields', `a,b\n${','.repeat(9 * MIB)}\n`, 'row 2 is longer than 8 MiB'],
    ['fields of csv-parse', `a,b\r1,2\n${','.repeat(8.2 * MIB)}\n`, 'row 3 is longer than 8 MiB'],
    ['empty lines for csv-parse', `a,b\r1,2\n${'\n'.repeat(9 * MIB)}3,4\n`, 'rows: 3'],
    ['columns', `a${','.repeat(MIB)}\n`, 'it has 1048577 columns; at most 16384'],
    ['columns of csv-parse', `a${','.repeat(20_000)}\r1\n`, 'it has 20001 columns; at most 16384'],
    ['columns, too long', `a${','.repeat(9 * MIB)}\n`, 'row 1 is longer than 8 MiB'],
  ])('a row of great length has one verdict, however its bytes are cut: %s', async (_, text, wanted) => {
    const bytes = Buffer.from(text);
    for (const sizes of [[], [2_777_777, 5_777_777]]) {
      const found = await read(cut(bytes, sizes)).then(
        ({ rows }) => `rows: ${rows.length}`,
        (error: Error) => error.message,
      );
      expect(found.slice(0, wanted.length)).toBe(wanted);
    }
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
