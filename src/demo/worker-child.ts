/**
 * The real worker as a child process, as a container would run it. What it logs goes to a file.
 *
 * It is the leader of a process group of its own, so that Ctrl-C reaches only the demo, which then stops
 * things in order. Should the demo be killed, the worker sees its channel close and ends.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Values } from '../cli/document.ts';
import { systemClock } from '../common/clock.ts';
import { VARIABLES } from '../config.ts';

export interface WorkerChild {
  readonly pid: number;
  /** Of its side port, as `http://127.0.0.1:9300`. */
  readonly sidePort: string;
  /** Rejects when the worker ends by itself, saying how. */
  readonly died: Promise<never>;
  /** Ends it, by force if it does not end in time. Safe to call twice. */
  stop(): Promise<void>;
}

export interface WorkerChildOptions {
  /** Over what is left of this process's environment. */
  readonly settings: Values;
  /** Its working directory: one without a .env. */
  readonly directory: string;
  readonly logFile: string;
  readonly signal: AbortSignal;
}

const START_MS = 15_000;
const GRACE_MS = 5_000;
const RUNS = 'the worker runs';

/** Of a module named without its extension: like this one TypeScript when unbuilt. */
function moduleUrl(name: string): URL {
  return new URL(`${name}.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`, import.meta.url);
}

/** The environment without what would reach a real AWS or set the worker otherwise. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const own = new Set<string>(Object.values(VARIABLES).map(({ name }) => name));
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !own.has(name) && !name.startsWith('AWS_')),
  );
}

/** The number of the side port in a log line, if the line says that the worker runs. */
function portIn(line: string): number | undefined {
  if (!line.includes(RUNS)) return undefined;
  const { msg, port } = JSON.parse(line) as { msg?: unknown; port?: unknown };
  return msg === RUNS && typeof port === 'number' ? port : undefined;
}

/** The port of the first line that says so, while every line goes to the log file. */
async function portOf(child: ChildProcess, logFile: string): Promise<number> {
  const log = createWriteStream(logFile);
  child.stderr?.pipe(log, { end: false });
  return await new Promise((resolve, reject) => {
    const lines = createInterface({ input: child.stdout! });
    lines.on('line', (line) => {
      log.write(`${line}\n`);
      const port = portIn(line);
      if (port !== undefined) resolve(port);
    });
    lines.on('close', () => {
      log.end();
      reject(new Error('the worker ended before it was ready'));
    });
  });
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

/**
 * Starts it and waits until its side port is open.
 * @throws Error when it ends before that, or takes too long; its log file says why
 */
export async function startWorkerChild(options: WorkerChildOptions): Promise<WorkerChild> {
  const { settings, directory, logFile, signal } = options;
  const child = spawn(
    process.execPath,
    ['--import', moduleUrl('./end-with-parent').href, fileURLToPath(moduleUrl('../main'))],
    {
      cwd: directory,
      env: { ...cleanEnvironment(), ...settings },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      detached: true,
    },
  );
  const killNow = () => child.kill('SIGKILL');
  process.once('exit', killNow);
  let stopping = false;
  const died = once(child, 'exit').then(([code, by]): never => {
    process.off('exit', killNow);
    throw stopping
      ? new Error('the worker was stopped')
      : new Error(`the worker ended with ${by ?? `code ${code}`}`);
  });
  died.catch(() => {});
  const late = systemClock.sleep(START_MS, signal).then((): never => {
    throw new Error(`the worker was not ready within ${START_MS / 1000} seconds`);
  });
  late.catch(() => {});
  try {
    const port = await Promise.race([portOf(child, logFile), died, late]);
    return {
      pid: child.pid ?? 0,
      sidePort: `http://127.0.0.1:${port}`,
      died,
      stop: async () => {
        stopping = true;
        await stop(child);
      },
    };
  } catch (error) {
    await stop(child);
    throw error;
  }
}

/** The last lines of a worker's log, shortened to what a person needs. */
export function logTail(logFile: string, lines: number): string[] {
  let text: string;
  try {
    text = readFileSync(logFile, 'utf8');
  } catch {
    return [];
  }
  return text.trimEnd().split('\n').slice(-lines).map(shortened);
}

/** Fields that every line has, or that only fill it. */
const LEFT_OUT = new Set([
  'level',
  'time',
  'msg',
  'service',
  'version',
  'pid',
  'message_id',
  'event_type',
  'stack',
]);

function shortened(line: string): string {
  try {
    const fields = JSON.parse(line) as Record<string, unknown>;
    const rest = Object.entries(fields).filter(([name]) => !LEFT_OUT.has(name));
    const more = rest.map(
      ([name, value]) => `  ${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
    );
    const { time, level, msg } = fields;
    return `${String(time).slice(11, 23)}  ${String(level).padEnd(5)}  ${String(msg)}${more.join('')}`;
  } catch {
    return line;
  }
}
