/** Where a time axis is marked, and with what: whole years, months, days or hours, in UTC. Pure. */

export interface TimeTick {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly label: string;
}

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

interface Step {
  /** About how long it is. */
  readonly ms: number;
  /** The first mark at or after `ms`. */
  ceil(ms: number): number;
  label(ms: number): string;
}

function months(step: number): Step {
  const length = step >= 12 ? 4 : 7;
  return {
    ms: step * 30.4 * DAY,
    ceil(ms) {
      const date = new Date(ms);
      const begun = Math.floor((date.getUTCFullYear() * 12 + date.getUTCMonth()) / step) * step;
      const beginning = (month: number) => Date.UTC(Math.floor(month / 12), month % 12);
      return beginning(begun) >= ms ? beginning(begun) : beginning(begun + step);
    },
    label: (ms) => new Date(ms).toISOString().slice(0, length),
  };
}

function fixed(ms: number, from: number, to: number): Step {
  return {
    ms,
    ceil: (at) => Math.ceil(at / ms) * ms,
    label: (at) => new Date(at).toISOString().slice(from, to).replace('T', ' '),
  };
}

const STEPS: readonly Step[] = [
  ...[60_000, 300_000, 900_000, HOUR, 3 * HOUR, 6 * HOUR].map((ms) => fixed(ms, 11, 16)),
  ...[DAY, 2 * DAY, 7 * DAY].map((ms) => fixed(ms, 5, 10)),
  ...[1, 3, 6, 12, 24, 60, 120, 240].map(months),
];

/** At most `most` marks between `from` and `to`, at the finest step that allows it. */
export function timeTicks(from: number, to: number, most: number): TimeTick[] {
  const step = STEPS.find(({ ms }) => (to - from) / ms <= most) ?? STEPS.at(-1)!;
  const ticks: TimeTick[] = [];
  for (let at = step.ceil(from); at <= to && ticks.length < most; at = step.ceil(at + 1)) {
    ticks.push({ at, label: step.label(at) });
  }
  return ticks;
}
