/**
 * Metric runs, by what lies in the lake. Rules:
 *
 * - `metric-outcome`: a run that can succeed does, one that cannot fails for the right reason;
 * - `metric-oracle`: each output is what DuckDB makes of the inputs, within 1e-9 relative, and has the
 *   documented schema;
 * - `metric-facts`: manifest, marker and event tell the truth, and the same;
 * - `one-version`: a run has one version, and what nobody names was left by a worker that was disturbed;
 * - `current`: the alias never goes back, follows the markers, and ends at the newest version.
 */

import type { Violation } from '../history.ts';
import { type Lake, quoted } from './duck.ts';
import { expressionSql, NoExpressionError, type Oracle } from './expression-sql.ts';
import {
  errorCode,
  type Facts,
  firstWrite,
  grouped,
  type Json,
  parseObject,
  type Request,
  shown,
  textOf,
  unquoted,
  violation,
} from './facts.ts';
import { locationOf, type MetricKeys, metricKeys, VERSION } from './keys.ts';
import { isGivenUp } from './outcomes.ts';
import { readText } from './texts.ts';
import { sequenceOf } from './writes.ts';

const TOLERANCE = 1e-9;
const SCHEMA = ['obs_time TIMESTAMP WITH TIME ZONE', 'value DOUBLE'];

export async function checkMetrics(facts: Facts, lake: Lake): Promise<Violation[]> {
  const found: Violation[] = [];
  for (const request of facts.requests.values()) {
    if (request.kind !== 'metric') continue;
    found.push(...(await checkRun(facts, lake, request)), ...checkAttempts(facts, request));
  }
  return [...found, ...(await checkBases(facts, lake))];
}

async function checkRun(facts: Facts, lake: Lake, request: Request): Promise<Violation[]> {
  const events = facts.completed.get(request.id) ?? [];
  const keys = metricKeys(request.body, facts.history.bucket);
  if (events.length === 0 || keys === undefined) return []; // `lost-request` tells of the first.
  const event = events[0]!.body;
  if (isGivenUp(facts, request, event)) return [];
  const expected = await expectedFailure(facts, lake, request);
  if (expected !== undefined || event.status === 'FAILURE') {
    const code = event.status === 'FAILURE' ? errorCode(event) : undefined;
    const right = expected === undefined ? [] : expected;
    if (code !== undefined && right.includes(code)) return [];
    const detail = `metric ${request.id} ended with ${shown(event.status)} ${shown(event.error ?? '')}; expected ${expected === undefined ? 'success' : expected.join(' or ')}`;
    return [violation('metric-outcome', detail)];
  }
  const marker = await readText(lake, keys.marker);
  const manifest = await readText(lake, keys.manifestOf(String(event.versionTs)));
  if (marker === undefined || manifest === undefined) {
    const missing = marker === undefined ? keys.marker : keys.manifestOf(String(event.versionTs));
    return [violation('metric-facts', `metric ${request.id} succeeded, and ${missing} is not in the bucket`)];
  }
  const wrong = wrongFacts(facts, lake, request, { keys, event, marker, manifest });
  if (wrong.length > 0)
    return wrong.map((detail) => violation('metric-facts', `metric ${request.id}: ${detail}`));
  return await checkOutput(facts, lake, request, keys, manifest);
}

/** A delivery writes a version's data once: a write whose answer was lost is found to be its own. */
function checkAttempts(facts: Facts, request: Request): Violation[] {
  const base = metricKeys(request.body, facts.history.bucket)?.base ?? '';
  const own = [...facts.writes].flatMap(([key, writes]) =>
    key.startsWith(base) && key.endsWith('/data/metrics.parquet')
      ? writes.filter(({ call }) => call.headers['x-amz-meta-tidemill-run-id'] === request.id)
      : [],
  );
  const deliveries = request.messages.flatMap(({ messageId }) => facts.deliveriesOf.get(messageId) ?? []);
  return [...grouped(own, ({ worker }) => worker)].flatMap(([worker, writes]) => {
    const times = deliveries.filter((delivery) => delivery.worker === worker).length;
    if (writes.length <= times) return [];
    const detail = `${worker} was delivered run ${request.id} ${times} times, and wrote the data of ${writes.map(({ key }) => key).join(', ')}`;
    return [violation('one-version', detail)];
  });
}

