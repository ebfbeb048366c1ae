/**
 * How deep JSON that is kept as it came may nest, fields that nobody reads included: it is written as
 * text again and cloned to a thread, and both go as deep as it does, down to the end of the stack.
 */

import { type ErrorCode, InvalidRequestError } from '../common/errors.ts';

/** Far above what the deepest expression needs (an operation nests its operands two levels), far below a stack's end. */
export const MAX_NESTING = 1_000;

/** Throws an error of `code` that names `path` where `value` nests lists and objects more than `MAX_NESTING` deep. */
export function checkNesting(value: unknown, code: ErrorCode, path: string): void {
  let level: unknown[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > MAX_NESTING) {
      throw new InvalidRequestError(code, `${path}: nests lists and objects more than ${MAX_NESTING} deep`);
    }
    level = level.flatMap((each) => (typeof each === 'object' && each !== null ? Object.values(each) : []));
  }
}
