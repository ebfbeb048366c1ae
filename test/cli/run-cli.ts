/** The command as a person runs it: a process of its own, in a directory of its own, with no AWS around it. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DIST } from '../support/built.ts';

export interface RunOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
}

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly child: ChildProcess;
  /** What it has written so far, both streams. */
  output(): string;
  /** Resolves once its output matches; rejects when it ends without. */
  until(pattern: RegExp): Promise<void>;
  readonly ended: Promise<Ran>;
}

export const CLI = join(DIST, 'cli.js');

function cleanEnvironment(): NodeJS.ProcessEnv {
  const reaching = /^(AWS_|PROMETHEUS_PORT|FORCE_COLOR|NODE_OPTIONS)/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !reaching.test(name)));
}

export function startCli(args: readonly string[], options: RunOptions): Running {
  const child = spawn(process.execPath, [CLI, ...args], {
    cwd: options.cwd,
    env: { ...cleanEnvironment(), ...options.env },
    stdio: 'pipe',
  });
  // It may end before it has taken its input, which `--help` does not ask for.
  child.stdin.on('error', () => {});
  child.stdin.end(options.input ?? '');
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const ended = once(child, 'close').then(([code]): Ran => ({ code, stdout, stderr }));
  return {
    child,
    output: () => stdout + stderr,
    async until(pattern) {
      while (!pattern.test(stdout + stderr)) {
        const ran = await Promise.race([once(child.stdout, 'data').then(() => undefined), ended]);
        if (ran !== undefined && !pattern.test(stdout + stderr)) {
          throw new Error(`it ended with ${ran.code} before it said ${pattern}:\n${stdout}${stderr}`);
        }
      }
    },
    ended,
  };
}

export async function runCli(args: readonly string[], options: RunOptions): Promise<Ran> {
  return await startCli(args, options).ended;
}

/** A directory for one test file, and a way to put files into it. */
export function makeDirectory(): {
  path: string;
  write(name: string, content: unknown): string;
  remove(): void;
} {
  const path = mkdtempSync(join(tmpdir(), 'tidemill-cli-'));
  return {
    path,
    write(name, content) {
      const file = join(path, name);
      writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
      return file;
    },
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
}
