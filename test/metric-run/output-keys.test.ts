import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { versionStamp } from '../../src/common/clock.ts';
import {
  aliasLocation,
  dataLocation,
  dataPrefix,
  freeVersion,
  manifestLocation,
  markerLocation,
  parseBase,
  versionOfKey,
} from '../../src/metric-run/output-keys.ts';

const base = { bucket: 'lake', key: 'metrics/m/' };
const VERSION = '2025-01-15T10-30-00';
const at = Date.parse('2025-01-15T10:30:00Z');
const policy = { defaultBucket: 'lake', allowedBuckets: new Set<string>() };

test('everything of a metric lies below its base path', () => {
  const keys = [
    dataPrefix(base, VERSION),
    dataLocation(base, VERSION),
    manifestLocation(base, VERSION),
    aliasLocation(base),
    markerLocation(base, 'r'),
  ];
  expect(keys).toEqual(
    [
      `${VERSION}/data/`,
      `${VERSION}/data/metrics.parquet`,
      `${VERSION}/manifest.json`,
      'current/manifest.json',
      'runs/r.ok',
    ].map((key) => ({ bucket: 'lake', key: `metrics/m/${key}` })),
  );
});

test.each([
  [`metrics/m/${VERSION}/`, VERSION],
  [`metrics/m/${VERSION}/data/metrics.parquet`, VERSION],
  ['metrics/m/current/manifest.json', undefined],
  ['metrics/m/runs/r.ok', undefined],
  ['metrics/m/2025-01-15T10-30/', undefined],
  [`metrics/m/x${VERSION}/`, undefined],
  ['metrics/m/', undefined],
])('the key %s is of version %s', (key, version) => {
  expect(versionOfKey(base, key)).toBe(version);
});

describe('the free version', () => {
  test.each([
    ['is that of now', 0, [], VERSION],
    ['is that of now also late in the second', 999, [], VERSION],
    ['is the next second where that is taken', 0, [VERSION], '2025-01-15T10-30-01'],
    ['passes by all that are taken', 0, [VERSION, '2025-01-15T10-30-01'], '2025-01-15T10-30-02'],
    ['takes a gap', 0, [VERSION, '2025-01-15T10-30-02'], '2025-01-15T10-30-01'],
    ['does not mind later ones', 0, ['2025-01-15T11-00-00'], VERSION],
  ])('%s', (_, ms, taken, version) => {
    expect(freeVersion(at + ms, new Set(taken))).toBe(version);
  });

  test('is never taken, nor earlier than now', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 30 })),
        fc.integer({ min: 0, max: 30_000 }),
        (seconds, ms) => {
          const taken = new Set(seconds.map((second) => versionStamp(at + second * 1000)));
          const version = freeVersion(at + ms, taken);
          expect(taken.has(version)).toBe(false);
          expect(version >= versionStamp(at + ms)).toBe(true);
        },
      ),
    );
  });
});

describe('a base path', () => {
  test('is a prefix that ends with a slash', () => {
    expect(parseBase('s3://lake/metrics/m', 'r', policy)).toEqual(base);
  });

  test('leaves room for the longest key below it', () => {
    const longest = (runId: string) =>
      Math.max(`x/${VERSION}/data/metrics.parquet`.length - 1, `x/runs/${runId}.ok`.length - 1);
    for (const runId of ['r', 'r'.repeat(128)]) {
      const room = 1024 - longest(runId);
      expect(parseBase('m'.repeat(room), runId, policy).key).toHaveLength(room + 1);
      expect(() => parseBase('m'.repeat(room + 1), runId, policy)).toThrow('output.basePath: ');
    }
  });
});
