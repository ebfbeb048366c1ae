import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { CompactionResult } from '../../src/contract/compaction-result.ts';
import { addSlots } from '../../src/contract/slot-ranges.ts';
import {
  emptyManifest,
  parseManifest,
  serializeManifest,
  type WarmFile,
  type WarmManifest,
  withoutEmptyEnd,
} from '../../src/contract/warm-manifest.ts';

const month = { year: 2026, month: 1 };
const key = 'parquet_warm/aws/m8/2026/01/manifest.json';
const parse = (text: string) => parseManifest(text, key, 'aws', month);

const count = fc.option(fc.nat(), { nil: null });
const micros = fc.option(fc.integer({ min: Date.UTC(1990, 0, 1) * 1000, max: Date.UTC(2100, 0, 1) * 1000 }), {
  nil: null,
});
const millis = fc.integer({ min: 0, max: Date.UTC(2100, 0, 1) });
const file: fc.Arbitrary<WarmFile> = fc.record({
  file: fc.string({ minLength: 1 }),
  hotRange: fc.tuple(fc.nat(100), fc.nat(100)).map(([from, more]) => [from, from + more] as const),
  rows: count,
  bytes: count,
  minTime: micros,
  maxTime: micros,
});
const result: fc.Arbitrary<CompactionResult> = fc.record({
  outcome: fc.constantFrom('compacted', 'added', 'unchanged'),
  manifests: fc.array(fc.record({ key: fc.string(), revision: fc.nat() })),
  added: fc.array(fc.string()),
  written: fc.array(fc.record({ key: fc.string(), level: fc.nat(5), rows: fc.nat(), bytes: fc.nat() })),
  levels: fc.array(fc.nat(7)),
  deleted: fc.array(fc.string()),
  counts: fc.record({ added: fc.nat(), written: fc.nat(), deleted: fc.nat() }),
});
const anyManifest: fc.Arbitrary<WarmManifest> = fc.record({
  m: fc.integer({ min: 2, max: 20 }),
  provider: fc.constant('aws'),
  year: fc.constant(2026),
  month: fc.constant(1),
  keyColumns: fc.array(fc.string()),
  nextFileId: fc.nat(),
  lastHotIndex: fc.integer({ min: -1, max: 5_000 }),
  revision: fc.nat(),
  levels: fc.array(fc.array(file, { maxLength: 4 }), { maxLength: 5 }).map(withoutEmptyEnd),
  processed: fc.array(fc.nat(4_463)).map((slots) => addSlots([], slots)),
  pending: fc.array(
    fc.record({ key: fc.string({ minLength: 1 }), notBefore: fc.option(millis, { nil: null }) }),
  ),
  answered: fc.array(fc.record({ requestId: fc.string({ minLength: 1 }), result }), { maxLength: 3 }),
  lastUpdated: fc.option(millis, { nil: null }),
});

describe('a manifest', () => {
  test('is read as it was written', () => {
    fc.assert(
      fc.property(anyManifest, (manifest) => {
        expect(parse(serializeManifest(manifest))).toEqual(manifest);
      }),
    );
  });

  test('stands in JSON with the original field names, a line for each file', () => {
    const manifest: WarmManifest = {
      ...emptyManifest(8, 'aws', ['InstanceType', 'Region', 'AZ'], month),
      nextFileId: 1,
      lastHotIndex: 8,
      revision: 9,
      levels: [
        [
          {
            file: 'parquet_cp_hot/aws/2026/01/01/01-20.parquet',
            hotRange: [8, 8],
            rows: 3,
            bytes: 900,
            minTime: Date.UTC(2026, 0, 1, 1, 20) * 1000,
            maxTime: Date.UTC(2026, 0, 1, 1, 20) * 1000 + 500_001,
          },
        ],
        [
          {
            file: 'L1_0000_00000-00007.parquet',
            hotRange: [0, 7],
            rows: null,
            bytes: null,
            minTime: null,
            maxTime: null,
          },
        ],
      ],
      processed: [[0, 8]],
      pending: [{ key: 'a', notBefore: Date.UTC(2026, 0, 1, 2) }],
      answered: [
        {
          requestId: 'r',
          result: {
            outcome: 'added',
            manifests: [{ key: 'k', revision: 8 }],
            added: ['h'],
            written: [],
            levels: [1],
            deleted: [],
            counts: { added: 1, written: 0, deleted: 0 },
          },
        },
      ],
      lastUpdated: Date.UTC(2026, 0, 1, 1, 30),
    };
    expect(serializeManifest(manifest)).toBe(`{
  "m": 8,
  "provider": "aws",
  "year": 2026,
  "month": 1,
  "pk_columns": ["InstanceType","Region","AZ"],
  "next_file_id": 1,
  "last_hot_idx": 8,
  "revision": 9,
  "processed_slots": [[0,8]],
  "last_processed_time": "2026-01-01T01:20:00.000Z",
  "last_updated": "2026-01-01T01:30:00.000Z",
  "pending_deletions": [
    {"key":"a","not_before":"2026-01-01T02:00:00.000Z"}
  ],
  "recent_requests": [
    {"request_id":"r","result":{"outcome":"added","manifests":[{"key":"k","revision":8}],"added":["h"],"written":[],"levels":[1],"deleted":[],"counts":{"added":1,"written":0,"deleted":0}}}
  ],
  "levels": {
    "0": [
      {"file":"parquet_cp_hot/aws/2026/01/01/01-20.parquet","hot_range":[8,8],"rows":3,"bytes":900,"min_time":"2026-01-01T01:20:00Z","max_time":"2026-01-01T01:20:00.500001Z"}
    ],
    "1": [
      {"file":"L1_0000_00000-00007.parquet","hot_range":[0,7],"rows":null,"bytes":null,"min_time":null,"max_time":null}
    ]
  }
}
`);
  });

  test('of another provider or month is refused', () => {
    const text = serializeManifest(emptyManifest(8, 'gcp', [], { year: 2026, month: 2 }));
    expect(() => parse(text)).toThrow(`${key} is of gcp, 2026-2`);
    expect(() => parse(text)).toThrow(expect.objectContaining({ code: 'MANIFEST_VALIDATION_ERROR' }));
  });

  test.each([
    ['', 'is not JSON'],
    ['[]', 'is invalid: the document'],
    ['{}', 'm: '],
    [
      JSON.stringify({
        ...{ m: 8, provider: 'aws', year: 2026, month: 1, pk_columns: [] },
        processed_slots: [[4_460, 4_464]],
      }),
      'processed_slots: the month has 4464 slots, and no slot 4464',
    ],
    [
      JSON.stringify({ m: 8, provider: 'aws', year: 2026, month: 1, pk_columns: [], levels: { x: [] } }),
      'levels.x',
    ],
    [
      JSON.stringify({
        m: 8,
        provider: 'aws',
        year: 2026,
        month: 1,
        pk_columns: [],
        levels: { 0: [{ file: 'a', hot_range: [2, 1] }] },
      }),
      'levels.0[0].hot_range: must ascend',
    ],
  ])('that is %j is refused, and the error says where', (text, message) => {
    expect(() => parse(text)).toThrow(message);
  });
});

