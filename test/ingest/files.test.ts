/** Files of every kind through the whole path: what is taken, and what each bad one fails with, alone. */

import { readFileSync } from 'node:fs';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Ledger } from '../../src/ledger/database.ts';
import { datasetRows, type IngestParts, ingest, lines, WIDE } from '../support/ingest-scene.ts';
import { parquetOf } from '../support/parquet.ts';
import { openPostgres, type TestPostgres } from '../support/postgres.ts';
import { openRig, type Rig } from '../support/rig.ts';
import type { Scene } from '../support/scene.ts';
import { workbook, zip } from '../support/workbooks.ts';
import type { WorkerProcess } from '../support/worker-process.ts';

let rig: Rig;
let postgres: TestPostgres;
// One for all tests: each has a folder, an ingestion and a dataset of its own.
let scene: Scene;
let ledger: Ledger;
let url: string;
let worker: WorkerProcess;
let tests = 0;
let own: string;

beforeAll(async () => {
  [rig, postgres] = await Promise.all([openRig(), openPostgres()]);
  scene = await rig.scene();
  ({ ledger, url } = await postgres.ledger());
  worker = await scene.worker({ DATABASE_URL: url });
});
afterAll(async () => {
  await rig.close();
  await postgres.close();
});
beforeEach(() => {
  own = `t${++tests}`;
});

const put = (name: string, body: string | Uint8Array) => scene.put(`raw/${own}/${name}`, body);
const load = (parts: Partial<IngestParts> = {}, timeoutMs?: number) =>
  ingest(
    scene,
    { ingestionId: own, source: { prefix: `raw/${own}/` }, target: { datasetId: own }, ...parts },
    timeoutMs,
  );
const rowsNow = async () => lines(await datasetRows(scene, own));

/** `count` times as many bytes as packed: gzip files may have several members. */
const repeated = (member: Buffer, count: number) => Array.from({ length: count }, () => gzipped(member));
const packed = new Map<Buffer, Buffer>();
function gzipped(bytes: Buffer): Buffer {
  const known = packed.get(bytes) ?? gzipSync(bytes);
  packed.set(bytes, known);
  return known;
}

/** Far below the 500 MB of five such lines. */
const MAX_GROWTH_MB = 200;
/** Of a file for both sides of the threshold: seven series, four months. */
const ROWS = 30_000;
const HEAD = 'date,max,min';
const row = (day: number) => `2026-01-${String(day).padStart(2, '0')},${day},-${day}`;
const good = (day: number) => `${HEAD}\n${row(day)}\n`;
const utf16 = (text: string) => Buffer.from(`\ufeff${text}`, 'utf16le');

/** Name -> body -> the day it holds. */
const GOOD: Readonly<Record<string, string | Buffer>> = {
  '01 plain.csv': good(1),
  '02 mixed ends.csv': `${HEAD}\r\n\r\n${row(2)}\n`,
  '03 cr.csv': `${HEAD}\r${row(3)}\r`,
  '04 bom.csv': `\ufeff${good(4)}`,
  '05 utf16.csv': utf16(good(5)),
  '06 quoted.csv': `"date","max","min","note"\n"2026-01-06","6","-6","a, ""b""\nc"\n`,
  '07 wide.csv': `${HEAD},${Array.from({ length: 9_997 }, (_, n) => `c${n}`).join(',')}\n${row(7)}${',1'.repeat(9_997)}\n`,
  '08 packed.csv.gz': gzipSync(good(8)),
  '09 no extension': good(9),
  '10 ../up/../it.csv': good(10),
  '11 ünïcode 😀 & + % #?.csv': good(11),
  "12 ';drop table processed_files;--.csv": good(12),
  '13 lines.jsonl': '{"date":"2026-01-13","max":13,"min":"-13"}\n\n',
  '15.xlsx': workbook(
    [
      [{ shared: 0 }, { text: 'max' }, { text: 'min' }],
      [],
      [{ number: 46_037, style: 1 }, { number: 15 }, { number: -15 }],
    ],
    ['date'],
  ),
  '16.tsv': good(16).replaceAll(',', '\t'),
  '17 frames.csv.zst': Buffer.concat([zstdCompressSync(`${HEAD}\n`), zstdCompressSync(row(17))]),
  '18 members.csv.gz': Buffer.concat([gzipSync(`${HEAD}\n`), gzipSync(row(18))]),
};

