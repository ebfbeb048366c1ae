/**
 * The corpus: inputs to start from, good ones and once-bad ones, one file each in `corpus/<target>/`; and
 * the mutations that are made of them. Mutation `n` of a target and seed is always the same.
 */

import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { seededRandom } from '../support/random.ts';
import { mutateBytes } from './mutate-bytes.ts';
import { mutateJson } from './mutate-json.ts';
import { oneOf } from './random-choice.ts';
import type { FuzzTarget } from './target.ts';

export interface CorpusEntry {
  readonly name: string;
  readonly bytes: Uint8Array;
}

const TEST_FOLDER = new URL('../', import.meta.url);

/** The entries of a target, in order of their names. */
export function corpusOf({ name, seeds = [] }: FuzzTarget): CorpusEntry[] {
  const entries = [`fuzz/corpus/${name}`, ...seeds].flatMap((folder) => {
    const url = new URL(`${folder}/`, TEST_FOLDER);
    if (!existsSync(url)) return [];
    return readdirSync(url)
      .filter((file) => !file.endsWith('.py') && file !== 'expected.json')
      .sort()
      .map((file) => ({ name: file, bytes: readFileSync(fileURLToPath(new URL(file, url))) }));
  });
  if (entries.length === 0) throw new Error(`the target ${name} has no corpus`);
  return entries;
}

/** Mutation `number` of a run with `seed`. */
export function mutation(
  target: FuzzTarget,
  corpus: readonly CorpusEntry[],
  seed: number,
  number: number,
): Buffer {
  const digest = createHash('sha256').update(`${target.name}:${seed}:${number}`).digest();
  const random = seededRandom(digest.readUInt32LE(0));
  const others = corpus.map(({ bytes }) => bytes);
  const { bytes } = oneOf(random, corpus);
  return target.kind === 'json' ? mutateJson(bytes, random, others) : mutateBytes(bytes, random, others);
}
