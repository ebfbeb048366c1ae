/**
 * The embedded AWS in a child process, so that it shares no event loop with its user: for the demo,
 * for benchmarks, and for tests that stop and start it. It stops with its parent.
 */

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../common/clock.ts';
import type { LocalAwsOptions } from './local-aws.ts';
import type { ResourceOptions } from './resources.ts';
import type { ServerReady } from './server.ts';

export interface LocalAwsProcessOptions extends Omit<LocalAwsOptions, 'hooks'>, ResourceOptions {}

export interface LocalAwsProcess extends ServerReady {
  readonly pid: number;
  /** Ends the process, by force if it does not end in five seconds. Safe to call twice. */
  stop(): Promise<void>;
}

const GRACE_MS = 5_000;

/**
 * Starts it and waits until its resources are there. Unlike `startLocalAws`, resources are included.
 * @throws Error with what the process wrote, when it ends before it is ready
 */
export async function startLocalAwsProcess(options: LocalAwsProcessOptions = {}): Promise<LocalAwsProcess> {
  // Beside this file, and like it TypeScript when unbuilt.
  const server = new URL(import.meta.url.endsWith('.ts') ? 'server.ts' : 'server.js', import.meta.url);
  const child = fork(fileURLToPath(server), argumentsOf(options), {
    execArgv: [],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const complaints: string[] = [];
  child.stderr?.setEncoding('utf8').on('data', (text: string) => complaints.push(text));
  const ready = await readyLine(child);
  if (ready === undefined) {
    throw new Error(`the embedded AWS did not start: ${complaints.join('').trim() || 'no reason given'}`);
  }
  return { ...ready, pid: child.pid ?? 0, stop: () => stop(child) };
}

function argumentsOf(options: LocalAwsProcessOptions): string[] {
  const values: readonly [string, string | number | undefined][] = [
    ['--port', options.port ?? 0],
    ['--host', options.host],
    ['--data-dir', options.dataDir],
    ['--prefix', options.prefix],
    ['--max-receive-count', options.maxReceiveCount],
    ['--visibility-timeout', options.visibilityTimeout],
  ];
  const flags: readonly [string, boolean | undefined][] = [
    ['--fifo-topic', options.fifoTopic],
    ['--raw-delivery', options.rawDelivery],
  ];
  return [
    ...values.flatMap(([name, value]) => (value === undefined ? [] : [name, String(value)])),
    ...flags.flatMap(([name, set]) => (set ? [name] : [])),
  ];
}

/** The first line that the process prints, or nothing when it ends without one. */
async function readyLine(child: ChildProcess): Promise<ServerReady | undefined> {
  if (child.stdout === null) return undefined;
  const lines = createInterface({ input: child.stdout });
  for await (const line of lines) return JSON.parse(line) as ServerReady;
  return undefined;
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const grace = systemClock.timeout(GRACE_MS, () => new Error('too slow'));
  grace.signal.addEventListener('abort', () => child.kill('SIGKILL'), { once: true });
  await exited;
  grace.clear();
}
