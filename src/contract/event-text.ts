/**
 * An event as the text of an SNS message. SNS takes 256 KiB, attributes included, and refuses more; an
 * event that can not go out would keep its request from ever being answered. So of an event that is too
 * long lists are cut to their first entries and texts to their beginnings, and it says so:
 * `truncated: { "added": 4464 }` names what was cut, with the length that it had.
 */

import { shortened } from '../common/tellable.ts';

/** What SNS takes, less room for attributes and what a subscription adds. */
export const MAX_EVENT_BYTES = 240 * 1024;

/** Entries of a list that are kept, tried in turn; texts are kept to ten times as many characters. */
const KEPT = [1_000, 100, 10, 1] as const;

type Body = Readonly<Record<string, unknown>>;

/** As JSON in which no character stands for itself that SQS, behind a topic, refuses. */
function textOf(body: Body): string {
  return JSON.stringify(body).replace(/[\ufffe\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16)}`);
}

function cut(value: unknown, path: string, kept: number, truncated: Record<string, number>): unknown {
  if (typeof value === 'string') {
    if (value.length <= kept * 10) return value;
    truncated[path] = value.length;
    return shortened(value, kept * 10);
  }
  if (Array.isArray(value)) {
    if (value.length > kept) truncated[path] = value.length;
    return value.slice(0, kept).map((entry, i) => cut(entry, `${path}[${i}]`, kept, truncated));
  }
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.entries(value).map(([name, field]) => {
    return [name, cut(field, path === '' ? name : `${path}.${name}`, kept, truncated)];
  });
  return Object.fromEntries(fields);
}

/** The event's text, of `maxBytes` bytes at most (default `MAX_EVENT_BYTES`). Throws where it can not be so short. */
export function eventText(body: Body, maxBytes = MAX_EVENT_BYTES): string {
  const whole = textOf(body);
  if (Buffer.byteLength(whole) <= maxBytes) return whole;
  for (const kept of KEPT) {
    const truncated: Record<string, number> = {};
    const text = textOf({ ...(cut(body, '', kept, truncated) as Body), truncated });
    if (Buffer.byteLength(text) <= maxBytes) return text;
  }
  throw new Error(`the event has ${Buffer.byteLength(whole)} bytes, and can not be cut to ${maxBytes}`);
}
