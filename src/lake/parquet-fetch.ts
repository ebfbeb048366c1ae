/** Fetching the stored bytes of column chunks: near ones in one request, and ahead of their use. */

import { discard } from '../common/discard.ts';
import type { ColumnChunk, RowGroup } from './parquet-footer.ts';
import type { RandomAccess } from './random-access.ts';

interface Span {
  readonly start: number;
  readonly end: number;
  readonly bytes: Promise<Uint8Array>;
}

/** Column chunks of one row group, as they are stored. */
export interface FetchedGroup {
  /** The file's bytes from `start` to `end`, of those that were fetched. */
  bytesOf(start: number, end: number): Uint8Array;
  /** Gives their memory back. */
  release(): void;
}

export interface GroupFetcher {
  /** Begins to fetch columns of a row group. */
  prefetch(group: RowGroup, columns: readonly string[]): void;
  /** The bytes of the columns, in memory until they are released. */
  fetch(group: RowGroup, columns: readonly string[]): Promise<FetchedGroup>;
  /** Gives back what is in memory. */
  close(): void;
}

/** Column chunks closer than this are fetched in one request. */
const COALESCE_BYTES = 131_072;

/** The byte ranges that reading `columns` of a row group takes, near ones joined; in file order. */
function rangesOf(group: RowGroup, columns: readonly string[]): { start: number; end: number }[] {
  const chunks = columns
    .map((name) => group.columns.get(name))
    .filter((chunk): chunk is ColumnChunk => chunk !== undefined)
    .sort((a, b) => a.start - b.start);
  const ranges: { start: number; end: number }[] = [];
  for (const { start, end } of chunks) {
    const last = ranges.at(-1);
    if (last !== undefined && start - last.end <= COALESCE_BYTES) last.end = Math.max(last.end, end);
    else ranges.push({ start, end });
  }
  return ranges;
}

export function createFetcher(file: RandomAccess): GroupFetcher {
  const fetched = new Map<string, readonly Span[]>();
  let closed = false;
  const keyOf = (group: RowGroup, columns: readonly string[]) => [group.index, ...columns].join('\n');

  function begin(group: RowGroup, columns: readonly string[]): readonly Span[] {
    const key = keyOf(group, columns);
    const underWay = fetched.get(key);
    if (underWay !== undefined) return underWay;
    if (closed) throw new Error(`${file.name} is closed`);
    const spans = rangesOf(group, columns).map(({ start, end }): Span => {
      const bytes = file.read(start, end);
      bytes.catch(() => {}); // Whoever reads the span hears of it.
      return { start, end, bytes };
    });
    fetched.set(key, spans);
    return spans;
  }

  function release(key: string): void {
    for (const { bytes } of fetched.get(key) ?? []) bytes.then(discard).catch(() => {});
    fetched.delete(key);
  }

  return {
    prefetch: begin,

    async fetch(group, columns) {
      const spans = await Promise.all(
        begin(group, columns).map(async ({ start, end, bytes }) => ({ start, end, bytes: await bytes })),
      );
      if (closed) throw new Error(`${file.name} was closed while it was read`);
      return {
        bytesOf(from, to) {
          const span = spans.find(({ start, end }) => start <= from && to <= end);
          if (span === undefined) throw new RangeError(`bytes ${from} to ${to} were not fetched`);
          return span.bytes.subarray(from - span.start, to - span.start);
        },
        release: () => release(keyOf(group, columns)),
      };
    },

    close() {
      closed = true;
      for (const key of [...fetched.keys()]) release(key);
    },
  };
}
