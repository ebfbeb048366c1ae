/** JSON objects that lie in the bucket at the end. */

import { readFile } from 'node:fs/promises';
import type { Lake } from './duck.ts';
import { type Json, parseObject } from './facts.ts';

/** The object as JSON; undefined where there is none, or no JSON in it. */
export async function readText(lake: Lake, key: string): Promise<Json | undefined> {
  if (lake.find(key) === undefined) return undefined;
  return parseObject(await readFile(lake.path(key), 'utf8'));
}
