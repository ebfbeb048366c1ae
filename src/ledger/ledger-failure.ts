/**
 * What a failure of Postgres means, decided by SQLSTATE, never by its message. All of them are worth
 * another attempt of the job: the database away, full, read-only or busy; even a broken schema is put
 * right by people without the request being at fault.
 */

import { replaceControls } from '../common/control-characters.ts';
import { RetryableError, TidemillError } from '../common/errors.ts';

const MAX_TEXT = 1024;

/** The SQLSTATE of a Postgres error, or the system's code (`ECONNREFUSED`), or undefined. */
export function sqlState(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** Classes of SQLSTATE that pass by themselves within a moment. */
const PASSING = /^(08|40|53|55P03|57)/;

/** Whether the same statement may well succeed at once or soon: a lost connection, a deadlock, no slots. */
export function isPassingLedgerFailure(error: unknown): boolean {
  const cause = error instanceof RetryableError ? error.cause : error;
  const state = sqlState(cause);
  // node-postgres tells of lost and refused connections without a SQLSTATE.
  return state === undefined ? cause instanceof Error : PASSING.test(state) || /^E[A-Z]+$/.test(state);
}

/** The domain error of a failed statement; `what` says what was being done. Domain errors pass unchanged. */
export function ledgerFailure(error: unknown, what: string): Error {
  if (error instanceof TidemillError) return error;
  const state = sqlState(error);
  const detail = state ?? (error instanceof Error ? error.message : 'unknown');
  return new RetryableError('INTERNAL_ERROR', `The ledger failed to ${what}: ${detail}`, {
    cause: error,
    fields: { ...(state === undefined ? {} : { sql_state: state }) },
  });
}

/**
 * A text that Postgres takes and a table shows: no NUL, no half surrogates, control characters as
 * blanks, at most `max` characters.
 */
export function storableText(text: string, max = MAX_TEXT): string {
  const clean = replaceControls(text.toWellFormed(), ' ');
  if (clean.length <= max) return clean;
  return `${clean
    .slice(0, max - 1)
    .toWellFormed()
    .replace(/\ufffd$/, '')}…`;
}
