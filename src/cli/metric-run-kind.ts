/**
 * Checking a metric run as far as it can be checked without its data: its form, its expression, and
 * that every series the expression reads has an input, a dataset and places that may be reached.
 */

import type { JsonObject } from '../contract/envelope.ts';
import {
  METRIC_RUN_REQUESTED,
  type MetricRunRequest,
  parseMetricRunRequest,
} from '../contract/metric-run.ts';
import { type BucketPolicy, parsePrefix } from '../contract/object-location.ts';
import { placeOfSeries } from '../metric-run/dataset.ts';
import { type Expression, seriesCodesOf } from '../metric-run/expression/expression.ts';
import { parseExpression } from '../metric-run/expression/parse.ts';
import { attempt, type RequestKind, textField } from './request-kind.ts';

function checkPlaces(
  request: MetricRunRequest,
  expression: Expression,
  policy: BucketPolicy,
  problems: Set<string>,
): void {
  const given = new Set(request.inputs.map(({ seriesCode }) => seriesCode));
  for (const code of seriesCodesOf(expression)) {
    if (given.has(code)) attempt(() => placeOfSeries(request, code, policy), problems);
    else problems.add(`inputs: no entry for series ${code}, which the expression reads`);
  }
}

function problemsOf(body: JsonObject, policy: BucketPolicy): string[] {
  const problems = new Set<string>();
  const request = attempt(() => parseMetricRunRequest(body), problems);
  // Where its form is wrong already, the expression's own errors would only say so again.
  const formWrong = [...problems].some((problem) => problem.startsWith('expression'));
  const expression = formWrong
    ? undefined
    : attempt(() => parseExpression(body.expressionType, body.expressionJson), problems);
  if (request !== undefined) {
    if (expression !== undefined) checkPlaces(request, expression, policy, problems);
    attempt(() => parsePrefix(request.output.basePath, 'output.basePath', policy), problems);
  }
  return [...problems];
}

export const metricRunKind: RequestKind = {
  type: METRIC_RUN_REQUESTED,
  problems: problemsOf,
  ids(body) {
    const id = textField(body, 'runId');
    const group = textField(body, 'metricCode');
    return id === undefined || group === undefined ? undefined : { id, group };
  },
};
