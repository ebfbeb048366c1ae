/**
 * `kill -9` before and after every request that a run makes (one that only reads leaves all as it was, so
 * that before it and after it are the same), a run for each: another worker takes the
 * run up and completes it, and nothing is ever half in sight. The steps are recorded from runs in peace:
 * a fresh one, one that finds leftovers of an earlier attempt, and one whose output goes up in parts.
 */

import { PutObjectCommand } from '@aws-sdk/client-s3';
import { ChangeMessageVisibilityCommand, ReceiveMessageCommand } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { systemClock, versionStamp } from '../../src/common/clock.ts';
import { RUN_ID_METADATA } from '../../src/metric-run/run-store.ts';
import type { Row } from '../support/conformance-cases.ts';
import { type Crew, startCrew } from '../support/crew.ts';
import { type MetricRequest, plainRequest } from '../support/metric-requests.ts';
import { parquetOf, seriesSql } from '../support/parquet.ts';
import { openRig } from '../support/rig.ts';
import { StepReader } from '../support/steps.ts';
import { DROPPED } from '../support/traffic.ts';

type Kind = 'fresh' | 'leftovers' | 'parts';

interface Kill {
  readonly runId: string;
  readonly kind: Kind;
  readonly when: 'before' | 'after';
  readonly step: string;
}

const SETTINGS = {
  WORKER_CONCURRENCY: '1',
  WORKER_THREADS: '1',
  WORKER_VISIBILITY_TIMEOUT_SECONDS: '3',
  WORKER_RETRY_FIRST_SECONDS: '0',
  WORKER_HEARTBEAT_ENABLED: 'false',
};
const CREW = 3;
const ROWS = Array.from({ length: 100 }, (_, i): Row => [i * 86_400_000_000, i]);
/** Random doubles hardly compress: more than a part of 8 MiB. */
const MANY = 1_100_000;
const SMALL = 'series/A/small.parquet';
const LARGE = 'series/A/large.parquet';
const READS = /^(Get|Head|List)/;
const PARTS_STEP = /Multipart|UploadPart|large\.parquet #2$/;

const rig = await openRig();
const scene = await rig.scene({ visibilityTimeout: 3, maxReceiveCount: 8 });
const { traffic, resources } = scene;
const requestQueue = { QueueUrl: resources.requestQueueUrl };
await scene.put(SMALL, await parquetOf(seriesSql(ROWS)));
await scene.put(
  LARGE,
  await parquetOf(
    `SELECT make_timestamptz(i * 60000000) AS obs_time, random() AS value FROM range(${MANY}) r(i)`,
  ),
);

/** The request for a run whose dataset is its own, so that no worker knows it from another; the file is shared. */
async function prepare(runId: string, kind: Kind): Promise<MetricRequest> {
  const file = `s3://${resources.bucket}/${kind === 'parts' ? LARGE : SMALL}`;
  await scene.manifest(runId, { series_codes: ['A'], parquet_files: [file] });
  const expressionJson = { op: 'sma', series: { seriesCode: 'A' }, window: 2 };
  const inputs = { [runId]: ['A'] };
  return plainRequest({ runId, metricCode: runId, expressionType: 'window_op', expressionJson, inputs });
}

/**
 * Sends a request and takes its first delivery away, as a worker that wrote a version and died: so no
 * worker may be polling. The function returned makes the message visible again.
 */
