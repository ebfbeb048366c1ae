/** `tidemill migrate` and `tidemill ledger …`: the ledger of ingest runs, for people. */

import { type Command, Option } from 'commander';
import { replaceControls } from '../common/control-characters.ts';
import { type CommandModule, prose, wholeNumber } from './command.ts';
import type { OrphanOptions } from './ledger-orphans.ts';
import { plural, type Terminal } from './terminal.ts';

const ABOUT = prose(`Shows what the ledger remembers of ingest runs, newest first. The database is that of
DATABASE_URL, from the environment or .env, or a running demo's.`);

interface Filter {
  readonly status?: string;
  readonly source?: string;
  readonly since?: number;
  readonly limit: number;
  readonly json?: boolean;
}

/** Beyond those of ASCII: C1, and what turns the direction of writing. */
const TERMINAL_CONTROLS = /[\u0080-\u009f\u202a-\u202e\u2066-\u2069]/g;

type Cells = Readonly<Record<string, unknown>>;

/** One line a row; what stands in files and errors can not break a line or colour it. */
function cellText(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (value instanceof Date) return `${value.toISOString().slice(0, 19)}Z`;
  return replaceControls(String(value), '\ufffd').replace(TERMINAL_CONTROLS, '\ufffd');
}

async function show(terminal: Terminal, rows: readonly Cells[], filter: Filter): Promise<void> {
  if (filter.json) {
    for (const row of rows) terminal.line(JSON.stringify(row));
    return;
  }
  const [first] = rows;
  if (first === undefined) {
    terminal.line('nothing');
    return;
  }
  const { table } = await import('../demo/table.ts');
  const columns = Object.entries(first).map(([title]) => {
    const numeric = rows.every((row) => typeof row[title] === 'number' || row[title] === null);
    return { title, align: numeric ? 'right' : 'left' } as const;
  });
  const lines = table(
    terminal,
    columns,
    rows.map((row) => columns.map(({ title }) => cellText(row[title]))),
  );
  for (const line of lines) terminal.line(line);
}

function addFilters(command: Command, statuses: readonly string[]): void {
  command
    .addOption(new Option('--status <status>', 'only those of this status').choices([...statuses]))
    .option('--source <ingestion>', 'only those of this ingestion')
    .option('--limit <n>', 'how many at most', wholeNumber('--limit', 1, 100_000), 50)
    .option('--json', 'a JSON object a line, with every column');
}

export const addLedger: CommandModule = (program, terminal) => {
  program
    .command('migrate')
    .summary("bring the ledger's schema up to date")
    .description(
      'Applies the migrations that the database of DATABASE_URL lacks. Workers do so too when they start.',
    )
    .action(async () => {
      const { withLedger } = await import('./ledger-access.ts');
      await withLedger(async (_ledger, applied) => {
        terminal.line(
          applied.length === 0 ? 'up to date' : applied.map((name) => `applied ${name}`).join('\n'),
        );
      });
    });

  const group = program.command('ledger').summary('look into the ledger of ingest runs').description(ABOUT);
  const since = new Option('--since <time>', 'only those that changed since: a time, or an age as 24h');
  const add = (
    name: 'runs' | 'files' | 'log',
    about: string,
    statuses: readonly string[],
    brief: (row: Cells) => Cells,
  ) => {
    const command = group.command(name).description(about);
    addFilters(command, statuses);
    command.addOption(since).action(async (options: Omit<Filter, 'since'> & { since?: string }) => {
      const { timeOption, withLedger } = await import('./ledger-access.ts');
      const { listFiles, listLoads, listRuns } = await import('../ledger/reports.ts');
      const from = options.since === undefined ? undefined : timeOption('--since')(options.since);
      const filter = { ...options, since: from } as Filter;
      await withLedger(async (ledger) => {
        const list = { runs: listRuns, files: listFiles, log: listLoads }[name];
        const rows: readonly Cells[] = await list(ledger, filter);
        await show(terminal, options.json ? rows : rows.map(brief), filter);
      });
    });
  };
  add('runs', 'The runs, each with its counts.', ['RUNNING', 'SUCCESS', 'PARTIAL', 'FAILURE'], (row) => ({
    run: row.id,
    ingestion: row.ingestion_id,
    status: row.status,
    started: row.started_at,
    found: row.files_discovered,
    ok: row.files_succeeded,
    failed: row.files_failed,
    skipped: row.files_skipped,
    rows: row.records_ingested,
  }));
  add(
    'files',
    'The files, each with how it stands.',
    ['DISCOVERED', 'PROCESSING', 'SUCCESS', 'FAILED', 'SKIPPED'],
    (row) => ({
      file: row.file_path,
      status: row.status,
      rows: row.records_ingested,
      ms: row.processing_duration_ms,
      retries: row.retry_count,
      updated: row.updated_at,
      error: row.error_message,
    }),
  );
  add(
    'log',
    'The load log: every version of every file that was taken up.',
    ['pending', 'success', 'skipped', 'failed'],
    (row) => ({
      source: row.source,
      key: String(row.idempotency_key).slice(0, 12),
      status: row.status,
      by: row.processed_by,
      ms: row.duration_ms,
      updated: row.updated_at,
      error: row.error_message,
    }),
  );
  group
    .command('unlock-stale')
    .description('Frees files whose worker gave no sign of life; the next run takes them up at once.')
    .option('--older-than <seconds>', 'silent for this long', wholeNumber('--older-than', 1, 31_536_000), 300)
    .action(async ({ olderThan }: { olderThan: number }) => {
      const { withLedger } = await import('./ledger-access.ts');
      const { unlockStale } = await import('../ledger/reports.ts');
      const { files, loads } = await withLedger((ledger) => unlockStale(ledger, olderThan));
      terminal.line(`unlocked ${plural(files, 'file')}, ${plural(loads, 'load')}`);
    });
  group
    .command('orphans')
    .description('Lists or deletes what former loads of a dataset left, and no reader needs any more.')
    .argument('<dataset>', "the dataset's id")
    .option('--delete', 'delete it, and former versions that name it')
    .option(
      '--older-than <seconds>',
      'readers of a former version have had this long; by default a week',
      wholeNumber('--older-than', 1, 31_536_000),
      604_800,
    )
    .option('--env <file>', 'settings (.env or JSON) that name bucket and region')
    .action(async (dataset: string, options: OrphanOptions) => {
      const { orphans } = await import('./ledger-orphans.ts');
      await orphans(terminal, dataset, options);
    });
};
