/** Requests that cannot succeed: each is answered with its code at once, and the worker goes on. */

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Row } from '../support/conformance-cases.ts';
import { eventually } from '../support/eventually.ts';
import { plainRequest, type RequestParts, v1Request } from '../support/metric-requests.ts';
import { openRig, type Rig } from '../support/rig.ts';
import type { Scene } from '../support/scene.ts';
import type { WorkerProcess } from '../support/worker-process.ts';

const ROWS: Row[] = [
  [0, 1],
  [86_400_000_000, 2],
];
const MIB = 1_048_576;

let rig: Rig;
let scene: Scene;
let worker: WorkerProcess;

beforeAll(async () => {
  rig = await openRig();
  scene = await rig.scene({ maxReceiveCount: 3 });
  await scene.dataset('d', { A: ROWS, B: ROWS });
  worker = await scene.worker();
});

afterAll(() => rig.close());

/** The request, once sent, is done with: no retry, nothing left, and the worker lives. */
async function isSettled(): Promise<void> {
  await scene.drained();
  expect(worker.isRunning()).toBe(true);
}

/** An expression as JSON text, where JSON.stringify could not write it. */
type Raw = { readonly raw: string };
type BadParts = Omit<Partial<RequestParts>, 'expressionJson'> & { expressionJson?: object | Raw };

const A = { series_code: 'A' };
const B = { series_code: 'B' };
const nested = (depth: number): Raw => ({
  raw: `${'{"op":"add","right":{"series_code":"B"},"left":'.repeat(depth)}{"series_code":"A"}${'}'.repeat(depth)}`,
});

/** A valid expression with a field that nobody asked for. */
const withNote = (depth: number): Raw => ({
  raw: `{"op":"add","left":{"series_code":"A"},"right":{"series_code":"B"},"note":${'['.repeat(depth)}${']'.repeat(depth)}}`,
});

/** The request as text, with raw JSON put in where it stands. */
function textOf(request: Record<string, unknown>): string {
  const { expressionJson } = request;
  const raw = (expressionJson as Partial<Raw> | undefined)?.raw;
  return JSON.stringify({ ...request, expressionJson: raw === undefined ? expressionJson : '@raw' }).replace(
    '"@raw"',
    () => raw ?? '"@raw"',
  );
}

async function failureOf(request: Record<string, unknown>, runId: string): Promise<string> {
  await scene.send(textOf(request), { group: runId, deduplication: runId });
  const completed = await scene.events.completed(runId);
  expect(completed.status).toBe('FAILURE');
  await isSettled();
  expect(scene.events.of(runId, 'metric_run_completed')).toHaveLength(1);
  return String(completed.error);
}