/** Name -> body -> what the file fails with. */
const BAD: Readonly<Record<string, readonly [body: string | Buffer, error: string]>> = {
  'b01 delimiter.csv': [
    good(1).replaceAll(',', ';'),
    'it has no column "date" (it has: "date;max;min"); is its delimiter ";", not ","?',
  ],
  'b02 latin1.csv': [Buffer.from(`${HEAD},größe\n${row(1)},1\n`, 'latin1'), 'it is not utf-8'],
  'b03 quote.csv': [`${HEAD}\n2026-01-01,"1,2\n`, 'row 2 has a quote that is never closed'],
  'b04 nul.csv': [`${HEAD}\n2026-01-01,1\u0000,2\n`, 'NUL byte'],
  'b05 empty.csv': [Buffer.alloc(0), 'it is empty'],
  'b06 ragged.csv': [`${HEAD}\n2026-01-01,1\n`, 'row 2, column "max": the row has 2 fields, the header 3'],
  'b07 long.csv': [`${HEAD}\n${'x'.repeat(20_000_000)}\n`, 'row 2 is longer than 8 MiB'],
  'b08 utf16 no bom.csv': [Buffer.from(good(1), 'utf16le'), 'is it UTF-16'],
  'b09 bomb.xlsx': [
    workbook([[{ text: 'date' }]], [], { 'xl/worksheets/sheet1.xml': Buffer.alloc(80_000_000, 0x20) }),
    'is it a bomb?',
  ],
  'b10 lying.xlsx': [zip({ 'xl/workbook.xml': Buffer.alloc(5_000_000, 0x20) }, 100), 'can not be read'],
  'b11 encrypted.xlsx': [
    Buffer.from('d0cf11e0a1b11ae1'.padEnd(1024, '0'), 'hex'),
    'it is an encrypted workbook',
  ],
  'b12 no workbook.xlsx': ['hello', 'it is no workbook'],
  'b13 entities.xlsx': [
    workbook([[{ text: 'date' }]], [], {
      'xl/workbook.xml': '<!DOCTYPE a [<!ENTITY b "bbbb">]><workbook>&b;</workbook>',
    }),
    'document type',
  ],
  'b14 no parquet.parquet': ['PAR1 but no more than that', 'not a readable Parquet file'],
  'b15 gz.csv.gz': [gzipSync(good(1)).subarray(0, 20), 'gzip can not be undone'],
  'b16 json.jsonl': ['{"date":"2026-01-01","max":1,"min":2}\n{"date":\n', 'row 2 is not JSON'],
  'b17 missing.jsonl': ['{"date":"2026-01-01","max":1}\n', 'it has no column "min"'],
  'b18 columns.csv': [
    `date,${Array.from({ length: 20_000 }, (_, n) => `c${n}`).join(',')}\n`,
    'it has 20001 columns',
  ],
  'b19 twice.csv': [`date,max,max,min\n2026-01-01,1,2,3\n`, 'it has two columns "max"'],
  'b20 zip.csv': [zip({ a: 'b' }), 'a workbook or ZIP file, not csv'],
  'b21 time.csv': [
    `${HEAD}\n31/01/2026,1,2\n`,
    'row 2, column "date": "31/01/2026" is no time of the style "iso"',
  ],
  'b22 bomb.csv.gz': [
    Buffer.concat([gzipSync(`${HEAD}\n`), ...repeated(Buffer.alloc(20_000_000, 0x0a), 20)]),
    'is it a bomb?',
  ],
};

