/** What tests of ingest runs do to a scene: put files, send requests, read the dataset back by DuckDB. */

import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import type { Scene } from './scene.ts';

export type Body = Readonly<Record<string, unknown>>;

export interface IngestParts {
  readonly requestId: string;
  readonly ingestionId: string;
  readonly source: Body;
  readonly format: string;
  readonly read: Body;
  readonly mapping: Body;
  readonly target: Body;
  readonly options: Body;
}

export const WIDE = { layout: 'wide', time: 'date', values: { max: 'T_MAX', min: 'T_MIN' } } as const;
export const LONG = { layout: 'long', time: 'time', series: 'series', value: 'value' } as const;

export function ingestRequest(parts: Partial<IngestParts> = {}) {
  const {
    requestId = randomUUID(),
    ingestionId = 'weather',
    source,
    mapping = WIDE,
    target,
    ...rest
  } = parts;
  return {
    type: 'ingest_run_requested',
    requestId,
    ingestionId,
    source: { prefix: 'raw/', ...source },
    mapping,
    target: { datasetId: 'd', ...target },
    ...rest,
  };
}

/** Sends an ingest request and waits for its completed event. */
export async function ingest(
  scene: Scene,
  parts: Partial<IngestParts> = {},
  timeoutMs = 30_000,
): Promise<Body> {
  const request = ingestRequest(parts);
  await scene.send(request, { group: `ingest:${request.requestId}`, deduplication: randomUUID() });
  return await completed(scene, request.requestId, timeoutMs);
}

export async function completed(scene: Scene, requestId: string, timeoutMs = 30_000): Promise<Body> {
  return (await scene.events.next(requestId, 'ingest_run_completed', { timeoutMs })).body;
}

export interface DatasetRow {
  readonly series: string;
  readonly time: string;
  readonly value: number | null;
  readonly path: string;
}

/** Every row of the dataset that its current manifest names, as DuckDB reads it with Hive partitions. */
export async function datasetRows(scene: Scene, datasetId = 'd'): Promise<DatasetRow[]> {
  const { parquet_files: files } = (await scene.json(`datasets/${datasetId}/current/manifest.json`)) as {
    parquet_files: string[];
  };
  return await query(scene, datasetId, files, (glob) => {
    return `SELECT regexp_extract(filename, '/([^/]+)/year=', 1) AS series, year::INT AS year, month::INT AS month,
      strftime(obs_time AT TIME ZONE 'UTC', '%Y-%m-%d %H:%M:%S') AS time, value, filename
      FROM read_parquet('${glob}', hive_partitioning = true, filename = true) ORDER BY 1, 4, filename`;
  });
}

async function query(
  scene: Scene,
  datasetId: string,
  files: readonly string[],
  sql: (glob: string) => string,
): Promise<DatasetRow[]> {
  if (files.length === 0) return [];
  const directory = mkdtempSync(join(tmpdir(), 'tidemill-ingest-'));
  try {
    for (const file of files) {
      const path = join(directory, file);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, await scene.get(`datasets/${datasetId}/projections/${file}`));
    }
    const instance = await DuckDBInstance.create(':memory:');
    const connection = await instance.connect();
    try {
      const result = await connection.runAndReadAll(sql(`${directory}/**/*.parquet`));
      return result.getRowObjectsJS().map((row) => {
        const [year, month] = String(row.time).split('-').map(Number);
        if (year !== row.year || month !== row.month) throw new Error(`${row.time} lies in ${row.filename}`);
        const { time, value, filename } = row;
        const series = decodeURIComponent(String(row.series));
        return {
          series,
          time: String(time),
          value: value as number | null,
          path: String(filename).slice(directory.length + 1),
        };
      });
    } finally {
      connection.closeSync();
      instance.closeSync();
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** The rows as text lines, without where they lie. */
export function lines(rows: readonly DatasetRow[]): string[] {
  return rows.map(
    ({ series, time, value }) => `${series} ${time.replace(' 00:00:00', '')} ${value ?? 'null'}`,
  );
}
