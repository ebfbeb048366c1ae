/** Files that are cut, flipped, empty or something else: a clear error or rows, and never a crash or a wait. */

import { afterAll, describe, expect, test } from '@jest/globals';
import { readFooter } from '../../src/lake/parquet-footer.ts';
import type { RandomAccess } from '../../src/lake/random-access.ts';
import { closeDuckDb, parquetOf } from '../support/parquet.ts';
import type { DamageInput, DamageReport } from './apart/damage.ts';
import { runApart } from './apart/run-apart.ts';
import { memoryFile, readBytes, readFailure, readSeries } from './memory-file.ts';

const DAMAGE = new URL('apart/damage.ts', import.meta.url);
const CODECS = ['uncompressed', 'snappy', 'zstd', 'gzip', 'brotli', 'lz4_raw'] as const;

/** 3,000 rows of three series, in two row groups. */
const many = (time: string, value: string) => `SELECT ${time} AS obs_time, ${value} AS value,
  'S' || (i % 3) AS internal_series_code FROM range(3000) t(i)`;
const MANY = many('make_timestamp(i * 1000000)', '(i % 37)::DOUBLE');
const GROUPS = 'ROW_GROUP_SIZE 2048';

/** By every codec with dictionaries, by other encodings, and with other types. */
const FILES: readonly (readonly [sql: string, options: string])[] = [
  ...CODECS.map((codec) => [MANY, `COMPRESSION ${codec}, ${GROUPS}`] as const),
  [many('make_timestamp(i * 1000000)', 'hash(i) / 7.0::DOUBLE'), `PARQUET_VERSION v2, ${GROUPS}`],
  [
    many("strftime(make_timestamp(i * 1000000), '%Y-%m-%dT%H:%M:%S')", '(i / 8)::DECIMAL(9,3)'),
    `PARQUET_VERSION v2, DICTIONARY_SIZE_LIMIT 1, ${GROUPS}`,
  ],
  [
    many('make_timestamp_ns(i * 1000)', 'CASE WHEN i % 5 > 0 THEN i END'),
    `DICTIONARY_SIZE_LIMIT 1, ${GROUPS}`,
  ],
];

const ONE = 'SELECT make_timestamptz(1) AS obs_time, 1::DOUBLE AS value';

afterAll(closeDuckDb);

test('thousands of files with flipped bits, and cut at every part, give rows in order or INPUT_READ_ERROR', async () => {
  const files = await Promise.all(FILES.map(([sql, options]) => parquetOf(sql, options)));
  const input: DamageInput = { files, flips: 4_500, cuts: 450, seed: 1 };
  const report = await runApart<DamageReport>(DAMAGE, 'readDamaged', input);
  expect(report.wrong).toEqual([]);
  expect(report.rows + report.refused).toBe(4_950);
  expect(report.refused).toBeGreaterThan(1_500);
  expect(report.rows).toBeGreaterThan(1_000);
  // The decoder did panic, and read on in a fresh instance.
  expect(report.panics).toBeGreaterThan(0);
  expect(report.rowsOfGoodFiles).toBe(files.length * 1_000);
}, 60_000);

describe('not Parquet:', () => {
  test.each([
    ['an empty object', Buffer.alloc(0), 'it has 0 bytes'],
    ['a few bytes', Buffer.from('PAR1'), 'it has 4 bytes'],
    ['text', Buffer.from('obs_time,value\n2024-01-01,1\n'), 'it does not end with PAR1'],
    ['only the magic', Buffer.from('PAR1\0\0\0\0PAR1'), 'its footer'],
    ['a footer longer than the file', Buffer.from('PAR1\xff\xff\xff\x7fPAR1', 'latin1'), 'its footer'],
    ['an encrypted footer', Buffer.from('PAR1abcdefgh\x04\0\0\0PARE', 'latin1'), 'it does not end with PAR1'],
    ['a footer of garbage', Buffer.from('PAR1abcdefgh\x08\0\0\0PAR1', 'latin1'), 'its footer'],
  ])('%s', async (_, bytes, why) => {
    const failure = await readFailure(readBytes(bytes));
    expect(failure).toContain('INPUT_READ_ERROR: a.parquet is not a readable Parquet file: ');
    expect(failure).toContain(why);
  });
});

