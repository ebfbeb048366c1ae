/**
 * What a fuzz target is: a part of the product that takes bytes from outside, and what must hold of it
 * whatever the bytes are.
 *
 * The property is the same for all: the part resolves, or fails with a domain error that says what is
 * wrong, with a code of the wire that is not INTERNAL_ERROR, in words that fit into an event. Crashes,
 * hangs and growth of memory are the lane's to see (lane.ts).
 */

import { codeOf, InvalidRequestError, messageOf, NotARequestError } from '../../src/common/errors.ts';
import { ConfigurationError } from '../../src/config.ts';

/** `json`: mutated by its structure, and by bytes now and then. `bytes`: by bytes alone. */
export type InputKind = 'json' | 'bytes';

export interface FuzzTarget {
  readonly name: string;
  readonly kind: InputKind;
  /** How many of a run's mutations are this target's, relative to the others' shares. */
  readonly share: number;
  /** Inputs to start from beside those of `corpus/<name>/`: folders below test/. */
  readonly seeds?: readonly string[];
  /** Opened once in a thread, and used for all inputs there. */
  open(): Promise<OpenTarget>;
}

export interface OpenTarget {
  /**
   * Gives the input to the product. Resolves with a bounded word for what came of it, as `accepted` or an
   * error's code; throws where the property does not hold.
   */
  run(input: Uint8Array): Promise<string>;
  close(): Promise<void>;
}

/** SNS takes a message of 256 KiB, its attributes included. */
export const MAX_EVENT_BYTES = 255 * 1024;

/** A property that does not hold. Its message is the signature by which equal failures are told. */
export class Violation extends Error {}

/** What came of `work`: its own word, or the code of the domain error it failed with; all else is a `Violation`. */
export async function outcomeOf(work: () => Promise<string> | string): Promise<string> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Violation) throw error;
    if (error instanceof ConfigurationError) return 'ConfigurationError';
    const answered = error instanceof InvalidRequestError || error instanceof NotARequestError;
    if (!answered || error.code === 'INTERNAL_ERROR') {
      throw new Violation(`${codeOf(error)} from ${signatureOf(error)}`, { cause: error });
    }
    const told = Buffer.byteLength(JSON.stringify(messageOf(error)));
    if (told > MAX_EVENT_BYTES) {
      throw new Violation(`an error of ${error.code} that fits into no event`, {
        cause: new Error(`${told} bytes: ${messageOf(error).slice(0, 200)}`),
      });
    }
    return error.code;
  }
}

/** An error's name and the place in src/ that it is from: equal for equal faults. */
export function signatureOf(error: unknown): string {
  if (!(error instanceof Error)) return `a thrown ${typeof error}`;
  const frame = error.stack?.split('\n').find((line) => /\/src\/[^)]*\.ts:\d+/.test(line));
  const place = frame === undefined ? 'no place in src' : /src\/[^)]*\.ts:\d+/.exec(frame)?.[0];
  return `${error.name} at ${place}`;
}

/** Throws a `Violation` unless `holds`. */
export function hold(holds: boolean, what: string, detail = ''): void {
  if (!holds) throw new Violation(what, detail === '' ? {} : { cause: new Error(detail.slice(0, 500)) });
}
