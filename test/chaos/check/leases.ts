/**
 * The lease on a message (`lease`): who works on a message for longer than it stays invisible renews it,
 * and an attempt that has lost its lease comes to no end of its own.
 *
 * A machine that is short of time makes a process late, for seconds. So lateness alone is no violation:
 * what a worker did is held against what else it did meanwhile.
 */

import type { Call, ProcessLife, Violation } from '../history.ts';
import { type Delivery, type Facts, grouped, parseObject, violation } from './facts.ts';

const RULE = 'lease';
/** Heartbeats are twice as frequent as renewals: between so many of them a renewal was due. */
const MANY_BEATS = 5;
/** How an attempt may end whose lease is lost; a refusal (`failed`) is told whoever else may tell it too. */
const GIVEN_UP: ReadonlySet<unknown> = new Set(['lease_lost', 'shutdown', 'retry', 'exhausted', 'failed']);

export function checkLeases(facts: Facts): Violation[] {
  const { calls, processes } = facts.history;
  const lives = new Map(processes.map((life) => [life.name, life]));
  const renewals = grouped(
    calls.filter(({ operation, worker }) => operation === 'ChangeMessageVisibility' && worker !== 'proxy'),
    ({ body }) => String(parseObject(body)?.ReceiptHandle),
  );
  const deleted = new Map(facts.acknowledgements.map((ack) => [ack.receiptHandle, ack.deletedAt]));
  const unrenewed = facts.deliveries.flatMap((delivery) => {
    const { receiptHandle, worker } = delivery;
    const until = deleted.get(receiptHandle) ?? nextReceipt(facts, delivery);
    return checkRenewed(facts, lives.get(worker), { ...delivery, until }, renewals.get(receiptHandle) ?? []);
  });
  return [...unrenewed, ...processes.flatMap(checkEnds)];
}

/** When the worker received the message again; an attempt that lost its lease deletes nothing. */
function nextReceipt({ deliveriesOf }: Facts, { messageId, worker, at }: Delivery): number {
  const later =
    deliveriesOf.get(messageId)?.filter((other) => other.worker === worker && other.at > at) ?? [];
  return Math.min(...later.map((other) => other.at));
}

function checkRenewed(
  { history, publishes, requestOfMessage }: Facts,
  life: ProcessLife | undefined,
  delivery: Delivery & { readonly until: number },
  renewals: readonly Call[],
): Violation[] {
  const request = requestOfMessage.get(delivery.messageId);
  // Of several messages of one request it cannot be told whose beat it is.
  if (life === undefined || request?.messages.length !== 1) return [];
  const beats = publishes.filter(
    ({ id, worker, type, sentAt }) =>
      id === request.id &&
      worker === delivery.worker &&
      type.endsWith('_heartbeat') &&
      sentAt > delivery.at &&
      sentAt < delivery.until,
  );
  const lease = history.settings.visibilitySeconds * 1_000;
  for (const [i, last] of beats.entries()) {
    const first = beats[i - MANY_BEATS + 1];
    if (first === undefined || last.sentAt - first.sentAt < lease / 2) continue;
    if (renewals.some(({ at, endedAt }) => endedAt >= first.sentAt && at <= last.sentAt)) continue;
    const detail = `${life.name} worked on message ${delivery.messageId} of ${request.id}, with heartbeats from ${first.sentAt} to ${last.sentAt} and no renewal among them; it stays invisible for ${lease} ms`;
    return [violation(RULE, detail)];
  }
  return [];
}

/** An end that is at hand when the lease is lost comes at once; a job that goes on takes its time. */
const AT_HAND_MS = 1_000;

/** By its own log: what the worker knew, and how long it went on. */
function checkEnds({ name, log, deeds }: ProcessLife): Violation[] {
  if (deeds.some(({ deed }) => deed === 'clock')) return [];
  const lost = new Map<string, number>();
  return log.flatMap((line) => {
    const attempt = `${String(line.message_id)}, attempt ${String(line.attempt)}`;
    const at = Date.parse(String(line.time));
    if (String(line.msg).startsWith('the lease is lost')) lost.set(attempt, at);
    const since = at - (lost.get(attempt) ?? at);
    if (!String(line.msg).startsWith('request ') || GIVEN_UP.has(line.outcome) || !(since > AT_HAND_MS))
      return [];
    const detail = `${name} lost its lease on message ${attempt}, and ended it ${since} ms later as ${String(line.outcome)}`;
    return [violation(RULE, detail)];
  });
}
