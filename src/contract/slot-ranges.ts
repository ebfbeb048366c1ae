/**
 * A set of slots as ranges: sorted, disjoint, never touching, both ends inclusive. Exact whatever the
 * order in which slots come, and short where they come in order.
 */

export type SlotRange = readonly [first: number, last: number];
export type SlotRanges = readonly SlotRange[];

export function hasSlot(ranges: SlotRanges, slot: number): boolean {
  return ranges.some(([first, last]) => first <= slot && slot <= last);
}

/** The ranges of any ranges, which may overlap and stand in any order. */
export function normalizeRanges(ranges: SlotRanges): SlotRanges {
  const result: [number, number][] = [];
  for (const [first, last] of ranges.toSorted(([a], [b]) => a - b)) {
    const open = result.at(-1);
    if (open !== undefined && first <= open[1] + 1) open[1] = Math.max(open[1], last);
    else result.push([first, last]);
  }
  return result;
}

export function addSlots(ranges: SlotRanges, slots: Iterable<number>): SlotRanges {
  return normalizeRanges([...ranges, ...Array.from(slots, (slot): SlotRange => [slot, slot])]);
}

/** How many slots there are. */
export function countSlots(ranges: SlotRanges): number {
  return ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0);
}
