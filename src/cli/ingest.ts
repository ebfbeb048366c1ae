/** `tidemill ingest` and `tidemill replay`: files become a dataset, with a progress bar. */

import { statSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { basename, join, relative, resolve, sep } from 'node:path';
import { Option } from 'commander';
import { systemClock } from '../common/clock.ts';
import { freshId } from '../common/ids.ts';
import { VARIABLES } from '../config.ts';
import { CommandFailure, type CommandModule, prose, UsageError, wholeNumber } from './command.ts';
import type { IngestBody } from './ingest-follow.ts';
import { plural, type Terminal } from './terminal.ts';

const ABOUT = prose(`Has a worker read files into a dataset that metric runs read, and waits for it. A
local folder is put into the bucket first, below raw/<ingestion>/. Queue, bucket and ledger are those of
the environment, of a running demo, or of .env. Files that were read before and have not changed are skipped.`);

const EXAMPLES = `
Examples:
  tidemill ingest ./weather --dataset seattle --time date \\
    --values temp_max=SEA_MAX,temp_min=SEA_MIN
  tidemill ingest s3://lake/raw/sensors/ --dataset sensors --time ts \\
    --series sensor --value reading
  tidemill ingest ./prices --dataset prices --time Date --values '*' \\
    --dates month-first --decimal ,`;

interface IngestOptions {
  readonly dataset: string;
  readonly ingestion?: string;
  readonly time: string;
  readonly values?: string;
  readonly series?: string;
  readonly value?: string;
  readonly glob?: string;
  readonly format?: string;
  readonly delimiter?: string;
  readonly decimal?: string;
  readonly dates?: string;
  readonly timeZone?: string;
  readonly maxBadRows: number;
  readonly force?: boolean;
  readonly timeout: number;
}

function mappingOf({ time, values, series, value }: IngestOptions) {
  if (series !== undefined || value !== undefined) {
    if (series === undefined || value === undefined || values !== undefined) {
      throw new UsageError(
        'give --series and --value together (a long file), or --values alone (a wide one)',
      );
    }
    return { layout: 'long', time, series, value };
  }
  if (values === undefined)
    throw new UsageError('--values is needed (a wide file), or --series and --value (a long one)');
  if (values === '*') return { layout: 'wide', time, values };
  const pairs = values.split(',').map((pair) => {
    const at = pair.lastIndexOf('=');
    return at < 0 ? [pair, pair] : [pair.slice(0, at), pair.slice(at + 1)];
  });
  return { layout: 'wide', time, values: Object.fromEntries(pairs) as Record<string, string> };
}

async function openTarget() {
  const { findTarget } = await import('./target.ts');
  const { environment } = findTarget(undefined);
  const bucket = environment[VARIABLES.bucket.name];
  if (!bucket) throw new CommandFailure(`error: ${VARIABLES.bucket.name} is not set`);
  return { environment, bucket };
}

/** Puts the files of a folder into the bucket; those that are there already are left as they are. */
async function putFolder(
  terminal: Terminal,
  folder: string,
  bucket: string,
  prefix: string,
  environment: NodeJS.ProcessEnv,
): Promise<void> {
  const { openLake } = await import('../lake/lake.ts');
  const { silentObserver } = await import('../lake/request-observer.ts');
  const { DEFAULT_S3_TIMEOUTS } = await import('../lake/s3-client.ts');
  const { createHash } = await import('node:crypto');
  const region = environment[VARIABLES.region.name] || 'us-east-1';
  const forcePathStyle = environment[VARIABLES.forcePathStyle.name] === 'true';
  const lake = openLake({ region, forcePathStyle, ...DEFAULT_S3_TIMEOUTS }, systemClock, silentObserver);
  try {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    let put = 0;
    let same = 0;
    for (const entry of entries) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      const location = { bucket, key: `${prefix}${relative(folder, path).split(sep).join('/')}` };
      const bytes = await readFile(path);
      const found = await lake.store.head(location);
      if (found?.etag === `"${createHash('md5').update(bytes).digest('hex')}"`) {
        same++;
        continue;
      }
      const outcome =
        found === undefined
          ? await lake.writer.create(location, bytes)
          : await lake.writer.replace(location, bytes, found.etag);
      if (outcome.outcome !== 'written')
        throw new CommandFailure(`error: ${location.key} was changed by another meanwhile`);
      put++;
    }
    terminal.line(
      `${terminal.paint('good', '✓')} put ${plural(put, 'file')} into s3://${bucket}/${prefix} (${same} were there)`,
    );
  } finally {
    lake.close();
  }
}

/** The request, checked as the worker checks it. */
async function checked(body: Readonly<Record<string, unknown>>): Promise<IngestBody> {
  const { parseIngestRunRequest } = await import('../contract/ingest-run.ts');
  const { InvalidRequestError } = await import('../common/errors.ts');
  try {
    parseIngestRunRequest(body);
    return body as IngestBody;
  } catch (error) {
    if (error instanceof InvalidRequestError) throw new UsageError(error.message);
    throw error;
  }
}

