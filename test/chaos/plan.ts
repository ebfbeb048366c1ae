/**
 * What happens in one run, made from its seed and nothing else: the data, the requests, the faults and
 * what is done to the worker processes. Same seed, same plan (plan.test.ts).
 *
 * Times are milliseconds since the start of the run.
 */

import type { Row } from '../support/conformance-cases.ts';
import { createDice } from './dice.ts';
import type { CallDeed, FaultRule } from './faults.ts';
import type { RequestKind } from './history.ts';
import { type PlannedDeeds, planDeeds, planFaults, type Turmoil } from './plan-faults.ts';
import { planIngest } from './plan-ingest.ts';
import { planMetrics } from './plan-metrics.ts';
import { planPoison } from './plan-poison.ts';
import { planTiers } from './plan-tiers.ts';

export interface PlannedRequest {
  readonly id: string;
  readonly kind: RequestKind;
  readonly body: string;
  readonly groupId: string;
  readonly deduplicationId: string;
  readonly typeAttribute?: string;
  readonly at: number;
}

export interface PlannedDataset {
  readonly id: string;
  /** By series code, in the order of the file: not sorted, times may come twice. */
  readonly series: Readonly<Record<string, readonly Row[]>>;
}

/** A text file put into the bucket, for the first time or again. */
export interface PlannedFile {
  readonly at: number;
  readonly key: string;
  readonly text: string;
}

/** What is done to a process at a time. A killed or drained one is replaced by another, as a container service does. */
export type ProcessDeed =
  | { readonly at: number; readonly deed: 'kill' | 'drain'; readonly worker: number }
  | { readonly at: number; readonly deed: 'pause'; readonly worker: number; readonly ms: number }
  /** The worker's clock is from now on so many seconds off the true one. */
  | { readonly at: number; readonly deed: 'clock'; readonly worker: number; readonly seconds: number };

export interface PlanSettings {
  readonly maxReceiveCount: number;
  readonly visibilitySeconds: number;
  readonly readerGraceSeconds: number;
  readonly clockStepSeconds: number;
  readonly fifoTopic: boolean;
  readonly concurrency: number;
  readonly shutdownGraceSeconds: number;
}

export interface Plan {
  readonly seed: number;
  /** The name of its mix of faults. */
  readonly mix: string;
  /** How many worker processes there are. */
  readonly workers: number;
  readonly settings: PlanSettings;
  readonly datasets: readonly PlannedDataset[];
  readonly files: readonly PlannedFile[];
  /** In order of time. */
  readonly requests: readonly PlannedRequest[];
  readonly rules: readonly FaultRule[];
  readonly callDeeds: readonly CallDeed[];
  readonly deeds: readonly ProcessDeed[];
  /** When faults and deeds end. */
  readonly stormMs: number;
}

/** When the last request is sent. */
export const SENDING_MS = 3_500;
const STORM_MS = 6_000;
const VISIBILITY_SECONDS = 3;
/** So many that a storm does not use them up. */
const MANY_DELIVERIES = 40;
const FEW_DELIVERIES = 4;
const NO_DEEDS: PlannedDeeds = { callDeeds: [], deeds: [], clockStepSeconds: 0 };

/** Requests of one feature and what they are about. */
export interface Part {
  readonly datasets?: readonly PlannedDataset[];
  readonly files?: readonly PlannedFile[];
  readonly requests: readonly PlannedRequest[];
}

/** Which feature a seed has most requests of. */
export type Stress = 'metric' | 'tiers' | 'ingest' | 'even';

export function makePlan(seed: number): Plan {
  const dice = createDice(seed, 'plan');
  const stress = dice.weighted<Stress>([
    [2, 'metric'],
    [4, 'tiers'],
    [2, 'ingest'],
    [2, 'even'],
  ]);
  const parts = [
    planMetrics(createDice(seed, 'metrics'), stress),
    planTiers(createDice(seed, 'tiers'), stress),
    planIngest(createDice(seed, 'ingest'), stress),
    planPoison(createDice(seed, 'poison')),
  ];
  const requests = parts.flatMap((part) => part.requests);
  const again = repeated(seed, requests);
  const workers = dice.weighted([
    [10, 2],
    [2, 3],
    [1, 4],
  ]);
  const turmoil: Turmoil = { workers, stormMs: STORM_MS, visibilitySeconds: VISIBILITY_SECONDS };
  const { mix, rules, outage } = planFaults(createDice(seed, 'faults'));
  // A message whose deliveries are few and used up by killed workers would be lost without a word, by SQS's own rule.
  const { callDeeds, deeds, clockStepSeconds } = outage
    ? NO_DEEDS
    : planDeeds(createDice(seed, 'deeds'), mix, turmoil);
  return {
    seed,
    mix: `${stress} ${mix}`,
    workers,
    settings: {
      maxReceiveCount: outage ? FEW_DELIVERIES : MANY_DELIVERIES,
      visibilitySeconds: VISIBILITY_SECONDS,
      readerGraceSeconds: dice.pick([0, 1, 2]),
      clockStepSeconds,
      fifoTopic: dice.chance(0.3),
      concurrency: dice.whole(2, 4),
      shutdownGraceSeconds: dice.pick([0, 1, 5]),
    },
    datasets: parts.flatMap((part) => part.datasets ?? []),
    files: parts.flatMap((part) => part.files ?? []).toSorted((a, b) => a.at - b.at),
    requests: enveloped(seed, [...requests, ...again]).toSorted((a, b) => a.at - b.at),
    rules,
    callDeeds,
    deeds: deeds.toSorted((a, b) => a.at - b.at),
    stormMs: STORM_MS,
  };
}

/** Some of the requests sent again, with another deduplication id, in their own group or in another. */
function repeated(seed: number, requests: readonly PlannedRequest[]): PlannedRequest[] {
  const dice = createDice(seed, 'repeated');
  return requests
    .filter(({ kind }) => kind !== 'poison' && dice.chance(0.12))
    .map((request) => ({
      ...request,
      at: Math.min(SENDING_MS, request.at + (dice.chance(0.5) ? 0 : dice.whole(0, 2_500))),
      groupId: dice.chance(0.5) ? request.groupId : `again:${request.id}`,
      deduplicationId: `again:${request.deduplicationId}`,
    }));
}

/** Some of the requests as they come where a topic feeds the queue: in a notification of SNS. */
function enveloped(seed: number, requests: readonly PlannedRequest[]): PlannedRequest[] {
  const dice = createDice(seed, 'enveloped');
  return requests.map((request) => {
    if (request.kind === 'poison' || !dice.chance(0.08)) return request;
    const notification = { Type: 'Notification', MessageId: request.id, Message: request.body };
    return { ...request, body: JSON.stringify(notification) };
  });
}
