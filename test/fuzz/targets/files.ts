/**
 * Files that people upload: the rows of a hot upload, and the files of an ingest run, through the same
 * functions that a thread calls, on a lake in memory.
 *
 * The first byte of an input says what the file is, the second what options it is read with.
 */

import { type IngestRunRequest, parseIngestRunRequest } from '../../../src/contract/ingest-run.ts';
import { findProvider, tierProviders } from '../../../src/contract/tier-provider.ts';
import { parseHotUploadRequest } from '../../../src/contract/tier-requests.ts';
import { uploadHotFile } from '../../../src/hot-tier/upload.ts';
import { type LoadInput, loadFile } from '../../../src/ingest/load-file.ts';
import { createMemoryLake } from '../memory-lake.ts';
import { hold, type OpenTarget, outcomeOf } from '../target.ts';

/** What a file is called, by the first byte of the input. */
export const FILE_NAMES: Readonly<Record<string, string>> = {
  J: 'rows.jsonl',
  V: 'rows.csv',
  P: 'rows.parquet',
  X: 'rows.xlsx',
  T: 'rows.tsv',
};

export interface FuzzedFile {
  readonly name: string;
  /** What options it is read with. */
  readonly options: number;
  readonly bytes: Uint8Array;
}

/** The file in an input; a first byte that says nothing is JSON lines. */
export function fileOf(input: Uint8Array): FuzzedFile {
  const letter = String.fromCharCode(input[0] ?? 0);
  return { name: FILE_NAMES[letter] ?? 'rows.jsonl', options: input[1] ?? 0, bytes: input.subarray(2) };
}

const LIMITS = { maxRows: 100_000, maxDecodedBytes: 16 << 20 };

export async function openUploads(): Promise<OpenTarget> {
  const memory = createMemoryLake();
  const providers = tierProviders();
  const signal = new AbortController().signal;
  return {
    async run(input) {
      memory.clear();
      const { name, options, bytes } = fileOf(input);
      memory.put(name, bytes);
      return await outcomeOf(async () => {
        const source = options % 2 === 0 ? 'changed' : 'removed';
        const request = parseHotUploadRequest({
          type: 'hot_upload_requested',
          requestId: 'r',
          provider: 'aws',
          timestamp: '2026-01-23T14:23:00Z',
          [source]: { uri: name, format: name.endsWith('xlsx') || name.endsWith('tsv') ? 'csv' : 'auto' },
          ...(options % 4 > 1 ? { sentinel: 3 } : {}),
        });
        const result = await uploadHotFile(
          {
            request,
            requestDigest: 'digest',
            provider: findProvider(providers, 'aws'),
            settings: {
              bucket: memory.bucket,
              allowedBuckets: [],
              root: '',
              limits: LIMITS,
              createdBy: 'fuzz',
            },
          },
          { lake: memory.lake, signal, progress: () => {} },
        );
        hold(
          (result.outcome === 'empty') === (result.rows === 0),
          'an upload without rows that is not empty',
        );
        return result.outcome;
      });
    },
    close: async () => {},
  };
}

const READ = [
  {},
  { delimiter: ';', decimal: ',', dates: 'day-first', timeZone: 'Europe/Berlin' },
  { header: false, dates: 'epoch-seconds' },
  { encoding: 'utf-16le', decimal: 'auto' },
  { encoding: 'windows-1252', dates: 'month-first', nullValues: ['-'] },
  { dates: 'excel', timeZone: 'America/New_York' },
  { dates: 'epoch-millis', encoding: 'latin1', delimiter: '||' },
];
const MAPPINGS = [
  { layout: 'wide', time: 'date', values: '*' },
  { layout: 'wide', time: 'date', values: { max: 'T_MAX', min: 'T_MIN' }, skipNulls: true },
  { layout: 'long', time: 'time', series: 'series', value: 'value', codes: { a: 'A' } },
  { layout: 'wide', time: 'column1', values: '*' },
];

/** The options that a byte stands for, as a request gives them: the mapping in its lowest two bits. */
export function ingestOptions(options: number): IngestRunRequest {
  return parseIngestRunRequest({
    type: 'ingest_run_requested',
    requestId: 'r',
    ingestionId: 'i',
    source: { prefix: 'raw/' },
    read: READ[(options >>> 2) % READ.length],
    mapping: MAPPINGS[options % MAPPINGS.length],
    target: { datasetId: 'd' },
  }).request;
}

/** What a thread is told of a file. */
export function loadInput(
  bucket: string,
  key: string,
  facts: { readonly size: number; readonly etag: string },
  options: number,
  digest = 'd'.repeat(40),
): LoadInput {
  const { read, mapping } = ingestOptions(options);
  return {
    file: { location: { bucket, key }, ...facts },
    format: 'auto',
    read,
    mapping,
    maxBadRows: options >= 128 ? 1_000 : 0,
    digest,
    projections: { bucket, key: 'datasets/d/projections/' },
    badRows: { bucket, key: `datasets/d/bad-rows/${digest}.jsonl` },
    knownColumns: {},
    compression: 'snappy',
    // Files are cut into chunks now and then.
    streamingBytes: (options & 64) > 0 ? 0 : 1 << 24,
    budgetBytes: 1 << 22,
  };
}

export async function openIngests(): Promise<OpenTarget> {
  const memory = createMemoryLake();
  const signal = new AbortController().signal;
  return {
    async run(input) {
      memory.clear();
      const { name, options, bytes } = fileOf(input);
      const facts = memory.put(name, bytes);
      return await outcomeOf(async () => {
        const order = loadInput(memory.bucket, name, facts, options);
        const loaded = await loadFile(order, { lake: memory.lake, signal, progress: () => {} });
        const records = loaded.outputs.reduce((sum, output) => sum + output.records, 0);
        hold(records === loaded.records, 'records that no output has');
        for (const { path } of loaded.outputs) {
          const key = `datasets/d/projections/${path}`;
          hold(memory.get(key) !== undefined, 'an output that is not there', key);
          hold(Buffer.byteLength(key) <= 1_024 && !key.includes('/../'), 'a key that S3 refuses', key);
        }
        return loaded.records > 0 ? `${loaded.format} loaded` : 'nothing to load';
      });
    },
    close: async () => {},
  };
}
