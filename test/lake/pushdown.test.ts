/** Only what a series needs leaves S3: of large files few row groups, of large datasets few files. */

import { randomUUID } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parseMetricRunRequest } from '../../src/contract/metric-run.ts';
import { openLocalFile, openObject, type RandomAccess } from '../../src/lake/random-access.ts';
import { openSeries } from '../../src/lake/series-reader.ts';
import { createDatasetOpener } from '../../src/metric-run/dataset.ts';
import { createRunBudget } from '../../src/metric-run/run-budget.ts';
import { openInput } from '../../src/metric-run/series-inputs.ts';
import type { Row } from '../support/conformance-cases.ts';
import { closeDuckDb, duckDb } from '../support/parquet.ts';
import { drained } from '../support/series-sources.ts';
import { type FaultLake, openFaultLake } from './fault-lake.ts';
import { doubles, handmadeParquet, longs, TIME, VALUE } from './handmade-parquet.ts';

let rig: FaultLake;

beforeAll(async () => {
  rig = await openFaultLake();
});

afterAll(async () => {
  await rig.close();
  await closeDuckDb();
});

async function put(Key: string, Body: Uint8Array | string): Promise<void> {
  await rig.s3.send(new PutObjectCommand({ Bucket: rig.bucket, Key, Body }));
}

describe('from a file of 20 series and 10 million rows', () => {
  const SERIES = 20;
  const ROWS = 10_000_000;
  const SHARE = 0.12;
  const path = join(tmpdir(), `tidemill-test-${randomUUID()}.parquet`);

  beforeAll(async () => {
    // As a data engineer would write it: sorted by code and time, in DuckDB's usual row groups.
    const db = await duckDb();
    await db.run(`COPY (
      SELECT 'SERIES_' || lpad((i // ${ROWS / SERIES})::VARCHAR, 2, '0') AS internal_series_code,
        make_timestamptz((i % ${ROWS / SERIES}) * 60000000) AS obs_time, hash(i) / 1e15 AS value
      FROM range(${ROWS}) t(i)
    ) TO '${path}' (FORMAT parquet, ROW_GROUP_SIZE 122880)`);
  });

  afterAll(() => rm(path, { force: true }));

  /** Reads the series to its end; its rows must be all there and in order. */
  async function readOne(access: RandomAccess, code: string): Promise<{ rows: number; units: number }> {
    const reader = await openSeries([{ access, named: false }], code);
    const source = await reader.open();
    let rows = 0;
    for (let batch = await source.next(); batch !== undefined; batch = await source.next()) {
      for (const time of batch.times)
        if (time !== 60e6 * rows++) throw new Error(`row ${rows} of ${code} is wrong`);
    }
    await reader.close();
    return { rows, units: reader.plan.units.length };
  }

  test.each(['SERIES_00', 'SERIES_07', 'SERIES_19'])('%s costs at most 12 % of the bytes', async (code) => {
    const file = await openLocalFile(path);
    let bytes = file.tail.byteLength;
    const counted: RandomAccess = {
      ...file,
      read: (start, end) => {
        bytes += end - start;
        return file.read(start, end);
      },
    };
    const { rows, units } = await readOne(counted, code);
    expect(rows).toBe(ROWS / SERIES);
    expect(units).toBeLessThanOrEqual(6);
    expect(bytes / file.size).toBeLessThan(SHARE);
  });

  test('a series that is not there costs the footer', async () => {
    const file = await openLocalFile(path);
    const read = () => Promise.reject(new Error('read on'));
    expect((await readOne({ ...file, read }, 'SERIES_0')).rows).toBe(0);
  });

  test('so it is on the wire, counted at the S3 client', async () => {
    const whole = await readFile(path);
    await put('large.parquet', whole);
    rig.faults();
    const { rows } = await readOne(await openObject(rig.lake.store, rig.at('large.parquet')), 'SERIES_11');
    const bytes = rig.watched.requests.reduce((sum, { bytesIn }) => sum + bytesIn, 0);
    expect(rows).toBe(ROWS / SERIES);
    expect(new Set(rig.wire())).toEqual(new Set(['GetObject 206']));
    expect(bytes).toBeGreaterThan(whole.length / SERIES / 2);
    expect(bytes / whole.length).toBeLessThan(SHARE);
  });
});

describe('from 23 years of monthly files of several series', () => {
  const MONTHS = 276;
  const CODES = ['TEMP', 'TEMP_MAX', 'EMP'] as const;
  const monthOf = (month: number) =>
    `${2001 + Math.floor(month / 12)}-${String((month % 12) + 1).padStart(2, '0')}`;
  const pathOf = (code: string, month: number) => `${code}/${monthOf(month)}.parquet`;

  /** Two rows in each month, all in one file's bytes but for their times. */
  const rowsOf = (code: string, month: number): Row[] => [
    [month * 1e12, code.length],
    [month * 1e12 + 1, month],
  ];

  beforeAll(async () => {
    const files = CODES.flatMap((code) =>
      Array.from({ length: MONTHS }, (_, month) => ({
        path: pathOf(code, month),
        rows: rowsOf(code, month),
      })),
    );
    for (let at = 0; at < files.length; at += 64) {
      await Promise.all(
        files.slice(at, at + 64).map(({ path, rows }) => {
          const chunks = {
            obs_time: { data: longs(...rows.map(([time]) => time)) },
            value: { data: doubles(...rows.map(([, value]) => value!)) },
          };
          return put(`datasets/d/projections/${path}`, handmadeParquet([TIME, VALUE], [{ rows: 2, chunks }]));
        }),
      );
    }
    const manifest = { series_codes: CODES, parquet_files: files.map(({ path }) => path) };
    await put('datasets/d/current/manifest.json', JSON.stringify(manifest));
  });

  test.each(CODES)('only the files of %s are opened, each once', async (code) => {
    const request = parseMetricRunRequest({
      type: 'metric_run_requested',
      runId: 'r',
      metricCode: 'm',
      expressionType: 'series_math',
      expressionJson: {},
      inputs: [{ datasetId: 'd', seriesCode: code }],
      catalog: { datasets: { d: { manifestPath: 'datasets/d/current/manifest.json' } } },
      output: { basePath: 'out/' },
    });
    const policy = { defaultBucket: rig.bucket, allowedBuckets: new Set<string>() };
    const keys: string[] = [];
    rig.faults({
      when: 'before',
      operation: 'GetObject',
      times: 9_999,
      verdict: async ({ key = '' }) => {
        keys.push(key);
        return undefined;
      },
    });
    const input = await openInput(request, code, {
      lake: rig.lake,
      openDataset: createDatasetOpener(rig.lake, policy),
      cache: { get: () => undefined, set() {} },
      decoders: { open: () => Promise.reject(new Error('too large')) as never, close: async () => {} },
      policy,
      budget: createRunBudget({ maxInputFiles: MONTHS, maxHeldRows: 1_000_000 }),
      signal: new AbortController().signal,
    });
    const rows = await drained(input.open());
    await input.close();
    expect(rows).toEqual(Array.from({ length: MONTHS }, (_, month) => rowsOf(code, month)).flat());
    const files = Array.from(
      { length: MONTHS },
      (_, month) => `datasets/d/projections/${pathOf(code, month)}`,
    );
    expect(keys.toSorted()).toEqual(['datasets/d/current/manifest.json', ...files].toSorted());
  });
});
