/**
 * The demo of ingest runs: real CSV files of vega-datasets go into the bucket as they are, one of them
 * broken on purpose; they become a dataset; the ledger tells what happened; the broken file is mended and
 * taken up; and a metric run on the fresh dataset is plotted.
 */

import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { clip, count, type Terminal } from '../cli/terminal.ts';
import { systemClock } from '../common/clock.ts';
import { freshId } from '../common/ids.ts';
import type { Releasers } from '../common/releasers.ts';
import { type Ledger, openLedger } from '../ledger/database.ts';
import { listFiles } from '../ledger/reports.ts';
import { startLocalPostgres } from '../local/local-postgres.ts';
import { type Answered, ask } from './ask.ts';
import { openDuck } from './duck.ts';
import { fetchOutput, manifestOf } from './metric-output.ts';
import { plot } from './plot.ts';
import type { Demo } from './registry.ts';
import { done, INDENT, remark, section } from './script.ts';
import type { Stage } from './stage.ts';
import { table } from './table.ts';
import { weatherFile } from './weather.ts';

const DATASET = 'markets-and-weather';
const BASE = `datasets/${DATASET}/`;
const PLOT_HEIGHT = 16;
const LEDGER_ROWS = 10;

interface Feed {
  /** Also the folder below raw/. */
  readonly name: string;
  readonly file: string;
  readonly about: string;
  readonly time: string;
  readonly values: Readonly<Record<string, string>>;
}

const FEEDS: readonly Feed[] = [
  {
    name: 'weather',
    file: 'seattle-weather.csv',
    about: 'daily weather of Seattle, a file a year',
    time: 'date',
    values: { temp_max: 'SEA_TEMP_MAX', temp_min: 'SEA_TEMP_MIN', wind: 'SEA_WIND' },
  },
  {
    name: 'sp500',
    file: 'sp500-2000.csv',
    about: 'daily S&P 500',
    time: 'date',
    values: { close: 'SP500_CLOSE', volume: 'SP500_VOLUME' },
  },
  {
    name: 'co2',
    file: 'co2-concentration.csv',
    about: 'monthly CO2 at Mauna Loa',
    time: 'Date',
    values: { CO2: 'CO2_PPM', 'adjusted CO2': 'CO2_ADJUSTED' },
  },
];

/** The packages' CSV files lie beside the one whose place weather.ts knows. */
function textOf(file: string): string {
  return readFileSync(join(dirname(weatherFile()), file), 'utf8');
}

/** The files of a feed by key: the weather is cut into its years, so that one of them can be bad alone. */
function filesOf({ name, file }: Feed): Map<string, string> {
  const text = textOf(file);
  if (name !== 'weather') return new Map([[`raw/${name}/${file}`, text]]);
  const [header = '', ...rows] = text.trim().split('\n');
  const years = Map.groupBy(rows, (row) => row.slice(0, 4));
  return new Map(
    [...years].map(([year, days]) => [`raw/${name}/${year}.csv`, `${header}\n${days.join('\n')}\n`]),
  );
}

async function put({ lake, bucket, signal }: Stage, key: string, text: string): Promise<void> {
  const location = { bucket, key };
  const bytes = Buffer.from(text);
  const found = await lake.store.head(location, { signal });
  const outcome =
    found === undefined
      ? await lake.writer.create(location, bytes, { signal })
      : await lake.writer.replace(location, bytes, found.etag, { signal });
  if (outcome.outcome !== 'written') throw new Error(`${key} could not be put`);
}

function requestOf(feed: Feed, requestId: string) {
  const { name, time, values } = feed;
  return {
    type: 'ingest_run_requested',
    requestId,
    ingestionId: name,
    source: { prefix: `raw/${name}/`, glob: '**/*.csv' },
    mapping: { layout: 'wide', time, values },
    target: { datasetId: DATASET },
  };
}

async function ingest(stage: Stage, feed: Feed): Promise<Answered> {
  const id = `${feed.name}-${freshId().slice(0, 8)}`;
  return await ask(stage, { id, body: requestOf(feed, id), group: `ingest:${feed.name}` });
}

async function showLedger(terminal: Terminal, ledger: Ledger, bucket: string): Promise<void> {
  const files = await listFiles(ledger, { limit: LEDGER_ROWS });
  const prefix = `s3://${bucket}/raw/`.length;
  const lines = table(
    terminal,
    [
      { title: 'processed_files', align: 'left' },
      { title: 'status', align: 'left' },
      { title: 'rows', align: 'right' },
      { title: 'ms', align: 'right' },
      { title: 'retries', align: 'right' },
    ],
    files
      .toSorted((a, b) => (a.file_path < b.file_path ? -1 : 1))
      .map((file) => [
        file.file_path.slice(prefix),
        file.status,
        file.records_ingested === null ? '' : count(file.records_ingested),
        String(file.processing_duration_ms ?? ''),
        String(file.retry_count),
      ]),
  );
  for (const line of lines) terminal.line(`${INDENT}${line}`);
  for (const { file_path: path, error_message: error } of files) {
    if (error !== null)
      remark(terminal, clip(`✗ ${path.slice(prefix)}: ${error}`, terminal.width - INDENT.length));
  }
}

