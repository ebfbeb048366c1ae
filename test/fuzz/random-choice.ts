/** Choices from a seeded random generator (test/support/random.ts). */

/** In [0, 1). */
export type Random = () => number;

/** A whole number from 0 to `limit` - 1. */
export function below(random: Random, limit: number): number {
  return Math.floor(random() * limit);
}

export function oneOf<T>(random: Random, items: readonly T[]): T {
  if (items.length === 0) throw new Error('there is nothing to choose from');
  return items[below(random, items.length)]!;
}
