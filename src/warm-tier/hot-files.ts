/**
 * The hot files of a month, as a compaction lets them in: found by key or by listing, with their facts.
 * Most objects tell their facts themselves; of others the footer is read, in a thread.
 */

import { hotObjectFacts } from '../contract/hot-object.ts';
import {
  hotKeyOf,
  hotMonthPrefix,
  parseTimeFromKey,
  slotOf,
  type TierMonth,
  type TierRoot,
} from '../contract/tier-keys.ts';
import type { WarmFileFacts } from '../contract/warm-manifest.ts';
import type { Lake } from '../lake/lake.ts';
import { listAll } from '../lake/object-store.ts';
import type { NewHotFile } from './plan.ts';

/** A hot key with its slot in the month. */
export interface HotSlot {
  readonly key: string;
  readonly slot: number;
}

export interface HotFiles {
  /** The hot files there are, by slot. */
  list(signal: AbortSignal): Promise<HotSlot[]>;
  /** Their facts; files that are not there are left out. */
  describe(slots: readonly HotSlot[], signal: AbortSignal): Promise<NewHotFile[]>;
}

/** Reads the facts of files from their footers, in the order of the keys. */
export type ReadFacts = (keys: readonly string[]) => Promise<WarmFileFacts[]>;

const HEADS_AT_ONCE = 16;

export function openHotFiles(
  lake: Lake,
  { bucket, root }: { readonly bucket: string; readonly root: TierRoot },
  provider: string,
  month: TierMonth,
  readFacts: ReadFacts,
): HotFiles {
  async function describeOne({ key, slot }: HotSlot, signal: AbortSignal) {
    const found = await lake.store.head({ bucket, key }, { signal });
    if (found === undefined) return undefined;
    return { key, slot, facts: hotObjectFacts(found.metadata, found.size) };
  }

  return {
    async list(signal) {
      const slots: HotSlot[] = [];
      const prefix = { bucket, key: hotMonthPrefix(root, provider, month) };
      for await (const { key } of listAll(lake.store, prefix, { signal })) {
        const ms = parseTimeFromKey(key);
        if (ms === undefined) continue;
        const slot = slotOf(ms);
        // What only looks like a hot key is none.
        if (hotKeyOf(root, provider, slot) === key) slots.push({ key, slot: slot.slot });
      }
      return slots.toSorted((a, b) => a.slot - b.slot);
    },

    async describe(slots, signal) {
      const found = [];
      for (let at = 0; at < slots.length; at += HEADS_AT_ONCE) {
        const some = slots.slice(at, at + HEADS_AT_ONCE);
        found.push(...(await Promise.all(some.map((slot) => describeOne(slot, signal)))));
      }
      const there = found.filter((one) => one !== undefined);
      const silent = there.filter(({ facts }) => facts === undefined).map(({ key }) => key);
      const read = silent.length === 0 ? [] : await readFacts(silent);
      const factsOf = new Map(silent.map((key, i) => [key, read[i]!]));
      return there.map(({ key, slot, facts }) => ({ key, slot, ...(facts ?? factsOf.get(key)!) }));
    },
  };
}
