/** Checking settings as the worker would at its start, and finding names that look like slips of the pen. */

import { ConfigurationError, readConfig, VARIABLES } from '../config.ts';
import type { Values } from './document.ts';

/** Everything that is wrong, each as `NAME: what`. */
export function settingsProblems(values: Values): string[] {
  try {
    readConfig(values);
    return [];
  } catch (error) {
    if (error instanceof ConfigurationError) return [...error.problems];
    throw error;
  }
}

const KNOWN = Object.values(VARIABLES).map(({ name }) => name as string);
/** Letters that may differ in a name that is still taken for a slip. */
const SLIP = 2;

/** Levenshtein's distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}

/** Names that no setting has, but that one setting's name is close to. */
export function likelySlips(values: Values): { readonly name: string; readonly meant: string }[] {
  return Object.keys(values)
    .filter((name) => !KNOWN.includes(name))
    .flatMap((name) => {
      const meant = KNOWN.find((known) => distance(name.toUpperCase(), known) <= SLIP);
      return meant === undefined ? [] : [{ name, meant }];
    });
}
