/**
 * Hooks around every request to the embedded AWS, for tests that kill a worker before and after each
 * of its steps or make the network and the services fail.
 *
 * `onRequest` runs before the operation is carried out, with the body read; `onResponse` after it was
 * carried out, before the client hears of it. A verdict changes what the client sees. Properties of
 * the hooks object are read at each request, so a test may set and unset them as it goes.
 */

import type { IncomingHttpHeaders } from 'node:http';
import { systemClock } from '../common/clock.ts';
import { errorAnswer, type LocalService } from './aws-error.ts';
import type { FastifyReply, FastifyRequest, FauxqsApp } from './fauxqs.ts';
import { operationOf } from './operation.ts';

/** The parameters of an SQS or SNS call by their API names, first letter small. */
export interface LocalRequestBody {
  readonly queueUrl?: string;
  readonly messageBody?: string;
  readonly receiptHandle?: string;
  readonly visibilityTimeout?: number;
  readonly messageGroupId?: string;
  readonly messageDeduplicationId?: string;
  readonly topicArn?: string;
  readonly message?: string;
  /** The string values of message attributes, by name. */
  readonly messageAttributes: Readonly<Record<string, string>>;
  readonly [parameter: string]: unknown;
}

export interface LocalRequest {
  readonly service: LocalService;
  /** As the API reference has it: `PutObject`, `ReceiveMessage`, `Publish`, … */
  readonly operation: string;
  readonly bucket?: string;
  readonly key?: string;
  readonly headers: Readonly<IncomingHttpHeaders>;
  /** The query string's parameters: `uploadId`, `partNumber`, `prefix`, … */
  readonly query: Readonly<Record<string, string>>;
  /** For SQS and SNS. */
  readonly body?: LocalRequestBody;
  /** Counts requests from 1, in the order of arrival. */
  readonly seq: number;
}

export type Verdict =
  /** An AWS error in the service's own protocol. */
  | {
      readonly kind: 'fail';
      readonly status: number;
      readonly code: string;
      readonly message?: string;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** The connection is reset, with no answer. */
  | { readonly kind: 'drop' }
  /** `onResponse` only: headers and this much of the body, then the connection is closed. */
  | { readonly kind: 'cut'; readonly afterBytes: number }
  /** All goes on as usual, this much later. */
  | { readonly kind: 'delay'; readonly ms: number };

// biome-ignore lint/suspicious/noConfusingVoidType: a hook that returns nothing has nothing to say
type Judgement = Promise<Verdict | undefined | void>;

export interface RequestHooks {
  onRequest?: ((request: LocalRequest) => Judgement) | undefined;
  onResponse?: ((request: LocalRequest, statusCode: number) => Judgement) | undefined;
}

export function installRequestHooks(app: FauxqsApp, hooks: RequestHooks): void {
  const carriedOut = new WeakMap<FastifyRequest, LocalRequest>();
  const answering = new WeakSet<FastifyRequest>();
  let seq = 0;
  app.addHook('preHandler', async (request, reply) => {
    // What is injected before listening is the proof of conditional writes, and no client's.
    const local = app.server.listening ? describeRequest(request, seq + 1) : undefined;
    if (local === undefined) return;
    seq += 1;
    const verdict = await hooks.onRequest?.(local);
    if (verdict?.kind === 'drop' || verdict?.kind === 'cut') {
      reply.hijack();
      request.raw.socket.destroy();
      return reply;
    }
    if (verdict?.kind === 'fail') return reply.send(failure(reply, local, verdict));
    if (verdict?.kind === 'delay') await systemClock.sleep(verdict.ms);
    carriedOut.set(request, local);
  });
  app.addHook('onSend', async (request, reply, payload) => {
    const local = carriedOut.get(request);
    if (local === undefined) return payload;
    // fauxqs's S3 handlers send and then resolve to nothing, which Fastify takes for a second, empty
    // answer as long as the first one waits here.
    if (answering.has(request)) return await never();
    answering.add(request);
    const verdict = await hooks.onResponse?.(local, reply.statusCode);
    if (!verdict) return payload;
    if (verdict.kind === 'fail') return failure(reply, local, verdict);
    if (verdict.kind === 'drop') {
      request.raw.socket.destroy();
      return await never();
    }
    if (verdict.kind === 'cut') {
      cut(request, reply, payload, verdict.afterBytes);
      return await never();
    }
    await systemClock.sleep(verdict.ms);
    return payload;
  });
}

/** What `request` asks for, or nothing for fauxqs's own pages. */
export function describeRequest(request: FastifyRequest, seq: number): LocalRequest | undefined {
  const operation = operationOf(request);
  if (operation === undefined) return undefined;
  const { service, name, ...where } = operation;
  return {
    service,
    operation: name,
    ...where,
    headers: request.headers,
    query: (request.query ?? {}) as Record<string, string>,
    ...(service === 's3' ? {} : { body: describeBody(request.body as Record<string, unknown>) }),
    seq,
  };
}

function describeBody(body: Readonly<Record<string, unknown>>): LocalRequestBody {
  const parameters = Object.entries(body).map(([name, value]) => [
    name.charAt(0).toLowerCase() + name.slice(1),
    value,
  ]);
  return { ...Object.fromEntries(parameters), messageAttributes: describeAttributes(body) };
}

function describeAttributes(body: Readonly<Record<string, unknown>>): Record<string, string> {
  const attributes: Record<string, string> = {};
  const nested = (body.MessageAttributes ?? {}) as Record<string, { StringValue?: string }>;
  for (const [name, { StringValue }] of Object.entries(nested)) attributes[name] = StringValue ?? '';
  for (let entry = 1; ; entry++) {
    const flat = `MessageAttributes.entry.${entry}`;
    const name = body[`${flat}.Name`];
    if (typeof name !== 'string') return attributes;
    attributes[name] = String(body[`${flat}.Value.StringValue`] ?? '');
  }
}

/** Turns the reply into the failure and returns its body. */
function failure(
  reply: FastifyReply,
  { service, operation, bucket, key }: LocalRequest,
  { status, code, message = 'made to fail by a test', headers = {} }: Extract<Verdict, { kind: 'fail' }>,
): string | undefined {
  const resource = key === undefined ? `/${bucket ?? ''}` : `/${bucket}/${key}`;
  const answer = errorAnswer(service, { status, code, message, resource });
  for (const name of Object.keys(reply.getHeaders())) reply.removeHeader(name);
  reply.code(status).headers({ ...answer.headers, ...headers });
  return operation.startsWith('Head') ? undefined : answer.body;
}

function cut(request: FastifyRequest, reply: FastifyReply, payload: unknown, afterBytes: number): void {
  const body =
    typeof payload === 'string' || Buffer.isBuffer(payload) ? Buffer.from(payload) : Buffer.alloc(0);
  for (const [name, value] of Object.entries(reply.getHeaders())) {
    if (value !== undefined) reply.raw.setHeader(name, value);
  }
  reply.raw.setHeader('content-length', body.length);
  reply.raw.writeHead(reply.statusCode);
  reply.raw.flushHeaders();
  reply.raw.write(body.subarray(0, afterBytes));
  request.raw.socket.destroySoon();
}

/** Holds Fastify off a connection that is done with; nothing keeps it but the request itself. */
function never(): Promise<never> {
  return new Promise(() => undefined);
}
