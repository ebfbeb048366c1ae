/**
 * One request, one outcome: what was said of a request, in which order, and whether it was true when it
 * was said. Rules:
 *
 * - `lost-request`: every request has a completed event, and its messages were acknowledged or given up;
 * - `agreement`: all completed events of a request say the same (compactions: never the same work twice);
 * - `started-first`, `heartbeat-between`: the order of events of one attempt;
 * - `early-completed`: no success is told before its durable proof;
 * - `early-acknowledgement`: no message is deleted before its completed event is out.
 */

import type { Violation } from '../history.ts';
import {
  canonical,
  errorCode,
  type Facts,
  firstWrite,
  type Json,
  type Publish,
  type Request,
  shown,
  textOf,
  usedUp,
  violation,
} from './facts.ts';
import { hotKeyOf, locationOf, metricKeys, parseWarmKey } from './keys.ts';

/** Fields that differ from one telling to the next. */
const TIMES: ReadonlySet<string> = new Set(['ts', 'startedAt', 'durationMs']);
/** Codes of failures that may pass: they are told only when the deliveries are used up. */
export const PASSING_CODES: ReadonlySet<string> = new Set([
  'OUTPUT_WRITE_ERROR',
  'INTERNAL_ERROR',
  'CONCURRENCY_CONFLICT',
]);

/** Whether an event tells rightly that a request was given up: for what may pass, at the last of its deliveries. */
export function isGivenUp(facts: Facts, request: Request, event: Json): boolean {
  const code = event.status === 'FAILURE' ? errorCode(event) : undefined;
  return code !== undefined && PASSING_CODES.has(code) && usedUp(facts, request);
}

export function checkOutcomes(facts: Facts): Violation[] {
  const found: Violation[] = [];
  for (const request of facts.requests.values()) {
    if (request.kind === 'poison') continue;
    found.push(...checkLost(facts, request), ...checkAgreement(facts, request));
    found.push(...checkStarted(facts, request), ...checkProofs(facts, request));
  }
  return [...found, ...checkHeartbeats(facts), ...checkAcknowledgements(facts)];
}

function checkLost(facts: Facts, request: Request): Violation[] {
  const { events } = facts.history;
  const heard = events.some(({ body }) => body.type.endsWith('_completed') && idOf(body) === request.id);
  if (heard) return [];
  const told = facts.completed.get(request.id)?.length ?? 0;
  const deliveries = request.messages.map(({ messageId }) => facts.deliveriesOf.get(messageId)?.length ?? 0);
  const detail = `${request.kind} ${request.id} has no completed event (published ${told} times, its messages delivered ${deliveries} times)`;
  return [violation('lost-request', detail)];
}

/** A failure is not stored: what was not there at one delivery may be there at the next. */
function wasAbsent(facts: Facts, { kind, body, messages }: Request, event: Json): boolean {
  const key = textOf(body.hotKey);
  if (kind !== 'compaction' || key === undefined || errorCode(event) !== 'INPUT_READ_ERROR') return false;
  const asked = messages
    .flatMap(({ messageId }) => facts.deliveriesOf.get(messageId) ?? [])
    .map(({ at }) => at);
  return (firstWrite(facts, key)?.at ?? Number.POSITIVE_INFINITY) > Math.min(...asked);
}

const idOf = (body: Json): string | undefined => textOf(body.runId) ?? textOf(body.requestId);

function withoutTimes(body: Json): string {
  return canonical(Object.fromEntries(Object.entries(body).filter(([name]) => !TIMES.has(name))));
}

