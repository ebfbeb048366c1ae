/**
 * A history as the rules need it: who asked for what, which message was delivered to whom, what was
 * published, and what was written where. Read from what the proxy saw, by this file's own reading of JSON
 * and of the AWS APIs: nothing here is shared with the product.
 *
 * Terms: a *request* is known by its id and may have come as several *messages*; a *delivery* is one
 * receipt of a message; a *write* is a PUT that the store carried out. Times are those at which the
 * service had carried a call out: of two calls of one worker of which the second waited for the first,
 * the first is never later.
 */

import type { Call, History, RequestKind, Violation } from '../history.ts';

export type Json = Readonly<Record<string, unknown>>;

/** One message on the request queue. */
export interface Message {
  readonly messageId: string;
  readonly groupId: string;
  readonly at: number;
  readonly body: string;
  readonly typeAttribute: string | undefined;
}

/** A request by its id, with every message that asked for it. Poison is a request of its own name. */
export interface Request {
  readonly id: string;
  readonly kind: RequestKind;
  /** The parsed body; empty for poison. */
  readonly body: Json;
  readonly messages: readonly Message[];
}

/** One receipt of a message by a worker. */
export interface Delivery {
  readonly messageId: string;
  readonly receiptHandle: string;
  readonly worker: string;
  readonly at: number;
}

/** An event on its way to its topic, carried out. */
export interface Publish {
  readonly worker: string;
  /** When it arrived at the proxy, and when the topic had it. */
  readonly sentAt: number;
  readonly at: number;
  readonly type: string;
  readonly id: string | undefined;
  readonly body: Json;
}

/** A PUT that the store carried out, single or as the completion of a multipart upload. */
export interface Write {
  readonly key: string;
  readonly worker: string;
  readonly at: number;
  readonly wall: number;
  /** Without quotes; '' where none was told. */
  readonly etag: string;
  readonly ifMatch: string | undefined;
  readonly creates: boolean;
  readonly putId: string | undefined;
  /** The parsed text, of JSON objects. */
  readonly json: Json | undefined;
  readonly call: Call;
}

export interface Removal {
  readonly key: string;
  readonly worker: string;
  readonly at: number;
  readonly wall: number;
}

export interface Facts {
  readonly history: History;
  readonly requests: ReadonlyMap<string, Request>;
  readonly requestOfMessage: ReadonlyMap<string, Request>;
  readonly deliveries: readonly Delivery[];
  readonly deliveriesOf: ReadonlyMap<string, readonly Delivery[]>;
  /** Carried-out deletions of messages of the request queue, by worker and message. */
  readonly acknowledgements: readonly (Delivery & { readonly deletedAt: number })[];
  readonly publishes: readonly Publish[];
  /** Publishes of completed events by request id, in order of time. */
  readonly completed: ReadonlyMap<string, readonly Publish[]>;
  /** Writes by key, in order of time. */
  readonly writes: ReadonlyMap<string, readonly Write[]>;
  readonly removals: ReadonlyMap<string, readonly Removal[]>;
  /** Messages that workers put on the dead-letter queue: body and time. */
  readonly deadLettered: readonly { readonly body: string; readonly at: number; readonly source: string }[];
}

/** The object that a text is, or undefined. */
export function parseObject(text: string | undefined): Json | undefined {
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
  } catch {
    return undefined;
  }
}

export const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

export function violation(rule: string, detail: string): Violation {
  return { rule, detail };
}

export function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 600 ? `${text.slice(0, 600)}…` : text;
}

/** A value as a text that does not depend on the order of members: Postgres keeps JSON in one of its own. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_name, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}

export const unquoted = (etag: string | undefined): string => (etag ?? '').replaceAll('"', '');

export function grouped<T>(items: Iterable<T>, keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}

const KINDS: Readonly<Record<string, RequestKind>> = {
  metric_run_requested: 'metric',
  hot_upload_requested: 'upload',
  compaction_requested: 'compaction',
  ingest_run_requested: 'ingest',
};

/** The request inside a body, an SNS notification around it taken off. */
export function requestBody(text: string): Json | undefined {
  const body = parseObject(text);
  const inner = body?.Type === 'Notification' ? textOf(body.Message) : undefined;
  return inner === undefined ? body : parseObject(inner);
}

