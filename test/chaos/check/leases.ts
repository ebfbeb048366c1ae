/**
 * The lease on a message (`lease`): who works on a message for longer than it stays invisible renews it in
 * time, and who was told that the lease is gone tells nothing more of the request.
 */

import type { Call, ProcessLife, Violation } from '../history.ts';
import { type Facts, parseObject, type Request, violation } from './facts.ts';

const RULE = 'lease';
/** What a busy machine may add to a worker's times, in milliseconds. */
const SLACK_MS = 1_500;
/** An event that was on its way when the lease was lost may still arrive. */
const ON_ITS_WAY_MS = 500;

export function checkLeases(facts: Facts): Violation[] {
  const { calls, processes } = facts.history;
  const lives = new Map(processes.map((life) => [life.name, life]));
  const renewals = new Map<string, Call[]>();
  const heardAt = new Map<string, number>();
  for (const call of calls) {
    if (call.service !== 'sqs') continue;
    if (call.operation === 'ReceiveMessage') {
      for (const handle of handlesIn(call)) heardAt.set(handle, call.endedAt);
    } else if (call.operation === 'ChangeMessageVisibility' && call.worker !== 'proxy') {
      const handle = String(parseObject(call.body)?.ReceiptHandle);
      renewals.set(handle, [...(renewals.get(handle) ?? []), call]);
    }
  }
  return facts.deliveries.flatMap((delivery) => {
    const { receiptHandle, worker, messageId } = delivery;
    const life = lives.get(worker);
    const request = facts.requestOfMessage.get(messageId);
    const heard = heardAt.get(receiptHandle);
    if (life === undefined || request === undefined || heard === undefined) return [];
    const own = renewals.get(receiptHandle) ?? [];
    const deletions = facts.acknowledgements.filter((ack) => ack.receiptHandle === receiptHandle);
    return [
      ...checkRenewed(facts, life, messageId, heard, deletions[0]?.deletedAt, own),
      ...checkStopped(facts, request, worker, own),
    ];
  });
}

function handlesIn({ answer }: Call): string[] {
  const messages = parseObject(answer)?.Messages;
  return Array.isArray(messages)
    ? messages.map((message: { ReceiptHandle?: unknown }) => String(message.ReceiptHandle))
    : [];
}

function checkRenewed(
  { history }: Facts,
  life: ProcessLife,
  messageId: string,
  heard: number,
  deletedAt: number | undefined,
  renewals: readonly Call[],
): Violation[] {
  if (deletedAt === undefined) return [];
  const lease = history.settings.visibilitySeconds * 1_000;
  const times = [heard, ...renewals.map(({ at }) => at).toSorted((a, b) => a - b), deletedAt];
  const gap = times.findIndex((at, i) => i > 0 && at - times[i - 1]! > lease + SLACK_MS);
  if (gap < 0) return [];
  // A process that was stopped renews nothing; nor does one whose renewals are held up.
  const paused = life.deeds.some(({ at }) => at <= times[gap]!);
  const held = renewals.some(
    ({ at, endedAt }) => at <= times[gap - 1]! && endedAt > times[gap - 1]! + lease / 3,
  );
  if (paused || held) return [];
  const detail = `${life.name} worked on message ${messageId} from ${times[gap - 1]} to ${times[gap]} without a renewal; it stays invisible for ${lease} ms`;
  return [violation(RULE, detail)];
}

/** After a refused renewal, no end is told by that attempt. */
function checkStopped(
  facts: Facts,
  request: Request,
  worker: string,
  renewals: readonly Call[],
): Violation[] {
  const refused = renewals.find(
    ({ status, carriedOut, fault }) => !carriedOut && status >= 400 && status < 500 && fault === undefined,
  );
  if (refused === undefined) return [];
  const again = request.messages
    .flatMap(({ messageId }) => facts.deliveriesOf.get(messageId) ?? [])
    .filter((delivery) => delivery.worker === worker);
  // Of several attempts in one process it cannot be told whose event it is.
  if (again.length > 1) return [];
  const late = facts.completed
    .get(request.id)
    ?.find((event) => event.worker === worker && event.sentAt > refused.endedAt + ON_ITS_WAY_MS);
  if (late === undefined) return [];
  return [
    violation(
      RULE,
      `${worker} was told at ${refused.endedAt} that its lease on ${request.id} is gone, and told its end at ${late.sentAt}`,
    ),
  ];
}
