import { describe, expect, test } from '@jest/globals';
import { codeOf } from '../../src/common/errors.ts';
import { digestOfPath, parseIngestManifest } from '../../src/contract/ingest-manifest.ts';

const bytes = (value: unknown) => Buffer.from(JSON.stringify(value));

describe('a manifest that ingest continues', () => {
  test.each([
    [
      'a version that is a number, as the original ingester wrote them',
      { version_id: 7, parquet_files: ['x'] },
    ],
    ['nulls and fields of its own', { run_id: null, sources: null, parquet_files: [], record_count: 5 }],
  ])('may hold %s', (_, value) => {
    expect(parseIngestManifest(bytes(value), 'here')).toEqual(value);
  });

  test.each([
    [{ parquet_files: [''] }, 'parquet_files[0]: '],
    [{ parquet_files: [], sources: { d: { file: 'x' } } }, 'sources.d.ingestion_id: '],
  ])('%j is refused, with where it lies and what is wrong', (value, problem) => {
    const parse = () => parseIngestManifest(bytes(value), 's3://lake/m.json');
    expect(parse).toThrow(`The dataset manifest s3://lake/m.json is invalid: ${problem}`);
    try {
      parse();
    } catch (error) {
      expect(codeOf(error)).toBe('MANIFEST_VALIDATION_ERROR');
    }
  });
});

const DIGEST = 'a'.repeat(40);

test.each([
  [`S/year=2026/month=01/${DIGEST}.parquet`, DIGEST],
  [`S/year=2026/month=01/${DIGEST}.12.parquet`, DIGEST],
  [`${DIGEST}.parquet`, undefined],
  ['S/part-0.parquet', undefined],
])('the path %s is of the source %j', (path, digest) => {
  expect(digestOfPath(path)).toBe(digest);
});
