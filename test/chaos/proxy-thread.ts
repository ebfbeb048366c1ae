/** The proxy's thread: takes requests, hands each to its lane, and answers what its owner asks. */

import { Agent, createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { parentPort, workerData } from 'node:worker_threads';
import { laneOf } from './proxy.ts';
import { createLane, type Lane } from './proxy-lane.ts';
import { type FromProxy, readCall, type ToProxy } from './proxy-message.ts';
import { forward, reply } from './proxy-wire.ts';

const port = parentPort;
if (port === null) throw new Error('proxy-thread.ts is a worker thread');
const { target } = workerData as { target: string };
const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });
const lanes = new Map<string, Lane>();
const asked = new Map<number, () => void>();
const say = (message: FromProxy) => port.postMessage(message);
let deeds = 0;

async function serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const { method = 'GET', url = '/', headers } = incoming;
  const request = { method, url, headers, body: await buffer(incoming) };
  const call = readCall(request);
  const lane = call === undefined ? undefined : lanes.get(laneOf(call.worker) ?? '');
  if (call === undefined || lane === undefined) {
    reply(outgoing, await forward(request, { target, agent }));
    return;
  }
  await lane.serve(request, call, outgoing);
}

const server = createServer((incoming, outgoing) => {
  serve(incoming, outgoing).catch(() => outgoing.destroy());
});
// A worker's client keeps its connections; one that we close on it would be a fault that nobody planned.
server.keepAliveTimeout = 120_000;

port.on('message', (message: ToProxy) => {
  switch (message.kind) {
    case 'open':
      lanes.set(
        message.orders.lane,
        createLane(message.orders, {
          target,
          agent,
          ask: (worker, deed, call) =>
            new Promise((resolve) => {
              const id = ++deeds;
              asked.set(id, resolve);
              say({ kind: 'deed', id, worker, deed, call });
            }),
        }),
      );
      break;
    case 'storm':
      lanes.get(message.lane)?.storm();
      break;
    case 'close': {
      const lane = lanes.get(message.lane);
      lanes.delete(message.lane);
      const empty = { lane: message.lane, calls: [], faults: {}, errors: ['no such lane'] };
      void (lane?.close() ?? Promise.resolve(empty)).then((record) => say({ kind: 'closed', record }));
      break;
    }
    case 'done':
      asked.get(message.id)?.();
      asked.delete(message.id);
      break;
    default:
      server.closeAllConnections();
      server.close();
      agent.destroy();
      port.close();
  }
});

server.listen(0, '127.0.0.1', () => {
  say({ kind: 'listening', endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
});
