/**
 * The errors of the product. One base class, three kinds; a kind says what the caller must do:
 *
 * - `InvalidRequestError`: the request cannot succeed as asked. Answer FAILURE at once, acknowledge.
 * - `RetryableError`: it may succeed later. Give the message back, answer FAILURE on the last attempt.
 * - `NotARequestError`: the message is no request at all. Send it to the dead-letter queue.
 *
 * The code on the wire is decided where an error is raised, never by searching its message. Anything
 * that is no `TidemillError` is a fault of ours: INTERNAL_ERROR, retried like a passing one.
 */

import { tellable } from './tellable.ts';

/** The error codes that stand in events (docs/CONTRACT.md). */
export const ERROR_CODES = [
  'INPUT_READ_ERROR',
  'EXPRESSION_EVAL_ERROR',
  'OUTPUT_WRITE_ERROR',
  'MANIFEST_VALIDATION_ERROR',
  'CONFIG_ERROR',
  'INTERNAL_ERROR',
  'HOT_SLOT_CONFLICT',
  'HOT_SLOT_CLOSED',
  'CONCURRENCY_CONFLICT',
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

/** Facts about an error for the log: ids, keys, counts. Never secrets, never whole bodies. */
export type ErrorFields = Readonly<Record<string, string | number | boolean | null>>;

interface ErrorOptions {
  readonly cause?: unknown;
  readonly fields?: ErrorFields;
}

interface InvalidRequestOptions extends ErrorOptions {
  /** Everything that is wrong, each as `path: what`, where the message tells of several things. */
  readonly problems?: readonly string[];
}

export abstract class TidemillError extends Error {
  abstract readonly kind: 'invalid' | 'retryable' | 'not-a-request';
  readonly code: ErrorCode;
  readonly fields: ErrorFields;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    // Told in events, logs and the ledger, and made of what others sent: without secrets, and bounded.
    super(tellable(message), options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.fields = options.fields ?? {};
  }
}

/** The request cannot succeed as asked, however often it is tried. */
export class InvalidRequestError extends TidemillError {
  override readonly kind = 'invalid';
  /** What is wrong, a text for each thing; the message alone where there is but one. */
  readonly problems: readonly string[];

  constructor(code: ErrorCode, message: string, options: InvalidRequestOptions = {}) {
    super(code, message, options);
    this.problems = options.problems ?? [this.message];
  }
}

/** It may succeed later: throttled, a 5xx, a timeout, a lost connection, a compare-and-set that kept losing. */
export class RetryableError extends TidemillError {
  override readonly kind = 'retryable';
}

/** Not a request at all: no JSON, no known type. `reason` is a short, bounded word for labels. */
export class NotARequestError extends TidemillError {
  override readonly kind = 'not-a-request';
  readonly reason: string;

  constructor(reason: string, message: string, options: ErrorOptions = {}) {
    super('CONFIG_ERROR', message, options);
    this.reason = reason;
  }
}

/** An error as plain data, to cross from a worker thread to the main thread. */
export interface ErrorRecord {
  readonly kind: 'invalid' | 'retryable' | 'not-a-request' | 'internal';
  readonly code: ErrorCode;
  readonly message: string;
  readonly fields: ErrorFields;
  /** The chain of causes, outermost first, as "Name: message". */
  readonly causes: readonly string[];
  readonly stack?: string | undefined;
}

const MAX_CAUSES = 8;

/** The chain of causes below `error`, as short texts. */
export function causesOf(error: unknown): string[] {
  const causes: string[] = [];
  let cause = error instanceof Error ? error.cause : undefined;
  while (cause !== undefined && cause !== null && causes.length < MAX_CAUSES) {
    causes.push(tellable(cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause)));
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return causes;
}

export function toErrorRecord(error: unknown): ErrorRecord {
  if (error instanceof TidemillError) {
    const { kind, code, message, fields, stack } = error;
    return { kind, code, message, fields, causes: causesOf(error), stack };
  }
  const message = messageOf(error);
  const stack = error instanceof Error ? error.stack : undefined;
  return { kind: 'internal', code: 'INTERNAL_ERROR', message, fields: {}, causes: causesOf(error), stack };
}

/** The reverse of `toErrorRecord`: an error of the same kind, whose causes are kept as texts. */
export function fromErrorRecord(record: ErrorRecord): Error {
  const cause = record.causes.reduceRight<Error | undefined>(
    (inner, text) => new Error(text, inner === undefined ? undefined : { cause: inner }),
    undefined,
  );
  const options = { ...(cause === undefined ? {} : { cause }), fields: record.fields };
  let error: Error;
  if (record.kind === 'invalid') error = new InvalidRequestError(record.code, record.message, options);
  else if (record.kind === 'retryable') error = new RetryableError(record.code, record.message, options);
  else if (record.kind === 'not-a-request') error = new NotARequestError('unknown', record.message, options);
  else error = new Error(record.message, cause === undefined ? undefined : { cause });
  if (record.stack !== undefined) error.stack = record.stack;
  return error;
}

/** The wire's code of any error. */
export function codeOf(error: unknown): ErrorCode {
  return error instanceof TidemillError ? error.code : 'INTERNAL_ERROR';
}

/** The message of anything thrown, as it may be told: without secrets, and bounded. */
export function messageOf(error: unknown): string {
  return tellable(error instanceof Error ? error.message : String(error));
}
