/**
 * The fault proxy: an HTTP proxy between the workers and the embedded AWS, in a thread of its own
 * (proxy-thread.ts). It serves several runs at once, each a lane that is known by its workers' names.
 */

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { AskedDeed, FromProxy, LaneOrders, LaneRecord, ToProxy } from './proxy-message.ts';

export interface FaultProxy {
  /** For the workers' `AWS_ENDPOINT_URL`. */
  readonly endpoint: string;
  /**
   * Begins to record the calls of a lane's workers, and to carry out its orders. A deed is done by
   * `carryOut`; the call that it happens at waits for it.
   */
  openLane(orders: LaneOrders, carryOut: (asked: AskedDeed) => Promise<void>): void;
  /** Lets a lane's faults and deeds begin. */
  storm(lane: string): void;
  /** Ends the lane, once the calls that are on their way are at their end. */
  closeLane(lane: string): Promise<LaneRecord>;
  close(): Promise<void>;
}

/** @param target the embedded AWS's endpoint */
export async function startFaultProxy(target: string): Promise<FaultProxy> {
  const thread = new Worker(new URL('proxy-thread.ts', import.meta.url), { workerData: { target } });
  const lanes = new Map<string, (asked: AskedDeed) => Promise<void>>();
  const closing = new Map<string, (record: LaneRecord) => void>();
  const say = (message: ToProxy) => thread.postMessage(message);
  let failure: unknown;
  thread.on('error', (error) => {
    failure = error;
  });
  const [listening] = (await once(thread, 'message')) as [Extract<FromProxy, { kind: 'listening' }>];
  thread.on('message', (message: FromProxy) => {
    if (message.kind === 'closed') {
      closing.get(message.record.lane)?.(message.record);
      closing.delete(message.record.lane);
    } else if (message.kind === 'deed') {
      const lane = laneOf(message.worker) ?? '';
      const done = lanes.get(lane)?.(message) ?? Promise.resolve();
      void done.finally(() => say({ kind: 'done', id: message.id }));
    }
  });
  return {
    endpoint: listening.endpoint,
    openLane(orders, carryOut) {
      lanes.set(orders.lane, carryOut);
      say({ kind: 'open', orders });
    },
    storm: (lane) => say({ kind: 'storm', lane }),
    async closeLane(lane) {
      if (failure !== undefined) throw failure;
      const record = await new Promise<LaneRecord>((resolve, reject) => {
        thread.once('error', reject);
        closing.set(lane, (closed) => {
          thread.off('error', reject);
          resolve(closed);
        });
        say({ kind: 'close', lane });
      });
      lanes.delete(lane);
      if (record.errors.length > 0) throw new Error(`the fault proxy failed: ${record.errors.join('; ')}`);
      return record;
    },
    async close() {
      say({ kind: 'stop' });
      await once(thread, 'exit');
    },
  };
}

/** The lane in a worker's name, `<lane>-<anything>`; undefined in another name. */
export function laneOf(worker: string | undefined): string | undefined {
  return worker === undefined ? undefined : /^(.+)-[^-]+$/.exec(worker)?.[1];
}
