/** Metric run requests as the two control planes send them. */

import { randomUUID } from 'node:crypto';

export interface RequestParts {
  readonly runId: string;
  readonly metricCode: string;
  readonly expressionType: unknown;
  readonly expressionJson: unknown;
  /** Series codes by dataset id; default: those the expression names, in dataset `d`. */
  readonly inputs: Readonly<Record<string, readonly string[]>>;
  readonly basePath: string;
  readonly manifestPath: string;
  readonly projectionsPath: string | undefined;
}

export type MetricRequest = Record<string, unknown> & { readonly runId: string; readonly metricCode: string };

/** The series codes that an expression names, in order, each once. */
export function codesNamed(expression: unknown, found = new Set<string>()): string[] {
  if (typeof expression === 'object' && expression !== null) {
    for (const [name, value] of Object.entries(expression)) {
      if ((name === 'series_code' || name === 'seriesCode') && typeof value === 'string') found.add(value);
      else codesNamed(value, found);
    }
  }
  return [...found];
}

/** The plain form: A + B of dataset `d`, unless said otherwise. */
export function plainRequest(parts: Partial<RequestParts> = {}): MetricRequest {
  const {
    runId = randomUUID(),
    metricCode = 'delta.a_b',
    expressionType = 'series_math',
    expressionJson = { op: 'add', left: { seriesCode: 'A' }, right: { seriesCode: 'B' } },
    inputs = { d: codesNamed(expressionJson) },
    basePath = `metrics/${metricCode}/`,
    projectionsPath,
  } = parts;
  const datasets = Object.keys(inputs).map((id) => {
    const manifestPath = parts.manifestPath ?? `datasets/${id}/current/manifest.json`;
    return [id, { manifestPath, ...(projectionsPath === undefined ? {} : { projectionsPath }) }];
  });
  return {
    type: 'metric_run_requested',
    runId,
    metricCode,
    expressionType,
    expressionJson,
    inputs: Object.entries(inputs).flatMap(([datasetId, codes]) =>
      codes.map((seriesCode) => ({ datasetId, seriesCode })),
    ),
    catalog: { datasets: Object.fromEntries(datasets) },
    output: { basePath },
  };
}

/** The originals' form, with `schema`. */
export function v1Request(parts: Partial<RequestParts> = {}): MetricRequest {
  return { schema: 'metrics.run.v1', ...plainRequest(parts) };
}
