/** Which faults strike in a seed, how often; and what is done to its processes. */

import type { Dice } from './dice.ts';
import { type CallDeed, FAULTS, type FaultName, type FaultRule } from './faults.ts';
import type { ProcessDeed } from './plan.ts';

/** Each fault's rate where it is one of many, and how long it lasts. */
const ORDINARY: Readonly<Record<FaultName, Omit<FaultRule, 'fault'>>> = {
  latency: { rate: 0.1, limit: 100, ms: [20, 400] },
  'slow-answer': { rate: 0.1, limit: 100, ms: [20, 400] },
  'very-late': { rate: 0.01, limit: 3, ms: [3_200, 5_000] },
  'drop-before': { rate: 0.03, limit: 40 },
  'drop-after': { rate: 0.04, limit: 40 },
  'cut-body': { rate: 0.08, limit: 30 },
  'stalled-read': { rate: 0.03, limit: 3, ms: [1_000, 4_000] },
  'internal-error': { rate: 0.03, limit: 40 },
  'slow-down': { rate: 0.03, limit: 40 },
  conflict: { rate: 0.12, limit: 30 },
  'expired-credentials': { rate: 0.02, limit: 12 },
  'lost-put': { rate: 0.08, limit: 30 },
  'lost-publish': { rate: 0.05, limit: 12 },
  'lost-delete': { rate: 0.12, limit: 12 },
  'lost-renewal': { rate: 0.25, limit: 12 },
  redelivered: { rate: 0.12, limit: 15, ms: [0, 0] },
  'early-visibility': { rate: 0.15, limit: 15, ms: [5, 400] },
};

const NAMES = Object.keys(ORDINARY) as FaultName[];
/** Longer than the S3 client's patience of 20 seconds; costs a run so much time that it is rare. */
const ENDLESS_MS = 21_000;

function rule(fault: FaultName, times = 1): FaultRule {
  const { rate, limit, ...rest } = ORDINARY[fault];
  return { fault, rate: Math.min(0.5, rate * times), limit: limit * Math.ceil(times), ...rest };
}

const MIXES = {
  calm: [],
  slow: ['latency', 'slow-answer', 'very-late'],
  refused: ['internal-error', 'slow-down', 'expired-credentials', 'conflict'],
  'lost answers': ['drop-after', 'lost-put', 'lost-publish', 'lost-delete', 'lost-renewal'],
  'lost lines': ['drop-before', 'drop-after', 'cut-body', 'stalled-read'],
  'conditional writes': ['conflict', 'lost-put', 'drop-after', 'latency'],
  twice: ['redelivered', 'early-visibility', 'lost-delete', 'latency'],
  'lost leases': ['early-visibility', 'lost-renewal', 'very-late', 'slow-answer'],
} as const satisfies Record<string, readonly FaultName[]>;

export interface PlannedFaults {
  readonly mix: string;
  /** Whether a part of S3 is out for good: requests use up their deliveries, which are few then. */
  readonly outage: boolean;
  readonly rules: readonly FaultRule[];
}

/** A part of S3 that refuses every write. */
function outage(dice: Dice): FaultRule {
  const key = dice.pick([
    'metrics/m.1/',
    'metrics/m.2/',
    'parquet_cp_hot/aws/2026/01/01/00-',
    'parquet_warm/',
  ]);
  const fault = dice.pick(['slow-down', 'internal-error', 'drop-before'] as const);
  return { fault, rate: 1, limit: 1_000, operation: 'PutObject', key, lasting: true };
}

