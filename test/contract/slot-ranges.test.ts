import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  addSlots,
  countSlots,
  hasSlot,
  normalizeRanges,
  type SlotRanges,
} from '../../src/contract/slot-ranges.ts';

const slots = fc.array(fc.integer({ min: 0, max: 60 }));

describe('slot ranges', () => {
  test('hold exactly the slots that were added, in whatever order and portions', () => {
    fc.assert(
      fc.property(fc.array(slots), (portions) => {
        const ranges = portions.reduce<SlotRanges>((all, portion) => addSlots(all, portion), []);
        const expected = new Set(portions.flat());
        for (let slot = 0; slot <= 61; slot++) expect(hasSlot(ranges, slot)).toBe(expected.has(slot));
        expect(countSlots(ranges)).toBe(expected.size);
      }),
    );
  });

  test('are sorted, and neither overlap nor touch', () => {
    fc.assert(
      fc.property(slots, (all) => {
        const ranges = addSlots([], all);
        ranges.forEach(([first, last], i) => {
          expect(first).toBeLessThanOrEqual(last);
          if (i > 0) expect(first).toBeGreaterThan(ranges[i - 1]![1] + 1);
        });
      }),
    );
  });

  test('that overlap become one', () => {
    expect(
      normalizeRanges([
        [5, 9],
        [0, 2],
        [3, 4],
        [20, 20],
        [7, 8],
      ]),
    ).toEqual([
      [0, 9],
      [20, 20],
    ]);
  });
});
