import { describe, expect, test } from '@jest/globals';
import { codeOf } from '../../src/common/errors.ts';
import { parseDatasetManifest, seriesOfPath } from '../../src/contract/dataset-manifest.ts';

const known = new Set(['A', 'AB', 'M1.USD', 'part-0.parquet', 'A B']);

test.each([
  ['A/part-0.parquet', 'A'],
  ['AB/part-0.parquet', 'AB'],
  ['AA/part-0.parquet', undefined],
  ['2024/01/A/x.parquet', 'A'],
  ['A/2024/01/x.parquet', 'A'],
  ['M1.USD/x.parquet', 'M1.USD'],
  ['A.parquet', undefined],
  ['x/part-0.parquet', undefined],
  ['part-0.parquet', undefined],
  ['series=C/x.parquet', 'C'],
  ['series=A%20B/x.parquet', 'A B'],
  ['series=%E0%A4%A/x.parquet', '%E0%A4%A'],
  ['series_code=C/x.parquet', 'C'],
  ['internal_series_code=C/x.parquet', 'C'],
  ['year=2024/series=C/month=1/x.parquet', 'C'],
  ['A/series=C/x.parquet', 'C'],
  ['series=/x.parquet', ''],
  ['myseries=C/x.parquet', undefined],
  ['x/series=C.parquet', undefined],
  ['s3://bucket/p/A/x.parquet', 'A'],
])('the path %s names %j', (path, series) => {
  expect(seriesOfPath(path, known)).toBe(series);
});

describe('a manifest', () => {
  const bytes = (value: unknown) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));

  test('keeps fields that are not known', () => {
    const whole = {
      version_id: 'v1',
      dataset_id: 'd',
      series_codes: ['A'],
      parquet_files: ['A/x.parquet'],
      partition_strategy: { by: ['series', 'year'] },
      record_count: 5,
    };
    expect(parseDatasetManifest(bytes(whole), 'here')).toEqual(whole);
  });

  test.each([
    ['only files', { parquet_files: [] }],
    ['a version that is a number', { version_id: 7, parquet_files: ['x'] }],
    ['nulls', { version_id: null, dataset_id: null, series_codes: null, parquet_files: ['x'] }],
  ])('may hold %s', (_, value) => {
    expect(parseDatasetManifest(bytes(value), 'here')).toEqual(value);
  });

  test.each([
    ['', 'is not JSON'],
    ['{', 'is not JSON'],
    [[], 'the document: '],
    ['"x"', 'the document: '],
    [{}, 'parquet_files: '],
    [{ parquet_files: [''] }, 'parquet_files[0]: '],
    [{ parquet_files: ['a', null] }, 'parquet_files[1]: '],
    [{ parquet_files: [], series_codes: 'A' }, 'series_codes: '],
    [{ parquet_files: [], version_id: {} }, 'version_id: '],
  ])('%j is refused, with where it lies and what is wrong', (value, problem) => {
    const parse = () => parseDatasetManifest(bytes(value), 's3://lake/m.json');
    expect(parse).toThrow('s3://lake/m.json');
    expect(parse).toThrow(problem);
    try {
      parse();
    } catch (error) {
      expect(codeOf(error)).toBe('MANIFEST_VALIDATION_ERROR');
    }
  });

  test('with bytes that are no UTF-8 is not JSON', () => {
    expect(() => parseDatasetManifest(Buffer.from([0xff, 0xfe]), 'here')).toThrow('is not JSON');
  });

  test('with many faults tells of twenty, and how many more there are', () => {
    const parquet_files = Array.from({ length: 25 }, () => 5);
    expect(() => parseDatasetManifest(bytes({ parquet_files }), 'here')).toThrow(
      /parquet_files\[19\].*and 5 more/,
    );
  });
});
