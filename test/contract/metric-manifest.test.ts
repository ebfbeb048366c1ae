import { describe, expect, test } from '@jest/globals';
import {
  decodeMetricManifest,
  decodeRunMarker,
  encodeJson,
  type MetricManifest,
  type RunMarker,
  versionOfAlias,
} from '../../src/contract/metric-manifest.ts';

const FACTS = {
  run_id: 'r',
  metric_code: 'm',
  version_ts: '2025-01-15T10-30-00',
  created_at: '2025-01-15T10:30:10Z',
  row_count: 1000,
};
const MANIFEST: MetricManifest = {
  ...FACTS,
  outputs: {
    data_prefix: 'metrics/m/2025-01-15T10-30-00/data/',
    files: [{ path: 'metrics.parquet', rows: 1000, bytes: 9, etag: '"e"' }],
  },
  inputs: [
    {
      series_code: 'A',
      dataset_id: 'd',
      dataset_version: null,
      manifest: 's3://lake/m.json',
      manifest_etag: '"f"',
      files: 1,
      bytes: 5,
    },
  ],
  expression: { type: 'series_math', json: { op: 'add' } },
  quality: { nulls: 0, divisions_by_zero: 0 },
};
const MARKER: RunMarker = { ...FACTS, output_manifest: 'metrics/m/2025-01-15T10-30-00/manifest.json' };
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();

test('a manifest and a marker are read as they were written', () => {
  expect(decodeMetricManifest(encodeJson(MANIFEST))).toEqual(MANIFEST);
  expect(decodeRunMarker(encodeJson(MARKER))).toEqual(MARKER);
});

test('JSON is indented for people, but not where that would blow it up', () => {
  expect(text(encodeJson(MARKER))).toBe(`${JSON.stringify(MARKER, null, 2)}\n`);
  let deep: unknown = 'x'.repeat(20_000);
  for (let i = 0; i < 900; i++) deep = [deep];
  const manifest = { ...MANIFEST, expression: { type: 'series_math', json: deep } };
  const encoded = encodeJson(manifest);
  expect(encoded.byteLength).toBe(JSON.stringify(manifest).length + 1);
  expect(decodeMetricManifest(encoded)).toEqual(manifest);
});

describe('bytes that hold something else', () => {
  test.each([
    '',
    'hello',
    '[]',
    'null',
    '{}',
    JSON.stringify({ ...MARKER, row_count: -1 }),
    JSON.stringify({ ...MARKER, run_id: 5 }),
  ])('are no marker: %s', (bytes) => {
    expect(decodeRunMarker(Buffer.from(bytes))).toBeUndefined();
  });

  test.each(['', '{}', JSON.stringify(MARKER), JSON.stringify({ ...MANIFEST, outputs: {} })])(
    'are no manifest: %s',
    (bytes) => {
      expect(decodeMetricManifest(Buffer.from(bytes))).toBeUndefined();
    },
  );
});

test.each([
  ['{"version_ts":"2025-01-15T10-30-00","more":1}', '2025-01-15T10-30-00'],
  ['{"version_ts":5}', undefined],
  ['{}', undefined],
  ['not JSON', undefined],
  ['', undefined],
])('the alias %s points to %s', (bytes, version) => {
  expect(versionOfAlias(Buffer.from(bytes))).toBe(version);
});

test('a marker of the originals, with more fields, is one', () => {
  expect(decodeRunMarker(Buffer.from(JSON.stringify({ ...MARKER, status: 'ok' })))).toMatchObject(MARKER);
});
