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

import { setImmediate } from 'node:timers/promises';
import { InvalidRequestError } from '../common/errors.ts';
import type { ColumnSpec } from '../contract/column-spec.ts';
import {
  type AnyColumn,
  type AnyTable,
  allocateColumn,
  type BooleanColumn,
  discardColumn,
  emptyLike,
  gather,
  NULL_FLAG,
  pooledColumn,
  type TextColumn,
  TRUE,
  type WideColumn,
  widened,
} from '../lake/tier-table/table.ts';
import { TextPool } from '../lake/tier-table/text-pool.ts';
import { RowOrder } from './row-order.ts';
import { Tournament } from './tournament.ts';

/** One sorted input: a file, as tier-file-reader.ts gives it. */
export interface Run {
  /** For errors: the file's key. */
  readonly name: string;
  /** How many of the next rows can be read at once; waits for them; 0 at the end. */
  available(): Promise<number>;
  /** Reads the next rows, of those available, into rows [at, at + rows) of the columns. */
  read(columns: readonly AnyColumn[], at: number, rows: number): void;
}

export interface MergeSpec {
  /** The output's columns. */
  readonly columns: readonly ColumnSpec[];
  /** The primary key's columns, all text, in order of significance. */
  readonly keys: readonly string[];
  /** The time column: a timestamp. */
  readonly time: string;
  /** Columns that have dictionaries: those of 64 bits, but for the time, are moved as codes of a pool. Default none. */
  readonly pooled?: ReadonlySet<string>;
  /** The boolean column that tells a ceased row, if the output has one. */
  readonly ceased: string;
  /** Rows in a yielded table but for the last: a row group. Default 131,072. */
  readonly rowGroupRows?: number;
  /** Rows of the slab in all runs together. Default 131,072. */
  readonly slabRows?: number;
  /** Texts are sorted out when there are more than this many of a column. Default 1,048,576. */
  readonly maxTexts?: number;
  /** A column that comes to more distinct values than this is not pooled any more. Default 131,072. */
  readonly maxPooled?: number;
}

export interface MergeCounts {
  readonly rowsRead: number;
  readonly rowsWritten: number;
  /** Rows dropped because another with the same key and time stayed. */
  readonly duplicates: number;
}

const DEFAULT_ROWS = 131_072;
const MIN_WINDOW_ROWS = 1_024;
const DEFAULT_TEXTS = 1 << 20;
/** The bytes of as many texts: above this too they are sorted out. */
const BYTES_A_TEXT = 32;

/** Beyond, looking values up takes longer than moving them: their table outgrows the processor's cache. */
const DEFAULT_POOLED = 131_072;

/** After as many rows what has come meanwhile is heard: bytes, and encoders that want work. */
const HEARD_ROWS = 8_192;

/** Why choosing paused: the winner's window is used up, the output is full, or all runs are at their ends. */
type Pause = 'refill' | 'full' | 'done';

export class Merge {
  readonly #spec: MergeSpec;
  readonly #windowRows: number;
  readonly #rowGroupRows: number;
  readonly #runs: readonly Run[];
  /** For each run: the next slab row to be chosen, and the end of its filled rows. */
  readonly #at: Int32Array;
  readonly #end: Int32Array;
  /** For each run: whether the rows in its window ascend without equals, so that many can be taken at once. */
  readonly #strict: boolean[];
  readonly #tournament: Tournament;
  #slab: AnyColumn[];
  /** The table that is filled, if one is. */
  #out: AnyColumn[] = [];
  readonly #order: RowOrder;
  readonly #ceased: Uint8Array | undefined;
  readonly #selection: Uint32Array;
  #selected = 0;
  #outRows = 0;
  /** The last chosen row and its run. When its window is filled anew it lives on in the slab row `#keptRow`. */
  #last = -1;
  #lastRun = -1;
  readonly #keptRow: number;
  /** A slab row after all others: where a run stands that is at its end. */
  readonly #endRow: number;
  #rowsRead = 0;
  #rowsWritten = 0;
  #duplicates = 0;
  readonly #maxTexts: number;
  readonly #maxPooled: number;
  /** How many texts there may be before they are sorted out: more when many are in use. */
  #textLimit: number;

