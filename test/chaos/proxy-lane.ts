/**
 * One run at the proxy: each call of its workers is recorded, judged, sent on and answered, and what the
 * verdict says happens to it on the way.
 */

import type { ServerResponse } from 'node:http';
import { machineMonotonic, systemClock } from '../../src/common/clock.ts';
import { CARRIED_OUT_HEADER } from '../../src/local/carried-out.ts';
import { type CallDeed, createFaultSource, type FaultName, type Verdict } from './faults.ts';
import type { Call } from './history.ts';
import {
  isRefusal,
  keptBody,
  keptHeaders,
  type LaneOrders,
  type LaneRecord,
  type ReadCall,
  type ReadRequest,
  refusalOf,
  SQS_EMPTY,
} from './proxy-message.ts';
import { type Answer, forward, reply, replyCut, replyStalled, type Upstream } from './proxy-wire.ts';

export interface Lane {
  /** Lets faults and deeds begin; they end by themselves. */
  storm(): void;
  serve(request: ReadRequest, call: ReadCall, outgoing: ServerResponse): Promise<void>;
  close(): Promise<LaneRecord>;
}

export interface LaneParts extends Upstream {
  /** Has a deed done to a worker; resolves when it is done. */
  readonly ask: (worker: string, deed: CallDeed, call: string) => Promise<void>;
}

const LAST_CALLS_MS = 3_000;
const EARLY: ReadonlySet<FaultName> = new Set(['latency', 'very-late']);

