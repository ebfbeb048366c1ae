/**
 * Ingest runs: the ledger, the datasets, and the files that both are about. Rules:
 *
 * - `ingest-rows`: the Parquet files of a source file hold its rows, each exactly once; a dataset's
 *   manifest names those files, all of them, and nothing else;
 * - `ingest-files`: a good file ends as SUCCESS, a bad one as FAILED with its row and column;
 * - `ingest-ledger`: no file, claim or run is left in work; a run's stored answer is what its events say,
 *   and its counts are those of the ledger.
 */

import type { Violation } from '../history.ts';
import type { Lake, Row } from './duck.ts';
import {
  canonical,
  type Facts,
  type Json,
  parseObject,
  type Request,
  shown,
  textOf,
  unquoted,
  violation,
} from './facts.ts';
import { datasetKeys, locationOf } from './keys.ts';
import { BadSourceError, type SourceRows, sourceRows } from './source-rows.ts';
import { readText } from './texts.ts';

interface Ingestion {
  readonly id: string;
  readonly request: Request;
}

export async function checkIngest(facts: Facts, lake: Lake): Promise<Violation[]> {
  const ingestions = new Map<string, Ingestion>();
  for (const request of facts.requests.values()) {
    if (request.kind !== 'ingest') continue;
    const id = String(request.body.ingestionId);
    ingestions.set(id, { id, request });
  }
  const found = checkLedger(facts);
  for (const ingestion of ingestions.values()) found.push(...(await checkIngestion(facts, lake, ingestion)));
  return [...found, ...checkRuns(facts)];
}

function table(facts: Facts, name: string): readonly Row[] {
  return facts.history.ledger[name] ?? [];
}

function checkLedger(facts: Facts): Violation[] {
  const found: Violation[] = [];
  for (const { file_path, status } of table(facts, 'processed_files')) {
    if (status === 'PROCESSING')
      found.push(violation('ingest-ledger', `${String(file_path)} is left in work`));
  }
  for (const { source, status, payload_meta } of table(facts, 'load_log')) {
    // A claim to a version that was replaced in mid-work is nobody's to settle, and in nobody's way.
    const { file, etag } = payload_meta as Json;
    const replaced = table(facts, 'processed_files').some(
      (row) => row.file_path === file && row.file_etag !== etag,
    );
    if (status === 'pending' && !replaced) {
      found.push(
        violation('ingest-ledger', `a claim of ${String(source)} is left pending: ${shown(payload_meta)}`),
      );
    }
  }
  const keys = table(facts, 'load_log').map((row) => `${String(row.source)} ${String(row.idempotency_key)}`);
  if (new Set(keys).size < keys.length)
    found.push(violation('ingest-ledger', 'the load log holds a key twice'));
  return found;
}

/** The text of a file in the version with an ETag. */
function textAt(facts: Facts, key: string, etag: unknown): string | undefined {
  const wanted = unquoted(textOf(etag));
  return facts.history.given.find((object) => object.key === key && unquoted(object.etag) === wanted)?.text;
}

async function checkIngestion(facts: Facts, lake: Lake, { id, request }: Ingestion): Promise<Violation[]> {
  const { bucket } = facts.history;
  const keys = datasetKeys(request.body, bucket);
  if (keys === undefined) return [];
  const mapping = request.body.mapping as Json;
  const found: Violation[] = [];
  const named = new Set<string>();
  let total = 0;
  for (const file of table(facts, 'processed_files').filter((row) => row.ingestion_id === id)) {
    const path = String(file.file_path);
    const { key } = locationOf(path, bucket);
    found.push(...checkStatus(facts, file, key, mapping));
    const load = table(facts, 'file_loads').find((row) => String(row.file_id) === String(file.id));
    if (load === undefined) {
      if (file.status === 'SUCCESS')
        found.push(violation('ingest-rows', `${path} is SUCCESS and has no load`));
      continue;
    }
    const outputs = table(facts, 'file_outputs').filter((row) => String(row.file_id) === String(file.id));
    for (const output of outputs) named.add(String(output.path));
    total += Number(load.records_ingested);
    const text = textAt(facts, key, load.file_etag);
    if (text === undefined) {
      found.push(
        violation(
          'ingest-rows',
          `${path} was loaded with the ETag ${String(load.file_etag)}, which nobody gave it`,
        ),
      );
      continue;
    }
    found.push(
      ...(await checkLoad(lake, path, keys.projections, load, outputs, sourceRows(key, text, mapping))),
    );
  }
  return [...found, ...(await checkManifest(lake, keys.current, named, total))];
}

function checkStatus(facts: Facts, file: Row, key: string, mapping: Json): Violation[] {
  const path = String(file.file_path);
  const text = textAt(facts, key, file.file_etag);
  if (text === undefined)
    return [
      violation(
        'ingest-files',
        `${path} stands with the ETag ${String(file.file_etag)}, which nobody gave it`,
      ),
    ];
  const changed = file.error_type === 'CHANGED' || file.error_type === 'GONE';
  try {
    sourceRows(key, text, mapping);
    if (file.status === 'SUCCESS' || changed || file.status === 'DISCOVERED') return [];
    return [
      violation(
        'ingest-files',
        `${path} is good, and ended as ${String(file.status)}: ${String(file.error_message)}`,
      ),
    ];
  } catch (error) {
    if (!(error instanceof BadSourceError)) throw error;
    const told = String(file.error_message);
    if (changed || file.status === 'DISCOVERED') return [];
    if (file.status !== 'FAILED')
      return [
        violation('ingest-files', `${path} is bad (${error.message}), and ended as ${String(file.status)}`),
      ];
    if (/row \d+/.test(told) && told.includes(error.column)) return [];
    return [
      violation(
        'ingest-files',
        `${path} is bad (${error.message}); what is told of it names no row and column: ${told}`,
      ),
    ];
  }
}