/** The codes with which a run must fail, or undefined where it must succeed. */
async function expectedFailure(facts: Facts, lake: Lake, request: Request): Promise<string[] | undefined> {
  const { expressionType, expressionJson } = request.body;
  let oracle: Oracle;
  try {
    oracle = expressionSql(expressionType, expressionJson, (code) => code);
  } catch (error) {
    if (error instanceof NoExpressionError) return ['EXPRESSION_EVAL_ERROR'];
    throw error;
  }
  for (const code of oracle.codes) {
    const dataset = datasetOf(request.body, code);
    if (dataset === undefined) return ['INPUT_READ_ERROR', 'CONFIG_ERROR'];
    const manifest = await readText(lake, locationOf(dataset, facts.history.bucket).key);
    if (manifest === undefined || !(manifest.series_codes as readonly unknown[]).includes(code))
      return ['INPUT_READ_ERROR'];
  }
  return undefined;
}

/** The manifest path of the dataset that a request gives for a series. */
function datasetOf({ inputs, catalog }: Json, code: string): string | undefined {
  const input = (inputs as readonly Json[]).find(({ seriesCode }) => seriesCode === code);
  const datasets = (catalog as { datasets: Record<string, Json> }).datasets;
  return input === undefined ? undefined : textOf(datasets[String(input.datasetId)]?.manifestPath);
}

interface RunFacts {
  readonly keys: MetricKeys;
  readonly event: Json;
  readonly marker: Json;
  readonly manifest: Json;
}

function wrongFacts(facts: Facts, lake: Lake, request: Request, run: RunFacts): string[] {
  const { keys, event, marker, manifest } = run;
  const version = String(event.versionTs);
  const key = keys.manifestOf(version);
  const wrong: string[] = [];
  const same = (what: string, seen: unknown, wanted: unknown) => {
    if (JSON.stringify(seen) !== JSON.stringify(wanted))
      wrong.push(`${what} is ${shown(seen)}, expected ${shown(wanted)}`);
  };
  const { schema, metricCode, expressionType, expressionJson } = request.body;
  const v1 = schema === 'metrics.run.v1';
  same("the event's schema", event.schema, v1 ? schema : undefined);
  same("the event's metricCode", event.metricCode, metricCode);
  same("the event's outputManifest", event.outputManifest, v1 ? `s3://${facts.history.bucket}/${key}` : key);
  same("the marker's run_id", marker.run_id, request.id);
  same("the marker's version", marker.version_ts, version);
  same("the marker's manifest", marker.output_manifest, key);
  same("the marker's row_count", marker.row_count, event.rowCount);
  same("the manifest's run_id", manifest.run_id, request.id);
  same("the manifest's metric_code", manifest.metric_code, metricCode);
  same("the manifest's version", manifest.version_ts, version);
  same("the manifest's row_count", manifest.row_count, event.rowCount);
  same("the manifest's expression", manifest.expression, { type: expressionType, json: expressionJson });
  if (!VERSION.test(version)) wrong.push(`${version} is no version`);
  const outputs = manifest.outputs as { data_prefix: string; files: readonly Json[] };
  same("the manifest's data_prefix", outputs.data_prefix, `${keys.base}${version}/data/`);
  same('the number of files', outputs.files.length, 1);
  for (const file of outputs.files) {
    const stored = lake.find(`${outputs.data_prefix}${String(file.path)}`);
    same(`bytes of ${String(file.path)}`, file.bytes, stored?.bytes);
    same(`ETag of ${String(file.path)}`, unquoted(textOf(file.etag)), unquoted(stored?.etag));
    same(`rows of ${String(file.path)}`, file.rows, event.rowCount);
  }
  return wrong;
}

