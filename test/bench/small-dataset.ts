/**
 * A dataset as the originals' ingester leaves it: 17 daily series over 13 years, 82,257 points in all, in
 * one small Parquet file for each series and month.
 */

import { encodeSeries } from '../../src/lake/series-encoder.ts';
import { type Deployment, MANIFEST_KEY } from './deployment.ts';

const POINTS = 82_257;
const DAY_MS = 86_400_000;
const BEGIN = Date.UTC(2010, 0, 1);

async function monthFile(days: readonly number[]): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let given = false;
  const source = {
    next: async () => {
      if (given) return undefined;
      given = true;
      return {
        times: Float64Array.from(days, (day) => (BEGIN + day * DAY_MS) * 1000),
        values: Float64Array.from(days, (day) => 100 + Math.sin(day / 58) * 10 + (day % 7)),
      };
    },
    close: async () => {},
  };
  await encodeSeries(source, 'snappy', async (bytes) => {
    chunks.push(Buffer.from(bytes));
  });
  return Buffer.concat(chunks);
}

/** Puts the dataset `d`. */
export async function dailyDataset(deployment: Deployment, codes: readonly string[]): Promise<void> {
  const paths: string[] = [];
  const months = new Map<string, Uint8Array>();
  for (const [index, code] of codes.entries()) {
    const points = Math.floor(POINTS / codes.length) + (index < POINTS % codes.length ? 1 : 0);
    const byMonth = Map.groupBy(
      Array.from({ length: points }, (_, day) => day),
      (day) => {
        const date = new Date(BEGIN + day * DAY_MS);
        return `year=${date.getUTCFullYear()}/month=${String(date.getUTCMonth() + 1).padStart(2, '0')}`;
      },
    );
    for (const [month, days] of byMonth) {
      const path = `${code}/${month}/part.parquet`;
      const known = `${month}:${days.length}`;
      const bytes = months.get(known) ?? (await monthFile(days));
      months.set(known, bytes);
      await deployment.put(`datasets/d/projections/${path}`, bytes);
      paths.push(path);
    }
  }
  const manifest = { version_id: '1', dataset_id: 'd', series_codes: codes, parquet_files: paths };
  await deployment.put(MANIFEST_KEY, Buffer.from(JSON.stringify(manifest)));
}
