/** The output of a metric run as a reader sees it: its objects, its manifest, its rows, and whether they are right. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { clip, plural, type Terminal } from '../cli/terminal.ts';
import type { JsonObject } from '../contract/envelope.ts';
import { decodeMetricManifest, type MetricManifest } from '../contract/metric-manifest.ts';
import type { ObjectLocation } from '../contract/object-location.ts';
import { type Duck, literal } from './duck.ts';
import { INDENT, spacedJson } from './script.ts';
import type { Stage } from './stage.ts';

async function bytesOf({ lake, signal }: Stage, location: ObjectLocation): Promise<Uint8Array> {
  const stored = await lake.store.get(location, { signal });
  if (stored === undefined) throw new Error(`s3://${location.bucket}/${location.key} is not there`);
  return stored.bytes;
}

/** The manifest that a completed event names. */
export async function manifestOf(stage: Stage, completed: JsonObject): Promise<MetricManifest> {
  const uri = new URL(String(completed.outputManifest));
  const bytes = await bytesOf(stage, { bucket: uri.host, key: uri.pathname.slice(1) });
  const manifest = decodeMetricManifest(bytes);
  if (manifest === undefined) throw new Error(`${uri.href} is no manifest`);
  return manifest;
}

/** Fetches the Parquet file that a manifest names; returns where it is on this machine. */
export async function fetchOutput(stage: Stage, manifest: MetricManifest): Promise<string> {
  const [file] = manifest.outputs.files;
  const data = await bytesOf(stage, {
    bucket: stage.bucket,
    key: `${manifest.outputs.data_prefix}${file?.path}`,
  });
  const path = join(stage.directory, `${manifest.metric_code}.parquet`);
  writeFileSync(path, data);
  return path;
}

/** The manifest as JSON, abridged to the terminal's width. */
export function manifestLines(terminal: Terminal, manifest: MetricManifest): string[] {
  const { paint } = terminal;
  const room = terminal.width - INDENT.length * 2;
  const line = (name: string, value: unknown) => {
    const text = clip(spacedJson(value), room - name.length - 5);
    return `${INDENT}${INDENT}${paint('accent', `"${name}"`)}: ${text},`;
  };
  const [file] = manifest.outputs.files;
  const inputs = manifest.inputs.map(({ series_code, files, bytes }) => {
    return `${INDENT.repeat(3)}${clip(`${spacedJson({ series_code, files, bytes }).slice(0, -2)}, … }`, room - 3)},`;
  });
  return [
    `${INDENT}{`,
    line('run_id', manifest.run_id),
    line('metric_code', manifest.metric_code),
    line('version_ts', manifest.version_ts),
    line('row_count', manifest.row_count),
    line('expression', manifest.expression.json),
    `${INDENT}${INDENT}${paint('accent', '"inputs"')}: [`,
    ...inputs,
    `${INDENT}${INDENT}],`,
    line('outputs', { files: [{ rows: file?.rows, bytes: file?.bytes, etag: file?.etag }] }),
    line('quality', manifest.quality),
    `${INDENT}${INDENT}${paint('faint', '…')}`,
    `${INDENT}}`,
  ];
}

/** How far a metric may be from DuckDB's own answer. */
const TOLERANCE = 1e-9;

/**
 * Compares an output file with what DuckDB computes by `expected`, a query with `day` and `value`.
 * @returns how many rows were compared
 * @throws Error when one is missing, extra or different
 */
export async function checkAgainst(duck: Duck, file: string, expected: string): Promise<number> {
  const [found] = await duck.rows(
    `SELECT count(*) AS compared,
            count(*) FILTER (o.obs_time IS NULL OR e.day IS NULL
              OR (o.value IS NULL) <> (e.value IS NULL) OR abs(o.value - e.value) > ${TOLERANCE}) AS different
       FROM read_parquet(${literal(file)}) o FULL JOIN (${expected}) e ON o.obs_time = e.day::TIMESTAMPTZ`,
  );
  const different = Number(found?.different);
  if (different > 0) throw new Error(`${plural(different, 'row')} of ${file} differ from DuckDB's answer`);
  return Number(found?.compared);
}
