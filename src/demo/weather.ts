/**
 * The daily weather of Seattle, 2012 to 2015 (vega-datasets; from NOAA), as a dataset in the lake: one
 * Parquet projection for each series and month, and a manifest. Written by DuckDB, as a dataset in real
 * life is written by others.
 */

import { globSync, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ObjectLocation } from '../contract/object-location.ts';
import type { Lake } from '../lake/lake.ts';
import { type Duck, literal } from './duck.ts';

/** Series code by column of the source. */
export const WEATHER_SERIES = {
  temp_max: 'SEA_TEMP_MAX_D',
  temp_min: 'SEA_TEMP_MIN_D',
  precipitation: 'SEA_PRECIP_D',
  wind: 'SEA_WIND_D',
} as const;

export const DATASET_ID = 'seattle';
export const DATASET_FOLDER = 'datasets/seattle';
/** DuckDB's table of the source: `day`, and a column for each series. */
export const WEATHER_TABLE = 'weather';

const UPLOADS_AT_ONCE = 12;

export function weatherFile(): string {
  return fileURLToPath(new URL('../data/seattle-weather.csv', import.meta.resolve('vega-datasets')));
}

export interface ProjectionFile {
  /** Below the projections folder, as `SEA_WIND_D/year=2012/month=01/data_0.parquet`. */
  readonly path: string;
  readonly bytes: number;
}

export interface Projections {
  /** Where the files are on this machine. */
  readonly directory: string;
  readonly days: number;
  readonly files: readonly ProjectionFile[];
}

/** Reads the source into DuckDB and writes the projections into `directory`, which is emptied first. */
export async function writeProjections(duck: Duck, directory: string): Promise<Projections> {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  const columns = Object.keys(WEATHER_SERIES).map((name) => `${name}::DOUBLE AS ${name}`);
  await duck.run(
    `CREATE TABLE ${WEATHER_TABLE} AS SELECT date::TIMESTAMP AS day, ${columns.join(', ')}
       FROM read_csv(${literal(weatherFile())}, header = true) ORDER BY day`,
  );
  for (const [column, code] of Object.entries(WEATHER_SERIES)) {
    await duck.run(
      `COPY (SELECT day::TIMESTAMPTZ AS obs_time, ${column} AS value, ${literal(code)} AS internal_series_code,
                    strftime(day, '%Y') AS year, strftime(day, '%m') AS month
               FROM ${WEATHER_TABLE} ORDER BY day)
         TO ${literal(join(directory, code))} (FORMAT parquet, PARTITION_BY (year, month))`,
    );
  }
  const [{ days } = { days: 0 }] = await duck.rows(`SELECT count(*) AS days FROM ${WEATHER_TABLE}`);
  const files = globSync('**/*.parquet', { cwd: directory })
    .sort()
    .map((path) => ({ path, bytes: statSync(join(directory, path)).size }));
  return { directory, days: Number(days), files };
}

/** Uploads the projections, then their manifest; `progress` gets the number of files that are up. */
export async function uploadDataset(
  lake: Lake,
  bucket: string,
  projections: Projections,
  progress: (files: number) => void,
  signal: AbortSignal,
): Promise<ObjectLocation> {
  const { directory, files } = projections;
  const waiting = [...files];
  let up = 0;
  const uploadSome = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const key = `${DATASET_FOLDER}/projections/${next.path}`;
      await lake.writer.create({ bucket, key }, readFileSync(join(directory, next.path)), { signal });
      up++;
      progress(up);
    }
  };
  await Promise.all(Array.from({ length: UPLOADS_AT_ONCE }, uploadSome));
  const manifest = {
    version_id: '1',
    dataset_id: DATASET_ID,
    series_codes: Object.values(WEATHER_SERIES),
    partition_strategy: 'series/year/month',
    parquet_files: files.map(({ path }) => path),
  };
  const location = { bucket, key: `${DATASET_FOLDER}/current/manifest.json` };
  const body = new TextEncoder().encode(`${JSON.stringify(manifest, null, 2)}\n`);
  await lake.writer.create(location, body, { contentType: 'application/json', signal });
  return location;
}
