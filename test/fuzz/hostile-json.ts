/** Values that documents are hurt with, as JSON text (fast-check): of every type, size and oddity. */

import fc from 'fast-check';

/** Names that mean something to JavaScript, to the product, or to nobody. */
export const HOSTILE_NAMES = [
  ...['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'valueOf', 'then', 'toJSON', ''],
  ...[
    'type',
    'Type',
    'Message',
    'schema',
    'uri',
    'rows',
    'mode',
    '0',
    '-1',
    ' ',
    '.',
    '..',
    '/',
    '\0',
    '\ud800',
  ],
  ...['op', 'left', 'right', 'series', 'window', 'operands', 'seriesCode', 'series_code', 'scale', 'unit'],
  ...['é', '\u202eabc', 'a'.repeat(2_000), '$ref', '$schema'],
] as const;

const TEXTS = [
  ...[
    '',
    ' ',
    '\0',
    '\ud800',
    '\udc00\ud800',
    '\u{1f600}',
    '\ufeff',
    '\u2028',
    '\u202e',
    'null',
    'undefined',
    '__proto__',
  ],
  ...[
    '../../etc/passwd',
    's3://',
    's3:///',
    's3://other/key',
    'S3://b/k',
    'http://169.254.169.254/',
    'file:///etc',
    '//',
    '/',
  ],
  ...[
    '1970-01-01T00:00:00Z',
    '0000-01-01T00:00:00Z',
    '9999-12-31T23:59:59.999Z',
    '+275760-09-13T00:00:00.000Z',
  ],
  ...['-271821-04-20T00:00:00Z', '2026-02-29T00:00:00Z', '2024-02-29T23:59:60Z', '2026-01-01T00:00:00+24:00'],
  ...[
    '2026-01-01',
    '2026-13',
    '2026-00',
    '0001-01',
    '10000-01',
    '2026-01-01T24:00:00Z',
    '2026-01-01T00:00:00-00:00',
  ],
  ...['parquet_cp_hot/aws/2026/01/23/14-20.parquet', 'parquet_cp_hot/aws/2026/02/30/24-60.parquet'],
  ...[
    '99999999999999999999',
    '1e400',
    '-0',
    'NaN',
    '0x1F',
    '١٢',
    '1,5',
    ' 1',
    '1n',
    '\u00bd',
    '+1',
    '.5',
    '5.',
  ],
  ...['%', '%00', '%E0%A4%A', '*', '**', '[', '(?:a+)+$', '{a,b}', "'; DROP TABLE runs; --", '<![CDATA['],
] as const;

const NUMBERS = [
  ...[
    '0',
    '-0',
    '1',
    '-1',
    '0.1',
    '1e308',
    '1e309',
    '-1e309',
    '5e-324',
    '1e-400',
    '9007199254740993',
    '2147483648',
  ],
  ...['4294967296', '9223372036854775807', '9223372036854775808', '-9223372036854775809', '8640000000000001'],
  ...[
    '253402300800000',
    '1e21',
    '123456789012345678901234567890',
    `1${'0'.repeat(400)}`,
    `0.${'0'.repeat(400)}1`,
    '1.5',
  ],
] as const;

const deep = (open: string, close: string) => (levels: number) =>
  `${open.repeat(levels)}1${close.repeat(levels)}`;

/** How deep, how long: mostly little, now and then what no stack and no reader likes. */
const magnitude = (most: number) =>
  fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: 1, max: 70 }) },
    { weight: 2, arbitrary: fc.integer({ min: 70, max: 3_000 }) },
    { weight: 1, arbitrary: fc.integer({ min: 3_000, max: most }) },
  );

/** JSON text of a hostile value. Not all of it is valid JSON: NaN and the like are there too. */
export const hostileText: fc.Arbitrary<string> = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...TEXTS).map((text) => JSON.stringify(text)) },
  { weight: 5, arbitrary: fc.constantFrom(...NUMBERS) },
  {
    weight: 4,
    arbitrary: fc.constantFrom('null', 'true', 'false', '{}', '[]', '""', '[[]]', '[null]', '{"a":1}'),
  },
  { weight: 2, arbitrary: fc.double().map((value) => JSON.stringify(value)) },
  { weight: 2, arbitrary: fc.bigInt({ min: -(2n ** 80n), max: 2n ** 80n }).map(String) },
  { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }).map((text) => JSON.stringify(text)) },
  {
    weight: 1,
    // Lone halves of surrogates, as escapes.
    arbitrary: fc.array(fc.integer({ min: 0xd800, max: 0xdfff }), { maxLength: 6 }).map((codes) => {
      return `"${codes.map((code) => `\\u${code.toString(16)}`).join('')}"`;
    }),
  },
  { weight: 1, arbitrary: fc.date({ noInvalidDate: true }).map((date) => JSON.stringify(date)) },
  { weight: 2, arbitrary: fc.json({ maxDepth: 4 }) },
  { weight: 1, arbitrary: magnitude(30_000).map(deep('[', ']')) },
  { weight: 1, arbitrary: magnitude(20_000).map(deep('{"a":', '}')) },
  {
    weight: 1,
    arbitrary: magnitude(8_000).map(deep('{"op":"add","right":{"series_code":"A"},"left":', '}')),
  },
  { weight: 1, arbitrary: magnitude(300_000).map((length) => `"${'x'.repeat(length)}"`) },
  { weight: 1, arbitrary: magnitude(20_000).map((length) => `[${Array(length).fill('1').join()}]`) },
  {
    weight: 1,
    arbitrary: magnitude(10_000).map((length) => {
      return `{${Array.from({ length }, (_, i) => `"k${i}":${i}`).join()}}`;
    }),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom('NaN', 'Infinity', 'undefined', '01', "'a'", '1.', '"\\x"', '', '//', 'nul'),
  },
);
