/** `tidemill tier`: the warm tier for people: months, levels, the files that a reader needs, checks, orphans. */

import { type Command, Option } from 'commander';
import { systemClock } from '../common/clock.ts';
import { systemRandom } from '../common/ids.ts';
import { uriOf } from '../contract/object-location.ts';
import type { TierMonth } from '../contract/tier-keys.ts';
import { findProvider, type TierProvider } from '../contract/tier-provider.ts';
import { CommandFailure, type CommandModule, prose, UsageError, wholeNumber } from './command.ts';
import { bytesText, count, plural, type Terminal } from './terminal.ts';
import { FORMATS, type Format, formatSnapshot } from './tier-formats.ts';
import {
  argument,
  instantOption,
  monthArgument,
  monthText,
  type TierAccess,
  withTiers,
} from './tier-lake.ts';
import {
  FILE_COLUMNS,
  fileCells,
  headLine,
  levelLines,
  pendingLine,
  rowsText,
  sizeText,
} from './tier-picture.ts';

const ABOUT = prose(`Looks at the warm tier: the bucket of the environment, else of a running
\`demo tiers --keep\`, else of .env. Reads manifests and files; only \`orphans --delete\` changes anything.`);

interface Common {
  readonly env?: string;
}

interface FilesOptions extends Common {
  readonly format: Format;
  readonly from?: number;
  readonly to?: number;
  readonly revision?: number;
}

interface OrphanOptions extends Common {
  readonly delete?: boolean;
  readonly olderThan?: number;
}

const providerOf = (access: TierAccess, name: string): TierProvider =>
  argument(() => findProvider(access.providers, name));

async function list(terminal: Terminal, access: TierAccess, names: readonly string[]): Promise<void> {
  const { snapshotFiles } = await import('../warm-tier/snapshot.ts');
  const { table } = await import('../demo/table.ts');
  const providers =
    names.length > 0 ? names.map((name) => providerOf(access, name)) : [...access.providers.values()];
  const rows: string[][] = [];
  for (const provider of providers) {
    for (const month of await access.months(provider)) {
      const { manifest, etag } = await access.store(provider, month).read();
      if (etag === undefined) continue;
      const files = snapshotFiles(access.root, manifest);
      const levels = manifest.levels
        .map((some) => some.length)
        .toReversed()
        .join(' ');
      const updated =
        manifest.lastUpdated === null ? '?' : new Date(manifest.lastUpdated).toISOString().slice(0, 16);
      rows.push([
        provider.name,
        monthText(month),
        String(manifest.revision),
        String(files.length),
        levels,
        rowsText(files).replace(/ rows?$/, ''),
        sizeText(files),
        updated.replace('T', ' '),
      ]);
    }
  }
  if (rows.length === 0) {
    terminal.line(`No warm files in s3://${access.bucket}/${access.root}`);
    return;
  }
  const titles = ['provider', 'month', 'revision', 'files', 'L… to L0', 'rows', 'bytes', 'written'];
  const right = new Set(['revision', 'files', 'rows', 'bytes']);
  const columns = titles.map((title) => ({
    title,
    align: right.has(title) ? ('right' as const) : ('left' as const),
  }));
  for (const line of table(terminal, columns, rows)) terminal.line(line);
}

async function show(terminal: Terminal, access: TierAccess, name: string, month: TierMonth): Promise<void> {
  const { snapshotFiles } = await import('../warm-tier/snapshot.ts');
  const { table } = await import('../demo/table.ts');
  const { manifest } = await access.open(providerOf(access, name), month);
  const files = snapshotFiles(access.root, manifest);
  terminal.line(headLine(terminal, manifest, files));
  terminal.line();
  for (const line of levelLines(terminal, manifest, files, terminal.width)) terminal.line(line);
  terminal.line();
  for (const line of table(terminal, FILE_COLUMNS, files.map(fileCells))) terminal.line(line);
  const pending = pendingLine(manifest, systemClock.now());
  if (pending !== undefined) terminal.line(`\n${terminal.paint('faint', pending)}`);
}

async function files(
  terminal: Terminal,
  access: TierAccess,
  name: string,
  month: TierMonth | undefined,
  { format, from, to, revision }: FilesOptions,
): Promise<void> {
  const { monthsOf, snapshotFiles } = await import('../warm-tier/snapshot.ts');
  if ((from === undefined) !== (to === undefined)) throw new UsageError('give --from and --to together');
  if (month === undefined && from === undefined) throw new UsageError('give a month, or --from and --to');
  if (revision !== undefined && month === undefined) throw new UsageError('--revision needs a month');
  const span = from === undefined || to === undefined ? undefined : { from, to };
  if (span !== undefined && span.from >= span.to) throw new UsageError('--from must be before --to');
  const provider = providerOf(access, name);
  const months = month === undefined ? monthsOf(span!) : [month];
  const { bucket, root } = access;
  const manifests = [];
  const found = [];
  for (const one of months) {
    const store = access.store(provider, one);
    const { manifest, etag } = month === undefined ? await store.read() : await access.open(provider, one);
    if (etag === undefined) continue;
    if (revision !== undefined && manifest.revision !== revision) {
      throw new CommandFailure(
        `error: ${monthText(one)} is at revision ${manifest.revision}; the manifest of revision ${revision} is not there any more`,
      );
    }
    manifests.push({ uri: uriOf({ bucket, key: store.key }), revision: manifest.revision });
    for (const file of snapshotFiles(root, manifest, span)) {
      found.push({ ...file, uri: uriOf({ bucket, key: file.key }) });
    }
  }
  if (found.length === 0) throw new CommandFailure(`error: no file of ${name} has rows of that time`);
  for (const line of formatSnapshot({ provider, manifests, files: found, span }, format)) terminal.line(line);
}

