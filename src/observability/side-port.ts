/**
 * The side port: /metrics for Prometheus, /healthz (alive: the loops turn) and /readyz (ready: queue,
 * bucket and topics answer; not while draining). Answers are small, and the checks behind /readyz are
 * asked at most once in `READY_FOR_MS`.
 */

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';
import type { Clock } from '../common/clock.ts';
import { messageOf } from '../common/errors.ts';

export interface SidePortParts {
  readonly registry: Registry;
  readonly clock: Clock;
  readonly isAlive: () => boolean;
  /** Undefined while work is taken; otherwise why not, as `draining`. */
  readonly notReady: () => string | undefined;
  /** Named checks of what the worker needs; each rejects when its service does not answer. */
  readonly checks: Readonly<Record<string, (signal: AbortSignal) => Promise<void>>>;
}

export interface SidePort {
  readonly port: number;
  close(): Promise<void>;
}

const READY_FOR_MS = 5_000;
const CHECK_TIMEOUT_MS = 3_000;

interface Readiness {
  readonly at: number;
  readonly failures: Readonly<Record<string, string>>;
}

export async function openSidePort(port: number, parts: SidePortParts): Promise<SidePort> {
  const { registry, clock, isAlive, notReady, checks } = parts;
  let known: Readiness | undefined;
  let asking: Promise<Readiness> | undefined;

  async function ask(): Promise<Readiness> {
    const timeout = clock.timeout(CHECK_TIMEOUT_MS, () => new Error('no answer in time'));
    const failures: Record<string, string> = {};
    try {
      await Promise.all(
        Object.entries(checks).map(async ([name, check]) => {
          try {
            await check(timeout.signal);
          } catch (error) {
            failures[name] = error instanceof Error ? error.name : messageOf(error);
          }
        }),
      );
    } finally {
      timeout.clear();
    }
    known = { at: clock.monotonic(), failures };
    return known;
  }

  async function readiness(): Promise<Readiness> {
    if (known !== undefined && clock.monotonic() - known.at < READY_FOR_MS) return known;
    asking ??= ask().finally(() => {
      asking = undefined;
    });
    return await asking;
  }

  async function answer(path: string): Promise<{ status: number; type: string; body: string }> {
    const json = (status: number, body: unknown) => ({
      status,
      type: 'application/json',
      body: JSON.stringify(body),
    });
    if (path === '/metrics')
      return { status: 200, type: registry.contentType, body: await registry.metrics() };
    if (path === '/healthz')
      return isAlive() ? json(200, { status: 'alive' }) : json(503, { status: 'stuck' });
    if (path === '/readyz') {
      const why = notReady();
      if (why !== undefined) return json(503, { status: why });
      const { failures } = await readiness();
      const failed = Object.keys(failures).length > 0;
      return json(failed ? 503 : 200, failed ? { status: 'not ready', failures } : { status: 'ready' });
    }
    return json(404, { status: 'not found', paths: ['/metrics', '/healthz', '/readyz'] });
  }

  const server: Server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://side-port').pathname;
    answer(path).then(
      ({ status, type, body }) => {
        response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' });
        response.end(body);
      },
      () => {
        response.writeHead(500);
        response.end();
      },
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, () => {
      server.off('error', reject);
      resolve();
    });
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
