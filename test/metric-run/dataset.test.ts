import { describe, expect, test } from '@jest/globals';
import { codeOf, InvalidRequestError } from '../../src/common/errors.ts';
import { type DatasetManifest, parseDatasetManifest } from '../../src/contract/dataset-manifest.ts';
import { parseMetricRunRequest } from '../../src/contract/metric-run.ts';
import { uriOf } from '../../src/contract/object-location.ts';
import { type Dataset, oncePerRun, placeOfSeries } from '../../src/metric-run/dataset.ts';
import { chooseFiles, filesBySeries } from '../../src/metric-run/dataset-files.ts';
import { plainRequest, type RequestParts } from '../support/metric-requests.ts';

const policy = { defaultBucket: 'lake', allowedBuckets: new Set(['shared']) };

function failureOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidRequestError);
    return `${codeOf(error)}: ${(error as Error).message}`;
  }
  return 'none';
}

describe('where a dataset lies', () => {
  const place = (parts: Partial<RequestParts>, code = 'A') => {
    const { manifest, projections, datasetId } = placeOfSeries(
      parseMetricRunRequest(plainRequest(parts)),
      code,
      policy,
    );
    return [datasetId, uriOf(manifest), uriOf(projections)];
  };

  test.each<[what: string, parts: Partial<RequestParts>, manifest: string, projections: string]>([
    ['by default', {}, 's3://lake/datasets/d/current/manifest.json', 's3://lake/datasets/d/projections/'],
    [
      'with a projections path',
      { projectionsPath: 'elsewhere/p' },
      's3://lake/datasets/d/current/manifest.json',
      's3://lake/elsewhere/p/',
    ],
    [
      'in another bucket, with its projections beside it',
      { manifestPath: 's3://shared/x/v1/manifest.json' },
      's3://shared/x/v1/manifest.json',
      's3://shared/x/projections/',
    ],
    [
      'in the folder of the bucket',
      { manifestPath: 'v1/m.json' },
      's3://lake/v1/m.json',
      's3://lake/projections/',
    ],
    ['at the root of the bucket', { manifestPath: 'm.json' }, 's3://lake/m.json', 's3://lake/projections/'],
  ])('%s', (_, parts, manifest, projections) => {
    expect(place(parts)).toEqual(['d', manifest, projections]);
  });

  test('a series is read from the dataset that the inputs name for it, the first where it is named twice', () => {
    expect(place({ inputs: { d: ['A'], e: ['B'] } }, 'B')[0]).toBe('e');
    expect(place({ inputs: { d: ['A'], e: ['A'] } }, 'A')[0]).toBe('d');
  });

  test('a series without a dataset, and a dataset without an entry, are told apart', () => {
    expect(failureOf(() => place({ inputs: { d: ['A'] } }, 'B'))).toMatch(
      /^INPUT_READ_ERROR: Failed to read input series: B .*inputs/,
    );
    const request = parseMetricRunRequest({ ...plainRequest(), catalog: { datasets: {} } });
    expect(failureOf(() => placeOfSeries(request, 'A', policy))).toMatch(
      /^CONFIG_ERROR: catalog\.datasets: .*"d"/,
    );
    const inherited = { ...plainRequest({ inputs: { toString: ['A'] } }), catalog: { datasets: {} } };
    expect(failureOf(() => placeOfSeries(parseMetricRunRequest(inherited), 'A', policy))).toMatch(
      /^CONFIG_ERROR/,
    );
  });
});