const pathOf = (url: string | undefined): string =>
  url === undefined ? '' : url.replace(/^\w+:\/\/[^/]+/, '');

export function readFacts(history: History): Facts {
  const carriedOut = history.calls.filter((call) => call.carriedOut);
  const requestQueue = pathOf(history.queues.requests);
  const deadLetterQueue = pathOf(history.queues.deadLetters);
  const sqs = carriedOut
    .filter(({ service }) => service === 'sqs')
    .map((call) => ({ call, asked: parseObject(call.body) ?? {}, answer: parseObject(call.answer) ?? {} }));
  const onQueue = (queue: string, operation: string) =>
    sqs.filter(({ call, asked }) => call.operation === operation && pathOf(textOf(asked.QueueUrl)) === queue);

  const requests = readRequests(history, onQueue(requestQueue, 'SendMessage'));
  const requestOfMessage = new Map(
    [...requests.values()].flatMap((request) =>
      request.messages.map(({ messageId }) => [messageId, request] as const),
    ),
  );
  const deliveries = onQueue(requestQueue, 'ReceiveMessage').flatMap(({ call, answer }) =>
    (Array.isArray(answer.Messages) ? (answer.Messages as Json[]) : []).map((message) => ({
      messageId: String(message.MessageId),
      receiptHandle: String(message.ReceiptHandle),
      worker: call.worker,
      at: call.carriedOutAt,
    })),
  );
  const byHandle = new Map(deliveries.map((delivery) => [delivery.receiptHandle, delivery]));
  const deletions = [
    ...onQueue(requestQueue, 'DeleteMessage').map(({ call, asked }) => ({
      call,
      handles: [asked.ReceiptHandle],
    })),
    ...onQueue(requestQueue, 'DeleteMessageBatch').map(({ call, asked }) => ({
      call,
      handles: (Array.isArray(asked.Entries) ? (asked.Entries as Json[]) : []).map(
        (entry) => entry.ReceiptHandle,
      ),
    })),
  ];
  const acknowledgements = deletions.flatMap(({ call, handles }) =>
    handles.flatMap((handle) => {
      const delivery = byHandle.get(String(handle));
      return delivery === undefined ? [] : [{ ...delivery, deletedAt: call.carriedOutAt }];
    }),
  );
  const publishes = carriedOut
    .filter(({ service, operation }) => service === 'sns' && operation === 'Publish')
    .flatMap((call): Publish[] => {
      const body = parseObject(call.body);
      const type = textOf(body?.type);
      if (body === undefined || type === undefined) return [];
      const id = textOf(body.runId) ?? textOf(body.requestId);
      return [{ worker: call.worker, sentAt: call.at, at: call.carriedOutAt, type, id, body }];
    })
    .toSorted((a, b) => a.at - b.at);
  const completed = grouped(
    publishes.filter(({ type, id }) => type.endsWith('_completed') && id !== undefined),
    ({ id }) => id!,
  );
  const s3 = carriedOut
    .filter(({ service, key }) => service === 's3' && key !== undefined)
    .toSorted((a, b) => a.carriedOutAt - b.carriedOutAt);
  return {
    history,
    requests,
    requestOfMessage,
    deliveries: deliveries.toSorted((a, b) => a.at - b.at),
    deliveriesOf: grouped(deliveries, ({ messageId }) => messageId),
    acknowledgements,
    publishes,
    completed,
    writes: grouped(s3.flatMap(writeOf), ({ key }) => key),
    removals: grouped(
      carriedOut
        .filter(({ service }) => service === 's3')
        .toSorted((a, b) => a.carriedOutAt - b.carriedOutAt)
        .flatMap(removalsOf),
      ({ key }) => key,
    ),
    deadLettered: onQueue(deadLetterQueue, 'SendMessage').map(({ call, asked }) => ({
      body: String(asked.MessageBody),
      at: call.carriedOutAt,
      source: String(
        (asked.MessageAttributes as Json | undefined)?.sourceMessageId
          ? ((asked.MessageAttributes as Json).sourceMessageId as Json).StringValue
          : '',
      ),
    })),
  };
}

