/**
 * Runs a function of a module in a process of its own, on the sources as they are: what kills or hangs it
 * fails the test and nothing else, worker threads have the environment they are given, and a handle that
 * stays open is an error.
 */

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { systemClock } from '../../../src/common/clock.ts';

export interface ApartOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Default 60,000. */
  readonly timeoutMs?: number;
  readonly execArgv?: readonly string[];
}

/** How long a process may take to end once its work is done. */
const LINGER_MS = 15_000;

type Outcome = { readonly value: unknown } | { readonly error: string };

/** The result of `module`'s export `name`, called with `input`; both are plain data. */
export async function runApart<T>(
  module: URL,
  name: string,
  input: unknown,
  { env = {}, timeoutMs = 60_000, execArgv = [] }: ApartOptions = {},
): Promise<T> {
  const child = fork(new URL('child.ts', import.meta.url), [module.href, name], {
    execArgv: [...execArgv],
    env: { ...process.env, ...env },
    serialization: 'advanced',
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  let outcome: Outcome | undefined;
  let slow: string | undefined;
  const giveUp = (why: string) => () => {
    slow = why;
    child.kill('SIGKILL');
    return new Error(why);
  };
  const timer = systemClock.timeout(timeoutMs, giveUp(`${name} was not done after ${timeoutMs} ms`));
  let linger: { clear(): void } | undefined;
  child.on('message', (message) => {
    outcome = message as Outcome;
    linger = systemClock.timeout(LINGER_MS, giveUp(`${name} is done, but something keeps its process alive`));
  });
  child.send({ input });
  const [code, signal] = await once(child, 'exit');
  timer.clear();
  linger?.clear();
  if (slow !== undefined) throw new Error(slow);
  if (outcome === undefined) throw new Error(`${name} died: exit code ${code}, signal ${signal}`);
  if ('error' in outcome) throw new Error(`${name} failed: ${outcome.error}`);
  if (code !== 0) throw new Error(`${name} ended with exit code ${code}`);
  return outcome.value as T;
}