describe('a footer that costs more than its bytes is refused before it is parsed:', () => {
  /** A file of a footer alone. */
  function fileOf(footer: readonly number[]): Buffer {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(footer.length);
    return Buffer.concat([Buffer.from('PAR1'), Buffer.from(footer), length, Buffer.from('PAR1')]);
  }
  /** Field 2 (the schema), a list: of 2^28 lists of as many, and so on. */
  const LONG_LISTS = [0x29, ...Array(40).fill([0xf9, 0x80, 0x80, 0x80, 0x80, 0x01]).flat()];

  test.each([
    ['lists of lists without end', LONG_LISTS, 'a list in it is longer than it'],
    [
      'a list of booleans that has gigabytes',
      [0x29, 0xf1, 0xff, 0xff, 0xff, 0xff, 0x07],
      'a list in it is longer than it',
    ],
    [
      'a million empty columns',
      [0x29, 0xfc, 0xc0, 0x84, 0x3d, ...Array(1_000_000).fill(0)],
      'it has more parts than can be in it',
    ],
    ['a million fields that are true', Array(1_000_000).fill(0x11), 'a part of it has too many fields'],
    [
      'a number of 300,000 bytes',
      [0x15, ...Array(300_000).fill(0x80), 0x01, 0x00],
      'a number beyond 64 bits',
    ],
    [
      'a text longer than the file',
      [0x18, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x61],
      'a text in it is longer than it',
    ],
    [
      'a text of less than nothing',
      [0x18, 0xf0, 0xff, 0xff, 0xff, 0xff, 0x0f],
      'a text in it is longer than it',
    ],
    ['structs within structs', Array(1_000).fill(0x1c), 'it has too many levels'],
    ['a map', [0x1b, 0x01, 0x55, 0x00, 0x00, 0x00], 'it has a field of type 11'],
    ['no end', [0x15, 0x02], 'Offset is outside the bounds of the DataView'],
  ])('%s', async (_, footer, why) => {
    const failure = await readFailure(readBytes(fileOf(footer)));
    expect(failure).toContain(
      'INPUT_READ_ERROR: a.parquet is not a readable Parquet file: its footer is damaged',
    );
    expect(failure).toContain(why);
  });
});

test('a footer that claims gigabytes is refused before it is read, in a file that is as large', async () => {
  const tail = Buffer.alloc(65_536);
  tail.writeUInt32LE(0x7fffffff, tail.length - 8);
  tail.write('PAR1', tail.length - 4);
  const read = () => Promise.reject(new Error('it was read'));
  const file: RandomAccess = {
    name: 'a.parquet',
    size: 2 ** 33,
    tail,
    etag: '',
    read,
    close: async () => {},
  };
  await expect(readFooter(file)).rejects.toThrow(
    'a.parquet is not a readable Parquet file: its footer has 2147483655 bytes',
  );
});

test('a file that is cut in mid-data is refused where the footer is whole', async () => {
  const bytes = await parquetOf(ONE);
  const cut = Buffer.concat([bytes.subarray(0, 4), bytes.subarray(30)]);
  expect(await readFailure(readBytes(cut))).toMatch(/^INPUT_READ_ERROR: a\.parquet /);
});

test.each([
  ['in its data', (bytes: Uint8Array) => bytes.fill(0xff, 4, 60)],
  ['in its footer', (bytes: Uint8Array) => bytes.fill(0xff, -60, -8)],
  ['in its type', (bytes: Uint8Array) => bytes.fill(0, -1)],
])('an error names the file that is damaged %s, of many, and all are closed', async (_, damage) => {
  const good = await parquetOf(ONE);
  const files = [
    memoryFile('good.parquet', good),
    memoryFile('bad.parquet', damage(new Uint8Array(good))),
    memoryFile('also.parquet', good),
  ];
  expect(await readFailure(readSeries(files))).toMatch(/^INPUT_READ_ERROR: bad\.parquet /);
  expect(files.every((file) => file.isClosed())).toBe(true);
});

test('files that are read well are closed too where the plan fails', async () => {
  const files = [memoryFile('a', await parquetOf('SELECT 1 AS value'))];
  expect(await readFailure(readSeries(files))).toMatch(/has no column "obs_time"/);
  expect(files[0]?.isClosed()).toBe(true);
});
