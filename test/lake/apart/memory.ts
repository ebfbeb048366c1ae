/** How WASM memory fares over many reads and writes, in a process of its own. */

import { parquetWasm, retireAfter } from '../../../src/lake/parquet-wasm.ts';
import type { SeriesBatch } from '../../../src/lake/series-batch.ts';
import { encodeSeries } from '../../../src/lake/series-encoder.ts';
import { openSeries } from '../../../src/lake/series-reader.ts';
import { memoryFile } from '../memory-file.ts';

export type MemoryKind = keyof typeof WORKS;

export interface MemoryReport {
  /** Bytes of WASM memory that a tenth of the times took, and all of them. */
  readonly early: number;
  readonly late: number;
  /** Messages of the errors there were. */
  readonly errors: readonly string[];
}

const BATCH = 8_192;

function source(batches: number, before: (batch: number) => void = () => {}) {
  let next = 0;
  return {
    async next(): Promise<SeriesBatch | undefined> {
      if (next >= batches) return undefined;
      before(next);
      const start = next++ * BATCH;
      const times = new Float64Array(BATCH);
      const values = new Float64Array(BATCH);
      for (let i = 0; i < BATCH; i++) {
        times[i] = (start + i) * 1e6;
        values[i] = i % 100 === 0 ? Number.NaN : (start + i) / 7;
      }
      return { times, values };
    },
    async close() {},
  };
}

async function encoded(batches: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  await encodeSeries(source(batches), 'snappy', async (bytes) => void parts.push(bytes.slice()));
  return new Uint8Array(Buffer.concat(parts));
}

const files = {
  whole: await encoded(12),
  broken: await encoded(12).then((bytes) => bytes.fill(0xff, 50_000, 50_400)),
};

async function read(bytes: Uint8Array, batches = Number.POSITIVE_INFINITY): Promise<void> {
  const reader = await openSeries([{ access: memoryFile('a', bytes), named: true }], 'A');
  try {
    const rows = await reader.open();
    for (let n = 0; n < batches && (await rows.next()) !== undefined; n++);
  } finally {
    await reader.close();
  }
}

const fail = (why: string): never => {
  throw new Error(why);
};

const WORKS = {
  write: () => encodeSeries(source(10), 'snappy', async () => {}),
  'write, the sink failing at the end': () => encodeSeries(source(10), 'snappy', async () => fail('sink')),
  // Past the first row group, while batches are still written.
  'write, the sink failing midway': () => encodeSeries(source(70), 'none', async () => fail('sink')),
  'write, the source failing': () =>
    encodeSeries(
      source(10, (batch) => (batch === 7 ? fail('source') : undefined)),
      'snappy',
      async () => {},
    ),
  'write, the source failing at once': () =>
    encodeSeries(
      source(10, () => fail('source')),
      'snappy',
      async () => {},
    ),
  read: () => read(files.whole),
  'read, left early': () => read(files.whole, 2),
  'read, never begun': () => read(files.whole, 0),
  'read, the file broken': () => read(files.broken),
} as const satisfies Record<string, () => Promise<unknown>>;

const bytes = () => parquetWasm().wasmMemory().buffer.byteLength;

/** Each kind of work so many times over. */
export async function measure(
  times: Readonly<Record<MemoryKind, number>>,
): Promise<Record<string, MemoryReport>> {
  const reports: Record<string, MemoryReport> = {};
  for (const [kind, count] of Object.entries(times) as [MemoryKind, number][]) {
    const errors = new Set<string>();
    let early = 0;
    for (let n = 0; n < count; n++) {
      await WORKS[kind]().catch((error: Error) => errors.add(error.message));
      if (n === Math.floor(count / 10)) early = bytes();
    }
    reports[kind] = { early, late: bytes(), errors: [...errors] };
  }
  return reports;
}

/** Panics as the decoder raises them, and a fresh instance after each: megabytes that stay resident. */
export async function renew(times: number): Promise<number> {
  const panic = Object.assign(new Error('unreachable'), { name: 'RuntimeError' });
  const resident = () => process.memoryUsage.rss() / 1024 / 1024;
  let before = 0;
  for (let n = 0; n < times; n++) {
    const wasm = parquetWasm();
    await read(files.whole);
    if (!retireAfter(wasm, panic)) throw new Error('that was a panic');
    if (parquetWasm() === wasm) throw new Error('it is used again');
    if (n === 10) before = resident();
  }
  return resident() - before;
}
