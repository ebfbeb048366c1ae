/**
 * A month's last compactions as they touch its manifest: opened, planned by, committed and put into text
 * again. In process, so that it is no S3 that is measured.
 */

import { ownPeakMb, type Side } from './case.ts';
import { modulesOf } from './modules.ts';

type Keys = typeof import('../../src/contract/tier-keys.ts');
type Manifests = typeof import('../../src/contract/warm-manifest.ts');
type Plan = typeof import('../../src/warm-tier/plan.ts');
type Results = typeof import('../../src/contract/compaction-result.ts');

const MONTH = { year: 2026, month: 1 };
const SLOTS = 4_464;
const ROWS = 60_000;
const BYTES = 460_000;
const SLOT_MS = 600_000;
const READER_GRACE_MS = 900_000;
/** So many last slots are timed. */
const TIMED = 200;

/** @param everyNth which slots came at all: with gaps between all of them the manifest is longest */
export function manifestSide(name: string, everyNth: number): Side {
  return {
    name,
    async run(dist) {
      const load = modulesOf(dist);
      const keys = await load<Keys>('contract/tier-keys.ts');
      const { emptyManifest, parseManifest, serializeManifest } =
        await load<Manifests>('contract/warm-manifest.ts');
      const { commit, dueDeletions, propose } = await load<Plan>('warm-tier/plan.ts');
      const { compactionResultOf, remember } = await load<Results>('contract/compaction-result.ts');
      const key = keys.manifestKey('', 'aws', MONTH);
      const folder = keys.warmFolder('', 'aws', MONTH);
      const keyOf = (file: string) => `${folder}/${file}`;
      const monthStart = keys.slotStart({ ...MONTH, slot: 0 });
      const empty = emptyManifest(keys.MERGE_WAYS, 'aws', ['InstanceType', 'Region', 'AZ'], MONTH);

      /** The text of the manifest after one more slot was compacted. */
      function rewrite(text: string, slot: number): string {
        const manifest = parseManifest(text, key, 'aws', MONTH);
        const now = monthStart + slot * SLOT_MS;
        const facts = { rows: ROWS, bytes: BYTES, minTime: now * 1_000, maxTime: (now + SLOT_MS) * 1_000 };
        const hot = keys.hotKeyOf('', 'aws', { ...MONTH, slot });
        const proposal = propose(manifest, [{ key: hot, slot, ...facts }]);
        const outputs = new Map(proposal.merges.map((merge) => [merge.name, facts]));
        const deleted = dueDeletions(manifest, now);
        const next = commit(manifest, proposal, {
          outputs,
          deleted: new Set(deleted),
          keyOf,
          now,
          readerGraceMs: READER_GRACE_MS,
        });
        const written = proposal.merges.map(({ name: file, level }) => ({
          key: keyOf(file),
          level,
          rows: ROWS,
          bytes: BYTES,
        }));
        const changes = { manifests: [{ key, revision: next.revision }], added: [hot], written, deleted };
        const counts = next.levels.map((files) => files.length);
        const requestId = `00000000-0000-4000-8000-${String(slot).padStart(12, '0')}:compaction`;
        const answered = remember(next.answered, { requestId, result: compactionResultOf(changes, counts) });
        return serializeManifest({ ...next, answered });
      }

      let text = serializeManifest(empty);
      const times: number[] = [];
      const sizes: number[] = [];
      for (let slot = 0; slot < SLOTS; slot += everyNth) {
        const started = performance.now();
        text = rewrite(text, slot);
        times.push(performance.now() - started);
        sizes.push(Buffer.byteLength(text));
      }
      const last = times.slice(-TIMED).sort((a, b) => a - b);
      const median = last[last.length >> 1]!;
      return {
        seconds: median / 1000,
        rows: times.length,
        peakMb: ownPeakMb(),
        extra: {
          'p50 ms': median,
          'p99 ms': last[Math.floor(last.length * 0.99)]!,
          'kB at the end': sizes.at(-1)! / 1000,
          'kB at most': Math.max(...sizes) / 1000,
        },
      };
    },
  };
}
