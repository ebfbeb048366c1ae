/** The worker as a real process, as it is built, with its log read and its end awaited. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DIST } from './built.ts';
import { eventually, type Patience } from './eventually.ts';

const MAIN = join(DIST, 'main.js');

export type LogLine = Readonly<Record<string, unknown>> & { readonly level: string; readonly msg: string };

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface WorkerProcess {
  /** Also the client's name in its requests; see traffic.ts. */
  readonly name: string;
  readonly pid: number;
  /** Of /metrics, /healthz and /readyz. */
  readonly port: number;
  readonly log: readonly LogLine[];
  isRunning(): boolean;
  /** Waits for a line whose message has `text`. */
  logged(text: string, options?: Patience & { readonly count?: number }): Promise<LogLine>;
  get(path: string): Promise<{ readonly status: number; readonly body: string }>;
  /** Prometheus samples by name with labels, as `metric_runs_started_total`. */
  metrics(): Promise<Map<string, number>>;
  signal(signal: NodeJS.Signals): void;
  /** `kill -9`; resolves when it is gone. */
  kill(): Promise<void>;
  /** SIGTERM, and its end; throws where it has not ended in `withinMs` (default 15,000), after it was killed. */
  stop(withinMs?: number): Promise<Exit>;
  /** What it wrote that is no log line: standard error, above all. */
  complaints(): string;
  readonly exit: Promise<Exit>;
}

/** What every worker of a test is set to, unless the test says otherwise: quick, and on a port of its own. */
export const TEST_SETTINGS: Readonly<Record<string, string>> = {
  PROMETHEUS_PORT: '0',
  WORKER_POLL_WAIT_SECONDS: '20',
  WORKER_RETRY_FIRST_SECONDS: '1',
  WORKER_RETRY_MAX_SECONDS: '2',
  WORKER_HEARTBEAT_INTERVAL_SECONDS: '1',
  WORKER_THREADS: '2',
  LOG_LEVEL: 'info',
};

/** A worker's default grace period is longer; a test that waits so long says so. */
const STOP_MS = 15_000;

/** Starts one and waits until it takes requests. */
export async function startWorkerProcess(
  name: string,
  environment: Readonly<Record<string, string>>,
): Promise<WorkerProcess> {
  const launched = launch(name, environment);
  const { port } = (await launched.logged('the worker runs', { timeoutMs: 30_000 })) as unknown as {
    readonly port: number;
  };
  const get: WorkerProcess['get'] = async (path) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { connection: 'close' } });
    return { status: response.status, body: await response.text() };
  };
  return { ...launched, port, get, metrics: async () => samplesOf((await get('/metrics')).body) };
}

export type LaunchedProcess = Omit<WorkerProcess, 'port' | 'get' | 'metrics'>;

/**
 * Starts one whose start may fail: what it says then is in its log and `complaints`.
 * @param main the entry; default that of these sources' build
 */
export function launch(
  name: string,
  environment: Readonly<Record<string, string>>,
  main = MAIN,
): LaunchedProcess {
  const child: ChildProcess = spawn(process.execPath, [main], {
    cwd: tmpdir(), // No .env of the developer's.
    env: {
      PATH: process.env.PATH ?? '',
      TZ: 'America/St_Johns', // Nothing may depend on it.
      NODE_COMPILE_CACHE: join(tmpdir(), 'tidemill-compile-cache'), // Starts three times as fast.
      ...TEST_SETTINGS,
      AWS_SDK_UA_APP_ID: name,
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const log: LogLine[] = [];
  const complaints: string[] = [];
  createInterface({ input: child.stdout! }).on('line', (line) => {
    try {
      log.push(JSON.parse(line) as LogLine);
    } catch {
      complaints.push(line);
    }
  });
  child.stderr!.setEncoding('utf8').on('data', (text: string) => complaints.push(text));
  let ended: Exit | undefined;
  const exit = once(child, 'close').then(([code, signal]) => {
    ended = { code: code as number | null, signal: signal as NodeJS.Signals | null };
    return ended;
  });
  const signal = (name: NodeJS.Signals) => void child.kill(name);
  const told = () => [...complaints, ...log.slice(-8).map((line) => JSON.stringify(line))].join('\n');

  return {
    name,
    pid: child.pid ?? 0,
    log,
    isRunning: () => ended === undefined,
    logged: (text, { count = 1, ...patience } = {}) =>
      eventually(
        () => `${name} logs "${text}" (${count}); it says ${told()}`,
        () => {
          const line = log.filter(({ msg }) => msg.includes(text))[count - 1];
          if (line !== undefined) return line;
          if (ended !== undefined) throw new Error(`${name} ended (${JSON.stringify(ended)}): ${told()}`);
          return undefined;
        },
        patience,
      ),
    signal,
    async kill() {
      signal('SIGKILL');
      await exit;
    },
    async stop(withinMs = STOP_MS) {
      let late = false;
      const patience = setTimeout(() => {
        late = true;
        signal('SIGKILL');
      }, withinMs);
      signal('SIGTERM');
      const end = await exit;
      clearTimeout(patience);
      if (late) throw new Error(`${name} was told to stop and did not end in ${withinMs} ms: ${told()}`);
      return end;
    },
    exit,
    complaints: () => complaints.join(''),
  };
}

/** The samples of a Prometheus text, by name with labels. */
export function samplesOf(text: string): Map<string, number> {
  const samples = new Map<string, number>();
  for (const line of text.split('\n')) {
    const at = line.lastIndexOf(' ');
    if (line.startsWith('#') || at < 0) continue;
    samples.set(line.slice(0, at), Number(line.slice(at + 1)));
  }
  return samples;
}
