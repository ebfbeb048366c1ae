/** Randomness in one place: ids and jitter. */

import { randomBytes } from 'node:crypto';

/** A fresh id of 128 random bits in hex, for put-ids, claims and the like. */
export function freshId(): string {
  return randomBytes(16).toString('hex');
}

/** A number in [0, 1), for jitter only. */
export type Random = () => number;

export const systemRandom: Random = () => Math.random();
