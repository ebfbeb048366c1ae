/**
 * `.tidemill/`: what the demo leaves in the working directory. While `demo --keep` runs, `demo.env` in it
 * holds the settings of its worker, so that `tidemill send` in another terminal finds the queue.
 */

import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parseEnv } from 'node:util';
import type { Values } from './document.ts';

export const STATE_DIRECTORY = '.tidemill';
const DEMO_ENV = 'demo.env';
const PID = 'TIDEMILL_DEMO_PID';

/** The queue that events can be read from, where one is known: not a setting of the worker. */
export const EVENTS_QUEUE = 'AWS_SQS_EVENTS_QUEUE_URL';

/** The state directory of `from`, made where it is missing. */
export function makeStateDirectory(from = process.cwd()): string {
  const directory = resolve(from, STATE_DIRECTORY);
  mkdirSync(directory, { recursive: true });
  return directory;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Writes `demo.env` for a demo of this process; the returned function removes it. */
export function announceDemo(directory: string, values: Values): () => void {
  const path = join(directory, DEMO_ENV);
  const lines = Object.entries({ ...values, [PID]: String(process.pid) }).map(
    ([name, value]) => `${name}=${value}`,
  );
  writeFileSync(path, `# The running demo; gone when it ends.\n${lines.join('\n')}\n`);
  return () => rmSync(path, { force: true });
}

export interface RunningDemo {
  readonly pid: number;
  readonly file: string;
  readonly values: Values;
}

/** The demo that runs for `from` or a directory above it; one that was killed is not running. */
export function findRunningDemo(from = process.cwd()): RunningDemo | undefined {
  for (let at = resolve(from); ; at = dirname(at)) {
    const file = join(at, STATE_DIRECTORY, DEMO_ENV);
    if (existsSync(file)) {
      const { [PID]: pid, ...values } = parseEnv(readFileSync(file, 'utf8')) as Record<string, string>;
      if (isAlive(Number(pid))) return { pid: Number(pid), file, values };
    }
    if (at === dirname(at)) return undefined;
  }
}