describe('a request that cannot succeed is answered FAILURE at once, and acknowledged', () => {
  const window = (value: unknown) => ({
    expressionType: 'window_op',
    expressionJson: { op: 'sma', series: A, window: value },
  });

  test.each<[what: string, parts: BadParts, error: RegExp]>([
    [
      'an unknown op',
      { expressionJson: { op: 'power', left: A, right: B } },
      /^EXPRESSION_EVAL_ERROR: .*\bop\b/,
    ],
    ['an unknown expression type', { expressionType: 'magic' }, /^EXPRESSION_EVAL_ERROR: expressionType/],
    ['no op', { expressionJson: { left: A, right: B } }, /^EXPRESSION_EVAL_ERROR: .*\bop\b/],
    ['a window of 0', window(0), /^EXPRESSION_EVAL_ERROR: expressionJson.window/],
    ['a window of -1', window(-1), /^EXPRESSION_EVAL_ERROR: expressionJson.window/],
    ['a window of 1.5', window(1.5), /^EXPRESSION_EVAL_ERROR: expressionJson.window/],
    ['a window of "3"', window('3'), /^EXPRESSION_EVAL_ERROR: expressionJson.window/],
    ['a window of true', window(true), /^EXPRESSION_EVAL_ERROR: expressionJson.window/],
    ['a window of 1e300', window(1e300), /^EXPRESSION_EVAL_ERROR: expressionJson.window/],
    [
      'one operand',
      { expressionType: 'composite', expressionJson: { op: 'sum', operands: [A] } },
      /^EXPRESSION_EVAL_ERROR: expressionJson.operands/,
    ],
    [
      'one side only',
      { expressionJson: { op: 'add', left: A } },
      /^EXPRESSION_EVAL_ERROR: expressionJson.right/,
    ],
    ['nesting of 65', { expressionJson: nested(65) }, /^EXPRESSION_EVAL_ERROR: .*deep/],
    ['nesting of 10,000', { expressionJson: nested(10_000) }, /^EXPRESSION_EVAL_ERROR: .*deep/],
    ['nesting to the last byte', { expressionJson: nested(20_000) }, /^EXPRESSION_EVAL_ERROR: .*deep/],
    [
      'nesting of 10,000 in a field that is ignored',
      { expressionJson: withNote(10_000), inputs: { d: ['A', 'B'] } },
      /^EXPRESSION_EVAL_ERROR: expressionJson: .*deep/,
    ],
    [
      'an expression by way of __proto__',
      { expressionJson: { raw: `{"__proto__": ${JSON.stringify({ op: 'add', left: A, right: B })}}` } },
      /^EXPRESSION_EVAL_ERROR: .*\bop\b/,
    ],
    [
      'an operand by way of __proto__',
      {
        expressionJson: {
          raw: '{"op": "add", "left": {"series_code": "A"}, "__proto__": {"right": {"series_code": "B"}}}',
        },
      },
      /^EXPRESSION_EVAL_ERROR: expressionJson.right/,
    ],
    ['a dataset by the name of __proto__', { inputs: { ['__proto__']: [] } }, /^INPUT_READ_ERROR: /],
    ['a series that the manifest does not list', { inputs: { d: ['A'], e: ['B'] } }, /^INPUT_READ_ERROR: /],
    [
      'a manifest that is not there',
      { manifestPath: 'datasets/none/manifest.json' },
      /^INPUT_READ_ERROR: .*does not exist/,
    ],
    [
      'a manifest in a bucket that is not allowed',
      { manifestPath: 's3://other/m.json' },
      /^CONFIG_ERROR: catalog.datasets.d.manifestPath: .*"other" is not allowed/,
    ],
    [
      'projections in a bucket that is not allowed',
      { projectionsPath: 's3://other/p/' },
      /^CONFIG_ERROR: catalog.datasets.d.projectionsPath: .*"other"/,
    ],
    [
      'output to a bucket that is not allowed',
      { basePath: 's3://other/metrics/' },
      /^CONFIG_ERROR: output.basePath: .*"other"/,
    ],
    [
      'a manifest by another scheme',
      { manifestPath: 'https://example.com/m.json' },
      /^CONFIG_ERROR: .*scheme "https"/,
    ],
    [
      'output by another scheme',
      { basePath: 'file:///etc/' },
      /^CONFIG_ERROR: output.basePath: .*scheme "file"/,
    ],
    [
      'a manifest that climbs',
      { manifestPath: 'datasets/../../secret.json' },
      /^CONFIG_ERROR: catalog.datasets.d.manifestPath: .*"\.\."/,
    ],
    [
      'projections that climb',
      { projectionsPath: 'datasets/d/../e' },
      /^CONFIG_ERROR: catalog.datasets.d.projectionsPath: .*"\.\."/,
    ],
    [
      'output that climbs',
      { basePath: 'metrics/../datasets/d/' },
      /^CONFIG_ERROR: output.basePath: .*"\.\."/,
    ],
    [
      'output that climbs by a URI',
      { basePath: 's3://scene1-lake/../x' },
      /^CONFIG_ERROR: output.basePath: .*"\.\."/,
    ],
    ['output with a line end', { basePath: 'metrics/a\nb' }, /^CONFIG_ERROR: output.basePath: .*control/],
    ['output to the whole bucket', { basePath: '/' }, /^CONFIG_ERROR: output.basePath/],
    ['output with a key that is too long', { basePath: 'm'.repeat(1_020) }, /^CONFIG_ERROR: output.basePath/],
    ['a metric code that is too long', { metricCode: 'm'.repeat(300) }, /^CONFIG_ERROR: .*metricCode/],
    [
      '10,001 inputs',
      { inputs: { d: Array.from({ length: 10_001 }, (_, i) => `S${i}`) } },
      /^CONFIG_ERROR: .*inputs/,
    ],
  ])('%s', async (what, parts, error) => {
    const runId = what.replaceAll(/[^a-z0-9]+/gi, '-').replaceAll(/^-|-$/g, '');
    const request = plainRequest({ basePath: 'metrics/bad/', ...(parts as Partial<RequestParts>), runId });
    expect(await failureOf(request, runId)).toMatch(error);
  });

  /** A v1 request without, or with another, value at a path such as `output.basePath`. */
  function changed(path: string, value: unknown): Record<string, unknown> {
    const copy = structuredClone(
      v1Request({ runId: `field-${path}-${JSON.stringify(value)}`.replaceAll(/[^\w.-]/g, '_') }),
    );
    const names = path.split('.');
    let at = copy as Record<string, unknown>;
    for (const name of names.slice(0, -1)) at = at[name] as Record<string, unknown>;
    const last = names.at(-1)!;
    if (value === undefined) delete at[last];
    else at[last] = value;
    return copy;
  }

  const required = [
    'metricCode',
    'expressionType',
    'expressionJson',
    'inputs',
    'inputs.0.datasetId',
    'inputs.0.seriesCode',
    'catalog',
    'catalog.datasets',
    'catalog.datasets.d',
    'catalog.datasets.d.manifestPath',
    'output',
    'output.basePath',
  ];
  test.each([
    ...required.flatMap((path) => [undefined, null, 5, ''].map((value) => [path, value] as const)),
    ['schema', 'metrics.run.v2'] as const,
    ['schema', 5] as const,
    ['expressionJson', []] as const,
    ['expressionJson', 'A + B'] as const,
    ['inputs', {}] as const,
    ['catalog.datasets', []] as const,
  ])('the field %s given as %j', async (path, value) => {
    const request = changed(path, value);
    const runId = String(request.runId);
    await scene.send(request, { group: runId, deduplication: runId });
    const { error, ...completed } = await scene.events.completed(runId);
    expect(completed).toMatchObject({ type: 'metric_run_completed', runId, status: 'FAILURE' });
    const shown = path.replaceAll(/\.(\d+)/g, '[$1]');
    const { code, message } =
      typeof error === 'string'
        ? { code: error, message: error }
        : (error as { code: string; message: string });
    expect(code).toMatch(/^CONFIG_ERROR/);
    expect(message).toContain(path === 'catalog.datasets.d' && value === undefined ? '"d"' : shown);
    await isSettled();
  });

  test.each([
    ['absent', undefined, null],
    ['a number', 5, null],
    ['empty', '', null],
    ['a path', '../../current/manifest', '../../current/manifest'],
    ['with a slash', 'a/b', 'a/b'],
    ['too long', 'r'.repeat(129), 'r'.repeat(129)],
  ])('a run id that is %s', async (what, runId, told) => {
    const metricCode = `run-id-${what.replaceAll(' ', '-')}`;
    const { runId: _, ...request } = plainRequest({ metricCode });
    await scene.send(
      { ...request, ...(runId === undefined ? {} : { runId }) },
      { deduplication: metricCode },
    );
    await scene.drained();
    const ours = () => scene.events.all.filter(({ body }) => body.metricCode === metricCode);
    await eventually('an answer', () => ours().length > 0);
    expect(ours().map(({ body }) => body)).toEqual([
      {
        type: 'metric_run_completed',
        runId: told,
        metricCode,
        status: 'FAILURE',
        error: expect.stringMatching(/^CONFIG_ERROR: .*runId/),
      },
    ]);
  });

  test.each<[what: string, manifest: string, error: RegExp]>([
    ['not JSON', 'hello', /^MANIFEST_VALIDATION_ERROR: .*is not JSON/],
    ['empty', '', /^MANIFEST_VALIDATION_ERROR: .*is not JSON/],
    ['no UTF-8', '\xff\xfe{', /^MANIFEST_VALIDATION_ERROR: /],
    ['a list', '[]', /^MANIFEST_VALIDATION_ERROR: .*is invalid/],
    ['null', 'null', /^MANIFEST_VALIDATION_ERROR: /],
    ['without files', '{"series_codes": ["A", "B"]}', /^MANIFEST_VALIDATION_ERROR: .*parquet_files/],
    [
      'with files that are a text',
      '{"parquet_files": "A/part.parquet"}',
      /^MANIFEST_VALIDATION_ERROR: .*parquet_files/,
    ],
    [
      'with a file that is a number',
      '{"parquet_files": [5]}',
      /^MANIFEST_VALIDATION_ERROR: .*parquet_files\[0\]/,
    ],
    [
      'with series codes that are numbers',
      '{"series_codes": [1], "parquet_files": []}',
      /^MANIFEST_VALIDATION_ERROR: .*series_codes\[0\]/,
    ],
    [
      'without any file',
      '{"series_codes": ["A", "B"], "parquet_files": []}',
      /^INPUT_READ_ERROR: Failed to read input series: A/,
    ],
    [
      'without the series',
      '{"series_codes": ["B"], "parquet_files": ["B/part.parquet"]}',
      /^INPUT_READ_ERROR: Failed to read input series: A .*no such series/,
    ],
    [
      'with a file that climbs',
      '{"parquet_files": ["../../../A/x.parquet"]}',
      /^(CONFIG|MANIFEST_VALIDATION)_ERROR: .*"\.\."/,
    ],
    [
      'with a file in a bucket that is not allowed',
      '{"parquet_files": ["s3://other/A/x.parquet"]}',
      /^CONFIG_ERROR: .*"other" is not allowed/,
    ],
    [
      'with a file that is not there',
      '{"series_codes": ["A", "B"], "parquet_files": ["A/none.parquet", "B/none.parquet"]}',
      /^INPUT_READ_ERROR: Failed to read input series: A .*does not exist/,
    ],
    [
      'nested 100,000 deep',
      `{"parquet_files": ["A/x"], "note": ${'['.repeat(100_000)}${']'.repeat(100_000)}}`,
      /^INPUT_READ_ERROR: /,
    ],
  ])('a dataset manifest that is %s', async (what, manifest, error) => {
    const runId = `manifest-${what.replaceAll(/[^a-z0-9]+/gi, '-')}`;
    const manifestPath = `datasets/${runId}/current/manifest.json`;
    await scene.put(manifestPath, Buffer.from(manifest, 'latin1'));
    const request = plainRequest({ runId, metricCode: runId, manifestPath });
    expect(await failureOf(request, runId)).toMatch(error);
  });
});

