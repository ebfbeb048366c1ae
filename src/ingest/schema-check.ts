/**
 * What a file's columns are against what the ingestion's files had so far. New columns are taken up and
 * reported; a column that is gone, or that holds texts where it held numbers, fails the file. Pure.
 */

import { fileFault, shown } from './rows.ts';

type Columns = Readonly<Record<string, string>>;

/** The columns to be added to what is known, and those of them that are new to a known ingestion. */
export function compareColumns(
  known: Columns,
  found: Columns,
): { readonly learned: Columns; readonly fresh: string[] } {
  for (const [name, was] of Object.entries(known)) {
    const is = Object.hasOwn(found, name) ? found[name] : undefined;
    if (is === undefined) {
      const there = Object.keys(found).slice(0, 20).map(shown).join(', ');
      throw fileFault(`its column ${shown(name)} (${was}) is gone; it has: ${there}`);
    }
    const changed = is !== was && is !== 'empty' && was !== 'empty';
    if (changed) throw fileFault(`its column ${shown(name)} was ${was} in earlier files and is ${is} here`);
  }
  const learned = Object.entries(found).filter(([name, is]) => {
    return known[name] === undefined || (known[name] === 'empty' && is !== 'empty');
  });
  const before = Object.keys(known).length > 0;
  const fresh = before ? learned.map(([name]) => name).filter((name) => known[name] === undefined) : [];
  return { learned: Object.fromEntries(learned), fresh };
}