async function sendWithLeftovers(request: MetricRequest): Promise<() => Promise<void>> {
  const { runId } = request;
  await scene.send(request);
  const { sqs, s3 } = rig.clients;
  const { Messages } = await sqs.send(new ReceiveMessageCommand({ ...requestQueue, VisibilityTimeout: 600 }));
  const message = Messages?.[0];
  expect(message?.Body).toContain(runId);
  const version = `metrics/${runId}/${versionStamp(systemClock.now() - 60_000)}`;
  const manifest = { run_id: runId, metric_code: runId };
  await s3.send(
    new PutObjectCommand({
      Bucket: resources.bucket,
      Key: `${version}/data/metrics.parquet`,
      Body: 'left over',
      Metadata: { [RUN_ID_METADATA]: runId },
    }),
  );
  await scene.put(`${version}/manifest.json`, JSON.stringify(manifest));
  const { ReceiptHandle } = message!;
  return async () => {
    const visible = { ...requestQueue, ReceiptHandle, VisibilityTimeout: 0 };
    await sqs.send(new ChangeMessageVisibilityCommand(visible));
  };
}

/** The steps of each kind of run, in peace. */
async function record(): Promise<Map<Kind, string[]>> {
  const reader = new StepReader();
  const steps = new Map<Kind, string[]>([
    ['fresh', []],
    ['leftovers', []],
    ['parts', []],
  ]);
  const remove = traffic.add((step) => {
    const read = reader.read(step);
    if (read !== undefined && step.when === 'before') steps.get(read.runId as Kind)?.push(read.name);
  });
  const release = await sendWithLeftovers(await prepare('leftovers', 'leftovers'));
  await scene.send(await prepare('fresh', 'fresh'));
  await scene.send(await prepare('parts', 'parts'));
  const worker = await scene.worker(SETTINGS);
  await release();
  for (const kind of steps.keys()) {
    expect(await scene.events.completed(kind)).toMatchObject({ status: 'SUCCESS' });
  }
  await scene.drained();
  await worker.stop();
  remove();
  return steps;
}

const recorded = await record();

function killsOf(kind: Kind, steps: readonly string[]): Kill[] {
  return steps.flatMap((step, i) =>
    (READS.test(step) ? (['before'] as const) : (['before', 'after'] as const)).map((when) => ({
      runId: `${kind}-${i}-${when}`,
      kind,
      when,
      step,
    })),
  );
}

const fresh = recorded.get('fresh')!;
const kills: readonly Kill[] = [
  ...killsOf(
    'parts',
    recorded.get('parts')!.filter((step) => PARTS_STEP.test(step)),
  ),
  ...killsOf(
    'leftovers',
    recorded.get('leftovers')!.filter((step) => !fresh.includes(step)),
  ),
  ...killsOf('fresh', fresh),
];
const executed = new Set<string>();
const halves: string[] = [];
let crew: Crew;

/** What a reader would trip over: a manifest, marker or alias that names what is not there. */
async function halfVisible(runId: string): Promise<string[]> {
  const base = `metrics/${runId}/`;
  const keys = await scene.keys(base);
  const wrong: string[] = [];
  for (const key of keys.filter((one) => /manifest\.json$|\.ok$/.test(one))) {
    const { version_ts } = await scene.json(key);
    const version = version_ts ?? key.slice(base.length).split('/')[0];
    const wanted = [`${base}${version}/data/metrics.parquet`, `${base}${version}/manifest.json`];
    const missing = wanted.filter((one) => !keys.includes(one));
    if (missing.length > 0) wrong.push(`${key} is there, ${missing.join(' and ')} is not`);
  }
  return wrong;
}

beforeAll(async () => {
  const reader = new StepReader();
  const glimpses: Promise<void>[] = [];
  traffic.add((step) => {
    const read = reader.read(step);
    if (read === undefined || executed.has(read.runId)) return undefined;
    const kill = kills.find(({ runId }) => runId === read.runId);
    if (kill?.when !== step.when || kill.step !== read.name) return undefined;
    executed.add(kill.runId);
    crew.kill(step.worker ?? '');
    glimpses.push(
      halfVisible(kill.runId).then((wrong) => {
        halves.push(...wrong.map((one) => `${kill.when} ${kill.step}: ${one}`));
      }),
    );
    return DROPPED;
  });
  const releases: (() => Promise<void>)[] = [];
  for (const { runId, kind } of kills.filter((kill) => kill.kind === 'leftovers')) {
    releases.push(await sendWithLeftovers(await prepare(runId, kind)));
  }
  for (const { runId, kind } of kills.filter((kill) => kill.kind !== 'leftovers')) {
    await scene.send(await prepare(runId, kind));
  }
  crew = await startCrew(scene, CREW, SETTINGS);
  for (const release of releases) await release();
  await Promise.all(kills.map(({ runId }) => scene.events.completed(runId, { timeoutMs: 220_000 })));
  await scene.drained();
  await Promise.all(glimpses);
}, 240_000);

