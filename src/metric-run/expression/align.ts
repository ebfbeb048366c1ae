/**
 * The streaming full outer join of sorted flows on time: one row for each time that any of them has, a
 * column for each of them, null where it has no row at that time.
 *
 * Where the flows run in step, or some of them are alone for a long while, their frames are handed on as
 * they are (a bulk); elsewhere rows are merged one by one and gathered, so that sparse flows make no small
 * frames. What is held is one frame of each flow and the rows gathered.
 */

import type { Flow } from './frame.ts';
import { commonRun, type Head, mergeMany, mergeTwo, rowsBefore } from './merge.ts';

/** Rows of all the flows: parallel columns of one length, at least 1. */
export interface AlignedRows {
  /** Not to be written to. */
  readonly times: Float64Array;
  /** One for each flow, in their order; those not owned are good until the next pull. */
  readonly columns: readonly Float64Array[];
  /** Which of the columns may be written to and kept. */
  readonly owned: readonly (boolean | undefined)[];
}

export interface AlignedFlow {
  next(): Promise<AlignedRows | undefined>;
}

/** Rows in step from which handing on beats merging: a small frame costs as much as some hundred rows. */
const BULK_ROWS = 4096;

/** Up to this many columns are gathered at full length; more share the room that these would take. */
const FULL_WIDTH = 8;

const EMPTY: Float64Array = new Float64Array(0);
const NONE: readonly boolean[] = [];

/** The rows of `inputs` (two or more), in frames of about `batchRows`. */
export function align(inputs: readonly Flow[], batchRows: number): AlignedFlow {
  const width = inputs.length;
  const heads = inputs.map((): Head => ({ times: EMPTY, values: EMPTY, at: 0, owned: false, ended: false }));
  const most = Math.max(1, Math.floor((batchRows * FULL_WIDTH) / Math.max(FULL_WIDTH, width)));
  const bulk = Math.min(BULK_ROWS, Math.ceil(most / 4));
  /** The gathered rows: the first `count` of these. */
  let times = EMPTY;
  let columns: Float64Array[] = [];
  let count = 0;
  let nulls = EMPTY;

  function load(): Promise<unknown> | undefined {
    let waiting: Promise<void>[] | undefined;
    for (let k = 0; k < width; k++) {
      const head = heads[k]!;
      if (head.at === head.times.length && !head.ended) {
        waiting ??= [];
        waiting.push(refill(head, inputs[k]!));
      }
    }
    return waiting === undefined ? undefined : Promise.all(waiting);
  }

  /** The gathered rows as a frame; undefined if there are none. */
  function emit(): AlignedRows | undefined {
    if (count === 0) return undefined;
    const end = count;
    count = 0;
    // The columns are lent: they are read before the next pull, and then there is room in them again.
    return {
      times: times.slice(0, end),
      columns: columns.map((column) => part(column, 0, end)),
      owned: NONE,
    };
  }

  /** The next `run` rows, which all flows at time `first` have in common, and no other flow has. */
  function handOn(run: number, first: number): AlignedRows {
    let common = EMPTY;
    const parts: Float64Array[] = [];
    const owned: boolean[] = [];
    for (const head of heads) {
      const present = head.at < head.times.length && head.times[head.at] === first;
      if (present) {
        common = part(head.times, head.at, run);
        parts.push(part(head.values, head.at, run));
        head.at += run;
        // The frame may go out whole, and its buffers to another thread: it is not looked at again.
        if (head.at === head.times.length) Object.assign(head, { times: EMPTY, values: EMPTY, at: 0 });
      } else {
        if (nulls.length < run) nulls = new Float64Array(run).fill(Number.NaN);
        parts.push(nulls.subarray(0, run));
      }
      owned.push(present && head.owned);
    }
    return { times: common, columns: parts, owned };
  }

  function gather(): void {
    if (count === 0 && times.length < most) {
      let rows = 0;
      for (const head of heads) rows += head.times.length - head.at;
      if (times.length < Math.min(most, rows)) {
        times = new Float64Array(Math.min(most, rows));
        columns = heads.map(() => new Float64Array(times.length));
      }
    }
    count =
      width === 2
        ? mergeTwo(heads[0]!, heads[1]!, times, columns[0]!, columns[1]!, count)
        : mergeMany(heads, times, columns, count);
  }

  return {
    async next() {
      for (;;) {
        const loading = load();
        if (loading !== undefined) await loading;
        const first = firstTime(heads);
        if (first === Number.POSITIVE_INFINITY) return emit();
        const run = runLength(heads, first);
        if (run >= bulk) return emit() ?? handOn(run, first);
        gather();
        if (count === times.length) return emit();
      }
    },
  };
}

async function refill(head: Head, input: Flow): Promise<void> {
  const frame = await input.next();
  head.at = 0;
  head.ended = frame === undefined;
  head.times = frame?.times ?? EMPTY;
  head.values = frame?.values ?? EMPTY;
  head.owned = frame?.ownsValues ?? false;
}

/** The earliest time of the next rows; infinite when all flows have ended. */
function firstTime(heads: readonly Head[]): number {
  let first = Number.POSITIVE_INFINITY;
  for (const head of heads) {
    if (head.at < head.times.length) first = Math.min(first, head.times[head.at]!);
  }
  return first;
}

/** How many rows, from time `first` on, the flows that have that time share, before any other flow has one. */
function runLength(heads: readonly Head[], first: number): number {
  let lead: Head | undefined;
  let run = 0;
  let limit = Number.POSITIVE_INFINITY;
  for (const head of heads) {
    if (head.at === head.times.length) continue;
    const time = head.times[head.at]!;
    if (time > first) {
      limit = Math.min(limit, time);
    } else if (lead === undefined) {
      lead = head;
      run = head.times.length - head.at;
    } else {
      run = commonRun(lead, head, run);
    }
  }
  return lead === undefined ? 0 : rowsBefore(lead, run, limit);
}

/** `run` values of `array` from `at` on; the array itself where that is all of it. */
function part(array: Float64Array, at: number, run: number): Float64Array {
  return at === 0 && run === array.length ? array : array.subarray(at, at + run);
}
