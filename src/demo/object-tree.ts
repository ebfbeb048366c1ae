/** What lies below a prefix of the lake: listed, compared, and drawn as a tree of paths. */

import { bytesText, type Terminal } from '../cli/terminal.ts';
import { type ObjectLocation, uriOf } from '../contract/object-location.ts';
import type { Lake } from '../lake/lake.ts';
import type { ListedObject } from '../lake/object-store.ts';
import { INDENT } from './script.ts';

/** Every object below `prefix`. */
export async function listBelow(
  lake: Lake,
  prefix: ObjectLocation,
  signal: AbortSignal,
): Promise<ListedObject[]> {
  const objects: ListedObject[] = [];
  let token: string | undefined;
  do {
    const page = await lake.store.list(prefix, { token, signal });
    objects.push(...page.objects);
    token = page.next;
  } while (token !== undefined);
  return objects;
}

/** Whether the same objects are there, none of them written anew. */
export function sameObjects(before: readonly ListedObject[], after: readonly ListedObject[]): boolean {
  const facts = (objects: readonly ListedObject[]) =>
    objects
      .map(({ key, etag, lastModified }) => `${key} ${etag} ${lastModified}`)
      .sort()
      .join('\n');
  return facts(before) === facts(after);
}

/** The prefix, and below it each object's path and size. */
export function treeLines(
  terminal: Terminal,
  prefix: ObjectLocation,
  objects: readonly ListedObject[],
): string[] {
  const { paint } = terminal;
  const widest = Math.max(...objects.map(({ key }) => key.length - prefix.key.length));
  return [
    `${INDENT}${uriOf(prefix)}`,
    ...objects.map(({ key, size }, i) => {
      const branch = i === objects.length - 1 ? '└─' : '├─';
      const path = key.slice(prefix.key.length).padEnd(widest);
      return `${INDENT}${paint('faint', branch)} ${path}  ${paint('faint', bytesText(size).padStart(8))}`;
    }),
  ];
}