export function createLane(orders: LaneOrders, parts: LaneParts): Lane {
  const calls: Call[] = [];
  const faults: Record<string, number> = {};
  const source = createFaultSource(orders.seed, orders.rules);
  const seen = new Map<CallDeed, number>();
  const now = () => machineMonotonic() - orders.startedAt;
  /** When the service carried out what it answers, by its own word. */
  const timeOf = ({ headers }: Answer) => Number(headers[CARRIED_OUT_HEADER]) - orders.startedAt;
  const errors: string[] = [];
  let stormFrom = Number.POSITIVE_INFINITY;
  const isCalm = () => now() < stormFrom || now() > stormFrom + orders.stormMs;
  let seq = 0;
  let open = 0;

  const count = (name: string) => {
    faults[name] = (faults[name] ?? 0) + 1;
  };

  /** The deed that is due at this call, if any. */
  function deedAt(call: ReadCall, body: Buffer): CallDeed | undefined {
    if (isCalm()) return undefined;
    const { operation } = call;
    for (const deed of orders.deeds) {
      const about = operation.key ?? String(call.parameters.Message ?? body);
      if (deed.operation !== operation.name || !about.includes(deed.about ?? '')) continue;
      const times = (seen.get(deed) ?? 0) + 1;
      seen.set(deed, times);
      if (times === deed.nth) return deed;
    }
    return undefined;
  }

  /** Makes a message that was just delivered visible again, behind its worker's back. */
  async function redeliver(request: ReadRequest, answer: Answer, { fault, ms }: Verdict): Promise<void> {
    const { Messages = [] } = JSON.parse(String(answer.body)) as { Messages?: { ReceiptHandle: string }[] };
    const handle = Messages[0]?.ReceiptHandle;
    if (handle === undefined) return;
    count(fault);
    await systemClock.sleep(ms);
    const { QueueUrl } = JSON.parse(request.body.toString()) as { QueueUrl: string };
    const body = Buffer.from(JSON.stringify({ QueueUrl, ReceiptHandle: handle, VisibilityTimeout: 0 }));
    const target = 'AmazonSQS.ChangeMessageVisibility';
    const { 'content-length': _, ...headers } = request.headers;
    const [at, wall, own] = [now(), Date.now(), ++seq];
    const said = await forward({ ...request, headers: { ...headers, 'x-amz-target': target }, body }, parts);
    calls.push({
      seq: own,
      at,
      carriedOutAt: timeOf(said),
      endedAt: now(),
      wall,
      worker: 'proxy',
      service: 'sqs',
      operation: 'ChangeMessageVisibility',
      headers: {},
      body: body.toString(),
      bytes: body.length,
      carriedOut: said.status < 300,
      status: said.status,
      answer: String(said.body),
      fault,
    });
  }

  async function serve(request: ReadRequest, call: ReadCall, outgoing: ServerResponse): Promise<void> {
    const { operation, worker = '', conditional } = call;
    const { service, name, bucket, key } = operation;
    const [at, wall, own] = [now(), Date.now(), ++seq];
    const verdict = source.judge({ worker, service, operation: name, key, conditional }, isCalm());
    const deed = verdict === undefined ? deedAt(call, request.body) : undefined;
    const label = deed === undefined ? verdict?.fault : `${deed.deed}-${deed.when}`;
    const redelivers = verdict?.fault === 'redelivered' || verdict?.fault === 'early-visibility';
    if (label !== undefined && !redelivers) count(label);
    let answer: Answer | undefined;
    let carriedOutAt: number | undefined;

    // A long poll whose worker hangs up must not take a message; every other call is already on its way.
    const hungUp = new AbortController();
    if (name === 'ReceiveMessage') outgoing.once('close', () => hungUp.abort());

    const carryOut = async (): Promise<Answer> => {
      answer = await forward(request, parts, hungUp.signal);
      carriedOutAt = timeOf(answer);
      return answer;
    };

    try {
      if (deed !== undefined) await atDeed(deed, worker, `${name} ${key ?? ''}`.trim(), carryOut, outgoing);
      else await atVerdict(verdict, request, operation, carryOut, outgoing);
      if (redelivers && answer !== undefined && verdict !== undefined) {
        void background(redeliver(request, answer, verdict));
      }
    } catch (error) {
      if (!hungUp.signal.aborted) errors.push(`${name}: ${String(error)}`);
      outgoing.destroy();
    } finally {
      const endedAt = now();
      const body = keptBody(call, request.body);
      const etag = answer?.headers.etag;
      calls.push({
        seq: own,
        at,
        carriedOutAt: carriedOutAt ?? endedAt,
        endedAt,
        wall,
        worker,
        service,
        operation: name,
        ...(bucket === undefined ? {} : { bucket }),
        ...(key === undefined ? {} : { key }),
        headers: keptHeaders(request.headers),
        ...(body === undefined ? {} : { body }),
        bytes: request.body.length,
        carriedOut: answer !== undefined && answer.status < 300,
        status: answer?.status ?? 0,
        ...(etag === undefined ? {} : { etag: String(etag) }),
        ...(service === 'sqs' && answer !== undefined ? { answer: String(answer.body) } : {}),
        ...(label === undefined ? {} : { fault: label }),
      });
    }
  }

  async function atDeed(
    deed: CallDeed,
    worker: string,
    what: string,
    carryOut: () => Promise<Answer>,
    outgoing: ServerResponse,
  ): Promise<void> {
    if (deed.when === 'before') await parts.ask(worker, deed, what);
    if (deed.when === 'before' && deed.deed === 'kill') {
      outgoing.destroy();
      return;
    }
    const answer = await carryOut();
    if (deed.when === 'after') await parts.ask(worker, deed, what);
    reply(outgoing, answer);
  }

  async function atVerdict(
    verdict: Verdict | undefined,
    { method }: ReadRequest,
    operation: ReadCall['operation'],
    carryOut: () => Promise<Answer>,
    outgoing: ServerResponse,
  ): Promise<void> {
    const fault = verdict?.fault;
    const pause = () => systemClock.sleep(verdict?.ms ?? 0);
    const refuse = (answer: Answer) => reply(outgoing, method === 'HEAD' ? { ...answer, body: '' } : answer);
    if (fault !== undefined && EARLY.has(fault)) await pause();
    if (fault === 'drop-before') {
      outgoing.destroy();
    } else if (fault !== undefined && isRefusal(fault)) {
      refuse(refusalOf(fault, operation));
    } else if (fault === 'lost-delete' || fault === 'lost-renewal') {
      reply(outgoing, SQS_EMPTY);
    } else {
      const answer = await carryOut();
      if (fault === 'drop-after') outgoing.destroy();
      else if (fault === 'cut-body') replyCut(outgoing, answer);
      else if (fault === 'stalled-read') await replyStalled(outgoing, answer, pause);
      else if (fault === 'lost-put' || fault === 'lost-publish')
        refuse(refusalOf('internal-error', operation));
      else {
        if (fault === 'slow-answer') await pause();
        reply(outgoing, answer);
      }
    }
  }

  /** Counts work that no call waits for, so that the lane's end does. */
  async function background(work: Promise<void>): Promise<void> {
    open++;
    await work.catch(() => {}).finally(() => open--);
  }

  return {
    storm() {
      stormFrom = now();
    },
    serve: (request, call, outgoing) => background(serve(request, call, outgoing)),
    async close() {
      const deadline = now() + LAST_CALLS_MS;
      while (open > 0 && now() < deadline) await systemClock.sleep(20);
      return { lane: orders.lane, calls: calls.toSorted((a, b) => a.seq - b.seq), faults, errors };
    },
  };
}
