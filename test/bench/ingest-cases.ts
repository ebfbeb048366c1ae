/**
 * The ingest case: one long CSV of 10 million rows and some 1 GB, to Parquet by series, year and month.
 * Ours is the thread's own work (load-file.ts) on a local file, written to local files, so that it is
 * held against the same reading and writing by DuckDB.
 */

import { once } from 'node:events';
import { createWriteStream, existsSync, mkdirSync, openSync, readSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { finished } from 'node:stream/promises';
import { type BenchCase, ownPeakMb, type Side } from './case.ts';
import { duckdbSide } from './duckdb-side.ts';
import { modulesOf } from './modules.ts';

type LoadFile = typeof import('../../src/ingest/load-file.ts');

const ROWS = 10_000_000;
const SERIES = 20;
const STEP_SECONDS = 60;
const file = (dir: string) => join(dir, 'readings.csv');

/** 20 series of a reading a minute, interleaved in order of time: 500,000 minutes, a year and three weeks. */
async function makeCsv(dir: string): Promise<void> {
  if (existsSync(file(dir))) return;
  const stream = createWriteStream(`${file(dir)}.part`);
  stream.write('time,series,value,quality,station,comment\n');
  let text = '';
  let state = 1;
  for (let row = 0; row < ROWS; row++) {
    const series = row % SERIES;
    const at = new Date(Date.UTC(2024, 0, 1) + Math.floor(row / SERIES) * STEP_SECONDS * 1000);
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    const value = (state % 1_000_000) / 1000 - 300;
    const name = `SENSOR_${String(series).padStart(3, '0')}`;
    text += `${at.toISOString()},${name},${value.toFixed(3)},${state % 5},station ${series} on the north roof,measured as planned\n`;
    if (text.length > 1_000_000) {
      if (!stream.write(text)) await once(stream, 'drain');
      text = '';
    }
  }
  stream.end(text);
  await finished(stream);
  const { renameSync } = await import('node:fs');
  renameSync(`${file(dir)}.part`, file(dir));
}

/** The lake's ports that loading a file uses, over local files. */
function localLake(out: string) {
  return {
    store: {
      async getRange({ key }: { key: string }, range: { start: number; end: number }) {
        const bytes = Buffer.alloc(range.end - range.start);
        const handle = openSync(key, 'r');
        readSync(handle, bytes, 0, bytes.length, range.start);
        const { closeSync } = await import('node:fs');
        closeSync(handle);
        return { bytes, etag: '', size: bytes.length, metadata: {}, lastModified: 0 };
      },
    },
    openUpload({ key }: { key: string }) {
      const path = join(out, key);
      mkdirSync(dirname(path), { recursive: true });
      const stream = createWriteStream(path);
      let size = 0;
      return {
        write: (bytes: Uint8Array) =>
          new Promise<void>((resolve, reject) => {
            size += bytes.length;
            stream.write(bytes, (error) => (error ? reject(error) : resolve()));
          }),
        async finish() {
          stream.end();
          await finished(stream);
          return { outcome: 'written', etag: '', size } as const;
        },
        async abort() {},
      };
    },
  };
}

const ours: Side = {
  name: 'tidemill ingest',
  async run(dist, dir) {
    const { loadFile } = await modulesOf(dist)<LoadFile>('ingest/load-file.ts');
    const { parseIngestRunRequest } = await import('../../src/contract/ingest-run.ts');
    const out = join(dir, 'out');
    const { request } = parseIngestRunRequest({
      type: 'ingest_run_requested',
      requestId: 'bench',
      ingestionId: 'bench',
      source: { prefix: 'raw/' },
      mapping: { layout: 'long', time: 'time', series: 'series', value: 'value' },
      target: { datasetId: 'd' },
    });
    const { read, mapping } = request;
    const size = statSync(file(dir)).size;
    rmSync(out, { recursive: true, force: true });
    const started = performance.now();
    const loaded = await loadFile(
      {
        file: { location: { bucket: '', key: file(dir) }, size, etag: '' },
        format: 'csv',
        read,
        mapping,
        maxBadRows: 0,
        digest: 'd'.repeat(40),
        projections: { bucket: '', key: '' },
        badRows: { bucket: '', key: 'bad' },
        knownColumns: {},
        compression: 'snappy',
        streamingBytes: 16 * 1024 * 1024,
        budgetBytes: 64 * 1024 * 1024,
      },
      {
        lake: localLake(out) as never,
        signal: new AbortController().signal,
        progress: () => {},
      },
    );
    const seconds = (performance.now() - started) / 1000;
    rmSync(out, { recursive: true, force: true });
    const extra = { 'MB/s': size / 1e6 / seconds, files: loaded.outputs.length };
    return { seconds, rows: loaded.records, peakMb: ownPeakMb(), extra };
  },
};

export const INGEST_CASES: readonly BenchCase[] = [
  {
    name: 'ingest-csv',
    about: '1 GB CSV, 10 million rows of 20 series, to Parquet by series, year and month',
    prepare: makeCsv,
    sides: [
      ours,
      duckdbSide('duckdb', (dir) => {
        rmSync(join(dir, 'duckdb-out'), { recursive: true, force: true });
        return `COPY (SELECT series, year(time) AS year, month(time) AS month, time AS obs_time, value
            FROM read_csv('${file(dir)}', header = true,
              columns = {time: 'TIMESTAMP', series: 'VARCHAR', value: 'DOUBLE', quality: 'INT', station: 'VARCHAR', comment: 'VARCHAR'}))
          TO '${join(dir, 'duckdb-out')}' (FORMAT parquet, PARTITION_BY (series, year, month), COMPRESSION snappy)`;
      }),
    ],
    aim: 'at least half of DuckDB with two threads; under 400 MB resident',
  },
];
