/**
 * What the proxy can do to a call, and the pure decision when it does.
 *
 * A decision depends on the seed, the fault, the worker, the operation and how many calls of that operation
 * the worker has sent: not on how calls of several workers interleave. So a seed that is run again meets
 * nearly the same faults, though processes and networks never take exactly the same time twice.
 */

import { chanceOf } from './dice.ts';

export interface FaultyCall {
  readonly worker: string;
  readonly service: 's3' | 'sqs' | 'sns';
  readonly operation: string;
  readonly key?: string | undefined;
  /** Of S3: whether the write has a condition. */
  readonly conditional: boolean;
}

const READS: ReadonlySet<string> = new Set(['GetObject', 'ListObjectsV2', 'GetObjectAttributes']);
const PUTS: ReadonlySet<string> = new Set([
  'PutObject',
  'UploadPart',
  'CompleteMultipartUpload',
  'CreateMultipartUpload',
]);

const any = (): boolean => true;
const notReceiving = ({ operation }: FaultyCall) => operation !== 'ReceiveMessage';
const receiving = ({ operation }: FaultyCall) => operation === 'ReceiveMessage';

/** Every fault, which calls it can strike, and what happens then. */
export const FAULTS = {
  latency: { fits: notReceiving, about: 'the call reaches the service late' },
  'slow-answer': { fits: any, about: 'the answer reaches the worker late' },
  'very-late': { fits: notReceiving, about: 'the call reaches the service later than a lease lasts' },
  'drop-before': { fits: any, about: 'connection lost, nothing carried out' },
  'drop-after': { fits: any, about: 'carried out, connection lost before the answer' },
  'cut-body': {
    fits: ({ operation }) => READS.has(operation),
    about: 'less bytes than promised, then the end',
  },
  'stalled-read': {
    fits: ({ operation }) => READS.has(operation),
    about: 'the bytes stop half way for a while',
  },
  'internal-error': { fits: any, about: '500, nothing carried out' },
  'slow-down': { fits: any, about: '503 SlowDown, ServiceUnavailable or 429 Throttled, nothing carried out' },
  conflict: {
    fits: ({ service, conditional }) => service === 's3' && conditional,
    about: '409 ConditionalRequestConflict to a conditional write, nothing carried out',
  },
  'expired-credentials': { fits: any, about: '400 or 403 ExpiredToken, nothing carried out' },
  'lost-put': {
    fits: ({ operation }) => PUTS.has(operation),
    about: 'S3 carries a write out and answers 500',
  },
  'lost-publish': {
    fits: ({ operation }) => operation === 'Publish',
    about: 'SNS publishes and answers 500',
  },
  'lost-delete': {
    fits: ({ operation }) => operation === 'DeleteMessage',
    about: 'the acknowledgement never reaches SQS, the worker hears 200',
  },
  'lost-renewal': {
    fits: ({ operation }) => operation === 'ChangeMessageVisibility',
    about: 'the renewal never reaches SQS, the worker hears 200',
  },
  redelivered: { fits: receiving, about: 'the message is visible again as soon as it was delivered' },
  'early-visibility': { fits: receiving, about: 'the message becomes visible again while its job runs' },
} as const satisfies Record<string, { readonly fits: (call: FaultyCall) => boolean; readonly about: string }>;

export type FaultName = keyof typeof FAULTS;

export interface FaultRule {
  readonly fault: FaultName;
  /** The probability for a call that it can strike. */
  readonly rate: number;
  /** How often it strikes in a run at most. */
  readonly limit: number;
  /** Where it takes time: the shortest and the longest, in milliseconds. */
  readonly ms?: readonly [number, number];
  /** Only calls of this operation; default: all that the fault can strike. */
  readonly operation?: string;
  /** Only calls whose key has this part. */
  readonly key?: string;
  /** Whether it strikes all the time, and not only in the storm: an outage, which requests do not outlive. */
  readonly lasting?: true;
}

/** A deed to the worker that sends a certain call: killed or paused before it is carried out, or after. */
export interface CallDeed {
  readonly deed: 'kill' | 'pause';
  readonly when: 'before' | 'after';
  readonly operation: string;
  /** A part of the key, or of an event: its type. */
  readonly about?: string;
  /** The how manieth such call, of whatever worker, counted from 1. */
  readonly nth: number;
  /** How long a pause lasts, in milliseconds. */
  readonly ms: number;
}

export interface Verdict {
  readonly fault: FaultName;
  readonly ms: number;
}

/** The decisions for one run. */
export interface FaultSource {
  /** What happens to this call; counts it, also in a calm, where nothing happens. */
  judge(call: FaultyCall, calm: boolean): Verdict | undefined;
}

export function createFaultSource(seed: number, rules: readonly FaultRule[]): FaultSource {
  const ordinals = new Map<string, number>();
  const struck = new Map<FaultRule, number>();
  return {
    judge(call, calm) {
      const series = `${call.worker} ${call.operation}`;
      const ordinal = (ordinals.get(series) ?? 0) + 1;
      ordinals.set(series, ordinal);
      for (const rule of rules) {
        const count = struck.get(rule) ?? 0;
        const { fault, rate, limit, operation, key, lasting = false, ms: [from, to] = [0, 0] } = rule;
        if ((calm && !lasting) || (key !== undefined && !call.key?.includes(key))) continue;
        if (count >= limit || (operation !== undefined && operation !== call.operation)) continue;
        if (!FAULTS[fault].fits(call) || chanceOf(seed, fault, series, ordinal) >= rate) continue;
        struck.set(rule, count + 1);
        return { fault, ms: from + (to - from) * chanceOf(seed, fault, series, ordinal, 'ms') };
      }
      return undefined;
    },
  };
}