function checkAgreement(facts: Facts, request: Request): Violation[] {
  const heard = facts.history.events
    .map(({ body }): Json => body)
    .filter((body) => String(body.type).endsWith('_completed') && idOf(body) === request.id);
  const told = (facts.completed.get(request.id) ?? []).map(({ body }) => body);
  const distinct = [...new Map([...told, ...heard].map((body) => [withoutTimes(body), body])).values()];
  const passing = distinct.filter((body) => PASSING_CODES.has(errorCode(body) ?? ''));
  const found: Violation[] = [];
  if (passing.length > 0 && !usedUp(facts, request)) {
    const detail = `${request.kind} ${request.id} was given up before its deliveries were used up: ${shown(passing[0])}`;
    found.push(violation('agreement', detail));
  }
  const absent = distinct.filter((body) => wasAbsent(facts, request, body));
  const settled = distinct.filter((body) => !passing.includes(body) && !absent.includes(body));
  const final = settled.length > 0 ? settled : absent;
  const disagrees = request.kind === 'compaction' ? compactionsDisagree(facts, final) : final.length > 1;
  if (disagrees) {
    found.push(
      violation('agreement', `the completed events of ${request.kind} ${request.id} differ: ${shown(final)}`),
    );
  }
  const succeeded = final.some(({ status }) => status !== 'FAILURE');
  if (passing.length > 0 && !succeeded && request.kind === 'metric') {
    const marker = metricKeys(request.body, facts.history.bucket)?.marker;
    if (marker !== undefined && firstWrite(facts, marker) !== undefined) {
      found.push(
        violation(
          'agreement',
          `metric ${request.id} was called a failure, and its marker ${marker} is there`,
        ),
      );
    }
  }
  return found;
}

/** So many requests that changed it a month's manifest remembers with their answers. */
const REMEMBERED = 16;

/**
 * A compaction that changed its month is told the same whenever it comes again. One that found nothing to
 * do is not remembered: it may find something when it comes again, and is told that from then on.
 */
function compactionsDisagree(facts: Facts, bodies: readonly Json[]): boolean {
  if (new Set(bodies.map(({ status }) => status)).size > 1) return true;
  if (bodies[0]?.status === 'FAILURE') return bodies.length > 1;
  const changed = bodies.filter(({ outcome }) => outcome !== 'unchanged');
  if (changed.length > 0 && bodies.at(-1)?.outcome === 'unchanged') {
    const months = [...facts.writes].filter(([key]) => parseWarmKey(key)?.name === 'manifest.json');
    return months.every(([, writes]) => writes.length <= REMEMBERED);
  }
  return changed.length > 1;
}

export const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

/** An answer from what is stored comes without a start of its own, but somebody must have begun. */
function checkStarted(facts: Facts, request: Request): Violation[] {
  const success = facts.completed.get(request.id)?.find(({ body }) => body.status !== 'FAILURE');
  if (success === undefined || success.body.outcome === 'unchanged') return [];
  const started = facts.publishes.find(({ id, type }) => id === request.id && type.endsWith('_started'));
  if (started !== undefined && started.at <= success.at) return [];
  return [
    violation(
      'started-first',
      `${request.kind} ${request.id} was completed at ${success.at} and never begun before`,
    ),
  ];
}

/** A beat that was on its way when its job ended cannot be called back; there is never more than one. */
const ON_ITS_WAY = 1;

/** Within one worker: a beat comes after a start, and not after that attempt's end. */
function checkHeartbeats({ publishes, requests, deliveriesOf }: Facts): Violation[] {
  const found: Violation[] = [];
  const late = new Map<string, number>();
  for (const beat of publishes) {
    if (!beat.type.endsWith('_heartbeat') || beat.id === undefined) continue;
    const own = publishes.filter(({ id, worker }) => id === beat.id && worker === beat.worker);
    const begun = own.some(({ type, sentAt }) => type.endsWith('_started') && sentAt < beat.sentAt);
    const ended = own.some(({ type, sentAt }) => type.endsWith('_completed') && sentAt < beat.sentAt);
    const deliveries = (requests.get(beat.id)?.messages ?? [])
      .flatMap(({ messageId }) => deliveriesOf.get(messageId) ?? [])
      .filter(({ worker, at }) => worker === beat.worker && at <= beat.at).length;
    const attempt = `${beat.worker} ${beat.id}`;
    // Of several attempts in one process it cannot be told whose beat it is.
    if (ended && deliveries <= 1) late.set(attempt, (late.get(attempt) ?? 0) + 1);
    if (begun && (late.get(attempt) ?? 0) <= ON_ITS_WAY) continue;
    const what = begun ? 'after its end' : 'before its start';
    const detail = `${beat.type} of ${beat.id} by ${beat.worker} at ${beat.sentAt} ${what}`;
    found.push(violation('heartbeat-between', detail));
  }
  return found;
}

