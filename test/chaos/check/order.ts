/**
 * Order within a message group (`group-order`): while a message of a group is not deleted or given up, no
 * other of the group is delivered, messages of one sender are delivered in the order in which they were
 * sent, and none is begun before the one before it was completed.
 */

import type { Violation } from '../history.ts';
import { type Facts, grouped, type Message, type Request, violation } from './facts.ts';

const RULE = 'group-order';

interface Turn {
  readonly message: Message;
  readonly request: Request;
  readonly first: number;
  /** When it had left the queue; infinite where it never did. */
  readonly left: number;
}

export function checkOrder(facts: Facts): Violation[] {
  const messages = [...facts.requests.values()].flatMap((request) =>
    request.messages.map((message) => ({ message, request })),
  );
  return [...grouped(messages, ({ message }) => message.groupId)].flatMap(([group, members]) => {
    const turns = members.flatMap(({ message, request }) => {
      const turn = turnOf(facts, message, request);
      return turn === undefined ? [] : [turn];
    });
    return checkGroup(
      facts,
      group,
      turns.toSorted((a, b) => a.first - b.first),
    );
  });
}

function turnOf(facts: Facts, message: Message, request: Request): Turn | undefined {
  const deliveries = facts.deliveriesOf.get(message.messageId) ?? [];
  if (deliveries.length === 0) return undefined;
  const first = Math.min(...deliveries.map(({ at }) => at));
  const last = Math.max(...deliveries.map(({ at }) => at));
  const deletions = facts.acknowledgements
    .filter(({ messageId }) => messageId === message.messageId)
    .map(({ deletedAt }) => deletedAt);
  // The redrive policy moves a message by itself, at the receipt after its last.
  const redriven =
    deliveries.length >= facts.history.settings.maxReceiveCount ? last : Number.POSITIVE_INFINITY;
  return { message, request, first, left: Math.min(redriven, ...deletions) };
}

function checkGroup(facts: Facts, group: string, turns: readonly Turn[]): Violation[] {
  const found: Violation[] = [];
  const sentByUs = new Set(facts.history.sent.map(({ messageId }) => messageId));
  for (const [i, turn] of turns.entries()) {
    for (const earlier of turns.slice(0, i)) {
      if (earlier.left > turn.first) {
        const detail = `group ${group}: message ${turn.message.messageId} was delivered at ${turn.first}, ${earlier.message.messageId}, delivered at ${earlier.first}, left the queue at ${earlier.left}`;
        found.push(violation(RULE, detail));
      }
      const both = sentByUs.has(earlier.message.messageId) && sentByUs.has(turn.message.messageId);
      if (both && earlier.message.at > turn.message.at) {
        const detail = `group ${group}: message ${turn.message.messageId}, sent at ${turn.message.at}, was delivered after ${earlier.message.messageId}, sent at ${earlier.message.at}`;
        found.push(violation(RULE, detail));
      }
    }
    const before = turns[i - 1];
    if (before !== undefined) found.push(...checkBegun(facts, group, before, turn));
  }
  return found;
}

function checkBegun({ publishes, completed }: Facts, group: string, before: Turn, turn: Turn): Violation[] {
  if (before.request.kind === 'poison' || before.request.id === turn.request.id) return [];
  if (turn.request.messages.length > 1) return []; // Which of its messages was begun is not told.
  const begun = publishes.find(({ id, type }) => id === turn.request.id && type.endsWith('_started'));
  if (begun === undefined) return [];
  const done = completed.get(before.request.id)?.some(({ at }) => at <= begun.sentAt) ?? false;
  if (done) return [];
  return [
    violation(
      RULE,
      `group ${group}: ${turn.request.id} was begun at ${begun.sentAt}, before ${before.request.id} was completed`,
    ),
  ];
}
