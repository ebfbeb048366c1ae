/**
 * The marks of a plot, as characters on a grid: scattered braille dots (2 × 4 to a character), and a
 * heavy line of box-drawing characters, which stands out from dots without colour. Pure.
 */

export interface Points {
  /** Ascending. */
  readonly times: readonly number[];
  /** NaN where there is none. */
  readonly values: readonly number[];
}

export interface Frame {
  readonly columns: number;
  readonly rows: number;
  /** Times and values that the grid spans, edges included. */
  readonly from: number;
  readonly to: number;
  readonly low: number;
  readonly high: number;
}

/** Characters by row and column; '' where nothing is drawn. */
export type Grid = string[][];

/** Bits of a braille character by column and row. */
const BITS = [
  [0x01, 0x02, 0x04, 0x40],
  [0x08, 0x10, 0x20, 0x80],
] as const;
const BRAILLE = 0x2800;

const emptyGrid = ({ columns, rows }: Frame): Grid =>
  Array.from({ length: rows }, () => Array<string>(columns).fill(''));

/** Place of `time` among `steps` equal ones from left to right. */
export function across({ from, to }: Frame, time: number, steps: number): number {
  return Math.round(((time - from) / (to - from || 1)) * (steps - 1));
}

/** Place of `value` among `steps` equal ones from top to bottom. */
export function down({ low, high }: Frame, value: number, steps: number): number {
  return Math.round(((high - value) / (high - low || 1)) * (steps - 1));
}

export function dots({ times, values }: Points, frame: Frame): Grid {
  const bits = Array.from({ length: frame.rows }, () => new Uint8Array(frame.columns));
  times.forEach((time, i) => {
    const value = values[i] ?? Number.NaN;
    if (Number.isNaN(value)) return;
    const x = across(frame, time, frame.columns * 2);
    const y = down(frame, value, frame.rows * 4);
    bits[y >> 2]![x >> 1]! |= BITS[(x & 1) as 0 | 1][(y & 3) as 0 | 1 | 2 | 3];
  });
  return bits.map((row) => Array.from(row, (bit) => (bit === 0 ? '' : String.fromCharCode(BRAILLE + bit))));
}

/** The row of the mean value of each column; undefined where the column has none. */
function rowsOfMeans({ times, values }: Points, frame: Frame): (number | undefined)[] {
  const sums = new Float64Array(frame.columns);
  const counts = new Uint32Array(frame.columns);
  times.forEach((time, i) => {
    const value = values[i] ?? Number.NaN;
    if (Number.isNaN(value)) return;
    const column = across(frame, time, frame.columns);
    sums[column]! += value;
    counts[column]! += 1;
  });
  return Array.from(counts, (count, i) =>
    count === 0 ? undefined : down(frame, sums[i]! / count, frame.rows),
  );
}

export function line(points: Points, frame: Frame): Grid {
  const grid = emptyGrid(frame);
  const rows = rowsOfMeans(points, frame);
  rows.forEach((row, column) => {
    if (row === undefined) return;
    const next = rows[column + 1] ?? row;
    const falls = next > row;
    if (next === row) {
      grid[row]![column] = '━';
      return;
    }
    grid[row]![column] = falls ? '┓' : '┛';
    grid[next]![column] = falls ? '┗' : '┏';
    for (let between = Math.min(row, next) + 1; between < Math.max(row, next); between++) {
      grid[between]![column] = '┃';
    }
  });
  return grid;
}
