/** Why a job was told to stop. It decides what happens to its message. */

export type AbortCause = 'lease-lost' | 'shutdown' | 'deadline';

export class JobAbortedError extends Error {
  readonly abortCause: AbortCause;

  constructor(abortCause: AbortCause, message: string) {
    super(message);
    this.name = 'JobAbortedError';
    this.abortCause = abortCause;
  }
}

/** The cause a signal was aborted with, or undefined where it was not (or by something else). */
export function abortCauseOf(signal: AbortSignal): AbortCause | undefined {
  if (!signal.aborted) return undefined;
  return signal.reason instanceof JobAbortedError ? signal.reason.abortCause : undefined;
}