/** The output against the oracle. */
async function checkOutput(
  facts: Facts,
  lake: Lake,
  request: Request,
  keys: MetricKeys,
  manifest: Json,
): Promise<Violation[]> {
  const bad = (detail: string) => violation('metric-oracle', `metric ${request.id}, ${data}: ${detail}`);
  const data = keys.dataOf(String(manifest.version_ts));
  const columns = await lake.columnsOf(data);
  if (shown(columns) !== shown(SCHEMA)) return [bad(`its columns are ${shown(columns)}`)];
  const inputs = new Map(
    (manifest.inputs as readonly Json[]).map((input) => [String(input.series_code), input]),
  );
  const sources = new Map<string, string>();
  for (const [code, input] of inputs) sources.set(code, await sourceSql(facts, lake, request, code, input));
  const { expressionType, expressionJson } = request.body;
  const oracle = expressionSql(expressionType, expressionJson, (code) => sources.get(code) ?? missing(code));
  if (oracle.codes.length !== inputs.size)
    return [bad(`its manifest names the inputs ${shown([...inputs.keys()])}`)];
  const zeros = oracle.ratios.map((name) => `SELECT count(*) FILTER (z) AS c FROM ${name}`);
  const expected = await lake.rows(
    `${oracle.tables}
     SELECT t::DOUBLE AS t, v FROM ${oracle.root}
     ${zeros.length === 0 ? '' : `UNION ALL SELECT NULL, sum(c)::DOUBLE FROM (${zeros.join(' UNION ALL ')})`} ORDER BY t NULLS LAST`,
  );
  const divisions = zeros.length === 0 ? 0 : Number(expected.pop()?.v);
  const actual = await lake.rows(
    `SELECT epoch_us(obs_time)::DOUBLE AS t, value AS v FROM read_parquet(${lake.file(data)}, file_row_number = true) ORDER BY file_row_number`,
  );
  if (actual.length !== Number(manifest.row_count))
    return [bad(`it has ${actual.length} rows, its manifest says ${String(manifest.row_count)}`)];
  if (actual.length !== expected.length)
    return [bad(`it has ${actual.length} rows, expected ${expected.length}`)];
  for (const [i, row] of actual.entries()) {
    const wanted = expected[i]!;
    if (row.t !== wanted.t || !isNear(row.v, wanted.v))
      return [bad(`row ${i} is ${shown(row)}, expected ${shown(wanted)}`)];
  }
  const nulls = expected.filter(({ v }) => v === null).length;
  const quality = { nulls, divisions_by_zero: divisions };
  if (shown(manifest.quality) !== shown(quality))
    return [bad(`its quality is ${shown(manifest.quality)}, expected ${shown(quality)}`)];
  return [];
}

function missing(code: string): never {
  throw new Error(`the manifest names no input for the series ${code}`);
}

function isNear(a: unknown, b: unknown): boolean {
  if (a === null || b === null) return a === b;
  const [x, y] = [Number(a), Number(b)];
  return Math.abs(x - y) <= TOLERANCE * Math.max(Math.abs(x), Math.abs(y), 1);
}

/** The rows of one series, as the version of its dataset had them that the run says it read. */
async function sourceSql(
  facts: Facts,
  lake: Lake,
  request: Request,
  code: string,
  input: Json,
): Promise<string> {
  const { bucket, given } = facts.history;
  const path = datasetOf(request.body, code);
  if (path === undefined) missing(code);
  const { key } = locationOf(path, bucket);
  const etag = unquoted(textOf(input.manifest_etag));
  const text =
    given.find((object) => object.key === key && unquoted(object.etag) === etag)?.text ??
    facts.writes.get(key)?.find((write) => write.etag === etag)?.call.body;
  const manifest = parseObject(text);
  if (manifest === undefined) throw new Error(`no version of ${key} has the ETag ${etag}`);
  const dataset = (request.body.catalog as { datasets: Record<string, Json> }).datasets;
  const projections =
    textOf(dataset[String(input.dataset_id)]?.projectionsPath) ??
    `${key.split('/').slice(0, -2).join('/')}/projections/`;
  const prefix = locationOf(projections, bucket).key;
  const known = new Set((manifest.series_codes as readonly string[] | undefined) ?? []);
  const parts: string[] = [];
  for (const [i, file] of (manifest.parquet_files as readonly string[]).entries()) {
    const named = namedSeries(file, known);
    if (named !== undefined && named !== code) continue;
    const where = named === undefined ? ` WHERE internal_series_code = ${quoted(code)}` : '';
    const of = `read_parquet(${lake.file(`${prefix}${file}`)}, file_row_number = true, hive_partitioning = false)`;
    parts.push(
      `SELECT ${i} AS f, file_row_number AS r, epoch_us(obs_time::TIMESTAMPTZ) AS t, value::DOUBLE AS x FROM ${of}${where}`,
    );
  }
  if (parts.length === 0) return 'SELECT 0::BIGINT AS t, 0::DOUBLE AS v WHERE false';
  // Of rows with one time the last listed wins.
  const ranked = `SELECT t, CASE WHEN isnan(x) THEN NULL ELSE x END AS v, row_number() OVER (PARTITION BY t ORDER BY f DESC, r DESC) AS k FROM (${parts.join(' UNION ALL ')})`;
  return `SELECT t, v FROM (${ranked}) WHERE k = 1`;
}

