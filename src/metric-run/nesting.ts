/**
 * How deep the JSON of an expression may nest, fields that the parser ignores included: it is cloned to
 * a thread and written into the manifest, and both go as deep as it does.
 */

import { InvalidRequestError } from '../common/errors.ts';

/** Far above what the deepest expression needs (an operation nests its operands two levels), far below a stack's end. */
export const MAX_NESTING = 1_000;

/** EXPRESSION_EVAL_ERROR where `expressionJson` nests lists and objects more than `MAX_NESTING` deep. */
export function checkNesting(expressionJson: unknown): void {
  let level: unknown[] = [expressionJson];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > MAX_NESTING) {
      throw new InvalidRequestError(
        'EXPRESSION_EVAL_ERROR',
        `expressionJson: nests lists and objects more than ${MAX_NESTING} deep`,
      );
    }
    level = level.flatMap((value) =>
      typeof value === 'object' && value !== null ? Object.values(value) : [],
    );
  }
}