async function ingest(terminal: Terminal, source: string, options: IngestOptions): Promise<void> {
  const { dataset, glob, format, delimiter, decimal, dates, timeZone, maxBadRows, force = false } = options;
  const ingestionId =
    options.ingestion ??
    `${dataset}.${basename(source.replace(/\/+$/, '')) || 'all'}`.replace(/[^A-Za-z0-9._:-]/g, '-');
  const isUri = source.startsWith('s3://');
  const prefix = `raw/${ingestionId}/`;
  if (!isUri && !statSync(source, { throwIfNoEntry: false })?.isDirectory()) {
    throw new UsageError(`${source} is neither a folder nor an s3:// URI`);
  }
  const body = await checked({
    type: 'ingest_run_requested',
    requestId: freshId(),
    ingestionId,
    source: { prefix: isUri ? source : prefix, ...(glob === undefined ? {} : { glob }) },
    ...(format === undefined ? {} : { format }),
    read: { delimiter, decimal, dates, timeZone },
    mapping: mappingOf(options),
    target: { datasetId: dataset },
    options: { maxBadRows, force },
  });
  const { environment, bucket } = await openTarget();
  if (!isUri) await putFolder(terminal, resolve(source), bucket, prefix, environment);
  const { sendAndWatch } = await import('./ingest-follow.ts');
  await sendAndWatch(terminal, body, environment, options.timeout);
}

interface ReplayOptions {
  readonly source: string;
  readonly since?: string;
  readonly failed?: boolean;
  readonly force?: boolean;
  readonly timeout: number;
}

/** The ingestion's latest request again, under an id of its own. */
async function replay(terminal: Terminal, options: ReplayOptions): Promise<void> {
  const { timeOption, withLedger } = await import('./ledger-access.ts');
  const { latestRequest } = await import('../ledger/reports.ts');
  const since =
    options.since === undefined ? undefined : new Date(timeOption('--since')(options.since)).toISOString();
  const { environment } = await openTarget();
  const request = (await withLedger((ledger) => latestRequest(ledger, options.source))) as
    | (Record<string, unknown> & { source: object; options: object })
    | undefined;
  if (request === undefined)
    throw new CommandFailure(`error: the ledger knows no run of "${options.source}"`);
  const body = await checked({
    ...request,
    requestId: freshId(),
    source: { ...request.source, since },
    options: {
      ...request.options,
      force: options.force === true,
      retryFailed: options.failed === true || options.force === true,
      failedOnly: options.failed === true && options.force !== true,
    },
  });
  const { sendAndWatch } = await import('./ingest-follow.ts');
  await sendAndWatch(terminal, body, environment, options.timeout);
}

const timeoutOption = () =>
  new Option('--timeout <seconds>', 'how long to wait')
    .argParser(wholeNumber('--timeout', 1, 86_400))
    .default(600);

export const addIngest: CommandModule = (program, terminal) => {
  program
    .command('ingest')
    .summary('read files into a dataset')
    .description(ABOUT)
    .argument('<source>', 'a local folder, or an s3:// URI')
    .requiredOption('--dataset <id>', 'the dataset to write')
    .requiredOption('--time <column>', 'the column with the times')
    .option('--values <map>', 'wide files: column=SERIES,…, or * for every column')
    .option('--series <column>', 'long files: the column that names the series')
    .option('--value <column>', 'long files: the column with the values')
    .option('--ingestion <id>', 'the name under which the ledger remembers; default: dataset and folder')
    .option('--glob <pattern>', 'only files that match, as **/*.csv')
    .option('--format <format>', 'auto, csv, jsonl, parquet or xlsx')
    .option('--delimiter <text>', 'of CSV')
    .option('--decimal <sign>', '. or , or auto')
    .option('--dates <style>', 'iso, day-first, month-first, epoch-seconds, epoch-millis or excel')
    .option('--time-zone <name>', 'of times without an offset, as Europe/Berlin')
    .option(
      '--max-bad-rows <n>',
      'bad rows that a file may have',
      wholeNumber('--max-bad-rows', 0, 1_000_000),
      0,
    )
    .option('--force', 'read all files again, changed or not')
    .addOption(timeoutOption())
    .addHelpText('after', EXAMPLES)
    .action(async (source: string, options: IngestOptions) => await ingest(terminal, source, options));

  program
    .command('replay')
    .summary('carry out the latest request of an ingestion again')
    .description(
      'Takes up new and changed files; with --failed only those that failed, with --force all of them.',
    )
    .requiredOption('--source <ingestion>', 'the ingestion, as `tidemill ledger runs` shows it')
    .option('--since <time>', 'only files modified since: a time, or an age as 24h')
    .option('--failed', 'try again what failed, mended or not, and nothing else')
    .option('--force', 'read all again, changed or not')
    .addOption(timeoutOption())
    .action(async (options: ReplayOptions) => await replay(terminal, options));
};
