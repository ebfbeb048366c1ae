import { describe, expect, test } from '@jest/globals';
import { checkNesting, MAX_NESTING } from '../../src/contract/nesting.ts';

describe('the nesting of an expression', () => {
  const nested = (depth: number, inner: unknown = 1) => {
    let value = inner;
    for (let i = 0; i < depth; i++) value = i % 2 === 0 ? [value] : { x: value };
    return value;
  };
  const check = (json: unknown) => checkNesting(json, 'EXPRESSION_EVAL_ERROR', 'expressionJson');

  test.each([
    ['a plain one', { op: 'add', left: { series_code: 'A' }, right: { series_code: 'B' } }],
    ['the deepest', nested(MAX_NESTING)],
    ['a wide one', { list: Array.from({ length: 100_000 }, (_, i) => [i]) }],
    ['none', undefined],
  ])('%s passes', (_, json) => {
    expect(() => check(json)).not.toThrow();
  });

  test.each([MAX_NESTING + 1, 200_000])('%d levels are too many', (depth) => {
    expect(() => check(nested(depth))).toThrow(
      expect.objectContaining({
        code: 'EXPRESSION_EVAL_ERROR',
        message: 'expressionJson: nests lists and objects more than 1000 deep',
      }),
    );
  });
});
