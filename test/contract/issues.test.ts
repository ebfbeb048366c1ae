/** What is wrong with a document, in sentences: the field, what would be right, and what was given. */

import { describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import { InvalidRequestError } from '../../src/common/errors.ts';
import { parseDatasetManifest } from '../../src/contract/dataset-manifest.ts';
import { parseIngestRunRequest } from '../../src/contract/ingest-run.ts';
import { check, pathText } from '../../src/contract/issues.ts';
import { parseMetricRunRequest } from '../../src/contract/metric-run.ts';
import { parseCompactionRequest, parseHotUploadRequest } from '../../src/contract/tier-requests.ts';

function problemsOf(work: () => unknown): readonly string[] {
  try {
    work();
  } catch (error) {
    if (error instanceof InvalidRequestError) return error.problems;
    throw error;
  }
  return [];
}

const METRIC = {
  schema: 'v2',
  type: 'metric_run_requested',
  runId: 5,
  metricCode: '',
  expressionType: null,
  expressionJson: [],
  inputs: [{}],
  catalog: { datasets: { d: { manifestPath: 'x'.repeat(1_025), projectionsPath: 5 } } },
  output: 'x',
};

const INGEST = {
  type: 'ingest_run_requested',
  requestId: '../x',
  ingestionId: 'w',
  source: { prefix: 'raw/', since: 'yesterday' },
  format: 'pdf',
  read: { encoding: 'klingon', nullValues: 'x', timeZone: 'Mars/X' },
  mapping: { layout: 'deep' },
  target: { datasetId: 'd' },
  options: { maxFiles: 0, concurrency: 1.5, retryFailed: 'yes' },
};

describe('every field that is wrong is told with what would be right and what was given', () => {
  test.each<[string, () => unknown, readonly string[]]>([
    [
      'a metric run',
      () => parseMetricRunRequest(METRIC),
      [
        'schema: must be "metrics.run.v1", got text "v2"',
        'runId: must be a text, got number 5',
        'metricCode: must not be empty',
        'expressionType: must be a text, got null',
        'expressionJson: must be an object, got a list',
        'inputs[0].datasetId: must be a text, got nothing',
        'inputs[0].seriesCode: must be a text, got nothing',
        'catalog.datasets.d.manifestPath: must have at most 1,024 characters, got 1,025',
        'catalog.datasets.d.projectionsPath: must be a text, got number 5',
        'output: must be an object, got text "x"',
      ],
    ],
    [
      'an ingest run',
      () => parseIngestRunRequest(INGEST),
      [
        'requestId: must be 1 to 128 letters, digits, ".", "_", ":" or "-", as a UUID, got text "../x"',
        'source.since: must be an ISO time with an offset, as 2026-01-01T00:00:00Z, got text "yesterday"',
        'format: must be one of "auto", "csv", "jsonl", "parquet", "xlsx", got text "pdf"',
        'read.encoding: must be one of "utf-8", "utf-16le", "utf-16be", "latin1", "windows-1252", got text "klingon"',
        'read.nullValues: must be a list, got text "x"',
        'read.timeZone: must be an IANA time zone, as "Europe/Berlin", got text "Mars/X"',
        'mapping.layout: must be one of "wide", "long", got text "deep"',
        'options.maxFiles: must be at least 1, got number 0',
        'options.concurrency: must be a whole number, got number 1.5',
        'options.retryFailed: must be true or false, got text "yes"',
      ],
    ],
    [
      'a mapping that is neither of two forms',
      () =>
        parseIngestRunRequest({
          ...INGEST,
          requestId: 'r',
          source: { prefix: 'x' },
          format: 'csv',
          read: {},
          options: {},
          mapping: { layout: 'wide', time: 't', values: 5 },
        }),
      ['mapping.values: must be "*", or an object, got number 5'],
    ],
    [
      'an upload',
      () =>
        parseHotUploadRequest({
          type: 'hot_upload_requested',
          requestId: 'a',
          provider: 'p',
          timestamp: 't',
          changed: { rows: 5 },
          compact: 1,
        }),
      [
        'changed: must hold either "rows", a list of objects, or "uri"',
        'compact: must be true or false, got number 1',
      ],
    ],
    [
      'a compaction',
      () => parseCompactionRequest({ type: 'compaction_requested', requestId: 'a', provider: 'p' }),
      ['hotKey: must be there, or "month"'],
    ],
  ])('%s', (_, parse, problems) => {
    expect(problemsOf(parse)).toEqual(problems);
  });

  test('a manifest, in one message', () => {
    const bytes = Buffer.from('{"version_id":{},"parquet_files":[5,""],"series_codes":"x"}');
    expect(() => parseDatasetManifest(bytes, 's3://b/m')).toThrow(
      'The dataset manifest s3://b/m is invalid: version_id: must be a text, or a number, got an object; ' +
        'series_codes: must be a list, got text "x"; parquet_files[0]: must be a text, got number 5; ' +
        'parquet_files[1]: must not be empty',
    );
  });

  test.each<[string, z.ZodType, unknown, string]>([
    [
      'names that are not known',
      z.strictObject({}),
      { a: 1, b: 2 },
      'the document: has fields that are not known: a, b',
    ],
    [
      'a list that is too long',
      z.array(z.any()).max(2),
      [1, 2, 3],
      'the document: must have at most 2 entries, got 3',
    ],
    [
      'a name that breaks a rule',
      z.record(z.string().regex(/^a/, 'must begin with a'), z.any()),
      { b: 1 },
      'b: is a name that must begin with a',
    ],
    ['a number that is none', z.number(), Number.NaN, 'the document: must be a number, got NaN'],
    [
      'a text that is long',
      z.number(),
      'x'.repeat(99),
      `the document: must be a number, got text "${'x'.repeat(40)}…"`,
    ],
  ])('%s', (_, schema, value, problem) => {
    expect(check(schema, value)).toEqual({ ok: false, problems: [problem] });
  });
});

test('names of fields come from requests: they are shown up to a length, and errors up to a number', () => {
  expect(pathText(['a'.repeat(1_000_000), 0, 'b'])).toBe(`${'a'.repeat(63)}…[0].b`);
  expect(pathText(Array.from({ length: 1_000 }, () => 'abc')).length).toBe(200);
  const many = check(
    z.array(z.string()),
    Array.from({ length: 5_000 }, () => 1),
  );
  expect(many).toMatchObject({ problems: { length: 21, 20: 'and 4,980 more' } });
});
