/**
 * Targets that do all that must not be, to prove that the lane sees it. No part of the product, and of no
 * run but the tests of the fuzzing itself.
 */

import { systemClock } from '../../src/common/clock.ts';
import { InvalidRequestError } from '../../src/common/errors.ts';
import { type FuzzTarget, hold, outcomeOf } from './target.ts';

const FAULTS: Readonly<Record<string, () => unknown>> = {
  'is fine': () => 'fine',
  'is refused': () => {
    throw new InvalidRequestError('CONFIG_ERROR', 'no');
  },
  'meets a TypeError': () => (undefined as unknown as { field: string }).field,
  'says INTERNAL_ERROR': () => {
    throw new InvalidRequestError('INTERNAL_ERROR', 'oh');
  },
  'breaks a rule': () => hold(false, 'a rule that does not hold'),
  'computes for ever': () => {
    for (;;);
  },
  'throws where nobody hears': () => void setImmediate(() => fail('an error unheard')),
  'rejects where nobody hears': () => void Promise.reject(new Error('a rejection unheard')),
  'ends its thread': () => process.exit(3),
};

function fail(message: string): never {
  throw new Error(message);
}

/** Its corpus are the words above; an input of none of them is fine. */
export const FAULTY: FuzzTarget = {
  name: 'faulty',
  kind: 'bytes',
  share: 0,
  open: async () => ({
    run: (input) =>
      outcomeOf(async () => {
        const word = Buffer.from(input).toString().trim();
        const outcome = FAULTS[word]?.() ?? 'fine';
        // What is thrown elsewhere comes in the meantime.
        if (word.includes('nobody')) await systemClock.sleep(100);
        return String(outcome);
      }),
    close: async () => {},
  }),
};

const KEPT_BYTES = 65_536;

/** A target that keeps something of every input. */
export const LEAKING: FuzzTarget = {
  name: 'leaking',
  kind: 'bytes',
  share: 0,
  async open() {
    const kept: Uint8Array[] = [];
    return {
      async run() {
        kept.push(new Uint8Array(KEPT_BYTES).fill(1));
        return 'fine';
      },
      close: async () => {},
    };
  },
};
