/**
 * The demo of metric runs: four years of daily weather become a dataset; a metric, its moving average
 * and the first metric again are asked for; what comes of it is read back by DuckDB and plotted.
 */

import { rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { bytesText, count, plural } from '../cli/terminal.ts';
import { systemClock } from '../common/clock.ts';
import { METRIC_RUN_REQUESTED } from '../contract/metric-run.ts';
import { type Answered, type Ask, ask } from './ask.ts';
import { bar } from './bar.ts';
import { type Duck, literal, openDuck } from './duck.ts';
import { openLiveLine } from './live-line.ts';
import { checkAgainst, fetchOutput, manifestLines, manifestOf } from './metric-output.ts';
import { listBelow, sameObjects, treeLines } from './object-tree.ts';
import { plot } from './plot.ts';
import type { Demo } from './registry.ts';
import { done, INDENT, jsonLines, remark, section } from './script.ts';
import type { Stage } from './stage.ts';
import { type Row, table } from './table.ts';
import { type Projections, uploadDataset, WEATHER_TABLE, writeProjections } from './weather.ts';
import {
  askFor,
  basePathOf,
  sampleRequests,
  TEMP_RANGE,
  TEMP_RANGE_30D,
  type WeatherMetric,
} from './weather-request.ts';

const PLOT_HEIGHT = 18;
const EDGE_ROWS = 3;

async function stageDataset(stage: Stage, duck: Duck): Promise<void> {
  const { terminal, lake, bucket, directory, signal } = stage;
  const started = systemClock.monotonic();
  const scratch = join(directory, 'projections');
  const projections: Projections = await writeProjections(duck, scratch);
  const total = projections.files.length;
  const bytes = projections.files.reduce((sum, file) => sum + file.bytes, 0);
  done(terminal, 'Seattle weather', `${count(projections.days)} days, 2012 to 2015, 4 series`);
  const live = openLiveLine(terminal);
  await uploadDataset(
    lake,
    bucket,
    projections,
    (files) => live.show(`${INDENT}${bar(terminal, files / total, 36)} ${files} of ${total} files uploaded`),
    signal,
  );
  live.settle();
  rmSync(scratch, { recursive: true });
  const text = `${plural(total, 'Parquet file')}, ${bytesText(bytes)}: one a series and month`;
  done(terminal, 'dataset', text, systemClock.monotonic() - started);
}

async function askAloud(stage: Stage, metric: WeatherMetric, request: Ask): Promise<Answered> {
  const { terminal } = stage;
  remark(terminal, `${METRIC_RUN_REQUESTED} ${request.id}, a ${metric.expressionType}:`);
  for (const line of jsonLines(metric.expression, terminal.width - INDENT.length)) remark(terminal, line);
  return await ask(stage, request);
}

/** The runs that the worker says it has begun, from its /metrics. */
async function runsStarted({ worker, signal }: Stage): Promise<number> {
  const response = await fetch(`${worker.sidePort}/metrics`, { signal });
  const line = (await response.text()).split('\n').find((one) => one.startsWith('metric_runs_started_total'));
  return Number(line?.split(' ').at(-1) ?? Number.NaN);
}

async function askAgain(stage: Stage, request: Ask, first: Answered): Promise<void> {
  const { terminal, lake, bucket, signal } = stage;
  const base = { bucket, key: basePathOf(TEMP_RANGE.name) };
  const before = await listBelow(lake, base, signal);
  const startedBefore = await runsStarted(stage);
  remark(terminal, `run ${request.id} again, byte for byte, as after a lost answer`);
  const again = await ask(stage, { ...request, deduplication: `${request.id}:again` });
  const after = await listBelow(lake, base, signal);
  const same = [
    [
      'same answer',
      JSON.stringify(again.completed.body) === JSON.stringify(first.completed.body),
      'the completed event is the first one, word for word',
    ],
    [
      'nothing redone',
      (await runsStarted(stage)) === startedBefore,
      `${startedBefore} runs begun so far, as before; no second started event`,
    ],
    [
      'nothing written',
      sameObjects(before, after),
      `S3 holds the same ${after.length} objects, with the same ETags and times`,
    ],
  ] as const;
  for (const [label, holds, text] of same) {
    if (!holds) throw new Error(`the repeated run: not so: ${text}`);
    done(terminal, label, text);
  }
}

async function showLake(stage: Stage, range: Answered): Promise<void> {
  const { terminal, lake, bucket, signal } = stage;
  const base = { bucket, key: basePathOf(TEMP_RANGE.name) };
  for (const line of treeLines(terminal, base, await listBelow(lake, base, signal))) terminal.line(line);
  terminal.line();
  for (const line of manifestLines(terminal, await manifestOf(stage, range.completed.body)))
    terminal.line(line);
}

interface Day {
  readonly time: number;
  readonly cells: readonly string[];
  readonly range: number;
  readonly mean: number;
}

async function readBack(duck: Duck, rangeFile: string, meanFile: string): Promise<Day[]> {
  const rows = await duck.rows(
    `SELECT epoch_ms(r.obs_time)::DOUBLE AS time, strftime(r.obs_time, '%Y-%m-%d') AS day,
            w.temp_max, w.temp_min, r.value AS range, m.value AS mean
       FROM read_parquet(${literal(rangeFile)}) r
       JOIN read_parquet(${literal(meanFile)}) m USING (obs_time)
       JOIN ${WEATHER_TABLE} w ON w.day::TIMESTAMPTZ = r.obs_time ORDER BY r.obs_time`,
  );
  const number = (value: unknown) => (typeof value === 'number' ? value : Number.NaN);
  const text = (value: unknown, digits: number) =>
    typeof value === 'number' ? value.toFixed(digits) : 'null';
  return rows.map(({ time, day, temp_max, temp_min, range, mean }) => ({
    time: number(time),
    cells: [String(day), text(temp_max, 1), text(temp_min, 1), text(range, 1), text(mean, 3)],
    range: number(range),
    mean: number(mean),
  }));
}

const RANGE_SQL = `SELECT day, temp_max - temp_min AS value FROM ${WEATHER_TABLE}`;
const MEAN_SQL = `SELECT day, CASE WHEN row_number() OVER (ORDER BY day) >= 30
  THEN avg(temp_max - temp_min) OVER (ORDER BY day ROWS 29 PRECEDING) END AS value FROM ${WEATHER_TABLE}`;

async function showRows(stage: Stage, duck: Duck, range: Answered, mean: Answered): Promise<Day[]> {
  const { terminal } = stage;
  const rangeFile = await fetchOutput(stage, await manifestOf(stage, range.completed.body));
  const meanFile = await fetchOutput(stage, await manifestOf(stage, mean.completed.body));
  const days = await readBack(duck, rangeFile, meanFile);
  const cells: Row[] = days.map((day) => day.cells);
  const columns = [
    { title: 'obs_time', align: 'left' },
    { title: 'temp_max', align: 'right' },
    { title: 'temp_min', align: 'right' },
    { title: TEMP_RANGE.name, align: 'right' },
    { title: TEMP_RANGE_30D.name, align: 'right' },
  ] as const;
  const edges: Row[] = [...cells.slice(0, EDGE_ROWS), 'gap', ...cells.slice(-EDGE_ROWS)];
  for (const line of table(terminal, columns, edges)) terminal.line(`${INDENT}${line}`);
  terminal.line();
  const compared =
    (await checkAgainst(duck, rangeFile, RANGE_SQL)) + (await checkAgainst(duck, meanFile, MEAN_SQL));
  done(terminal, 'all of it right', `all ${count(compared)} values are what DuckDB makes of the CSV itself`);
  done(terminal, 'yours to open', [rangeFile, meanFile].map((file) => relative('.', file)).join('\n'));
  return days;
}

function showPlot({ terminal }: Stage, days: readonly Day[]): void {
  const { paint, width } = terminal;
  const times = days.map(({ time }) => time);
  const lines = plot(
    terminal,
    [
      { times, values: days.map(({ range }) => range), mark: 'dots', tone: 'faint' },
      { times, values: days.map(({ mean }) => mean), mark: 'line', tone: 'second' },
    ],
    { width: width - INDENT.length, height: PLOT_HEIGHT, unit: '°C' },
  );
  for (const line of lines) terminal.line(`${INDENT}${line}`);
  terminal.line(
    `${INDENT}     ${paint('faint', '⠌⠢ each day')}     ${paint('second', '━━ mean of 30 days')}`,
  );
}

async function play(stage: Stage): Promise<void> {
  const { terminal, bucket } = stage;
  const duck = await openDuck();
  try {
    await stageDataset(stage, duck);
    section(terminal, 'First request: how far the temperature ranges in a day');
    const rangeRequest = askFor(TEMP_RANGE, bucket);
    const range = await askAloud(stage, TEMP_RANGE, rangeRequest);
    section(terminal, 'Second request: the mean of it over 30 days');
    const mean = await askAloud(stage, TEMP_RANGE_30D, askFor(TEMP_RANGE_30D, bucket));
    section(terminal, 'Third request: the first one again');
    await askAgain(stage, rangeRequest, range);
    section(terminal, 'What lies in the lake');
    await showLake(stage, range);
    section(terminal, 'Read back, by DuckDB');
    const days = await showRows(stage, duck, range, mean);
    section(terminal, 'Daily temperature range in Seattle');
    showPlot(stage, days);
  } finally {
    duck.close();
  }
}

export const metricDemo: Demo = {
  title: 'a metric run, from queue message to Parquet',
  play,
  samples: ({ bucket }) => sampleRequests(bucket),
};
