/** Metric runs over the weather of Seattle, as a control plane would send them. */

import { freshId } from '../common/ids.ts';
import { METRIC_RUN_REQUESTED, METRIC_RUN_V1 } from '../contract/metric-run.ts';
import type { Ask } from './ask.ts';
import type { SampleRequest } from './sample-request.ts';
import { DATASET_FOLDER, DATASET_ID, WEATHER_SERIES } from './weather.ts';

type Json = Readonly<Record<string, unknown>>;

export interface WeatherMetric {
  /** Its code is `seattle.<name>`. */
  readonly name: string;
  readonly expressionType: 'series_math' | 'window_op' | 'composite';
  readonly expression: Json;
  /** Series that it reads. */
  readonly series: readonly string[];
}

const { temp_max: MAX, temp_min: MIN, precipitation: RAIN, wind: WIND } = WEATHER_SERIES;

const RANGE: Json = { op: 'subtract', left: { series_code: MAX }, right: { series_code: MIN } };

export const TEMP_RANGE: WeatherMetric = {
  name: 'temp_range',
  expressionType: 'series_math',
  expression: RANGE,
  series: [MAX, MIN],
};

export const TEMP_RANGE_30D: WeatherMetric = {
  name: 'temp_range_30d',
  expressionType: 'window_op',
  expression: { op: 'sma', series: RANGE, window: 30 },
  series: [MAX, MIN],
};

/** Of the metric's folder in the lake, with a slash at its end. */
export const basePathOf = (name: string) => `metrics/seattle.${name}/`;

/** A request for `metric`, with a run id of its own. */
export function requestOf(metric: WeatherMetric, bucket: string, runId: string): Json {
  return {
    schema: METRIC_RUN_V1,
    type: METRIC_RUN_REQUESTED,
    runId,
    metricCode: `seattle.${metric.name}`,
    expressionType: metric.expressionType,
    expressionJson: metric.expression,
    inputs: metric.series.map((seriesCode) => ({ datasetId: DATASET_ID, seriesCode })),
    catalog: {
      datasets: {
        [DATASET_ID]: {
          manifestPath: `${DATASET_FOLDER}/current/manifest.json`,
          projectionsPath: `${DATASET_FOLDER}/projections/`,
        },
      },
    },
    output: { basePath: `s3://${bucket}/${basePathOf(metric.name)}` },
  };
}

/** A run id that a person can tell from others, as `temp-range-3f9a12c4`. */
export function runIdFor(name: string): string {
  return `${name.replaceAll('_', '-')}-${freshId().slice(0, 8)}`;
}

export function askFor(metric: WeatherMetric, bucket: string): Ask {
  const id = runIdFor(metric.name);
  return { id, group: `seattle.${metric.name}`, body: requestOf(metric, bucket, id) };
}

const NO_SUCH_SERIES = 'SEA_SNOW_D';

const SAMPLES: readonly (WeatherMetric & { readonly about: string })[] = [
  {
    name: 'mean_temp',
    about: 'The mean of the highest and the lowest temperature of each day:',
    expressionType: 'composite',
    expression: { op: 'avg', operands: [{ series_code: MAX }, { series_code: MIN }] },
    series: [MAX, MIN],
  },
  {
    name: 'rain_change',
    about: 'Rain of the last 365 days against the 365 days before, in percent (nested):',
    expressionType: 'series_math',
    expression: {
      op: 'ratio',
      left: { op: 'sum', series: { series_code: RAIN }, window: 365 },
      right: {
        op: 'lag',
        series: { op: 'sum', series: { series_code: RAIN }, window: 365 },
        window: 365,
      },
      scale: 100,
    },
    series: [RAIN],
  },
  {
    name: 'snow_and_wind',
    about: 'One that cannot succeed, to see it fail: the dataset has no such series:',
    expressionType: 'series_math',
    expression: { op: 'multiply', left: { series_code: NO_SUCH_SERIES }, right: { series_code: WIND } },
    series: [NO_SUCH_SERIES, WIND],
  },
];

export function sampleRequests(bucket: string): SampleRequest[] {
  return SAMPLES.map((metric) => ({
    name: metric.name.replaceAll('_', '-'),
    about: metric.about,
    body: requestOf(metric, bucket, runIdFor(metric.name)),
  }));
}
