/** A valid metric run as the command's tests send it. */

export const METRIC_RUN = {
  type: 'metric_run_requested',
  runId: 'run-1',
  metricCode: 'ratio.a_to_b',
  expressionType: 'series_math',
  expressionJson: { op: 'ratio', left: { series_code: 'A' }, right: { seriesCode: 'B' } },
  inputs: [
    { datasetId: 'd', seriesCode: 'A' },
    { datasetId: 'd', seriesCode: 'B' },
  ],
  catalog: { datasets: { d: { manifestPath: 'datasets/d/current/manifest.json' } } },
  output: { basePath: 's3://lake/metrics/ratio.a_to_b/' },
} as const;
