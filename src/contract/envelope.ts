/**
 * A queue message's body: the request itself, or an SNS notification around it. Raw delivery and the
 * JSON envelope are told apart by the body alone.
 */

import { NotARequestError } from '../common/errors.ts';

/** A JSON object, its values not yet looked at. */
export type JsonObject = Readonly<Record<string, unknown>>;

export interface Unwrapped {
  /** The request's type, as `metric_run_requested`. */
  readonly type: string;
  readonly body: JsonObject;
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parseObject(text: string, what: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new NotARequestError('no_json', `${what} is not JSON`, { cause: error });
  }
  if (!isJsonObject(value)) throw new NotARequestError('no_object', `${what} is JSON but no object`);
  return value;
}

function ownText(object: JsonObject, name: string): string | undefined {
  const value = Object.hasOwn(object, name) ? object[name] : undefined;
  return typeof value === 'string' ? value : undefined;
}

/**
 * The request inside a message body. `typeAttribute` is the message attribute `type`, of the SQS
 * message or, where SNS wrapped it, of the notification; one that contradicts the body is an error.
 * Throws `NotARequestError` for a body that is no JSON object or names no type.
 */
export function unwrap(text: string, typeAttribute: string | undefined): Unwrapped {
  let body = parseObject(text, 'the message body');
  let attribute = typeAttribute;
  if (ownText(body, 'Type') === 'Notification' && ownText(body, 'Message') !== undefined) {
    attribute = notificationType(body) ?? attribute;
    body = parseObject(ownText(body, 'Message')!, 'the Message of the SNS notification');
  }
  const type = ownText(body, 'type');
  if (type === undefined || type === '') throw new NotARequestError('no_type', 'the message has no "type"');
  if (attribute !== undefined && attribute !== type) {
    const shown = `attribute ${JSON.stringify(attribute.slice(0, 64))}, body ${JSON.stringify(type.slice(0, 64))}`;
    throw new NotARequestError('type_mismatch', `the "type" attribute contradicts the body: ${shown}`);
  }
  return { type, body };
}

function notificationType(notification: JsonObject): string | undefined {
  const attributes = Object.hasOwn(notification, 'MessageAttributes')
    ? notification.MessageAttributes
    : undefined;
  if (!isJsonObject(attributes) || !Object.hasOwn(attributes, 'type')) return undefined;
  const type = attributes.type;
  return isJsonObject(type) ? ownText(type, 'Value') : undefined;
}