/** The series that a path names by a whole segment. */
function namedSeries(path: string, known: ReadonlySet<string>): string | undefined {
  const folders = path.split('/').slice(0, -1);
  const hive = folders.find((folder) => /^(series|series_code|internal_series_code)=/.test(folder));
  return hive === undefined ? folders.find((folder) => known.has(folder)) : hive.slice(hive.indexOf('=') + 1);
}

/** What lies below each base path, whoever's run it was. */
async function checkBases(facts: Facts, lake: Lake): Promise<Violation[]> {
  const { bucket, objects } = facts.history;
  const bases = new Map<string, { keys: MetricKeys; runs: Set<string> }>();
  for (const request of facts.requests.values()) {
    const keys = request.kind === 'metric' ? metricKeys(request.body, bucket) : undefined;
    if (keys === undefined) continue;
    const base = bases.get(keys.base) ?? { keys, runs: new Set() };
    bases.set(keys.base, base);
    base.runs.add(request.id);
  }
  const found: Violation[] = [];
  for (const { keys, runs } of bases.values()) {
    const below = objects
      .filter(({ key }) => key.startsWith(keys.base))
      .map(({ key }) => key.slice(keys.base.length));
    const markers = new Map<string, string>();
    for (const run of runs) {
      const marker = await readText(lake, `${keys.base}runs/${run}.ok`);
      if (marker !== undefined) markers.set(String(marker.version_ts), run);
    }
    for (const version of new Set(
      below.map((key) => key.split('/')[0]!).filter((name) => VERSION.test(name)),
    )) {
      if (!markers.has(version)) found.push(...checkLeftover(facts, keys, version));
    }
    found.push(...checkCurrent(facts, keys, [...markers.keys()].toSorted()));
  }
  return found;
}

/** A version that no marker names: left by a worker that was disturbed, and named by nobody. */
function checkLeftover(facts: Facts, keys: MetricKeys, version: string): Violation[] {
  const { processes, calls } = facts.history;
  const data = firstWrite(facts, keys.dataOf(version));
  const named = facts.writes.get(keys.current)?.some(({ json }) => json?.version_ts === version) ?? false;
  const told = facts.publishes.some(
    ({ type, body }) =>
      type === 'metric_run_completed' &&
      body.versionTs === version &&
      String(body.outputManifest).endsWith(keys.manifestOf(version)),
  );
  if (named || told) {
    return [
      violation(
        'one-version',
        `${keys.base}${version} is named by ${named ? 'current' : 'an event'}, and no marker names it`,
      ),
    ];
  }
  const writer = processes.find(({ name }) => name === data?.worker);
  const disturbed =
    writer === undefined ||
    writer.deeds.length > 0 ||
    calls.some(({ worker, fault }) => worker === 'proxy' || (worker === writer.name && fault !== undefined));
  if (disturbed) return [];
  return [
    violation(
      'one-version',
      `${keys.base}${version}, written by ${writer.name}, is left behind: no marker names it, and nothing disturbed its writer`,
    ),
  ];
}

function checkCurrent(facts: Facts, keys: MetricKeys, versions: readonly string[]): Violation[] {
  const bad = (detail: string) => violation('current', `${keys.current} ${detail}`);
  const writes = sequenceOf(facts.writes.get(keys.current) ?? []);
  const found: Violation[] = [];
  for (const [i, { json, worker, at }] of writes.entries()) {
    const version = String(json?.version_ts);
    const before = i === 0 ? '' : String(writes[i - 1]!.json?.version_ts);
    if (version <= before) found.push(bad(`went from ${before} to ${version} by ${worker} at ${at}`));
    const marker = firstWrite(facts, `${keys.base}runs/${String(json?.run_id)}.ok`);
    if (marker === undefined || marker.at > at || marker.json?.version_ts !== version) {
      found.push(bad(`pointed to ${version} at ${at}, before its marker was made`));
    }
  }
  const last = String(writes.at(-1)?.json?.version_ts ?? '');
  if (versions.length > 0 && last !== versions.at(-1))
    found.push(bad(`ends at ${last || 'nothing'}; the newest version is ${versions.at(-1)}`));
  return found;
}
