/**
 * The loops of the outer join: how far flows run in step, and the merge of those that do not.
 *
 * Terms: a head is the frame of a flow that is being read; its rows from `at` on are still to come.
 */

export interface Head {
  times: Float64Array;
  values: Float64Array;
  /** The next row; `times.length` when the frame is used up. */
  at: number;
  /** Whether `values` may be written to. */
  owned: boolean;
  /** Whether the flow has ended: then the frame is empty. */
  ended: boolean;
}

/** How many of the next rows of both heads have the same times, up to `most`. */
export function commonRun(left: Head, right: Head, most: number): number {
  const a = left.times;
  const b = right.times;
  const i = left.at;
  const j = right.at;
  const rows = Math.min(most, b.length - j);
  // Two branches of one tee carry the very same times.
  if (a.buffer === b.buffer && a.byteOffset + 8 * i === b.byteOffset + 8 * j) return rows;
  let run = 0;
  while (run < rows && a[i + run] === b[j + run]) run++;
  return run;
}

/** How many of the next `run` rows of `head` come before time `limit`. */
export function rowsBefore(head: Head, run: number, limit: number): number {
  const { times, at } = head;
  let low = 0;
  let high = run;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[at + middle]! < limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Merges two heads, neither used up unless its flow has ended, into `times` and the columns
 * from row `count` on, until these are full or a frame is used up whose flow may go on. Moves the heads; gives the new count.
 */
export function mergeTwo(
  left: Head,
  right: Head,
  times: Float64Array,
  leftColumn: Float64Array,
  rightColumn: Float64Array,
  count: number,
): number {
  const leftTimes = left.times;
  const rightTimes = right.times;
  const leftValues = left.values;
  const rightValues = right.values;
  const leftEnd = leftTimes.length;
  const rightEnd = rightTimes.length;
  const capacity = times.length;
  let i = left.at;
  let j = right.at;
  let row = count;
  while (row < capacity && i < leftEnd && j < rightEnd) {
    const a = leftTimes[i]!;
    const b = rightTimes[j]!;
    if (a === b) {
      times[row] = a;
      leftColumn[row] = leftValues[i++]!;
      rightColumn[row] = rightValues[j++]!;
    } else if (a < b) {
      times[row] = a;
      leftColumn[row] = leftValues[i++]!;
      rightColumn[row] = Number.NaN;
    } else {
      times[row] = b;
      leftColumn[row] = Number.NaN;
      rightColumn[row] = rightValues[j++]!;
    }
    row++;
  }
  if (right.ended) {
    for (; row < capacity && i < leftEnd; row++) {
      times[row] = leftTimes[i]!;
      leftColumn[row] = leftValues[i++]!;
      rightColumn[row] = Number.NaN;
    }
  } else if (left.ended) {
    for (; row < capacity && j < rightEnd; row++) {
      times[row] = rightTimes[j]!;
      leftColumn[row] = Number.NaN;
      rightColumn[row] = rightValues[j++]!;
    }
  }
  left.at = i;
  right.at = j;
  return row;
}

/** As `mergeTwo`, for any number of heads. */
export function mergeMany(
  heads: readonly Head[],
  times: Float64Array,
  columns: readonly Float64Array[],
  count: number,
): number {
  const width = heads.length;
  const capacity = times.length;
  /** The next time of each head, infinite after its flow's end. */
  const nextTimes = new Float64Array(width).fill(Number.POSITIVE_INFINITY);
  let usedUp = false;
  for (let k = 0; k < width; k++) {
    const head = heads[k]!;
    if (head.at < head.times.length) nextTimes[k] = head.times[head.at]!;
  }
  let row = count;
  while (!usedUp && row < capacity) {
    let first = Number.POSITIVE_INFINITY;
    for (let k = 0; k < width; k++) if (nextTimes[k]! < first) first = nextTimes[k]!;
    if (first === Number.POSITIVE_INFINITY) break;
    times[row] = first;
    for (let k = 0; k < width; k++) {
      const column = columns[k]!;
      if (nextTimes[k] !== first) {
        column[row] = Number.NaN;
        continue;
      }
      const head = heads[k]!;
      column[row] = head.values[head.at]!;
      head.at++;
      if (head.at < head.times.length) nextTimes[k] = head.times[head.at]!;
      else usedUp = true;
    }
    row++;
  }
  return row;
}