describe('one run over everything', () => {
  test('takes each good file and fails each bad one alone, and says why', async () => {
    for (const [name, body] of Object.entries(GOOD)) await put(name, body);
    for (const [name, [body]] of Object.entries(BAD)) await put(name, body);
    const typed = "SELECT DATE '2026-01-14' AS date, 14::DECIMAL(9,2) AS max, -14::BIGINT AS min";
    await put('14.parquet', await parquetOf(typed));
    await put(
      'b23 nested.parquet',
      await parquetOf("SELECT DATE '2026-01-14' AS date, {'a': 1} AS max, 1 AS min"),
    );
    const done = await load({}, 120_000);

    const rows = await ledger.run('read', (db) =>
      db
        .selectFrom('processed_files')
        .select(['file_path', 'status', 'error_type', 'error_message'])
        .where('ingestion_id', '=', own)
        .execute(),
    );
    const prefix = `s3://${scene.resources.bucket}/raw/${own}/`;
    const found = new Map(rows.map((one) => [one.file_path.slice(prefix.length), one]));
    const wrong: string[] = [];
    for (const name of [...Object.keys(GOOD), '14.parquet']) {
      const one = found.get(name);
      if (one?.status !== 'SUCCESS') wrong.push(`${name}: ${one?.status} ${one?.error_message}`);
    }
    for (const [name, message] of [
      ...Object.entries(BAD).map(([name, [, error]]) => [name, error] as const),
      ['b23 nested.parquet', 'is nested'] as const,
    ]) {
      const one = found.get(name);
      const fits =
        one?.status === 'FAILED' &&
        one.error_type === 'INPUT_READ_ERROR' &&
        one.error_message?.includes(message);
      if (!fits)
        wrong.push(`${name}: ${one?.status} ${one?.error_type} ${one?.error_message?.slice(0, 300)}`);
    }
    expect(wrong).toEqual([]);
    expect(done).toMatchObject({ status: 'PARTIAL', files: { discovered: 41, succeeded: 18, failed: 23 } });
    const days = Array.from({ length: 18 }, (_, n) => String(n + 1).padStart(2, '0'));
    expect(await rowsNow()).toEqual([
      ...days.map((day) => `T_MAX 2026-01-${day} ${Number(day)}`),
      ...days.map((day) => `T_MIN 2026-01-${day} -${Number(day)}`),
    ]);
    // What the log says is JSON, a line an entry, whatever the names are; and holds no password.
    expect(JSON.stringify(worker.log)).not.toContain(`${new URL(url).password}@`);
    const metrics = await worker.metrics();
    expect(metrics.get('tidemill_ingest_files_total{outcome="failed"}')).toBe(23);
    expect(metrics.get('etl_row_normalized_total{job="ingest_csv"}')).toBe(15);
  }, 150_000);
});

