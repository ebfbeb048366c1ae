/** The mutants are of today's sources: each replaces what is there once, and leaves what Node can run. */

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { stripTypeScriptTypes } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { MUTANTS, occurrences, plantMutant } from './mutants.ts';

const ROOT = join(import.meta.dirname, '../..');

test.each(MUTANTS)('$name replaces texts that occur once', async ({ edits }) => {
  for (const edit of edits) expect([edit.from, await occurrences(ROOT, edit)]).toEqual([edit.from, 1]);
});

test('a planted mutant is a copy of the sources that differs in its files alone, and can be run', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'tidemill-mutants-'));
  try {
    for (const [i, mutant] of MUTANTS.entries()) {
      const target = join(directory, String(i));
      await plantMutant(ROOT, target, mutant);
      for (const file of new Set(mutant.edits.map((edit) => edit.file))) {
        const planted = await readFile(join(target, 'src', file), 'utf8');
        expect(planted).not.toBe(await readFile(join(ROOT, 'src', file), 'utf8'));
        expect(() => stripTypeScriptTypes(planted)).not.toThrow();
      }
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});

test('there are the mutants that the checker is to be proven by, each with a name of its own', () => {
  expect(MUTANTS.length).toBeGreaterThanOrEqual(12);
  expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
  expect(MUTANTS.filter(({ expects }) => expects.length === 0)).toEqual([]);
});
