/** The metric-run feature, as main wires it. */

export { createMetricRunHandler, type MetricRunObserver, type MetricRunParts } from './handler.ts';
export type { MetricRunSettings } from './settings.ts';
