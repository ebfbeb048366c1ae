/** Files in memory, read as the lake reads objects, and series read out of them. */

import type { RandomAccess } from '../../src/lake/random-access.ts';
import { openSeries } from '../../src/lake/series-reader.ts';
import type { Row } from '../support/conformance-cases.ts';
import { drained } from '../support/series-sources.ts';

export interface MemoryFile extends RandomAccess {
  /** The ranges that were read beside the tail, in order. */
  readonly reads: (readonly [start: number, end: number])[];
  isClosed(): boolean;
}

/** `bytes` as a file whose last `tailBytes` are there at its opening. */
export function memoryFile(name: string, bytes: Uint8Array, tailBytes = 65_536): MemoryFile {
  const whole = new Uint8Array(bytes);
  const tail = whole.slice(Math.max(0, whole.length - tailBytes));
  const reads: [number, number][] = [];
  let closed = false;
  return {
    name,
    size: whole.length,
    tail,
    etag: '',
    reads,
    isClosed: () => closed,
    async read(start, end) {
      if (!(start >= 0 && start <= end && end <= whole.length)) {
        throw new Error(`the test's file ${name} has no bytes ${start} to ${end}`);
      }
      reads.push([start, end]);
      return whole.slice(start, end);
    },
    async close() {
      closed = true;
    },
  };
}

export interface ReadOptions {
  /** Whether the paths name the series; default true. */
  readonly named?: boolean;
  /** Default `A`. */
  readonly code?: string;
}

/** All rows of a series in `files`, which are closed then. */
export async function readSeries(files: readonly RandomAccess[], options: ReadOptions = {}): Promise<Row[]> {
  const { named = true, code = 'A' } = options;
  const reader = await openSeries(
    files.map((access) => ({ access, named })),
    code,
  );
  try {
    return await drained(await reader.open());
  } finally {
    await reader.close();
  }
}

/** The series in one file of these bytes, called `a.parquet`. */
export function readBytes(bytes: Uint8Array, options: ReadOptions = {}): Promise<Row[]> {
  return readSeries([memoryFile('a.parquet', bytes)], options);
}

/** `CODE: message` of what reading failed with; fails itself when it succeeds. */
export async function readFailure(reading: Promise<unknown>): Promise<string> {
  try {
    await reading;
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    return `${code ?? (error as Error).name}: ${message}`;
  }
  throw new Error('reading succeeded');
}