async function metric(stage: Stage): Promise<Answered> {
  const expression = {
    op: 'sma',
    series: { op: 'subtract', left: { series_code: 'SEA_TEMP_MAX' }, right: { series_code: 'SEA_TEMP_MIN' } },
    window: 30,
  };
  const id = freshId();
  const inputs = ['SEA_TEMP_MAX', 'SEA_TEMP_MIN'].map((seriesCode) => ({ datasetId: DATASET, seriesCode }));
  const body = {
    schema: 'metrics.run.v1',
    type: 'metric_run_requested',
    runId: id,
    metricCode: 'seattle.range_30d',
    expressionType: 'window_op',
    expressionJson: expression,
    inputs,
    catalog: {
      datasets: {
        [DATASET]: { manifestPath: `${BASE}current/manifest.json`, projectionsPath: `${BASE}projections/` },
      },
    },
    output: { basePath: 'metrics/seattle.range_30d/' },
  };
  return await ask(stage, { id, body, group: 'seattle.range_30d' });
}

async function showMetric(stage: Stage, answered: Answered): Promise<void> {
  const { terminal } = stage;
  const duck = await openDuck();
  try {
    const file = await fetchOutput(stage, await manifestOf(stage, answered.completed.body));
    const rows = await duck.rows(
      `SELECT epoch_ms(obs_time)::DOUBLE AS time, value FROM read_parquet('${file}') ORDER BY 1`,
    );
    const number = (value: unknown) => (typeof value === 'number' ? value : Number.NaN);
    const layer = {
      times: rows.map(({ time }) => number(time)),
      values: rows.map(({ value }) => number(value)),
      mark: 'line',
      tone: 'second',
    } as const;
    const size = { width: terminal.width - INDENT.length, height: PLOT_HEIGHT, unit: '°C' };
    for (const line of plot(terminal, [layer], size)) terminal.line(`${INDENT}${line}`);
  } finally {
    duck.close();
  }
}

let databaseUrl = '';

async function prepare(terminal: Terminal, _directory: string, releasers: Releasers) {
  const started = systemClock.monotonic();
  const postgres = await startLocalPostgres();
  releasers.push(() => postgres.stop());
  databaseUrl = postgres.url('postgres');
  done(terminal, 'Postgres', 'the ledger, a real server of its own', systemClock.monotonic() - started);
  return { DATABASE_URL: databaseUrl };
}

async function play(stage: Stage): Promise<void> {
  const { terminal, bucket } = stage;
  const ledger = openLedger({ url: databaseUrl, connections: 2 });
  try {
    const broken = 'raw/weather/2014.csv';
    let sound = '';
    for (const feed of FEEDS) {
      const files = filesOf(feed);
      for (const [key, text] of files) {
        if (key === broken) sound = text;
        await put(stage, key, key === broken ? text.replace('2014-03-07,', 'the 7th of March,') : text);
      }
      done(terminal, feed.name, `${feed.about}: ${files.size} CSV`);
    }
    section(terminal, 'Three feeds into one dataset; one file is broken on purpose');
    for (const feed of FEEDS) await ingest(stage, feed);
    section(terminal, 'What the ledger remembers');
    await ledger.migrate();
    await showLedger(terminal, ledger, bucket);
    section(terminal, 'The broken file is mended, and the same request sent again');
    await put(stage, broken, sound);
    const again = await ingest(stage, FEEDS[0]!);
    const { succeeded, skipped } = again.completed.body.files as { succeeded: number; skipped: number };
    if (succeeded !== 1 || skipped !== 3) throw new Error('the mended file alone should have been read');
    done(terminal, 'only that one', `${succeeded} file read, ${skipped} skipped without a byte of them read`);
    section(terminal, 'A metric on the fresh dataset');
    const answered = await metric(stage);
    section(terminal, 'Daily temperature range in Seattle, mean of 30 days');
    await showMetric(stage, answered);
  } finally {
    await ledger.close();
  }
}

export const ingestDemo: Demo = {
  title: 'files become a dataset, and the dataset a metric',
  prepare,
  play,
  samples: () =>
    FEEDS.map((feed) => ({
      name: `ingest-${feed.name}`,
      about: `${feed.about}, again`,
      body: requestOf(feed, freshId()),
    })),
};
