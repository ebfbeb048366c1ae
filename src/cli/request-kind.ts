/**
 * What the command knows of a type of request: how to check it without a worker, and which ids it gets
 * on a FIFO queue. request-kinds.ts lists them.
 */

import { InvalidRequestError } from '../common/errors.ts';
import type { JsonObject } from '../contract/envelope.ts';
import type { BucketPolicy } from '../contract/object-location.ts';

export interface RequestIds {
  /** `runId` or `requestId`: what its events carry, and its deduplication id. */
  readonly id: string;
  /** The message group: requests of one group are carried out one after another. */
  readonly group: string;
}

export interface RequestKind {
  readonly type: string;
  /** Everything that is wrong with a request of this type, each as `path: what`; empty for a valid one. */
  problems(body: JsonObject, policy: BucketPolicy): string[];
  /** Undefined where the body does not tell them. */
  ids(body: JsonObject): RequestIds | undefined;
}

/** A field of `body` that is a text and not empty. */
export function textField(body: JsonObject, name: string): string | undefined {
  const value = Object.hasOwn(body, name) ? body[name] : undefined;
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** The value of `work`, or undefined with what it threw added to `problems`, one for each thing that is wrong. */
export function attempt<T>(work: () => T, problems: Set<string>): T | undefined {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof InvalidRequestError)) throw error;
    for (const problem of error.problems) problems.add(problem);
    return undefined;
  }
}

/** A problem for each of `names` that is no text. */
export function missingTexts(body: JsonObject, names: readonly string[]): string[] {
  return names
    .filter((name) => textField(body, name) === undefined)
    .map((name) => `${name}: must be a text that is not empty`);
}
