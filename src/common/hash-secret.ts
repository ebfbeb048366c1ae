/**
 * An odd number of the thread's own, for hashes of values that come from outside: who does not know it can not
 * choose numbers that all fall into one place of a table. Of texts it spoils what was made for a known beginning; the
 * hash is no cryptographic one, and long texts can be made to collide whatever it begins with.
 */

import { randomBytes } from 'node:crypto';

export const HASH_SECRET: number = randomBytes(4).readInt32LE() | 1;
