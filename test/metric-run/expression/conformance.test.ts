import { describe, expect, test } from '@jest/globals';
import { codeOf, InvalidRequestError } from '../../../src/common/errors.ts';
import { evaluate } from '../../../src/metric-run/expression/evaluate.ts';
import { parseExpression } from '../../../src/metric-run/expression/parse.ts';
import {
  CONFORMANCE_TOLERANCE,
  type ConformanceCase,
  closeTo,
  conformanceCases,
  normalized,
  type Row,
} from '../../support/conformance-cases.ts';
import { drained, sourceOf } from '../../support/series-sources.ts';

/** The engine's answer to a case, its series cut into batches of `size` rows. */
async function answerTo(given: ConformanceCase, size: number): Promise<Row[]> {
  const expression = parseExpression(given.expressionType, given.expression);
  const open = (code: string) => {
    const rows = given.series.get(code);
    if (rows === undefined) throw new InvalidRequestError('INPUT_READ_ERROR', `no series ${code}`);
    return sourceOf(normalized(rows), [size]);
  };
  return drained(evaluate(expression, open, { batchRows: size }));
}

describe('the engine answers every conformance case', () => {
  const cases = conformanceCases();

  test('the file holds cases, none of them twice', () => {
    expect(cases.length).toBeGreaterThanOrEqual(61);
    expect(new Set(cases.map(({ id }) => id)).size).toBe(cases.length);
  });

  test.each(cases)('$id', async (given) => {
    for (const size of [65_536, 1, 2]) {
      if (given.expected === undefined) {
        const error = await answerTo(given, size).catch((thrown: unknown) => thrown);
        expect(error).toBeInstanceOf(InvalidRequestError);
        expect(codeOf(error)).toBe(given.expectedError);
        continue;
      }
      const actual = await answerTo(given, size);
      expect(actual.map(([time]) => time)).toEqual(given.expected.map(([time]) => time));
      actual.forEach(([, value], i) => {
        const [time, expected] = given.expected![i]!;
        const same = closeTo(value, expected, CONFORMANCE_TOLERANCE);
        expect({ time, value, same }).toEqual({ time, value, same: true });
      });
    }
  });
});