test('a request of 1 MiB is a request', async () => {
  const request = plainRequest({ runId: 'big', metricCode: 'big' });
  const padding = MIB - Buffer.byteLength(JSON.stringify({ ...request, note: '' }));
  const body = JSON.stringify({ ...request, note: 'x'.repeat(padding) });
  expect(Buffer.byteLength(body)).toBe(MIB);
  await scene.send(body, { group: 'big', deduplication: 'big' });
  expect(await scene.events.completed('big')).toMatchObject({ status: 'SUCCESS', rowCount: 2 });
});

test('a valid expression with a note nested 900 deep is carried out', async () => {
  const request = plainRequest({ runId: 'note', metricCode: 'note', inputs: { d: ['A', 'B'] } });
  await scene.send(textOf({ ...request, expressionJson: withNote(900) }), { group: 'n', deduplication: 'n' });
  expect(await scene.events.completed('note')).toMatchObject({ status: 'SUCCESS', rowCount: 2 });
});

test('after all of this the same worker still carries out a request, and never logged a fault of its own', async () => {
  await scene.send(plainRequest({ runId: 'after', metricCode: 'after' }));
  expect(await scene.events.completed('after')).toMatchObject({ status: 'SUCCESS' });
  await scene.drained();
  expect(await scene.deadLetter(0)).toBeUndefined();
  expect(worker.log.filter(({ level }) => level === 'fatal')).toEqual([]);
  expect(worker.log.filter(({ error_code }) => error_code === 'INTERNAL_ERROR')).toEqual([]);
});
