/** Hot uploads, in order and not, to slots that are free and to slots that are taken; and compactions. */

import { hotKey, rowTime, slotTime } from '../support/tiers.ts';
import type { Dice } from './dice.ts';
import { type Part, type PlannedRequest, SENDING_MS, type Stress } from './plan.ts';

type Json = Readonly<Record<string, unknown>>;

const MONTH = '2026-01';

/** Rows of a slot; now and then one of an earlier slot's keys and time, which a merge must see as the same. */
function rows(dice: Dice, provider: string, slot: number): Json[] {
  return Array.from({ length: dice.whole(1, 5) }, () => {
    const time = dice.chance(0.2) ? rowTime(0, dice.whole(0, 2)) : rowTime(slot, dice.whole(0, 599));
    const key = dice.whole(0, 4);
    const value = dice.whole(0, 10);
    const price = dice.chance(0.1) ? null : dice.whole(1, 900) / 64;
    const ceased = dice.chance(0.1) ? { Ceased: dice.chance(0.5) } : {};
    return provider === 'aws'
      ? {
          InstanceType: `m${key}.large`,
          Region: `region-${key % 2}`,
          AZ: `az${key % 3}`,
          Time: time,
          SPS: value,
          ...(dice.chance(0.5) ? { SpotPrice: price } : {}),
          ...ceased,
        }
      : {
          InstanceType: `n${key}`,
          Region: `r${key % 2}`,
          Time: time,
          Score: value,
          SpotPrice: price,
          ...ceased,
        };
  });
}

function upload(dice: Dice, provider: string, slot: number, content: Json): PlannedRequest {
  const requestId = dice.uuid();
  const body = {
    type: 'hot_upload_requested',
    requestId,
    provider,
    timestamp: slotTime(slot),
    ...content,
    ...(dice.chance(0.2) ? { onConflict: 'skip' } : {}),
    ...(dice.chance(0.75) ? { compact: true } : {}),
  };
  return {
    id: requestId,
    kind: 'upload',
    body: JSON.stringify(body),
    groupId: dice.chance(0.5) ? `hot:${provider}` : `hot:${provider}:${slot % 3}`,
    deduplicationId: requestId,
    at: dice.whole(0, SENDING_MS),
  };
}

function compaction(dice: Dice, provider: string, wanted: Json): PlannedRequest {
  const requestId = dice.uuid();
  return {
    id: requestId,
    kind: 'compaction',
    body: JSON.stringify({ type: 'compaction_requested', requestId, provider, ...wanted }),
    groupId: dice.chance(0.6) ? `warm:${provider}:${MONTH}` : `other:${requestId}`,
    deduplicationId: requestId,
    at: dice.whole(500, SENDING_MS),
  };
}

export function planTiers(dice: Dice, stress: Stress): Part {
  const requests: PlannedRequest[] = [];
  const providers = dice.chance(0.3) ? ['aws', 'gcp'] : ['aws'];
  for (const provider of providers) {
    const many = Math.floor(18 / providers.length);
    const most = stress === 'tiers' ? dice.whole(Math.floor(many / 2), many) : dice.whole(2, 5);
    const slots = dice.shuffled(Array.from({ length: most }, (_, slot) => slot));
    const contents = new Map<number, Json>();
    for (const slot of slots) {
      const removed = dice.chance(0.25) ? { removed: { rows: rows(dice, provider, slot) } } : {};
      const content = dice.chance(0.06)
        ? { changed: { rows: [] } }
        : { changed: { rows: rows(dice, provider, slot) }, ...removed };
      contents.set(slot, content);
      requests.push(upload(dice, provider, slot, content));
    }
    for (const slot of slots) {
      if (dice.chance(0.12)) requests.push(upload(dice, provider, slot, contents.get(slot) ?? {}));
      if (dice.chance(0.12)) {
        requests.push(upload(dice, provider, slot, { changed: { rows: rows(dice, provider, slot) } }));
      }
    }
    if (dice.chance(0.15)) {
      const [bad] = rows(dice, provider, 0);
      requests.push(upload(dice, provider, most, { changed: { rows: [{ ...bad, Time: 'yesterday' }] } }));
    }
    const compactions = stress === 'tiers' ? dice.whole(2, 4) : dice.whole(0, 2);
    for (let i = 0; i < compactions; i++) {
      const wanted = dice.weighted<Json>([
        [2, { hotKey: hotKey(dice.pick(slots), undefined, provider) }],
        [3, { month: MONTH, mode: 'catch_up' }],
        [2, { month: MONTH, mode: 'full' }],
      ]);
      requests.push(compaction(dice, provider, wanted));
    }
  }
  return { requests };
}