function readRequests(
  history: History,
  sends: readonly { readonly call: Call; readonly asked: Json; readonly answer: Json }[],
): Map<string, Request> {
  const messages = new Map<string, { id: string; kind: RequestKind; message: Message }>();
  for (const sent of history.sent) {
    const { messageId, groupId, at, body, typeAttribute } = sent;
    messages.set(messageId, {
      id: sent.id,
      kind: sent.kind,
      message: { messageId, groupId, at, body, typeAttribute },
    });
  }
  // What workers ask of one another; the queue drops repeats of a deduplication id and tells the first's message id.
  for (const { call, asked, answer } of sends.toSorted((a, b) => a.call.carriedOutAt - b.call.carriedOutAt)) {
    const messageId = textOf(answer.MessageId);
    const body = String(asked.MessageBody);
    const parsed = requestBody(body);
    const id = textOf(parsed?.runId) ?? textOf(parsed?.requestId);
    const kind = KINDS[String(parsed?.type)];
    if (messageId === undefined || id === undefined || kind === undefined || messages.has(messageId))
      continue;
    const message = {
      messageId,
      groupId: String(asked.MessageGroupId ?? messageId),
      at: call.carriedOutAt,
      body,
      typeAttribute: undefined,
    };
    messages.set(messageId, { id, kind, message });
  }
  const requests = new Map<string, Request>();
  for (const [id, group] of grouped(messages.values(), (one) => one.id)) {
    const { kind, message } = group[0]!;
    const body = kind === 'poison' ? {} : (requestBody(message.body) ?? {});
    requests.set(id, {
      id,
      kind,
      body,
      messages: group.map((one) => one.message).toSorted((a, b) => a.at - b.at),
    });
  }
  return requests;
}

function writeOf(call: Call): Write[] {
  if (call.operation !== 'PutObject' && call.operation !== 'CompleteMultipartUpload') return [];
  const { headers, worker, wall } = call;
  return [
    {
      key: call.key!,
      worker,
      at: call.carriedOutAt,
      wall,
      etag: unquoted(call.etag),
      ifMatch: headers['if-match'] === undefined ? undefined : unquoted(headers['if-match']),
      creates: headers['if-none-match'] === '*',
      putId: headers['x-amz-meta-tidemill-put-id'],
      json: call.operation === 'PutObject' ? parseObject(call.body) : undefined,
      call,
    },
  ];
}

function removalsOf(call: Call): Removal[] {
  const { worker, wall, carriedOutAt: at } = call;
  if (call.operation === 'DeleteObject') return [{ key: call.key!, worker, at, wall }];
  if (call.operation !== 'DeleteObjects') return [];
  return [...(call.body ?? '').matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key]) => ({
    key: key!,
    worker,
    at,
    wall,
  }));
}

/** The first carried-out write of a key, at or after which it is there. */
export function firstWrite(facts: Facts, key: string): Write | undefined {
  return facts.writes.get(key)?.[0];
}

/** Whether a request's messages used up their deliveries, so that it may have been given up. */
export function usedUp({ history, deliveriesOf }: Facts, request: Request): boolean {
  return request.messages.some(
    ({ messageId }) => (deliveriesOf.get(messageId)?.length ?? 0) >= history.settings.maxReceiveCount,
  );
}

/** An event's error code, in either form; undefined where it has none. */
export function errorCode(event: Json): string | undefined {
  const { error } = event;
  if (typeof error === 'string') return /^[A-Z_]+/.exec(error)?.[0];
  return typeof error === 'object' && error !== null ? textOf((error as Json).code) : undefined;
}
