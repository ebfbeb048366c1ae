/**
 * A market of spot pools that changes over time, made up but the same every time: for each slot the change
 * points that a collector would have found.
 */

/** A row as an upload has it. */
export type ChangePoint = Readonly<Record<string, string | number | boolean>>;

export interface SlotChanges {
  readonly changed: readonly ChangePoint[];
  /** Pools that are gone. */
  readonly removed: readonly ChangePoint[];
}

const FAMILIES = ['c6i', 'c7g', 'm5', 'm6i', 'm7g', 'r6i', 'r7g', 't3', 'g5', 'i4i'];
const SIZES = ['large', 'xlarge', '2xlarge', '4xlarge', '8xlarge'];
const ZONES = [
  ...['use1', 'use2', 'usw2', 'euw1', 'euc1', 'aps1', 'apne1', 'sae1'].flatMap((zone) =>
    [1, 2, 3, 4, 5].map((number) => `${zone}-az${number}`),
  ),
];
const REGIONS: Readonly<Record<string, string>> = {
  use1: 'us-east-1',
  use2: 'us-east-2',
  usw2: 'us-west-2',
  euw1: 'eu-west-1',
  euc1: 'eu-central-1',
  aps1: 'ap-south-1',
  apne1: 'ap-northeast-1',
  sae1: 'sa-east-1',
};
/** Of the pools, each slot. */
const CHANGING = 0.12;
const LEAVING = 0.004;
const SLOT_SECONDS = 600;

/** mulberry32: the same numbers in [0, 1) for the same seed. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** How many pools there are to begin with. */
export const POOLS = FAMILIES.length * SIZES.length * ZONES.length;

/**
 * The changes of `slots` slots in succession from `start` (milliseconds) on: all pools in the first, then
 * those whose price or score has changed.
 */
export function poolChanges(start: number, slots: number): SlotChanges[] {
  const random = randomFrom(20_260_123);
  const pools = FAMILIES.flatMap((family, i) =>
    SIZES.flatMap((size, j) =>
      ZONES.map((zone) => {
        const onDemand = Math.round((0.08 + i * 0.013) * 2 ** j * 1e4) / 1e4;
        return {
          key: { InstanceType: `${family}.${size}`, Region: REGIONS[zone.split('-')[0]!]!, AZ: zone },
          onDemand,
          score: 1 + Math.floor(random() * 9),
          share: 0.25 + random() * 0.4,
        };
      }),
    ),
  );
  const alive = new Set(pools);
  return Array.from({ length: slots }, (_, slot) => {
    const changed: ChangePoint[] = [];
    const removed: ChangePoint[] = [];
    for (const pool of pools) {
      const draw = random();
      const drift = random() - 0.5;
      if (!alive.has(pool)) continue;
      const at = start + (slot * SLOT_SECONDS + Math.floor(random() * SLOT_SECONDS)) * 1_000;
      const row = { ...pool.key, Time: new Date(at).toISOString().slice(0, 19).replace('T', ' ') };
      if (slot > 0 && draw < LEAVING) {
        alive.delete(pool);
        removed.push(row);
        continue;
      }
      if (slot > 0 && draw > CHANGING) continue;
      pool.share = Math.min(0.9, Math.max(0.15, pool.share + drift * 0.08));
      pool.score = Math.min(10, Math.max(1, pool.score + Math.round(drift * 3)));
      changed.push({
        ...row,
        SPS: pool.score,
        T3: pool.score > 6 ? 3 : 1,
        OndemandPrice: pool.onDemand,
        SpotPrice: Math.round(pool.onDemand * pool.share * 1e4) / 1e4,
        Savings: Math.round((1 - pool.share) * 100),
      });
    }
    return { changed, removed };
  });
}
