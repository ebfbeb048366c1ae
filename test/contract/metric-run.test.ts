import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { InvalidRequestError } from '../../src/common/errors.ts';
import {
  failedEvent,
  heartbeatEvent,
  identify,
  parseMetricRunRequest,
  startedEvent,
  succeededEvent,
} from '../../src/contract/metric-run.ts';
import { plainRequest, v1Request } from '../support/metric-requests.ts';

/** The request of the originals' README. */
const README = {
  schema: 'metrics.run.v1',
  type: 'metric_run_requested',
  runId: '7d6f0a52-5b0f-4e35-9a6e-2f4c3c9d2f11',
  metricCode: 'ratio.reserves_to_base',
  expressionType: 'series_math',
  expressionJson: { op: 'ratio', left: { series_code: 'A' }, right: { series_code: 'B' }, scale: 1 },
  inputs: [
    { datasetId: 'd', seriesCode: 'A' },
    { datasetId: 'd', seriesCode: 'B' },
  ],
  catalog: {
    datasets: {
      d: { manifestPath: 'datasets/d/current/manifest.json', projectionsPath: 'datasets/d/projections/' },
    },
  },
  output: { basePath: 's3://bucket/metrics/ratio.reserves_to_base/' },
};

describe('a request', () => {
  test.each<[string, object]>([
    ["of the originals' README", README],
    ['in the plain form', plainRequest()],
    ['with nulls where nothing is', { ...plainRequest(), schema: null }],
    ['without inputs', plainRequest({ inputs: {} })],
    ['with a run id that is no UUID', plainRequest({ runId: 'nightly:2025-01-15.1' })],
    [
      'of an unknown expression type, which is the parser’s affair',
      plainRequest({ expressionType: 'magic' }),
    ],
  ])('%s is valid as it is', (_, request) => {
    expect(parseMetricRunRequest(request)).toEqual(request);
  });

  test('loses the fields that nobody knows, at every level but in the expression', () => {
    const { catalog, inputs } = README;
    const more = { x: 1 };
    const request = {
      ...README,
      ...more,
      inputs: inputs.map((input) => ({ ...input, ...more })),
      catalog: { ...more, datasets: { d: { ...catalog.datasets.d, ...more } } },
      expressionJson: { ...README.expressionJson, ...more },
    };
    expect(parseMetricRunRequest(request)).toEqual({
      ...README,
      expressionJson: { ...README.expressionJson, ...more },
    });
  });

  test('that is invalid is told of everything that is wrong', () => {
    const parse = () => parseMetricRunRequest({ ...README, runId: 'a/b', metricCode: '', output: {} });
    expect(parse).toThrow(InvalidRequestError);
    expect(parse).toThrow(/runId: .*metricCode: .*output\.basePath: /);
  });

  test.each(['.', '..', '-a', '_a', 'a/b', 'a\\b', 'a b', 'a\n', 'é', 'a'.repeat(129), ''])(
    'with the run id %j is refused, since it is part of a key',
    (runId) => {
      expect(() => parseMetricRunRequest({ ...README, runId })).toThrow('runId: ');
    },
  );

  test('by way of __proto__ is none', () => {
    const request = JSON.parse(`{"__proto__": ${JSON.stringify(README)}}`) as object;
    expect(() => parseMetricRunRequest(request)).toThrow('runId: ');
  });
});

describe('who a request is', () => {
  test('is known even of an invalid one', () => {
    expect(identify({ runId: 'a/b', metricCode: 5 })).toEqual({
      runId: 'a/b',
      metricCode: null,
      form: 'plain',
    });
    expect(identify({ schema: 'metrics.run.v1' })).toEqual({ runId: null, metricCode: null, form: 'v1' });
    expect(identify({ schema: 'metrics.run.v2', runId: 'r', metricCode: 'm' })).toEqual({
      runId: 'r',
      metricCode: 'm',
      form: 'plain',
    });
    expect(identify(JSON.parse('{"__proto__": {"runId": "r"}}') as Record<string, unknown>).runId).toBeNull();
  });

  test('is text of bounded length or null, whatever the body holds', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom('runId', 'metricCode', 'schema', 'x'), fc.jsonValue()),
        (body) => {
          const { runId, metricCode, form } = identify(body);
          for (const text of [runId, metricCode]) {
            expect(text === null || (text.length > 0 && text.length <= 256)).toBe(true);
          }
          expect(['plain', 'v1']).toContain(form);
        },
      ),
    );
  });
});

describe('events', () => {
  const plain = identify(plainRequest({ runId: 'r', metricCode: 'm' }));
  const v1 = identify(v1Request({ runId: 'r', metricCode: 'm' }));
  const who = { runId: 'r', metricCode: 'm' };
  const schema = 'metrics.run.v1';
  const manifest = { bucket: 'lake', key: 'metrics/m/2025-01-15T10-30-00/manifest.json' };
  const result = { versionTs: '2025-01-15T10-30-00', manifest, rowCount: 1000 };
  const done = {
    type: 'metric_run_completed',
    ...who,
    status: 'SUCCESS',
    versionTs: result.versionTs,
    rowCount: 1000,
  };
  const failed = { type: 'metric_run_completed', ...who, status: 'FAILURE' };
  const at = '2025-01-15T10:30:10Z';

  test.each<[string, object, object]>([
    ['started, plain', startedEvent(plain, at), { type: 'metric_run_started', ...who, startedAt: at }],
    ['started, v1', startedEvent(v1, at), { schema, type: 'metric_run_started', ...who, startedAt: at }],
    [
      'heartbeat, plain',
      heartbeatEvent(plain, 0.5, at),
      { type: 'metric_run_heartbeat', ...who, progress: 0.5, ts: at },
    ],
    [
      'heartbeat, v1',
      heartbeatEvent(v1, 0, at),
      { schema, type: 'metric_run_heartbeat', ...who, progress: 0, ts: at },
    ],
    ['success, plain', succeededEvent(plain, result), { ...done, outputManifest: manifest.key }],
    [
      'success, v1',
      succeededEvent(v1, result),
      { schema, ...done, outputManifest: `s3://lake/${manifest.key}` },
    ],
    [
      'failure, plain',
      failedEvent(plain, 'INPUT_READ_ERROR', 'Failed to read input series: A'),
      { ...failed, error: 'INPUT_READ_ERROR: Failed to read input series: A' },
    ],
    [
      'failure, v1',
      failedEvent(v1, 'INPUT_READ_ERROR', 'Failed to read input series: A'),
      { schema, ...failed, error: { code: 'INPUT_READ_ERROR', message: 'Failed to read input series: A' } },
    ],
  ])('%s', (_, event, expected) => {
    expect(event).toStrictEqual(expected);
  });
});
