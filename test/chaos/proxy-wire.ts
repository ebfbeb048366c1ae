/** The bytes of the proxy: a request sent on, an answer given back whole, cut or stalled. */

import { type Agent, request as httpRequest, type OutgoingHttpHeaders, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import type { ReadRequest } from './proxy-message.ts';

export interface Answer {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
  readonly body: Buffer | string;
}

export interface Upstream {
  /** The embedded AWS's endpoint. */
  readonly target: string;
  readonly agent: Agent;
}

/** Sends a request on and reads its answer; rejects where none comes, or `signal` aborts. */
export function forward(
  request: ReadRequest,
  { target, agent }: Upstream,
  signal?: AbortSignal,
): Promise<Answer> {
  const { method, url, headers, body } = request;
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(
      new URL(target),
      {
        method,
        path: url,
        agent,
        headers: { ...headers, connection: 'keep-alive' },
        ...(signal === undefined ? {} : { signal }),
      },
      (incoming) => {
        buffer(incoming).then(
          (whole) => resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body: whole }),
          reject,
        );
      },
    );
    outgoing.once('error', reject);
    outgoing.end(body);
  });
}

function head(outgoing: ServerResponse, { status, headers, body }: Answer): void {
  const { connection, 'keep-alive': keepAlive, 'transfer-encoding': encoding, ...rest } = headers;
  // Of a HEAD the length is the object's; of anything else it is what we have.
  const length = rest['content-length'] ?? Buffer.byteLength(body);
  outgoing.writeHead(status, { ...rest, 'content-length': length });
}

export function reply(outgoing: ServerResponse, answer: Answer): void {
  if (outgoing.destroyed) return;
  head(outgoing, answer);
  outgoing.end(answer.body);
}

/** Promises the whole body, sends half of it and closes the connection. */
export function replyCut(outgoing: ServerResponse, answer: Answer): void {
  const half = halfOf(outgoing, answer);
  if (half === undefined) return;
  outgoing.write(half, () => outgoing.socket?.destroySoon());
}

/** Sends half of the body, and the rest after `pause`, if anybody is still there. */
export async function replyStalled(
  outgoing: ServerResponse,
  answer: Answer,
  pause: () => Promise<void>,
): Promise<void> {
  const half = halfOf(outgoing, answer);
  if (half === undefined) return;
  outgoing.write(half);
  await pause();
  if (!outgoing.destroyed) outgoing.end(Buffer.from(answer.body).subarray(half.length));
}

function halfOf(outgoing: ServerResponse, answer: Answer): Buffer | undefined {
  if (outgoing.destroyed) return undefined;
  head(outgoing, answer);
  outgoing.flushHeaders();
  const body = Buffer.from(answer.body);
  return body.subarray(0, Math.floor(body.length / 2));
}
