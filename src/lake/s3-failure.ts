/**
 * What an S3 failure means: decided by the error's name and status, never by its message.
 *
 * Retryable: throttled, 5xx, timeouts, connections lost, answers that broke off, credentials that expired and
 * will be renewed.
 * Everything else (access denied, no such bucket) will be answered the same way next time.
 */

import {
  type ErrorCode,
  InvalidRequestError,
  messageOf,
  RetryableError,
  TidemillError,
} from '../common/errors.ts';

export type Direction = 'read' | 'write';

const CODES: Readonly<Record<Direction, ErrorCode>> = {
  read: 'INPUT_READ_ERROR',
  write: 'OUTPUT_WRITE_ERROR',
};

const PASSING_NAMES = new Set([
  'SlowDown',
  'ThrottlingException',
  'Throttling',
  'RequestLimitExceeded',
  'RequestTimeout',
  'RequestTimeTooSkewed',
  'InternalError',
  'ServiceUnavailable',
  'OperationAborted',
  'ExpiredToken',
  'ExpiredTokenException',
  'CredentialsProviderError',
  'TimeoutError',
  'IncompleteBody',
  'ConditionalRequestConflict',
]);

/** The name S3 gave the error (`NoSuchKey`), or the class's. */
export function s3ErrorName(error: unknown): string {
  return error instanceof Error ? error.name : 'Error';
}

/** The HTTP status of the answer, or undefined where none came. */
export function s3Status(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('$metadata' in error)) return undefined;
  const metadata = error.$metadata as { httpStatusCode?: number } | undefined;
  return metadata?.httpStatusCode;
}

/** What the SDK calls an answer that names no error: one to a HEAD, which has no body. */
const NAMELESS = new Set(['Unknown', 'UnknownError']);

/** Whether the error is what S3 answered; else its answer broke off, and only its status is known. */
function isAnswer(error: unknown): boolean {
  return typeof error === 'object' && error !== null && '$fault' in error;
}

export function isPassing(error: unknown): boolean {
  const name = s3ErrorName(error);
  if (PASSING_NAMES.has(name)) return true;
  const status = s3Status(error);
  if (status !== undefined && !isAnswer(error)) return true;
  // S3 answers 400 to an expired token: a HEAD that is refused so may be refused for that.
  if (status === 400 && NAMELESS.has(name)) return true;
  if (status === undefined) return !(error instanceof TypeError || error instanceof RangeError);
  // 501 is a store that does not have what we ask for, conditional writes above all.
  return (status >= 500 && status !== 501) || status === 429 || status === 408;
}

/**
 * The domain error for a failed S3 call; `what` says what was being done, as
 * `Failed to read s3://bucket/key`. Domain errors pass unchanged.
 */
export function s3Failure(error: unknown, direction: Direction, what: string): Error {
  if (error instanceof TidemillError) return error;
  const name = s3ErrorName(error);
  const status = s3Status(error);
  const detail = status === undefined ? `${name}: ${messageOf(error)}` : `${name} (HTTP ${status})`;
  const Kind = isPassing(error) ? RetryableError : InvalidRequestError;
  return new Kind(CODES[direction], `${what}: ${detail}`, {
    cause: error,
    fields: { s3_error: name, ...(status === undefined ? {} : { s3_status: status }) },
  });
}