  /** @param runs the inputs, one or more, oldest first: of equal rows the later run's stays */
  constructor(runs: readonly Run[], spec: MergeSpec) {
    this.#spec = spec;
    this.#runs = runs;
    this.#maxTexts = spec.maxTexts ?? DEFAULT_TEXTS;
    this.#maxPooled = spec.maxPooled ?? DEFAULT_POOLED;
    this.#textLimit = this.#maxTexts;
    this.#rowGroupRows = spec.rowGroupRows ?? DEFAULT_ROWS;
    this.#windowRows = Math.max(MIN_WINDOW_ROWS, Math.floor((spec.slabRows ?? DEFAULT_ROWS) / runs.length));
    this.#keptRow = this.#windowRows * runs.length;
    this.#endRow = this.#keptRow + 1;
    const pools = new Map(spec.columns.map(({ name }) => [name, new TextPool()]));
    this.#slab = spec.columns.map(({ name, kind }) => {
      const isWide = kind !== 'text' && kind !== 'boolean';
      // The time orders rows by its words.
      if (isWide && name !== spec.time && spec.pooled?.has(name))
        return pooledColumn(name, kind, this.#endRow + 1);
      return allocateColumn({ name, kind }, this.#endRow + 1, () => pools.get(name)!);
    });
    const order = new RowOrder(this.#keyColumns(), this.#column(spec.time) as WideColumn, this.#endRow + 1);
    const at = new Int32Array(runs.length).fill(this.#endRow);
    this.#order = order;
    this.#at = at;
    this.#end = at.slice();
    this.#strict = runs.map(() => true);
    this.#tournament = new Tournament(runs.length, (a, b) => order.compare(at[a]!, at[b]!));
    this.#ceased = (this.#column(spec.ceased) as BooleanColumn | undefined)?.flags;
    this.#selection = new Uint32Array(this.#rowGroupRows);
  }

  get counts(): MergeCounts {
    return { rowsRead: this.#rowsRead, rowsWritten: this.#rowsWritten, duplicates: this.#duplicates };
  }

  /**
   * Merges, once. Each table's memory is the caller's own. The runs are not closed here.
   * Throws what a run throws, and INPUT_READ_ERROR for a run out of order.
   */
  async *tables(): AsyncGenerator<AnyTable, void, undefined> {
    try {
      yield* this.#merge();
    } finally {
      for (const column of [...this.#slab, ...this.#out]) discardColumn(column);
    }
  }

  async *#merge(): AsyncGenerator<AnyTable, void, undefined> {
    await Promise.all(this.#runs.map((run) => run.available()));
    for (const run of this.#runs.keys()) await this.#refill(run);
    this.#tournament.start();
    let heard = this.#rowsRead;
    for (;;) {
      const step = this.#choose();
      this.#copySelected();
      if (step === 'refill') {
        this.#keepLast();
        if (this.#rowsRead - heard >= HEARD_ROWS) {
          heard = this.#rowsRead;
          await setImmediate();
        }
        await this.#refill(this.#tournament.winner);
        this.#tournament.replay();
        continue;
      }
      if (this.#outRows > 0) {
        this.#rowsWritten += this.#outRows;
        const table = { rows: this.#outRows, columns: this.#out };
        this.#out = [];
        this.#outRows = 0;
        yield table;
      }
      if (step === 'done') return;
      this.#sortOutTexts();
    }
  }

  #column(name: string): AnyColumn | undefined {
    return this.#slab.find((column) => column.name === name);
  }

  #keyColumns(): TextColumn[] {
    return this.#spec.keys.map((name) => this.#column(name) as TextColumn);
  }

  /** Fills a run's window; at the run's end it then stands at the end row. */
  async #refill(run: number): Promise<void> {
    const source = this.#runs[run]!;
    const rows = Math.min(this.#windowRows, await source.available());
    const window = run * this.#windowRows;
    this.#at[run] = rows === 0 ? this.#endRow : window;
    this.#end[run] = rows === 0 ? this.#endRow : window + rows;
    if (rows === 0) return;
    source.read(this.#slab, window, rows);
    this.#rowsRead += rows;
    this.#widen();
    if (this.#order.refresh()) this.#fillAll();
    else this.#order.fill(window, window + rows);
    this.#strict[run] = this.#checkOrder(run);
  }

  /** Gives up pools that have grown too large to be worth it. */
  #widen(): void {
    for (const [i, column] of this.#slab.entries()) {
      if (column.kind !== 'pooled' || column.pool.size <= this.#maxPooled) continue;
      this.#slab[i] = widened(column);
      discardColumn(column);
      const out = this.#out[i];
      if (out?.kind !== 'pooled') continue;
      this.#out[i] = widened(out);
      discardColumn(out);
    }
  }

  #fillAll(): void {
    for (const run of this.#runs.keys()) this.#order.fill(this.#at[run]!, this.#end[run]!);
    this.#order.fill(this.#keptRow, this.#keptRow + 1);
  }

  /** Whether a window's rows ascend strictly; throws when one comes before its forerunner. */
  #checkOrder(run: number): boolean {
    let strict = true;
    for (let row = this.#at[run]! + 1; row < this.#end[run]!; row++) {
      const order = this.#order.compare(row - 1, row);
      if (order > 0) throw new UnsortedRunError(this.#runs[run]!.name);
      if (order === 0) strict = false;
    }
    return strict;
  }

  /** Chooses rows until it must pause. */
  #choose(): Pause {
    const order = this.#order;
    const tournament = this.#tournament;
    const selection = this.#selection;
    for (;;) {
      const run = tournament.winner;
      let row = this.#at[run]!;
      if (row === this.#endRow) return 'done';
      const toLast = this.#last < 0 ? 1 : order.compare(row, this.#last);
      if (toLast < 0) throw new UnsortedRunError(this.#runs[run]!.name);
      if (toLast === 0) this.#resolve(row++, run);
      else {
        // Looked at each time: resolving a row may have taken back one that was written out already.
        const room = this.#rowGroupRows - this.#outRows;
        if (this.#selected >= room) return 'full';
        // A run that wins twice in succession may go on winning: find out how far.
        const stop = run === this.#lastRun && this.#strict[run] ? this.#endOfRun(run, row, room) : row + 1;
        while (row < stop) selection[this.#selected++] = row++;
        this.#last = row - 1;
        this.#lastRun = run;
      }
      this.#at[run] = row;
      if (row === this.#end[run]) return 'refill';
      tournament.replay();
    }
  }

  /** The end of the rows from `row` on that come before every other run's next row, as far as there is room. */
  #endOfRun(run: number, row: number, room: number): number {
    const end = Math.min(this.#end[run]!, row + room - this.#selected);
    const other = this.#tournament.runnerUp();
    return other < 0 ? end : this.#order.endOfRun(row + 1, end, this.#at[other]!);
  }

  /** Of the last chosen row and one equal to it, keeps the better. */
  #resolve(row: number, run: number): void {
    this.#duplicates++;
    const difference = this.#rankOf(row) - this.#rankOf(this.#last);
    if (difference > 0 || (difference === 0 && run <= this.#lastRun)) return;
    if (this.#selected > 0) this.#selected--;
    else this.#outRows--;
    this.#selection[this.#selected++] = row;
    this.#last = row;
    this.#lastRun = run;
  }

  /** 0 for a living row, 1 for one that does not say, 2 for a ceased one. */
  #rankOf(row: number): number {
    const flag = this.#ceased?.[row] ?? NULL_FLAG;
    if (flag === NULL_FLAG) return 1;
    return flag === TRUE ? 2 : 0;
  }

  #copySelected(): void {
    if (this.#selected === 0) return;
    if (this.#out.length === 0) this.#out = this.#slab.map((column) => emptyLike(column, this.#rowGroupRows));
    this.#slab.forEach((source, i) => {
      gather(source, this.#selection, this.#selected, this.#out[i]!, this.#outRows);
    });
    this.#outRows += this.#selected;
    this.#selected = 0;
  }

  /** Saves the last chosen row from being overwritten. */
  #keepLast(): void {
    if (this.#last < 0 || this.#last === this.#keptRow) return;
    const row = new Uint32Array([this.#last]);
    for (const column of this.#slab) gather(column, row, 1, column, this.#keptRow);
    this.#order.fill(this.#keptRow, this.#keptRow + 1);
    this.#last = this.#keptRow;
  }

  /** Forgets the texts that are past, when there are many. The output must be empty. */
  #sortOutTexts(): void {
    if (this.#mostTexts() <= this.#textLimit) return;
    this.#keepLast();
    for (const [i, column] of this.#slab.entries()) {
      if (column.kind !== 'text') continue;
      const pool = new TextPool();
      const moved = new Int32Array(column.pool.size);
      for (const run of this.#runs.keys()) this.#recode(column, this.#at[run]!, this.#end[run]!, moved, pool);
      this.#recode(column, this.#keptRow, this.#keptRow + 1, moved, pool);
      this.#slab[i] = { ...column, pool };
    }
    this.#order.replaceKeys(this.#keyColumns());
    this.#order.refresh();
    this.#fillAll();
    this.#textLimit = Math.max(this.#maxTexts, 2 * this.#mostTexts());
  }

  /** The size of the largest pool, in texts of ordinary length. */
  #mostTexts(): number {
    const sizes = this.#slab.map((column) =>
      column.kind === 'text' ? Math.max(column.pool.size, column.pool.byteLength / BYTES_A_TEXT) : 0,
    );
    return Math.max(...sizes);
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

/** A run whose rows do not ascend. */
export class UnsortedRunError extends InvalidRequestError {
  /** The run's name. */
  readonly run: string;

  constructor(run: string) {
    super('INPUT_READ_ERROR', `${run} is not sorted by primary key and time`, { fields: { key: run } });
    this.run = run;
  }
}
