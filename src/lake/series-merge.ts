/**
 * Units of a series, each sorted in itself, as one sorted stream without repeated times.
 *
 * A sweep over time: a unit is opened only when the sweep reaches its lower bound, so memory holds the
 * units that overlap at one time and no others. Where only one unit is open its batches pass through
 * untouched. Of rows with one time, the one of the unit latest in the listing wins.
 */

import { InvalidRequestError } from '../common/errors.ts';
import { BATCH_ROWS, type SeriesBatch, type SeriesSource } from './series-batch.ts';

export interface SortedUnit {
  /** What to call it in errors. */
  readonly name: string;
  /** A lower bound of the unit's times; one that proves wrong is INPUT_READ_ERROR. */
  readonly min: number;
  /** Place in the listing. */
  readonly order: number;
  /** The unit's rows: strictly ascending times. */
  open(): SeriesSource;
  /** Begins to fetch what `open` will need. */
  prefetch(): void;
}

interface Active {
  readonly order: number;
  readonly source: SeriesSource;
  batch: SeriesBatch;
  cursor: number;
}

export function mergeUnits(units: readonly SortedUnit[]): SeriesSource {
  const waiting = units.toSorted((a, b) => a.min - b.min || a.order - b.order);
  let nextUnit = 0;
  let active: Active[] = [];

  const nextMin = (): number => waiting[nextUnit]?.min ?? Number.POSITIVE_INFINITY;

  async function openNext(): Promise<void> {
    const unit = waiting[nextUnit++]!;
    const source = unit.open();
    waiting[nextUnit]?.prefetch();
    const batch = await source.next();
    if (batch === undefined) {
      await source.close();
      return;
    }
    active.push({ order: unit.order, source, batch, cursor: 0 });
    if (batch.times[0]! < unit.min) {
      const why = 'has times before the minimum that its statistics state';
      throw new InvalidRequestError('INPUT_READ_ERROR', `${unit.name} ${why}`);
    }
  }

  /** Moves on to the next batch of a unit whose batch is used up. */
  async function refill(unit: Active): Promise<void> {
    const batch = await unit.source.next();
    if (batch === undefined) {
      active = active.filter((other) => other !== unit);
      await unit.source.close();
    } else {
      unit.batch = batch;
      unit.cursor = 0;
    }
  }

  function headTime(): number {
    let min = Number.POSITIVE_INFINITY;
    for (const { batch, cursor } of active) min = Math.min(min, batch.times[cursor]!);
    return min;
  }

  /** The rest of the only open unit's batch, where no other unit begins before its end. */
  async function passThrough(unit: Active): Promise<SeriesBatch | undefined> {
    const { batch, cursor } = unit;
    if (batch.times[batch.times.length - 1]! >= nextMin()) return undefined;
    await refill(unit);
    if (cursor === 0) return batch;
    return { times: batch.times.slice(cursor), values: batch.values.slice(cursor) };
  }

  /** Merges rows before `limit` until a batch is full or an open unit's batch is used up. */
  function mergeRows(limit: number, times: Float64Array, values: Float64Array, filled: number): number {
    let count = filled;
    while (count < times.length) {
      let time = Number.POSITIVE_INFINITY;
      for (let i = 0; i < active.length; i++) {
        const head = active[i]!.batch.times[active[i]!.cursor]!;
        if (head < time) time = head;
      }
      if (time >= limit) return count;
      let winner = -1;
      let value = Number.NaN;
      let usedUp = false;
      for (let i = 0; i < active.length; i++) {
        const unit = active[i]!;
        if (unit.batch.times[unit.cursor] !== time) continue;
        if (unit.order > winner) {
          winner = unit.order;
          value = unit.batch.values[unit.cursor]!;
        }
        unit.cursor++;
        if (unit.cursor === unit.batch.times.length) usedUp = true;
      }
      times[count] = time;
      values[count] = value;
      count++;
      if (usedUp) return count;
    }
    return count;
  }

  return {
    async next() {
      let times: Float64Array | undefined;
      let values: Float64Array | undefined;
      let count = 0;
      for (;;) {
        while (nextUnit < waiting.length && nextMin() <= headTime()) await openNext();
        if (active.length === 0) break;
        if (active.length === 1 && count === 0) {
          const passed = await passThrough(active[0]!);
          if (passed !== undefined) return passed;
        }
        times ??= new Float64Array(BATCH_ROWS);
        values ??= new Float64Array(BATCH_ROWS);
        count = mergeRows(nextMin(), times, values, count);
        for (const unit of [...active]) if (unit.cursor === unit.batch.times.length) await refill(unit);
        if (count === times.length) break;
      }
      if (times === undefined || values === undefined || count === 0) return undefined;
      return count === times.length
        ? { times, values }
        : { times: times.slice(0, count), values: values.slice(0, count) };
    },

    async close() {
      nextUnit = waiting.length;
      const open = active;
      active = [];
      for (const unit of open) await unit.source.close();
    },
  };
}
