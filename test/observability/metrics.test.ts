/**
 * /metrics of a worker that has succeeded, failed, answered a run that was done, and met what is no
 * request: the originals' names and what they count, bounded labels, and Prometheus's own opinion of it.
 */

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { plainRequest } from '../support/metric-requests.ts';
import { openRig, type Rig } from '../support/rig.ts';
import type { WorkerProcess } from '../support/worker-process.ts';
import { noPromtool, runPromtool } from './promtool.ts';

let rig: Rig;
let worker: WorkerProcess;
/** Samples before and after the four messages. */
let before: Map<string, number>;
let after: Map<string, number>;
let text: string;

beforeAll(async () => {
  rig = await openRig();
  const scene = await rig.scene();
  await scene.dataset('d', { A: [[0, 4]], B: [[0, 2]] });
  worker = await scene.worker();
  before = await worker.metrics();
  const request = plainRequest({ runId: 'good', metricCode: 'm' });
  await scene.send(request);
  await scene.events.completed('good');
  await scene.send(request, { deduplication: 'again' });
  await scene.events.completed('good', { count: 2 });
  const divide = { op: 'ratio', left: { seriesCode: 'A' }, right: { seriesCode: 'C' } };
  await scene.send(plainRequest({ runId: 'bad', metricCode: 'm', expressionJson: divide }));
  await scene.events.completed('bad');
  await scene.send('no request');
  await scene.deadLetter();
  await scene.drained();
  after = await worker.metrics();
  text = (await worker.get('/metrics')).body;
});

afterAll(() => rig.close());

const METRIC_RUN = 'type="metric_run_requested"';

/** Each sample, and by how much it grew. */
test.each([
  ['metric_runs_started_total', 2],
  ['metric_runs_succeeded_total', 1],
  ['metric_runs_failed_total{error_code="INPUT_READ_ERROR"}', 1],
  ['metric_runs_failed_total{error_code="INTERNAL_ERROR"}', 0],
  ['metric_run_duration_seconds_count', 1],
  ['s3_read_mb_count', 2],
  ['s3_write_mb_count', 2],
  [`tidemill_messages_received_total{${METRIC_RUN}}`, 3],
  [`tidemill_messages_finished_total{${METRIC_RUN},outcome="succeeded"}`, 1],
  [`tidemill_messages_finished_total{${METRIC_RUN},outcome="answered"}`, 1],
  [`tidemill_messages_finished_total{${METRIC_RUN},outcome="failed"}`, 1],
  [`tidemill_message_duration_seconds_count{${METRIC_RUN}}`, 3],
  [`tidemill_messages_in_flight{${METRIC_RUN}}`, 0],
  ['tidemill_messages_rejected_total{reason="no_json"}', 1],
  ['tidemill_events_published_total{type="metric_run_started"}', 2],
  ['tidemill_events_published_total{type="metric_run_completed"}', 3],
  ['tidemill_rows_written_total{output="metric"}', 1],
  ['tidemill_files_written_total{output="metric"}', 1],
])('%s grew by %d', (name, by) => {
  expect(after.has(name)).toBe(true);
  expect((after.get(name) ?? 0) - (before.get(name) ?? 0)).toBe(by);
});

test('the names of the original worker are there before the first message', () => {
  const names = [...before.keys()].map((name) => name.replace(/\{.*/, ''));
  expect(names).toEqual(
    expect.arrayContaining([
      'metric_runs_started_total',
      'metric_runs_succeeded_total',
      'metric_runs_failed_total',
      'metric_run_duration_seconds_count',
      's3_read_mb_count',
      's3_write_mb_count',
    ]),
  );
});

test('requests to S3 are counted by operation and status, and timed', () => {
  const puts = after.get('tidemill_s3_requests_total{operation="PutObject",status="200"}');
  expect(puts).toBeGreaterThanOrEqual(4);
  expect(after.get('tidemill_s3_request_duration_seconds_count{operation="PutObject"}')).toBe(puts);
  expect(after.get('tidemill_s3_read_bytes_total')).toBeGreaterThan(1_000);
  expect(after.get('tidemill_s3_write_bytes_total')).toBeGreaterThan(1_000);
});

test('no label holds an id, a key or a code of the requests', () => {
  expect(text).not.toMatch(/good|bad|scene\d|datasets|="m"|="[AB]"/);
});

describe('asked of promtool', () => {
  const check = noPromtool === undefined ? test : test.skip;
  if (noPromtool !== undefined) process.stderr.write(`metrics.test.ts: ${noPromtool}\n`);

  /** What `promtool check metrics` may say, and why (docs/OPERATIONS.md, "Metrics"). */
  const KNOWN = new Set([
    // The originals' names, kept for their dashboards; renaming them is worse than an abbreviated unit.
    's3_read_mb metric names should not contain abbreviated units',
    's3_write_mb metric names should not contain abbreviated units',
  ]);

  check('it reads /metrics, and has nothing to say of names that are ours to choose', () => {
    const { code, said } = runPromtool(['check', 'metrics'], text);
    const remarks = said.split('\n').filter((line) => line !== '' && !KNOWN.has(line));
    expect(remarks).toEqual([]);
    // 3: read in full, with remarks; 1: not readable.
    expect([0, 3]).toContain(code);
  });
});
