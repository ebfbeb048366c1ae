/**
 * Which AWS a command speaks to: the first of a named settings file, the environment, a running
 * `demo --keep`, and .env. What is found is put into this process's environment, where the AWS SDK
 * looks for endpoint and credentials by itself.
 */

import { existsSync } from 'node:fs';
import { relative } from 'node:path';
import { VARIABLES } from '../config.ts';
import { CommandFailure, UsageError } from './command.ts';
import { parseDocument, readText, type Values } from './document.ts';
import { findRunningDemo } from './state-directory.ts';

export interface Target {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Where it was found, for people. */
  readonly from: string;
}

export interface Needed {
  readonly name: string;
  /** What is wrong without it. */
  readonly what: string;
}

const A_QUEUE: Needed = { name: VARIABLES.queueUrl.name, what: 'no queue to send to' };

function readSettings(path: string): Values {
  const document = parseDocument(readText(path));
  if (document.kind === 'settings') return document.values;
  throw new UsageError(`${path} is no settings file`);
}

/** As .env is read by the worker: the environment wins. */
function addTo(environment: NodeJS.ProcessEnv, values: Values): void {
  for (const [name, value] of Object.entries(values)) environment[name] ??= value;
}

/** From here on this process reaches only what `values` name: no profile or token of a real AWS is left. */
export function useEnvironment(values: Values): void {
  for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) delete process.env[name];
  Object.assign(process.env, values);
}

/**
 * Finds the target and prepares this process's environment for it. `file` is the settings file of
 * `--env`, which wins over everything; `needed` the variable without which the command can do nothing.
 * @throws UsageError when `file` can not be used, CommandFailure when the variable is nowhere
 */
export function findTarget(file: string | undefined, needed: Needed = A_QUEUE): Target {
  const environment = process.env;
  if (file !== undefined) {
    Object.assign(environment, readSettings(file));
    return checked(environment, file, needed);
  }
  if (environment[needed.name]) {
    if (existsSync('.env')) addTo(environment, readSettings('.env'));
    return { environment, from: 'the environment' };
  }
  const demo = findRunningDemo();
  if (demo !== undefined) {
    useEnvironment(demo.values);
    return checked(environment, `the running demo, ${relative('.', demo.file)}`, needed);
  }
  if (existsSync('.env')) addTo(environment, readSettings('.env'));
  return checked(environment, '.env', needed);
}

function checked(environment: NodeJS.ProcessEnv, from: string, { name, what }: Needed): Target {
  if (environment[name]) return { environment, from };
  throw new CommandFailure(
    `error: ${what}: ${name} is neither in the environment nor in .env, and no demo runs here.\n` +
      'Start one in another terminal: npm run demo -- --keep',
  );
}