/** What was written for a file, against the file. */
async function checkLoad(
  lake: Lake,
  path: string,
  projections: string,
  load: Row,
  outputs: readonly Row[],
  wanted: SourceRows,
): Promise<Violation[]> {
  const bad = (detail: string) => violation('ingest-rows', `${path}: ${detail}`);
  const seen = new Map<string, number | null>();
  for (const output of outputs) {
    const key = `${projections}${String(output.path)}`;
    const stored = lake.find(key);
    if (stored === undefined) return [bad(`${key} is not there`)];
    if (stored.bytes !== Number(output.bytes))
      return [bad(`${key} has ${stored.bytes} bytes, the ledger says ${String(output.bytes)}`)];
    const rows = await lake.rows(
      `SELECT epoch_us(obs_time::TIMESTAMPTZ)::DOUBLE AS t, value::DOUBLE AS v FROM read_parquet(${lake.file(key)}, hive_partitioning = false)`,
    );
    if (rows.length !== Number(output.records))
      return [bad(`${key} has ${rows.length} rows, the ledger says ${String(output.records)}`)];
    for (const { t, v } of rows) {
      const place = `${String(output.series_code)} ${Number(t)}`;
      if (seen.has(place)) return [bad(`${place} is there twice`)];
      seen.set(place, v === null || Number.isNaN(v) ? null : Number(v));
    }
  }
  if (Number(load.records_ingested) !== wanted.size)
    return [bad(`the ledger says ${String(load.records_ingested)} rows, it has ${wanted.size}`)];
  for (const [place, value] of wanted) {
    if (!seen.has(place)) return [bad(`${place} is missing`)];
    if (seen.get(place) !== value)
      return [bad(`${place} is ${String(seen.get(place))}, not ${String(value)}`)];
  }
  return seen.size === wanted.size ? [] : [bad(`it has ${wanted.size} rows, ${seen.size} were written`)];
}

async function checkManifest(
  lake: Lake,
  current: string,
  named: ReadonlySet<string>,
  total: number,
): Promise<Violation[]> {
  const manifest = await readText(lake, current);
  if (manifest === undefined) {
    return named.size === 0
      ? []
      : [violation('ingest-rows', `${current} is not there, and files were loaded`)];
  }
  const files = manifest.parquet_files as readonly string[];
  const bad = (detail: string) => violation('ingest-rows', `${current} ${detail}`);
  const found: Violation[] = [];
  const extra = files.filter((file) => !named.has(file));
  const lacking = [...named].filter((file) => !files.includes(file));
  if (extra.length > 0) found.push(bad(`names ${shown(extra)}, which no load has made`));
  if (lacking.length > 0) found.push(bad(`does not name ${shown(lacking)}`));
  if (new Set(files).size < files.length) found.push(bad('names a file twice'));
  if (manifest.row_count !== total)
    found.push(bad(`says ${shown(manifest.row_count)} rows, the loads have ${total}`));
  return found;
}

const COUNTS = {
  succeeded: 'files_succeeded',
  failed: 'files_failed',
  discovered: 'files_discovered',
  skipped: 'files_skipped',
} as const;

/** Each run as the ledger keeps it, against what was told of it. */
function checkRuns(facts: Facts): Violation[] {
  const found: Violation[] = [];
  const runs = new Map(table(facts, 'runs').map((row) => [String(row.id), row]));
  for (const request of facts.requests.values()) {
    const told = facts.completed.get(request.id)?.[0]?.body;
    if (request.kind !== 'ingest' || told === undefined) continue;
    const bad = (detail: string) => found.push(violation('ingest-ledger', `run ${request.id}: ${detail}`));
    const run = runs.get(request.id);
    if (run === undefined) {
      bad(`it was told ${shown(told)}, and the ledger does not know it`);
      continue;
    }
    if (run.status !== told.status)
      bad(`the ledger says ${shown(run.status)}, its event ${shown(told.status)} ${shown(told.error ?? '')}`);
    const stored = typeof run.result === 'string' ? parseObject(run.result) : (run.result as Json | null);
    const files = told.files as Json | undefined;
    if (files === undefined) {
      bad(`it failed as a whole: ${shown(told.error)}`);
      continue;
    }
    for (const [name, column] of Object.entries(COUNTS)) {
      if (Number(run[column]) !== files[name])
        bad(`${column} is ${String(run[column])}, its event says ${shown(files[name])}`);
    }
    if (told.rows !== Number(run.records_ingested))
      bad(`the ledger says ${String(run.records_ingested)} rows, its event ${shown(told.rows)}`);
    if (stored?.status !== told.status || canonical(stored?.files) !== canonical(files))
      bad(`its stored answer ${shown(stored)} is not its event ${shown(told)}`);
  }
  return found;
}