export function planFaults(dice: Dice): PlannedFaults {
  const style = dice.weighted([
    [5, 'mix'],
    [2, 'single'],
    [3, 'wild'],
    [0.6, 'outage'],
  ] as const);
  if (style === 'outage') return { mix: style, outage: true, rules: [outage(dice)] };
  if (style === 'wild')
    return { mix: 'wild', outage: false, rules: dice.shuffled(NAMES).map((name) => rule(name, 0.7)) };
  if (style === 'single') {
    if (dice.chance(0.08)) {
      const stalled = { ...rule('stalled-read', 2), limit: 1, ms: [ENDLESS_MS, ENDLESS_MS] as const };
      return { mix: 'endless stall', outage: false, rules: [stalled] };
    }
    const only = dice.pick(NAMES);
    return { mix: `only ${only}`, outage: false, rules: [rule(only, 3)] };
  }
  const mix = dice.pick(Object.keys(MIXES) as (keyof typeof MIXES)[]);
  return { mix, outage: false, rules: MIXES[mix].map((name) => rule(name, dice.pick([1, 1.5, 2]))) };
}

export interface Turmoil {
  readonly workers: number;
  readonly stormMs: number;
  readonly visibilitySeconds: number;
}

export interface PlannedDeeds {
  readonly callDeeds: readonly CallDeed[];
  readonly deeds: readonly ProcessDeed[];
  /** The furthest that a clock is moved. */
  readonly clockStepSeconds: number;
}

/** Calls at which a worker may be killed or paused, each a step whose loss must be harmless. */
const STEPS: readonly (readonly [weight: number, operation: string, about?: string])[] = [
  [3, 'PutObject', 'metrics/'],
  [2, 'PutObject', '.ok'],
  [2, 'PutObject', 'current/manifest.json'],
  [3, 'PutObject', 'parquet_cp_hot/'],
  [3, 'PutObject', 'parquet_warm/'],
  [3, 'PutObject', 'parquet_warm/aws/m8/2026/01/manifest.json'],
  [2, 'PutObject', 'datasets/'],
  [2, 'DeleteObject'],
  [1, 'DeleteObjects'],
  [2, 'SendMessage'],
  [2, 'Publish', '_started'],
  [3, 'Publish', '_completed'],
  [3, 'DeleteMessage'],
  [2, 'GetObject'],
  [1, 'HeadObject'],
];

/** A third of the seeds leaves processes alone; in the others one or two things are done to them. */
export function planDeeds(
  dice: Dice,
  mix: string,
  { workers, stormMs, visibilitySeconds }: Turmoil,
): PlannedDeeds {
  const callDeeds: CallDeed[] = [];
  const deeds: ProcessDeed[] = [];
  const count = dice.weighted([
    [mix === 'calm' ? 0 : 3, 0],
    [4, 1],
    [2, 2],
  ]);
  const pauseMs = () => visibilitySeconds * 1_000 + dice.whole(300, 1_500);
  let clockStepSeconds = 0;
  for (let i = 0; i < count; i++) {
    const at = dice.whole(600, stormMs - 1_500);
    const worker = dice.whole(0, workers - 1);
    const kind = dice.weighted([
      [4, 'kill at a call'],
      [4, 'pause at a call'],
      [1, 'kill'],
      [1, 'pause'],
      [2, 'drain'],
      [2, 'clock'],
    ] as const);
    if (kind === 'kill at a call' || kind === 'pause at a call') {
      const [, operation, about] = dice.weighted(STEPS.map((step) => [step[0], step] as const));
      callDeeds.push({
        deed: kind === 'kill at a call' ? 'kill' : 'pause',
        when: dice.chance(0.5) ? 'before' : 'after',
        operation,
        ...(about === undefined ? {} : { about }),
        nth: dice.whole(1, 5),
        ms: pauseMs(),
      });
    } else if (kind === 'pause') deeds.push({ at, deed: 'pause', worker, ms: pauseMs() });
    else if (kind === 'clock') {
      const seconds = dice.pick([-60, -10, -2, 2, 10, 60]);
      clockStepSeconds = Math.max(clockStepSeconds, Math.abs(seconds));
      deeds.push({ at, deed: 'clock', worker, seconds });
    } else deeds.push({ at, deed: kind, worker });
  }
  return { callDeeds, deeds, clockStepSeconds };
}

/** Names of faults and deeds, for tables. */
export const STRIKES: readonly string[] = [...Object.keys(FAULTS), 'kill', 'pause', 'drain', 'clock'];