describe('the files of a series', () => {
  const projections = { bucket: 'lake', key: 'datasets/d/projections/' };

  function chosen(manifest: DatasetManifest, code: string): string[] {
    const sorted = filesBySeries(
      parseDatasetManifest(Buffer.from(JSON.stringify(manifest)), 'm'),
      projections,
      policy,
      'manifest.json',
    );
    return chooseFiles(manifest, sorted, code, 'd').map(({ location, named }) => {
      return `${uriOf(location).replace('s3://lake/datasets/d/projections/', '')}${named ? '' : ' (filtered)'}`;
    });
  }

  test.each<[what: string, files: string[], codes: string[] | undefined, code: string, expected: string[]]>([
    [
      'are those whose path names it',
      ['A/1.parquet', 'B/1.parquet', 'A/2.parquet'],
      ['A', 'B'],
      'A',
      ['A/1.parquet', 'A/2.parquet'],
    ],
    [
      'are never those of a longer or shorter code',
      ['A/1', 'AB/1', 'BA/1', 'B/A.parquet'],
      ['A', 'AB', 'BA', 'B'],
      'A',
      ['A/1'],
    ],
    ['may be named as Hive does, known or not', ['series=A/1', 'series=B/1'], undefined, 'A', ['series=A/1']],
    [
      'are also those that name no series, by their rows',
      ['all.parquet', 'A/1', 'B/1'],
      ['A', 'B'],
      'A',
      ['all.parquet (filtered)', 'A/1'],
    ],
    [
      'stay in the order of the listing',
      ['A/3', 'x.parquet', 'A/1', 'A/2'],
      ['A'],
      'A',
      ['A/3', 'x.parquet (filtered)', 'A/1', 'A/2'],
    ],
    ['may be listed twice, and are read twice', ['A/1', 'A/1'], ['A'], 'A', ['A/1', 'A/1']],
    ['may be keys of the bucket', ['datasets/d/projections/A/1'], ['A'], 'A', ['A/1']],
    [
      'may be URIs',
      ['s3://lake/datasets/d/projections/A/1', 's3://shared/A/2'],
      ['A'],
      'A',
      ['A/1', 's3://shared/A/2'],
    ],
    ['may begin with a slash', ['/A/1'], ['A'], 'A', ['A/1']],
    [
      'are all where paths and manifest name no series',
      ['1', '2'],
      undefined,
      'A',
      ['1 (filtered)', '2 (filtered)'],
    ],
    [
      'of a code with odd characters are found',
      ['series=M%2F1%20%C3%A9/1'],
      ['M/1 é'],
      'M/1 é',
      ['series=M%2F1%20%C3%A9/1'],
    ],
  ])('%s', (_, files, codes, code, expected) => {
    const manifest = { parquet_files: files, ...(codes === undefined ? {} : { series_codes: codes }) };
    expect(chosen(manifest, code)).toEqual(expected);
  });

  test.each<[what: string, files: string[], codes: string[] | undefined, error: RegExp]>([
    ['a series that is not listed', ['A/1'], ['A'], /^INPUT_READ_ERROR: .*NO .*no such series/],
    ['a listed series without a file', ['A/1'], ['A', 'NO'], /^INPUT_READ_ERROR: .*NO .*no file/],
    ['no files at all', [], undefined, /^INPUT_READ_ERROR: .*NO .*no file/],
    [
      'a file that climbs',
      ['../../x/1'],
      undefined,
      /^CONFIG_ERROR: manifest.json: parquet_files\[0\]: .*"\.\."/,
    ],
    [
      'a file in a bucket that is not allowed',
      ['A/1', 's3://other/1'],
      undefined,
      /^CONFIG_ERROR: manifest.json: parquet_files\[1\]: .*"other"/,
    ],
  ])('%s', (_, files, codes, error) => {
    const manifest = { parquet_files: files, ...(codes === undefined ? {} : { series_codes: codes }) };
    expect(failureOf(() => chosen(manifest, 'NO'))).toMatch(error);
  });
});

describe('in one run', () => {
  const dataset = (etag: string) => ({ etag }) as Dataset;
  const place = (key: string, datasetId = 'd') => ({
    datasetId,
    manifest: { bucket: 'lake', key },
    projections: { bucket: 'lake', key: 'p/' },
  });

  test('a dataset is looked at once, whoever asks for it, and others for themselves', async () => {
    const looks: string[] = [];
    const open = oncePerRun(async ({ manifest }) => {
      looks.push(manifest.key);
      return dataset(`"${looks.length}"`);
    });
    const opened = await Promise.all([open(place('a')), open(place('b')), open(place('a', 'alias'))]);
    expect(looks).toEqual(['a', 'b']);
    expect(opened.map(({ etag, datasetId }) => [etag, datasetId])).toEqual([
      ['"1"', 'd'],
      ['"2"', 'd'],
      ['"1"', 'alias'],
    ]);
  });

  test('a dataset that cannot be opened fails for all who ask', async () => {
    const open = oncePerRun(async () => {
      throw new Error('no');
    });
    await expect(Promise.all([open(place('a')), open(place('a'))])).rejects.toThrow('no');
  });
});
