/** A metric run that burns a core for seconds: long windows over windows over windows of a million rows. */

import { type MetricRequest, plainRequest, type RequestParts } from './metric-requests.ts';
import { parquetOf } from './parquet.ts';
import type { Scene } from './scene.ts';

const ROWS = 1_000_000;
const DEPTH = 55;

/** Puts the dataset `burn`. */
export async function putBurnDataset(scene: Scene): Promise<void> {
  const select = `SELECT make_timestamptz(i * 60000000) AS obs_time, random() AS value FROM range(${ROWS}) r(i)`;
  await scene.put('datasets/burn/projections/A/part.parquet', await parquetOf(select));
  await scene.manifest('burn', { series_codes: ['A'], parquet_files: ['A/part.parquet'] });
}

/** A run of about 0.4 s for each of `chains` (at most 17), on a core of its own. */
export function burnRequest(chains: number, parts: Partial<RequestParts> = {}): MetricRequest {
  const chain = (first: number): object => {
    let expression: object = { series_code: 'A' };
    for (let i = 0; i < DEPTH; i++) expression = { op: 'sma', series: expression, window: first + i };
    return expression;
  };
  const operands = Array.from({ length: chains }, (_, i) => chain(2 + i));
  return plainRequest({
    metricCode: 'burn',
    expressionType: 'composite',
    expressionJson: { op: 'sum', operands },
    inputs: { burn: ['A'] },
    ...parts,
  });
}
