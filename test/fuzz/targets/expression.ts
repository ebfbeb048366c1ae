/** An expression, parsed with the worker's own limits and evaluated over a few small series. */

import { checkNesting } from '../../../src/contract/nesting.ts';
import { parseExpression } from '../../../src/metric-run/expression/parse.ts';
import type { Row } from '../../support/conformance-cases.ts';
import { resultOf } from '../../support/series-sources.ts';
import { hold, type OpenTarget, outcomeOf } from '../target.ts';

const LIMITS = { maxDepth: 64, maxNodes: 1_000, maxWindow: 1_000_000 };
const HOUR = 3_600_000_000;
const ROWS = 40;

/** Values of all kinds, in and out of step, far in the past and the future. */
const SERIES: ReadonlyMap<string, readonly Row[]> = new Map([
  ['A', Array.from({ length: ROWS }, (_, i): Row => [i * HOUR, i % 7 === 0 ? null : i])],
  ['B', Array.from({ length: ROWS }, (_, i): Row => [i * 24 * HOUR, i % 5 === 0 ? 0 : -i / 3])],
  [
    'C',
    [
      [-62_135_596_800_000_000, 1e308],
      [-1, -1e308],
      [0, Number.POSITIVE_INFINITY],
      [253_402_300_799_000_000, 5e-324],
    ],
  ],
]);

export async function openExpressions(): Promise<OpenTarget> {
  return {
    async run(input) {
      return await outcomeOf(async () => {
        let asked: unknown;
        try {
          asked = JSON.parse(Buffer.from(input).toString());
        } catch {
          return 'no JSON';
        }
        const { type, json } = (asked ?? {}) as { type?: unknown; json?: unknown };
        const isRecord = typeof json === 'object' && json !== null && !Array.isArray(json);
        // The request's schema lets nothing else through.
        if (typeof type !== 'string' || !isRecord) return 'no expression';
        const expression = parseExpression(type, json, LIMITS);
        checkNesting(json, 'EXPRESSION_EVAL_ERROR', 'expressionJson');
        const rows = await resultOf(expression, SERIES, { sizes: [1, 7, 3], batchRows: 5, maxRows: 100_000 });
        hold(
          rows.every(([time], i) => i === 0 || time > rows[i - 1]![0]),
          'a result out of the order of time',
        );
        return 'evaluated';
      });
    },
    close: async () => {},
  };
}
