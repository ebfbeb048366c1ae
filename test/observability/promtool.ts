/** Prometheus's own checker, where this machine has one (Debian: package `prometheus`; .ci/run fetches it). */

import { spawnSync } from 'node:child_process';

export interface Verdict {
  /** 0: all is well. */
  readonly code: number | null;
  /** What it said, standard output and error together. */
  readonly said: string;
}

export function runPromtool(args: readonly string[], input = ''): Verdict {
  const { status, stdout, stderr } = spawnSync('promtool', args, { input, encoding: 'utf8' });
  return { code: status, said: `${stdout}${stderr}` };
}

/** Why promtool can not be asked here, or undefined where it can. */
export const noPromtool: string | undefined =
  spawnSync('promtool', ['--version']).error === undefined
    ? undefined
    : 'skipped: promtool is not installed (Debian package `prometheus`)';
