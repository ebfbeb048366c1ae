/**
 * Slots on their whole way, one after the other, as they come every ten minutes: the upload request on the
 * queue, the rows staged as JSON lines, the hot file, the compaction that the upload asks for, its event.
 */

import { readFileSync } from 'node:fs';
import type { Side } from './case.ts';
import { cpuSecondsOf, peakMbOf } from './process-status.ts';
import { DAY, TIER_FILES, uploadFile } from './tier-data.ts';

/** Each has a day of its own: so many times the slots that there are files for. The first one warms up. */
const DAYS = 5;

const percentile = (sorted: readonly number[], p: number) =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))]!;

export const slotSide: Side = {
  name: 'tidemill worker',
  async run(dist, dir) {
    const { deploy } = await import('./deployment.ts');
    const deployment = await deploy(dist);
    const uploads: number[] = [];
    const plain: number[] = [];
    const merging: number[] = [];
    let rows = 0;
    let cpu = 0;
    try {
      for (let day = 0; day < DAYS; day++) {
        if (day === 1) cpu = cpuSecondsOf(deployment.workerPid);
        const date = new Date(Date.parse(DAY) + day * 86_400_000).toISOString().slice(0, 10);
        for (let slot = 0; slot < TIER_FILES; slot++) {
          const staged = `staging/${date}-${slot}.jsonl`;
          const lines = readFileSync(uploadFile(dir, slot), 'utf8').replaceAll(DAY, date);
          await deployment.put(staged, Buffer.from(lines));
          const requestId = `slot-${day}-${slot}`;
          const timestamp = new Date(Date.parse(`${date}T12:00:00Z`) + slot * 600_000).toISOString();
          const started = performance.now();
          await deployment.send(
            {
              type: 'hot_upload_requested',
              requestId,
              provider: 'aws',
              timestamp,
              changed: { uri: `s3://${deployment.bucket}/${staged}` },
              compact: true,
            },
            'hot:aws',
            requestId,
          );
          const [uploaded] = await deployment.events('hot_upload_completed', 1);
          const [compacted] = await deployment.events('compaction_completed', 1);
          if (day === 0) continue;
          rows += Number(uploaded!.body.rows);
          const took = compacted!.at - started;
          uploads.push(uploaded!.at - started);
          (compacted!.body.outcome === 'compacted' ? merging : plain).push(took);
        }
      }
      const all = [...plain, ...merging].sort((a, b) => a - b);
      for (const some of [uploads, plain, merging]) some.sort((a, b) => a - b);
      return {
        seconds: percentile(all, 0.95) / 1000,
        rows,
        peakMb: peakMbOf(deployment.workerPid),
        extra: {
          'worker cpu ms a slot': ((cpuSecondsOf(deployment.workerPid) - cpu) * 1000) / all.length,
          'p50 ms': percentile(all, 0.5),
          'p95 ms': percentile(all, 0.95),
          'upload p50 ms': percentile(uploads, 0.5),
          'without merge p50 ms': percentile(plain, 0.5),
          'with merge p50 ms': percentile(merging, 0.5),
        },
      };
    } finally {
      await deployment.stop();
    }
  },
};