async function verify(terminal: Terminal, access: TierAccess, name: string, month: TierMonth): Promise<void> {
  const { snapshotFiles } = await import('../warm-tier/snapshot.ts');
  const { verifyFile } = await import('../warm-tier/verify.ts');
  const { paint } = terminal;
  const provider = providerOf(access, name);
  const { manifest } = await access.open(provider, month);
  const named = snapshotFiles(access.root, manifest);
  terminal.line(headLine(terminal, manifest, named));
  const { signal } = new AbortController();
  let rows = 0;
  let wrong = 0;
  for (const file of named) {
    const verified = await verifyFile(access.lake, access.bucket, provider, file, signal);
    rows += verified.rows;
    const [, short = ''] = fileCells(file);
    const good = verified.problems.length === 0;
    if (!good) wrong++;
    const mark = good ? paint('good', '✓') : paint('bad', '✗');
    const facts = `${count(verified.rows).padStart(12)} rows`;
    terminal.line(`  ${mark} L${file.level} ${short.padEnd(30)} ${paint('faint', facts)}`);
    for (const problem of verified.problems) terminal.line(`      ${paint('bad', problem)}`);
  }
  if (wrong > 0)
    throw new CommandFailure(`error: ${wrong} of ${plural(named.length, 'file')} not as the manifest says`);
  const all = named.length === 1 ? 'The file is' : `All ${named.length} files are`;
  terminal.line(`${all} there, sorted, without a row twice, with the ${count(rows)} rows promised.`);
}

async function orphans(
  terminal: Terminal,
  access: TierAccess,
  name: string,
  month: TierMonth,
  options: OrphanOptions,
): Promise<void> {
  const { findOrphans, removeOrphans } = await import('../warm-tier/orphans.ts');
  const store = access.store(providerOf(access, name), month);
  const { signal } = new AbortController();
  const parts = { ...access, store, clock: systemClock, random: systemRandom, signal };
  const seconds = options.olderThan ?? access.deadlineSeconds;
  const found = await findOrphans(seconds * 1_000, parts);
  if (found.length === 0) {
    terminal.line(`No orphans of ${name} ${monthText(month)} that are older than ${count(seconds)} seconds.`);
    return;
  }
  for (const { key, size, lastModified } of found) {
    const written = new Date(lastModified).toISOString().slice(0, 16).replace('T', ' ');
    terminal.line(`${uriOf({ bucket: access.bucket, key })}  ${bytesText(size).padStart(8)}  ${written} UTC`);
  }
  const bytes = bytesText(found.reduce((sum, { size }) => sum + size, 0));
  if (!options.delete) {
    terminal.line(`${plural(found.length, 'orphan')}, ${bytes}. Nothing was deleted; --delete does it.`);
    return;
  }
  const removed = await removeOrphans(found, parts);
  terminal.line(`${plural(removed.length, 'orphan')} deleted.`);
  const left = found.length - removed.length;
  if (left > 0) throw new CommandFailure(`error: ${plural(left, 'orphan')} could not be deleted; try again`);
}

export const addTier: CommandModule = (program, terminal) => {
  const group = program.command('tier').summary('look at hot and warm tiers').description(ABOUT);
  const add = (name: string, summary: string): Command =>
    group
      .command(name)
      .summary(summary)
      .description(`${summary[0]?.toUpperCase()}${summary.slice(1)}.`);
  const env = ['--env <file>', 'settings (.env or JSON) that name bucket and region'] as const;

  add('ls', 'list the months that there are')
    .argument('[provider...]', 'only these')
    .option(...env)
    .action((names: string[], options: Common) =>
      withTiers(options.env, (access) => list(terminal, access, names)),
    );
  add('show', 'draw and list the levels of a month')
    .argument('<provider>', 'as aws')
    .argument('<month>', 'as 2026-01')
    .option(...env)
    .action((name: string, month: string, options: Common) =>
      withTiers(options.env, (access) => show(terminal, access, name, monthArgument(month))),
    );
  add('files', 'the exact files that a reader needs')
    .argument('<provider>', 'as aws')
    .argument('[month]', 'as 2026-01; or give --from and --to')
    .addOption(new Option('--format <format>', 'how to write them').choices([...FORMATS]).default('list'))
    .option('--from <time>', 'rows from this time on, as 2026-01-23T14:20Z', instantOption('--from'))
    .option('--to <time>', 'and before this one', instantOption('--to'))
    .option('--revision <n>', 'only if the manifest is at this revision', wholeNumber('--revision', 0, 1e9))
    .option(...env)
    .action((name: string, month: string | undefined, options: FilesOptions) =>
      withTiers(options.env, (access) =>
        files(terminal, access, name, month === undefined ? undefined : monthArgument(month), options),
      ),
    );
  add('verify', 'check every file that a month names')
    .argument('<provider>', 'as aws')
    .argument('<month>', 'as 2026-01')
    .option(...env)
    .action((name: string, month: string, options: Common) =>
      withTiers(options.env, (access) => verify(terminal, access, name, monthArgument(month))),
    );
  add('orphans', 'list or delete what no manifest names')
    .argument('<provider>', 'as aws')
    .argument('<month>', 'as 2026-01')
    .option('--delete', 'delete them')
    .option(
      '--older-than <seconds>',
      'only those; by default older than the longest job (WORKER_JOB_DEADLINE_SECONDS)',
      wholeNumber('--older-than', 0, 1e9),
    )
    .option(...env)
    .action((name: string, month: string, options: OrphanOptions) =>
      withTiers(options.env, (access) => orphans(terminal, access, name, monthArgument(month), options)),
    );
};