describe("an original writer's manifest", () => {
  const hot = (slot: string) => `test/parquet_cp_hot/aws/${slot}.parquet`;
  const old = {
    m: 8,
    provider: 'aws',
    year: 2026,
    month: 1,
    pk_columns: ['InstanceType', 'Region', 'AZ'],
    next_file_id: 1,
    last_hot_idx: 8,
    pending_deletions: [
      hot('2026/01/01/00-00'),
      'test/parquet_warm/aws/m8/2026/01/L1_0000_00000-00007.parquet',
    ],
    last_updated: '2026-01-01T01:30:05.123456+00:00',
    levels: {
      '0': [{ file: hot('2026/01/01/01-20'), hot_range: [8, 8] }],
      '1': [{ file: 'L1_0000_00000-00007.parquet', hot_range: [0, 7] }],
    },
  };

  test('with processed_keys has exactly those slots', () => {
    const keys = ['2026/01/01/00-00', '2026/01/01/00-10', '2026/01/01/00-30', '2025/12/31/23-50'].map(hot);
    const opened = parse(JSON.stringify({ ...old, processed_keys: keys }));
    expect(opened.processed).toEqual([
      [0, 1],
      [3, 3],
      [8, 8],
    ]);
    expect(opened).toMatchObject({ nextFileId: 1, lastHotIndex: 8, revision: 0 });
    expect(opened.lastUpdated).toBe(Date.parse('2026-01-01T01:30:05.123Z'));
    expect(opened.levels[1]).toEqual([
      {
        file: 'L1_0000_00000-00007.parquet',
        hotRange: [0, 7],
        rows: null,
        bytes: null,
        minTime: null,
        maxTime: null,
      },
    ]);
  });

  test.each([
    ['2026-01-01T01:20:00+00:00', [[0, 8]]],
    ['2026-01-01T02:00:00', [[0, 12]]],
    ['2026-02-01T00:00:00+00:00', [[0, 4_463]]],
    ['2025-12-31T23:50:00+00:00', [[8, 8]]],
    [null, [[8, 8]]],
  ])('with last_processed_time %s has every slot up to it', (time, processed) => {
    expect(parse(JSON.stringify({ ...old, last_processed_time: time })).processed).toEqual(processed);
  });

  test('waits with its deletions until a time is known, and leaves hot files to the lifecycle', () => {
    const { pending } = parse(JSON.stringify(old));
    expect(pending).toEqual([
      { key: 'test/parquet_warm/aws/m8/2026/01/L1_0000_00000-00007.parquet', notBefore: null },
    ]);
  });

  test("may hold a hot file of another month, whose slot is not this one's", () => {
    const levels = { '0': [{ file: hot('2025/12/31/23-50'), hot_range: [0, 0] }] };
    const opened = parse(JSON.stringify({ ...old, levels, processed_keys: [] }));
    expect(opened.processed).toEqual([]);
    expect(opened.levels[0]).toHaveLength(1);
  });
});
