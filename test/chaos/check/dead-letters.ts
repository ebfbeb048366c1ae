/**
 * The dead-letter queue (`dead-letters`): every poison message lies there unchanged and says why; nothing
 * else does, but requests that used up their deliveries and were told as failures.
 */

import type { SentRequest, Violation } from '../history.ts';
import { type Facts, parseObject, shown, textOf, usedUp, violation } from './facts.ts';

const RULE = 'dead-letters';
const TYPES: ReadonlySet<string> = new Set([
  'metric_run_requested',
  'hot_upload_requested',
  'compaction_requested',
  'ingest_run_requested',
]);

/** Why a message is no request, by docs/CONTRACT.md; undefined where it is one. */
export function reasonOf(message: Pick<SentRequest, 'body' | 'typeAttribute'>): string | undefined {
  const { body, typeAttribute } = message;
  try {
    JSON.parse(body);
  } catch {
    return 'no_json';
  }
  const object = parseObject(body);
  if (object === undefined) return 'no_object';
  if (object.Type === 'Notification' && typeof object.Message === 'string') {
    return reasonOf({ ...message, body: object.Message });
  }
  const type = textOf(object.type);
  if (type === undefined || type === '') return 'no_type';
  if (typeAttribute !== undefined && typeAttribute !== type) return 'type_mismatch';
  return TYPES.has(type) ? undefined : 'unknown_type';
}

export function checkDeadLetters(facts: Facts): Violation[] {
  const { sent, deadLetters } = facts.history;
  const found: Violation[] = [];
  const expected = new Map<string, SentRequest>();
  for (const message of sent) {
    const reason = reasonOf(message);
    if (reason === undefined) continue;
    expected.set(message.messageId, message);
    const letters = deadLetters.filter(({ attributes }) => attributes.sourceMessageId === message.messageId);
    if (letters.length === 0) {
      found.push(
        violation(
          RULE,
          `poison ${message.id} (message ${message.messageId}) is not on the dead-letter queue`,
        ),
      );
    }
    for (const { body, attributes } of letters) {
      if (attributes.reason !== reason)
        found.push(
          violation(RULE, `poison ${message.id} says ${shown(attributes.reason)}, its reason is ${reason}`),
        );
      if (body !== message.body)
        found.push(violation(RULE, `poison ${message.id} was changed on its way: ${shown(body)}`));
    }
  }
  for (const letter of deadLetters) {
    if (expected.has(letter.attributes.sourceMessageId ?? '')) continue;
    const source = letter.attributes.sourceMessageId ?? letter.messageId;
    const request = facts.requestOfMessage.get(source);
    const failed =
      request !== undefined &&
      usedUp(facts, request) &&
      (facts.completed.get(request.id) ?? []).some(({ body }) => body.status === 'FAILURE');
    if (!failed)
      found.push(
        violation(RULE, `a message is on the dead-letter queue that does not belong there: ${shown(letter)}`),
      );
  }
  return found;
}
