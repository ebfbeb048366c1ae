/** The mutants are of today's sources: each replaces what is there once, and leaves what Node can run. */

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { stripTypeScriptTypes } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { MUTANTS, mutantFiles, mutated, plantMutant } from './mutants.ts';

const ROOT = join(import.meta.dirname, '../..');
const TIMEOUT_MS = 120_000;

test.each(MUTANTS)(
  '$name: each text occurs once in its file, and what comes of it can be run',
  async (mutant) => {
    for (const [file, text] of await mutantFiles(ROOT, mutant)) {
      expect(text).not.toBe(await readFile(join(ROOT, 'src', file), 'utf8'));
      expect(() => stripTypeScriptTypes(text)).not.toThrow();
    }
  },
);

test('a text that is not there, or there twice, is no place for a bug', () => {
  const edit = (from: string) => [{ file: 'a.ts', from, to: 'x' }];
  expect(() => mutated('a b b', edit('c'))).toThrow('a.ts holds 0 times: c');
  expect(() => mutated('a b b', edit('b'))).toThrow('a.ts holds 2 times: b');
  expect(mutated('a b b', edit('a'))).toBe('x b b');
});

test(
  'a planted mutant is a copy of the sources, with its bug in it',
  async () => {
    const directory = await mkdtemp(join(tmpdir(), 'tidemill-mutants-'));
    const [mutant] = MUTANTS;
    const source = (root: string, file: string) => readFile(join(root, 'src', file), 'utf8');
    try {
      await plantMutant(ROOT, directory, mutant!);
      for (const [file, text] of await mutantFiles(ROOT, mutant!))
        expect(await source(directory, file)).toBe(text);
      expect(await source(directory, 'main.ts')).toBe(await source(ROOT, 'main.ts'));
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  },
  TIMEOUT_MS,
);

test('there are the mutants that the checker is to be proven by, each with a name of its own', () => {
  expect(MUTANTS.length).toBeGreaterThanOrEqual(12);
  expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
  expect(MUTANTS.filter(({ expects }) => expects.length === 0)).toEqual([]);
});
