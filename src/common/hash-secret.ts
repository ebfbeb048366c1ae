/**
 * An odd number of the process's own, for hashes of values that come from outside: who does not know it can not
 * choose values that all fall into one place of a table.
 */

import { randomBytes } from 'node:crypto';

export const HASH_SECRET: number = randomBytes(4).readInt32LE() | 1;
