/**
 * The merge core: sorted runs of rows become one sorted run, streaming and with bounded memory.
 *
 * Terms:
 * - a run is a file's rows in order of primary key and time, pulled batch by batch;
 * - the slab is the working memory: for each column one array with a window of `windowRows` rows for each
 *   run, so that a row of any run is one number. A run's window is filled anew when it is used up;
 * - the selection is the list of slab rows that come next in the output. Choosing rows looks at integers
 *   only (row-order.ts); the columns are then copied one at a time, each in a loop of its own.
 *
 * Of rows with equal key and time one stays: a living one (Ceased false) before an unknown and a ceased
 * one, then that of the later run, then the earlier row. Columns that a run lacks are null.
 *
 * Memory: slab and output together, about (runs × windowRows + rowGroupRows) × 100 bytes, and the texts
 * of the keys in use; independent of the runs' lengths.
 */

import { InvalidRequestError } from '../common/errors.ts';
import { copyInto, type SourceBatch } from '../contract/tier-file/source.ts';
import {
  allocateColumn,
  type BooleanColumn,
  type Column,
  type ColumnSpec,
  gather,
  NULL_FLAG,
  type Table,
  type TextColumn,
  TRUE,
  type WideColumn,
} from '../contract/tier-file/table.ts';
import { TextPool } from '../contract/tier-file/text-pool.ts';
import { RowOrder } from './row-order.ts';

/** One sorted input. `next` yields batches in order and undefined at the end. */
export interface Run {
  /** For errors: the file's key. */
  readonly name: string;
  next(): Promise<SourceBatch | undefined>;
}

export interface MergeSpec {
  /** The output's columns. */
  readonly columns: readonly ColumnSpec[];
  /** The primary key's columns, all text, in order of significance. */
  readonly keys: readonly string[];
  /** The time column: a timestamp. */
  readonly time: string;
  /** The boolean column that tells a ceased row, if the output has one. */
  readonly ceased: string;
  /** Rows in a yielded table but for the last: a row group. Default 131,072. */
  readonly rowGroupRows?: number;
  /** Rows of the slab in all runs together. Default 131,072. */
  readonly slabRows?: number;
}

export interface MergeCounts {
  readonly rowsRead: number;
  readonly rowsWritten: number;
  /** Rows dropped because another with the same key and time stayed. */
  readonly duplicates: number;
}

const DEFAULT_ROWS = 131_072;
const MIN_WINDOW_ROWS = 1_024;
/** Texts are sorted out when their bytes or number exceed these, and twice what was left last time. */
const POOL_LIMITS = { bytes: 32 << 20, texts: 1 << 20 };

type Step = { readonly kind: 'refill'; readonly run: number } | { readonly kind: 'full' | 'done' };
const FULL: Step = { kind: 'full' };
const DONE: Step = { kind: 'done' };

/** A run's state: its window in the slab, and the batch that fills it next. */
interface Lane {
  readonly index: number;
  readonly run: Run;
  readonly window: number;
  /** The next slab row to be chosen, and the end of the rows that were filled in. */
  at: number;
  end: number;
  /** Whether the rows in the window ascend without equals, so that they can be taken many at a time. */
  strict: boolean;
  batch: SourceBatch | undefined;
  batchAt: number;
  coming: Promise<SourceBatch | undefined>;
}

export class Merge {
  readonly #spec: MergeSpec;
  readonly #windowRows: number;
  readonly #rowGroupRows: number;
  readonly #lanes: Lane[];
  #active: Lane[] = [];
  #slab: Column[];
  #out: Column[];
  readonly #order: RowOrder;
  readonly #ceased: Uint8Array | undefined;
  readonly #selection: Uint32Array;
  #selected = 0;
  #outRows = 0;
  /** The last chosen row, and its lane. When its window is filled anew it lives on in the slab's last row. */
  #last = -1;
  #lastLane = -1;
  readonly #lastRow: number;
  #rowsRead = 0;
  #rowsWritten = 0;
  #duplicates = 0;
  #poolBytes = POOL_LIMITS.bytes;
  #poolTexts = POOL_LIMITS.texts;

