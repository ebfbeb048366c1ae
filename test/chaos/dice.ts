/** Seeded choices. Each part of a plan throws dice of its own, so that a change of one leaves the others as they are. */

import { seededRandom } from '../support/random.ts';

export interface Dice {
  /** In [0, 1). */
  roll(): number;
  /** Whether something of this probability happens. */
  chance(probability: number): boolean;
  /** A whole number, both ends included. */
  whole(from: number, to: number): number;
  /** One of the values; there must be one. */
  pick<T>(values: readonly T[]): T;
  /** One of the values, each as likely as its weight says. */
  weighted<T>(values: readonly (readonly [weight: number, value: T])[]): T;
  /** The values in another order. */
  shuffled<T>(values: readonly T[]): T[];
  /** 32 hex digits in the form of a UUID. */
  uuid(): string;
}

/** FNV-1a of the parts as text: the seed of a choice that depends on nothing else. */
export function hashOf(...parts: readonly (string | number)[]): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(parts.join('\u0000'))) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** A number in [0, 1) that depends on the parts alone. */
export function chanceOf(...parts: readonly (string | number)[]): number {
  return seededRandom(hashOf(...parts))();
}

export function createDice(...parts: readonly (string | number)[]): Dice {
  const roll = seededRandom(hashOf(...parts));
  const whole = (from: number, to: number) => from + Math.floor(roll() * (to - from + 1));
  const hex = (digits: number) => Array.from({ length: digits }, () => whole(0, 15).toString(16)).join('');
  return {
    roll,
    whole,
    chance: (probability) => roll() < probability,
    pick: (values) => {
      const value = values[whole(0, values.length - 1)];
      if (value === undefined) throw new Error('nothing to pick from');
      return value;
    },
    weighted(values) {
      let left = roll() * values.reduce((sum, [weight]) => sum + weight, 0);
      for (const [weight, value] of values) {
        left -= weight;
        if (left < 0) return value;
      }
      throw new Error('nothing to pick from');
    },
    shuffled(values) {
      const rest = [...values];
      return values.map(() => rest.splice(whole(0, rest.length - 1), 1)[0]!);
    },
    uuid: () => `${hex(8)}-${hex(4)}-4${hex(3)}-8${hex(3)}-${hex(12)}`,
  };
}
