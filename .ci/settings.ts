/**
 * What the documentation says of settings, made from src/config.ts: `.env.example`, and the table between
 * the markers of docs/OPERATIONS.md. `npm run env-example` writes both; test/config.test.ts holds them.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { VARIABLES } from '../src/config.ts';

export const ENV_EXAMPLE = new URL('../.env.example', import.meta.url);
export const OPERATIONS = new URL('../docs/OPERATIONS.md', import.meta.url);

const BEGIN = '<!-- settings: written by `npm run env-example` -->';
const END = '<!-- end of settings -->';

/** Defaults that differ from machine to machine, in words. */
const COMPUTED = new Map<string, string>([[VARIABLES.threads.name, 'the number of cores']]);

const HEAD = `# Every setting of Tidemill, with its default. Copy it to .env, or set the variables in the environment,
# which wins over .env. An empty variable counts as unset. Written by \`npm run env-example\`.
`;

const TAIL = `
# The AWS SDK's own variables work untouched: AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
# AWS_SESSION_TOKEN, AWS_PROFILE, AWS_ROLE_ARN and the rest. On ECS the task role needs none of them.
`;

/** The text of .env.example: a comment and an assignment for each setting. */
export function envExample(): string {
  const settings = Object.values(VARIABLES).map(({ name, fallback, about }) => {
    const computed = COMPUTED.get(name);
    const comment = computed === undefined ? about : `${about} Default: ${computed}.`;
    return `\n# ${comment}\n${name}=${computed === undefined ? (fallback ?? '') : ''}\n`;
  });
  return [HEAD, ...settings, TAIL].join('');
}

/** The settings as a Markdown table. */
export function settingsTable(): string {
  const rows = Object.values(VARIABLES).map(({ name, fallback, about }) => {
    const given = fallback === undefined || fallback === '' ? '' : `\`${fallback}\``;
    return `| \`${name}\` | ${COMPUTED.get(name) ?? given} | ${about.replaceAll('|', '\\|')} |`;
  });
  return ['| variable | default | what it is for |', '|---|---|---|', ...rows].join('\n');
}

/** A document with the table put between its markers; throws where they are missing. */
export function withSettingsTable(document: string): string {
  const from = document.indexOf(BEGIN);
  const to = document.indexOf(END);
  if (from < 0 || to < from) throw new Error(`the document has no "${BEGIN}" before "${END}"`);
  return `${document.slice(0, from + BEGIN.length)}\n\n${settingsTable()}\n\n${document.slice(to)}`;
}

if (import.meta.main) {
  writeFileSync(ENV_EXAMPLE, envExample());
  writeFileSync(OPERATIONS, withSettingsTable(readFileSync(OPERATIONS, 'utf8')));
}
