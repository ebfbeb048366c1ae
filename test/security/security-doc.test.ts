/** docs/SECURITY.md against the tree: what it names is there, and limits are what the settings say. */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { TOLD_CHARACTERS } from '../../src/common/tellable.ts';
import { VARIABLES } from '../../src/config.ts';
import { MAX_EVENT_BYTES } from '../../src/contract/event-text.ts';
import { MAX_NESTING } from '../../src/contract/nesting.ts';
import { MAX_WHOLE_BYTES } from '../../src/lake/object-store.ts';

const ROOT = join(import.meta.dirname, '../..');
const document = readFileSync(join(ROOT, 'docs/SECURITY.md'), 'utf8');

test('every file that it names exists', () => {
  const named = document.match(/\b(?:src|test)\/[\w./-]*\w/g) ?? [];
  const links = [...document.matchAll(/\]\(([\w./-]+)\)/g)].map(([, path = '']) => `docs/${path}`);
  expect(named.length).toBeGreaterThan(60);
  expect([...named, ...links].filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
});

test('the default of each setting in the table of limits is the one that it has', () => {
  const rows = document.split('\n').filter((line) => /^\| .*`[A-Z][A-Z_]+`/.test(line));
  const settings = new Map(Object.values(VARIABLES).map(({ name, fallback }) => [name as string, fallback]));
  const told = rows.flatMap((row) => {
    const [, , limit = '', setting = ''] = row.split('|');
    const name = /`([A-Z_]+)`/.exec(setting)?.[1] ?? '';
    return settings.has(name) ? [[name, limit.replaceAll(',', '').match(/\d+/g)?.at(-1)]] : [];
  });
  // Told in hours there, in seconds here.
  const expected = told.map(([name]) => [
    name,
    name === VARIABLES.deadlineSeconds.name ? '11' : settings.get(name!),
  ]);
  expect(told).toEqual(expected);
  expect(told.length).toBeGreaterThan(10);
});

test('limits that no setting changes are those of the code', () => {
  const limitOf = (what: string) =>
    document
      .split('\n')
      .find((line) => line.startsWith(`| ${what}`))
      ?.split('|')[2]
      ?.trim();
  expect(limitOf('a manifest or marker')).toBe(`${MAX_WHOLE_BYTES / 2 ** 20} MiB`);
  expect(limitOf('an event')).toBe(`${MAX_EVENT_BYTES / 1024} KiB; SNS takes 256`);
  expect(limitOf("an error's text")).toContain(`${TOLD_CHARACTERS.toLocaleString('en')} characters`);
  expect(limitOf('nesting of any JSON')).toBe(MAX_NESTING.toLocaleString('en'));
});