function checkProofs(facts: Facts, request: Request): Violation[] {
  const successes = (facts.completed.get(request.id) ?? []).filter(({ body }) => body.status !== 'FAILURE');
  return successes.flatMap((event) =>
    proofsOf(facts, request, event).flatMap(({ what, at }) =>
      at !== undefined && at <= event.at
        ? []
        : [
            violation(
              'early-completed',
              `${request.kind} ${request.id} was told completed by ${event.worker} at ${event.at}; ${what} ${at === undefined ? 'never came' : `came at ${at}`}`,
            ),
          ],
    ),
  );
}

interface Proof {
  readonly what: string;
  readonly at: number | undefined;
}

/** What must have been carried out before an event may be told. */
function proofsOf(facts: Facts, request: Request, { body }: Publish): Proof[] {
  const { bucket } = facts.history;
  const write = (key: string): Proof => ({ what: key, at: firstWrite(facts, key)?.at });
  switch (request.kind) {
    case 'metric': {
      const keys = metricKeys(request.body, bucket);
      if (keys === undefined) return [];
      const version = String(body.versionTs);
      return [write(keys.marker), write(keys.manifestOf(version)), write(keys.dataOf(version))];
    }
    case 'upload': {
      if (body.outcome === 'empty') return [];
      const key = hotKeyOf(request.body);
      const asked = facts.requests.get(`${request.id}:compaction`)?.messages[0];
      const ask = { what: `the compaction request ${request.id}:compaction`, at: asked?.at };
      return [...(key === undefined ? [] : [write(key)]), ...(request.body.compact === true ? [ask] : [])];
    }
    case 'compaction':
      return listOf(body.manifests).map((one) => {
        const { key, revision } = one as Json;
        const wrote = facts.writes.get(String(key))?.find(({ json }) => json?.revision === revision);
        return { what: `revision ${String(revision)} of ${String(key)}`, at: wrote?.at };
      });
    case 'ingest': {
      const manifest = textOf(body.datasetManifest);
      return manifest === undefined ? [] : [write(locationOf(manifest, bucket).key)];
    }
    case 'poison':
      return [];
  }
}

/** A message is deleted only after the worker that does so has told its request's end, or has buried the poison. */
function checkAcknowledgements(facts: Facts): Violation[] {
  return facts.acknowledgements.flatMap((ack) => {
    const request = facts.requestOfMessage.get(ack.messageId);
    if (request === undefined) {
      return [violation('early-acknowledgement', `an unknown message ${ack.messageId} was deleted`)];
    }
    const told =
      request.kind === 'poison'
        ? facts.deadLettered.some(({ source, at }) => source === ack.messageId && at <= ack.deletedAt)
        : (facts.completed.get(request.id) ?? []).some(
            ({ worker, at }) => worker === ack.worker && at >= ack.at && at <= ack.deletedAt,
          );
    if (told) return [];
    const missing = request.kind === 'poison' ? 'no dead letter' : 'no completed event';
    const detail = `${ack.worker} deleted message ${ack.messageId} of ${request.kind} ${request.id} at ${ack.deletedAt}, received at ${ack.at}; it had sent ${missing} in between`;
    return [violation('early-acknowledgement', detail)];
  });
}