afterAll(async () => {
  await crew?.stop();
  await rig.close();
});

test('the recorded steps are those that a run is known to have', () => {
  const named = (kind: Kind, pattern: RegExp) => recorded.get(kind)!.some((step) => pattern.test(step));
  for (const pattern of [
    /^GetObject metrics\/<run>\/runs\/<run>\.ok #1$/,
    /^Publish metric_run_started #1$/,
    /^(Get|Head)Object datasets\/<run>\/current\/manifest\.json #1$/,
    /^PutObject metrics\/<run>\/<version>\/data\/metrics\.parquet #1$/,
    /^GetObject metrics\/<run>\/<version>\/data\/metrics\.parquet #1$/,
    /^PutObject metrics\/<run>\/<version>\/manifest\.json #1$/,
    /^PutObject metrics\/<run>\/runs\/<run>\.ok #1$/,
    /^PutObject metrics\/<run>\/current\/manifest\.json #1$/,
    /^Publish metric_run_completed #1$/,
    /^DeleteMessage #1$/,
  ]) {
    expect(fresh.filter((step) => pattern.test(step))).toHaveLength(1);
  }
  expect(named('leftovers', /^DeleteObject .*<version>\/data/)).toBe(true);
  expect(named('parts', /^CompleteMultipartUpload/)).toBe(true);
});

describe('a worker is killed', () => {
  test.each(kills)('$when $step ($kind)', async ({ runId, kind, when, step }) => {
    expect(executed.has(runId)).toBe(true);
    const [first, ...others] = scene.events.of(runId, 'metric_run_completed').map(({ body }) => body);
    const rowCount = kind === 'parts' ? MANY : ROWS.length;
    expect(first).toMatchObject({ status: 'SUCCESS', rowCount });
    expect(others).toEqual(others.map(() => first));

    const base = `metrics/${runId}/`;
    const data = `${base}${first?.versionTs}/data/metrics.parquet`;
    expect(await scene.keys(base)).toEqual([
      data,
      `${base}${first?.versionTs}/manifest.json`,
      `${base}current/manifest.json`,
      `${base}runs/${runId}.ok`,
    ]);
    const { version_ts, row_count } = await scene.json(`${base}current/manifest.json`);
    expect({ version_ts, row_count }).toEqual({ version_ts: first?.versionTs, row_count: rowCount });
    const { versionTs } = await scene.events.completed(kind);
    const inPeace = await scene.get(`metrics/${kind}/${versionTs}/data/metrics.parquet`);
    expect(Buffer.compare(await scene.get(data), inPeace)).toBe(0);

    // Where the marker was there at the kill, the run is answered, and no second version is made.
    const steps = recorded.get(kind)!;
    const marker = steps.findIndex((one) => /^PutObject .*\.ok/.test(one));
    const at = steps.indexOf(step);
    if (at < marker || (at === marker && when === 'before')) return;
    const operation = ['PutObject', 'CompleteMultipartUpload'];
    expect(traffic.count({ operation, key: new RegExp(`^${base}.*parquet$`) })).toBe(1);
  });

  test('and nothing is half in sight meanwhile, no message lost or left', async () => {
    expect(halves).toEqual([]);
    expect(await scene.queued()).toEqual({ waiting: 0, inFlight: 0 });
    expect(await scene.deadLetter(0)).toBeUndefined();
    expect(crew.killed).toBe(kills.length);
  });
});