describe('a line of 100 MB', () => {
  test('fails its file alone, in bounded memory', async () => {
    const long = Buffer.alloc(100_000_000, 'x');
    const tenth = long.subarray(0, long.length / 10);
    const of = (head: string) => Buffer.concat([gzipSync(head), ...repeated(tenth, 10)]);
    await put('1.csv', good(1));
    await load();
    const peak = () => {
      const kib = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${worker.pid}/status`, 'utf8'))?.[1];
      return Number(kib) / 1024;
    };
    const before = peak();
    await put('2 plain.csv', Buffer.concat([Buffer.from(`${HEAD}\n`), long]));
    await put('3 packed.csv.gz', of(`${HEAD}\n`));
    await put('4 quoted.csv.gz', of(`${HEAD}\n2026-01-02,"`));
    await put('5 header.csv.gz', of(''));
    await put('6.jsonl.gz', of('{"date":"'));
    await put('7.csv', good(7));
    const done = await load({}, 60_000);
    expect(done).toMatchObject({ status: 'PARTIAL', files: { succeeded: 1, failed: 5, skipped: 1 } });
    const errors = (done.failures as { error: string }[]).map(({ error }) => error);
    expect(errors).toEqual([
      expect.stringContaining('row 2 is longer than 8 MiB'),
      expect.stringContaining('row 2 is longer than 8 MiB'),
      expect.stringMatching(/row 2 (?:is longer than 8 MiB|has a quote that is never closed)/),
      expect.stringContaining('row 1 is longer than 8 MiB'),
      expect.stringMatching(/row 1 is longer than 8/),
    ]);
    expect(await rowsNow()).toHaveLength(4);
    if (process.platform === 'linux') expect(peak() - before).toBeLessThan(MAX_GROWTH_MB);
  }, 90_000);
});

describe('schema changes', () => {
  const all = { ...WIDE, values: '*' };

  test('new columns are taken up and told; a gone one and a changed one fail the file', async () => {
    await put('1.csv', good(1));
    await load({ mapping: all });
    await put('2.csv', `${HEAD},wind\n${row(2)},5\n`);
    await put('3.csv', 'date,max\n2026-01-03,3\n');
    await put('4.csv', `${HEAD}\n2026-01-04,4,mild\n`);
    const done = await load({ mapping: all, options: { concurrency: 1 } });
    expect(done).toMatchObject({
      status: 'PARTIAL',
      newColumns: ['wind'],
      newSeries: ['wind'],
      files: { succeeded: 1, failed: 2, skipped: 1 },
      failures: [
        { error: expect.stringContaining('its column "min" (number) is gone; it has: "date", "max"') },
        { error: expect.stringContaining('"mild" is no number; the column held numbers in earlier files') },
      ],
    });
  });
});

describe('another mapping', () => {
  test('has all files read again, and learns their columns anew', async () => {
    await put('1.csv', good(1));
    await load({ mapping: { ...WIDE, values: '*' } });
    const mapping = { ...WIDE, values: { max: 'T' } };
    const done = await load({ mapping });
    expect(done).toMatchObject({ status: 'SUCCESS', files: { succeeded: 1 }, newSeries: ['T'] });
    expect(await rowsNow()).toEqual(['T 2026-01-01 1']);
  });

  test('a run whose dataset is in ruins is refused, and the ledger says so', async () => {
    await put('1.csv', good(1));
    await scene.put(`datasets/${own}/current/manifest.json`, 'not json');
    const done = await load({ requestId: 'ruins' });
    expect(done).toMatchObject({ status: 'FAILURE', error: { code: 'MANIFEST_VALIDATION_ERROR' } });
    const [run] = await ledger.run('read', (db) =>
      db.selectFrom('runs').select(['status', 'result']).where('id', '=', 'ruins').execute(),
    );
    expect(run).toEqual({ status: 'FAILURE', result: null });
  });
});

describe('a file above the streaming threshold', () => {
  test('gives what the same file below it gives, byte for byte', async () => {
    let text = 'time,series,value\n';
    for (let n = 0; n < ROWS; n++) {
      const at = new Date(Date.UTC(2026, 0, 1) + ((n * 7_919) % ROWS) * 300_000).toISOString();
      text += `${at},S${n % 7},${(n * 31) % 997}.${n % 10}\n`;
    }
    const mapping = { layout: 'long', time: 'time', series: 'series', value: 'value' };
    const outputs = await Promise.all(
      ['0', '64'].map(async (megabytes) => {
        const place = await rig.scene();
        const { url: itsUrl } = await postgres.ledger();
        await place.put('raw/a.csv', text);
        await place.put('raw/b.csv', text.replaceAll(/^[^,]+/gm, '"$&"'));
        await place.worker({ DATABASE_URL: itsUrl, INGEST_STREAMING_THRESHOLD_MB: megabytes });
        expect(await ingest(place, { mapping })).toMatchObject({ status: 'SUCCESS', rows: 2 * ROWS });
        const manifest = (await place.json('datasets/d/current/manifest.json')) as {
          parquet_files: string[];
        };
        // By folder: the files' own names are of one load each.
        const made: Record<string, string> = {};
        for (const path of manifest.parquet_files) {
          const bytes = await place.get(`datasets/d/projections/${path}`);
          const folder = path.slice(0, path.lastIndexOf('/'));
          made[folder] = `${made[folder] ?? ''} ${Buffer.from(bytes).toString('base64')}`;
        }
        return made;
      }),
    );
    expect(Object.keys(outputs[0]!).length).toBeGreaterThan(7);
    expect(outputs[0]).toEqual(outputs[1]);
  }, 60_000);
});