  /** @param runs the inputs, oldest first: of equal rows the later run's stays */
  constructor(runs: readonly Run[], spec: MergeSpec) {
    this.#spec = spec;
    this.#rowGroupRows = spec.rowGroupRows ?? DEFAULT_ROWS;
    const slabRows = spec.slabRows ?? DEFAULT_ROWS;
    this.#windowRows = Math.max(MIN_WINDOW_ROWS, Math.floor(slabRows / Math.max(1, runs.length)));
    this.#lastRow = this.#windowRows * runs.length;
    const pools = new Map(spec.columns.map(({ name }) => [name, new TextPool()]));
    const allocate = (rows: number) =>
      spec.columns.map((column) => allocateColumn(column, rows, () => pools.get(column.name)!));
    this.#slab = allocate(this.#lastRow + 1);
    this.#out = allocate(this.#rowGroupRows);
    this.#order = new RowOrder(this.#keyColumns(), this.#column(spec.time) as WideColumn, this.#lastRow + 1);
    this.#ceased = (this.#column(spec.ceased) as BooleanColumn | undefined)?.flags;
    this.#selection = new Uint32Array(Math.max(this.#lastRow, this.#rowGroupRows));
    this.#lanes = runs.map((run, index) => {
      const window = index * this.#windowRows;
      const coming = Promise.resolve(undefined);
      return {
        index,
        run,
        window,
        at: window,
        end: window,
        strict: true,
        batch: undefined,
        batchAt: 0,
        coming,
      };
    });
  }

  get counts(): MergeCounts {
    return { rowsRead: this.#rowsRead, rowsWritten: this.#rowsWritten, duplicates: this.#duplicates };
  }

  /**
   * Merges. Each table is valid until the next is asked for. The runs are not closed here.
   * Throws what a run throws, and INPUT_READ_ERROR for a run out of order.
   */
  async *tables(): AsyncGenerator<Table, void, undefined> {
    for (const lane of this.#lanes) this.#request(lane);
    for (const lane of this.#lanes) if (await this.#refill(lane)) this.#active.push(lane);
    for (;;) {
      const step = this.#choose();
      this.#copySelected();
      if (step.kind === 'refill') {
        const lane = this.#lanes[step.run]!;
        this.#keepLast();
        if (!(await this.#refill(lane))) this.#active = this.#active.filter((other) => other !== lane);
        continue;
      }
      if (this.#outRows > 0) {
        this.#rowsWritten += this.#outRows;
        yield { rows: this.#outRows, columns: this.#out };
        this.#outRows = 0;
      }
      if (step.kind === 'done') return;
      this.#sortOutTexts();
    }
  }

  #column(name: string): Column | undefined {
    return this.#slab.find((column) => column.name === name);
  }

  #keyColumns(): TextColumn[] {
    return this.#spec.keys.map((name) => this.#column(name) as TextColumn);
  }

  /** Asks for a lane's next batch ahead of need, so that reading it overlaps with merging. */
  #request(lane: Lane): void {
    lane.coming = lane.run.next();
    lane.coming.catch(() => {});
  }

  /** Fills a lane's window from its run; false at the run's end. */
  async #refill(lane: Lane): Promise<boolean> {
    while (lane.batch === undefined || lane.batchAt === lane.batch.rows) {
      lane.batch = await lane.coming;
      lane.batchAt = 0;
      if (lane.batch === undefined) return false;
      this.#request(lane);
    }
    const rows = Math.min(this.#windowRows, lane.batch.rows - lane.batchAt);
    for (const column of this.#slab) {
      copyInto(column, lane.window, lane.batch, lane.batchAt, rows, lane.run.name);
    }
    lane.batchAt += rows;
    if (lane.batchAt === lane.batch.rows) lane.batch.release?.();
    lane.at = lane.window;
    lane.end = lane.window + rows;
    this.#rowsRead += rows;
    if (this.#order.refresh()) this.#fillAll();
    else this.#order.fill(lane.at, lane.end);
    lane.strict = this.#checkOrder(lane);
    return true;
  }

  #fillAll(): void {
    for (const lane of this.#lanes) this.#order.fill(lane.at, lane.end);
    this.#order.fill(this.#lastRow, this.#lastRow + 1);
  }

  /** Whether a window's rows ascend strictly; throws when one comes before its forerunner. */
  #checkOrder(lane: Lane): boolean {
    let strict = true;
    for (let row = lane.at + 1; row < lane.end; row++) {
      const order = this.#order.compare(row - 1, row);
      if (order > 0) throw unsorted(lane.run.name);
      if (order === 0) strict = false;
    }
    return strict;
  }

  /** Chooses rows until a window is used up or the output is full. */
  #choose(): Step {
    const order = this.#order;
    const selection = this.#selection;
    const room = this.#rowGroupRows - this.#outRows;
    while (this.#active.length > 0) {
      const [least, second] = this.#leastTwo();
      let row = least.at;
      const toLast = this.#last < 0 ? 1 : order.compare(row, this.#last);
      if (toLast < 0) throw unsorted(least.run.name);
      if (toLast === 0) {
        this.#resolve(row, least.index);
        least.at = row + 1;
      } else {
        if (this.#selected === room) return FULL;
        const end = Math.min(least.strict ? least.end : row + 1, row + room - this.#selected);
        const stop = second === undefined ? end : order.endOfRun(row + 1, end, second.at);
        while (row < stop) selection[this.#selected++] = row++;
        this.#last = stop - 1;
        this.#lastLane = least.index;
        least.at = stop;
      }
      if (least.at === least.end) return { kind: 'refill', run: least.index };
    }
    return DONE;
  }

  /** The lanes whose next rows come first and second. */
  #leastTwo(): [Lane, Lane | undefined] {
    const order = this.#order;
    const active = this.#active;
    let least = active[0]!;
    let second: Lane | undefined;
    for (let i = 1; i < active.length; i++) {
      const lane = active[i]!;
      if (second !== undefined && order.compare(lane.at, second.at) >= 0) continue;
      if (order.compare(lane.at, least.at) < 0) {
        second = least;
        least = lane;
      } else second = lane;
    }
    return [least, second];
  }

  /** Of the last chosen row and one equal to it, keeps the better. */
  #resolve(row: number, lane: number): void {
    this.#duplicates++;
    const difference = this.#rankOf(row) - this.#rankOf(this.#last);
    if (difference > 0 || (difference === 0 && lane <= this.#lastLane)) return;
    if (this.#selected > 0) this.#selected--;
    else this.#outRows--;
    this.#selection[this.#selected++] = row;
    this.#last = row;
    this.#lastLane = lane;
  }

  /** 0 for a living row, 1 for one that does not say, 2 for a ceased one. */
  #rankOf(row: number): number {
    const flag = this.#ceased?.[row] ?? NULL_FLAG;
    if (flag === NULL_FLAG) return 1;
    return flag === TRUE ? 2 : 0;
  }

  #copySelected(): void {
    if (this.#selected === 0) return;
    this.#slab.forEach((source, i) => {
      gather(source, this.#selection, this.#selected, this.#out[i]!, this.#outRows);
    });
    this.#outRows += this.#selected;
    this.#selected = 0;
  }

  /** Saves the last chosen row from being overwritten. */
  #keepLast(): void {
    if (this.#last < 0 || this.#last === this.#lastRow) return;
    const row = new Uint32Array([this.#last]);
    for (const column of this.#slab) gather(column, row, 1, column, this.#lastRow);
    this.#order.fill(this.#lastRow, this.#lastRow + 1);
    this.#last = this.#lastRow;
  }

  /** Forgets the texts of keys that are past, when there are many. The output must be empty. */
  #sortOutTexts(): void {
    const tooBig = this.#keyColumns().some(
      ({ pool }) => pool.byteLength > this.#poolBytes || pool.size > this.#poolTexts,
    );
    if (!tooBig) return;
    this.#keepLast();
    for (const [i, column] of this.#slab.entries()) {
      if (column.kind !== 'text') continue;
      const pool = new TextPool();
      const moved = new Int32Array(column.pool.size);
      for (const lane of this.#lanes) this.#recode(column, lane.at, lane.end, moved, pool);
      this.#recode(column, this.#lastRow, this.#lastRow + 1, moved, pool);
      this.#slab[i] = { ...column, pool };
      this.#out[i] = { ...(this.#out[i] as TextColumn), pool };
    }
    this.#order.replaceKeys(this.#keyColumns());
    this.#order.refresh();
    this.#fillAll();
    this.#poolBytes = Math.max(
      POOL_LIMITS.bytes,
      ...this.#keyColumns().map(({ pool }) => pool.byteLength * 2),
    );
    this.#poolTexts = Math.max(POOL_LIMITS.texts, ...this.#keyColumns().map(({ pool }) => pool.size * 2));
  }

  /** Gives the codes of rows [from, to) their place in a new pool. */
  #recode(column: TextColumn, from: number, to: number, moved: Int32Array, pool: TextPool): void {
    const { codes, pool: old } = column;
    for (let row = from; row < to; row++) {
      const code = codes[row]!;
      if (code !== 0 && moved[code] === 0) {
        const bytes = old.bytesOf(code);
        moved[code] = pool.intern(bytes, 0, bytes.length);
      }
      codes[row] = moved[code]!;
    }
  }
}

function unsorted(name: string): InvalidRequestError {
  return new InvalidRequestError('INPUT_READ_ERROR', `${name} is not sorted by primary key and time`, {
    fields: { key: name },
  });
}
