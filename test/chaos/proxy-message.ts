/** What the proxy's thread and its owner say to one another, and how calls are read and answered. */

import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';
import { type ErrorAnswer, errorAnswer, type LocalService } from '../../src/local/aws-error.ts';
import { type Operation, operationOf } from '../../src/local/operation.ts';
import type { CallDeed, FaultName, FaultRule } from './faults.ts';
import type { Call } from './history.ts';

/** What is to happen to the calls of one run, whose workers' names begin with `<lane>-`. */
export interface LaneOrders {
  readonly lane: string;
  readonly seed: number;
  readonly rules: readonly FaultRule[];
  readonly deeds: readonly CallDeed[];
  /** How long faults strike once the storm has been let loose, in milliseconds. */
  readonly stormMs: number;
  /** When the run began, on the machine's monotonic clock. */
  readonly startedAt: number;
}

export type ToProxy =
  | { readonly kind: 'open'; readonly orders: LaneOrders }
  | { readonly kind: 'storm'; readonly lane: string }
  | { readonly kind: 'close'; readonly lane: string }
  /** The deed that was asked for is done. */
  | { readonly kind: 'done'; readonly id: number }
  | { readonly kind: 'stop' };

export interface LaneRecord {
  readonly lane: string;
  readonly calls: readonly Call[];
  readonly faults: Readonly<Record<string, number>>;
  /** What went wrong in the proxy itself: nothing, or the run says nothing. */
  readonly errors: readonly string[];
}

export interface AskedDeed {
  readonly id: number;
  readonly worker: string;
  readonly deed: CallDeed;
  /** The call that it happens at, for people. */
  readonly call: string;
}

export type FromProxy =
  | { readonly kind: 'listening'; readonly endpoint: string }
  | { readonly kind: 'closed'; readonly record: LaneRecord }
  | ({ readonly kind: 'deed' } & AskedDeed);

/** A request as the proxy has read it. */
export interface ReadRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface ReadCall {
  readonly operation: Operation;
  readonly worker: string | undefined;
  /** SQS: the call's JSON; SNS: its parameters; S3: nothing. */
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly conditional: boolean;
}

/** What a request asks for; undefined where it is none of AWS's. */
export function readCall(request: ReadRequest): ReadCall | undefined {
  const { method, url, headers, body } = request;
  const [path = '/', query = ''] = url.split('?', 2);
  const match = /^\/([^/]+)(?:\/(.*))?$/s.exec(path);
  const type = headers['content-type'] ?? '';
  const isApi = type.includes('x-amz-json') || type.includes('form-urlencoded');
  const parameters = isApi ? parametersOf(type, body.toString()) : {};
  const operation = operationOf({
    method,
    url: isApi ? '/' : url,
    headers,
    params:
      isApi || match === null
        ? {}
        : { bucket: match[1], '*': decodeURIComponent(match[2] ?? '') || undefined },
    query: Object.fromEntries(new URLSearchParams(query)),
    body: parameters,
  });
  if (operation === undefined) return undefined;
  const worker = /\bapp\/(\S+)/.exec(headers['user-agent'] ?? '')?.[1];
  const conditional = headers['if-match'] !== undefined || headers['if-none-match'] !== undefined;
  return { operation, worker, parameters, conditional: conditional && method !== 'GET' && method !== 'HEAD' };
}

function parametersOf(type: string, text: string): Readonly<Record<string, unknown>> {
  if (type.includes('json')) return JSON.parse(text || '{}') as Record<string, unknown>;
  return Object.fromEntries(new URLSearchParams(text));
}

/** The headers of a request that a record keeps: conditions and user metadata. */
export function keptHeaders(headers: IncomingHttpHeaders): Record<string, string> {
  const kept = Object.entries(headers).filter(
    ([name]) => name === 'if-match' || name === 'if-none-match' || name.startsWith('x-amz-meta-'),
  );
  return Object.fromEntries(kept.map(([name, value]) => [name, String(value)]));
}

const TEXT_BYTES = 256 * 1024;

/** The text of a request's body that a record keeps; undefined of Parquet and the like. */
export function keptBody({ operation, parameters }: ReadCall, body: Buffer): string | undefined {
  if (operation.service === 'sns') return String(parameters.Message ?? '');
  if (operation.service === 'sqs') return body.toString();
  const isText =
    body.length > 0 && body.length <= TEXT_BYTES && body.subarray(0, 4).toString('latin1') !== 'PAR1';
  return isText ? body.toString() : undefined;
}

type Refusal = Extract<FaultName, 'internal-error' | 'slow-down' | 'conflict' | 'expired-credentials'>;

const REFUSALS: Readonly<Record<Refusal, Readonly<Record<LocalService, readonly [number, string]>>>> = {
  'internal-error': {
    s3: [500, 'InternalError'],
    sqs: [500, 'InternalFailure'],
    sns: [500, 'InternalError'],
  },
  'slow-down': { s3: [503, 'SlowDown'], sqs: [503, 'ServiceUnavailable'], sns: [429, 'Throttled'] },
  conflict: {
    s3: [409, 'ConditionalRequestConflict'],
    sqs: [500, 'InternalFailure'],
    sns: [500, 'InternalError'],
  },
  'expired-credentials': {
    s3: [400, 'ExpiredToken'],
    sqs: [403, 'ExpiredToken'],
    sns: [403, 'ExpiredToken'],
  },
};

export function isRefusal(fault: FaultName): fault is Refusal {
  return fault in REFUSALS;
}

/** The error that a service gives where a fault has it refuse a call. */
export function refusalOf(fault: Refusal, { service, bucket, key }: Operation): ErrorAnswer {
  const [status, code] = REFUSALS[fault][service];
  const resource = `/${bucket ?? ''}${key === undefined ? '' : `/${key}`}`;
  return errorAnswer(service, { status, code, message: `the fault proxy: ${fault}`, resource });
}

/** What SQS answers to a call that it has carried out and that has nothing to tell. */
export const SQS_EMPTY: {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
  readonly body: string;
} = {
  status: 200,
  headers: { 'content-type': 'application/x-amz-json-1.0' },
  body: '{}',
};
