/** An event as one line for people: when it came, what it is, and the facts that matter. */

import { isJsonObject, type JsonObject } from '../contract/envelope.ts';
import type { ArrivedEvent } from './event-tail.ts';
import { count, type Terminal, type Tone, wrap } from './terminal.ts';

const FAILED = 'FAILURE';
/** As wide as `metric_run_completed`. */
const TYPE_WIDTH = 20;

/** `06:32:08.412`, local time. */
export function clockText(ms: number): string {
  const at = new Date(ms);
  const two = (value: number) => String(value).padStart(2, '0');
  const time = [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(':');
  return `${time}.${String(at.getMilliseconds()).padStart(3, '0')}`;
}

/** The last event of its request. */
export function isCompleted(event: ArrivedEvent): boolean {
  return event.type.endsWith('_completed');
}

export function isFailure(event: ArrivedEvent): boolean {
  return event.body.status === FAILED;
}

/** What the event says beside type and ids, the most important first. */
export function factsOf(body: JsonObject): string[] {
  const facts: string[] = [];
  const { status, outcome, progress, rowCount, rows, versionTs, files } = body;
  if (typeof status === 'string') facts.push(status);
  if (typeof outcome === 'string') facts.push(outcome);
  if (typeof progress === 'number') facts.push(`${Math.round(progress * 100)} %`);
  const rowsTold = typeof rowCount === 'number' ? rowCount : rows;
  if (typeof rowsTold === 'number') facts.push(`${count(rowsTold)} rows`);
  if (typeof versionTs === 'string') facts.push(versionTs);
  if (isJsonObject(files)) {
    const told = Object.entries(files).filter(([, value]) => typeof value === 'number' && value > 0);
    facts.push(...told.map(([name, value]) => `${name} ${String(value)}`));
  }
  return facts;
}

/** Why it failed, as `CODE: message`; empty where it did not. */
export function failureOf({ error }: JsonObject): string {
  if (error === undefined || error === null) return '';
  return isJsonObject(error) ? `${String(error.code)}: ${String(error.message)}` : String(error);
}

/** As many of `facts` as fit into `width`, the first always. */
function fitting(facts: readonly string[], width: number): string {
  let text = facts[0] ?? '';
  for (const fact of facts.slice(1)) {
    if (text.length + 2 + fact.length > width) break;
    text += `  ${fact}`;
  }
  return text;
}

/**
 * One line of the terminal's width, with facts left out where there is no room; the reason of a failure
 * follows below, whole. `indent` stands before each line; `withId` for events of several requests.
 */
export function eventLine(terminal: Terminal, event: ArrivedEvent, indent = '', withId = false): string {
  const failed = isFailure(event);
  const head = `${clockText(event.arrivedAt)}  `;
  const type = event.type.padEnd(TYPE_WIDTH);
  const facts = [...(withId ? [event.id ?? ''] : []), ...factsOf(event.body)];
  const room = terminal.width - indent.length - head.length - type.length - 2;
  const tone: Tone = failed ? 'bad' : isCompleted(event) ? 'good' : 'accent';
  const first = `${indent}${terminal.paint('faint', head)}${terminal.paint(tone, type)}  ${fitting(facts, room)}`;
  const below = `${indent}${' '.repeat(head.length)}`;
  const reason = failureOf(event.body);
  const reasons = reason === '' ? [] : wrap(reason, terminal.width - below.length);
  return [first.trimEnd(), ...reasons.map((line) => `${below}${line}`)].join('\n');
}
