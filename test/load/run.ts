/**
 * `npm run load -- [case ...] [--minutes N] [--write]`: real workers under load, on the embedded AWS.
 *
 * Prints a section of Markdown for each case. `--write` puts it into docs/RELIABILITY.md, between the case's
 * markers there, and its plot into docs/images/.
 */

import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { closeDuckDb } from '../support/parquet.ts';
import { LOAD_CASES } from './cases.ts';
import type { LoadCase, LoadReport } from './load-case.ts';
import { svgOf } from './svg-plot.ts';

const DOCUMENT = new URL('../../docs/RELIABILITY.md', import.meta.url);
const IMAGES = new URL('../../docs/images/', import.meta.url);
const say = (line: string) => void process.stdout.write(`${line}\n`);

/** The report of a case as it stands in the document. */
function sectionOf(load: LoadCase, { lines }: LoadReport, command: string): string {
  const git = (...words: string[]) =>
    execFileSync('git', words, { cwd: import.meta.dirname })
      .toString()
      .trim();
  const machine = `${cpus().length} cores (${cpus()[0]?.model ?? 'unknown'})`;
  const day = new Date().toISOString().slice(0, 10);
  return [
    `### ${load.name}: ${load.about}`,
    '',
    `\`${command}\`, ${day}, commit ${git('rev-parse', '--short', 'HEAD')}, ${machine}, shared with other work.`,
    '',
    ...lines,
    '',
    `![${load.about}](images/load-${load.name}.svg)`,
  ].join('\n');
}

/** The document with a case's section put between its markers, or with both at its end. */
export function withSection(document: string, name: string, section: string): string {
  const begin = `<!-- load ${name}: written by \`npm run load -- ${name} --write\` -->`;
  const end = `<!-- end of load ${name} -->`;
  const whole = `${begin}\n\n${section}\n\n${end}`;
  const from = document.indexOf(begin);
  const to = document.indexOf(end);
  if (from < 0 || to < from) return `${document.trimEnd()}\n\n${whole}\n`;
  return `${document.slice(0, from)}${whole}${document.slice(to + end.length)}`;
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      minutes: { type: 'string', default: '60' },
      write: { type: 'boolean', default: false },
    },
  });
  const names = LOAD_CASES.map(({ name }) => name);
  const unknown = positionals.filter((name) => !names.includes(name));
  if (unknown.length > 0) throw new Error(`no case ${unknown.join(', ')}; there are: ${names.join(', ')}`);
  const minutes = Number(values.minutes);
  for (const load of LOAD_CASES.filter(
    ({ name }) => positionals.length === 0 || positionals.includes(name),
  )) {
    say(`${load.name}: ${load.about}`);
    const report = await load.run({ minutes, say: (line) => say(`  ${line}`) });
    const command = `npm run load -- ${load.name}${load.name === 'soak' ? ` --minutes ${minutes}` : ''}`;
    const section = sectionOf(load, report, command);
    say(`\n${section}\n`);
    if (!values.write) continue;
    mkdirSync(IMAGES, { recursive: true });
    writeFileSync(fileURLToPath(new URL(`load-${load.name}.svg`, IMAGES)), svgOf(report.plot));
    writeFileSync(DOCUMENT, withSection(readFileSync(DOCUMENT, 'utf8'), load.name, section));
  }
  await closeDuckDb();
}

if (import.meta.main) await main();
