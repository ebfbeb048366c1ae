/**
 * A file that a person hands to the command: a request (JSON), or settings (a JSON object of environment
 * variables, or lines as in .env). Which of them it is shows in its content, not in its name.
 */

import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { messageOf } from '../common/errors.ts';
import { isJsonObject } from '../contract/envelope.ts';
import { UsageError } from './command.ts';

export type Values = Readonly<Record<string, string>>;

export type Document =
  | { readonly kind: 'request'; readonly text: string }
  | { readonly kind: 'settings'; readonly values: Values; readonly problems: readonly string[] };

const VARIABLE = /^[A-Z][A-Z0-9_]*$/;
const ENV_LINE = /^\s*(#.*|(export\s+)?[A-Za-z_][A-Za-z0-9_]*\s*=.*)?$/;

/** The text of `path`, or of standard input for `-`. */
export function readText(path: string): string {
  try {
    return readFileSync(path === '-' ? 0 : path, 'utf8').replace(/^\uFEFF/, '');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT') throw new UsageError(`there is no file ${path}`);
    if (code === 'EISDIR') throw new UsageError(`${path} is a directory`);
    throw new UsageError(`${path} can not be read: ${messageOf(error)}`);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Settings as JSON: numbers and booleans are taken as they would be written in the environment. */
function settingsOf(object: Readonly<Record<string, unknown>>): Document {
  const values: Record<string, string> = {};
  const problems: string[] = [];
  for (const [name, value] of Object.entries(object)) {
    if (['string', 'number', 'boolean'].includes(typeof value)) values[name] = String(value);
    else if (value !== null) problems.push(`${name}: must be a text, a number or true or false`);
  }
  return { kind: 'settings', values, problems };
}

/** A text that is neither counts as a request, so that it is told why it is none. */
export function parseDocument(text: string): Document {
  const json = parseJson(text);
  if (isJsonObject(json)) {
    const names = Object.keys(json);
    const isSettings = names.length > 0 && names.every((name) => VARIABLE.test(name));
    return isSettings ? settingsOf(json) : { kind: 'request', text };
  }
  const isEnv =
    json === undefined && text.trim() !== '' && text.split('\n').every((line) => ENV_LINE.test(line));
  if (!isEnv) return { kind: 'request', text };
  const values: Record<string, string> = {};
  for (const [name, value] of Object.entries(parseEnv(text))) values[name] = value ?? '';
  return { kind: 'settings', values, problems: [] };
}
