/** The executor on an embedded S3: lost answers, refusals, other writers, deletions, old manifests. */

import { afterAll, beforeEach, describe, expect, test } from '@jest/globals';
import { emptyManifest, type WarmManifest } from '../../src/contract/warm-manifest.ts';
import type { Verdict } from '../../src/local/request-hooks.ts';
import { drop, fail } from '../lake/fault-lake.ts';
import { closeDuckDb, parquetOf, queryParquet } from '../support/parquet.ts';
import { aws, bytesOf, openTierLake, type TierLake } from '../support/tier-lake.ts';
import { hotKey, JANUARY, namedKeys, rowsOfSlot } from '../support/tiers.ts';

let tier: TierLake;
/** Nothing of ours is out of order. */
const warn = (message: string) => {
  throw new Error(message);
};

beforeEach(async () => {
  await tier?.close();
  tier = await openTierLake();
});

afterAll(async () => {
  await tier.close();
  await closeDuckDb();
});

/** Uploads slots [from, to) and lets them in one by one. */
async function fill(from: number, to: number): Promise<void> {
  for (let slot = from; slot < to; slot++) {
    await tier.upload(slot, rowsOfSlot(slot, 4));
    await tier.compact(slot, { warn });
  }
}

const name = (id: number, from: number, to: number, level = 1) =>
  `L${level}_${String(id).padStart(4, '0')}_${String(from).padStart(5, '0')}-${String(to).padStart(5, '0')}.parquet`;

describe('an S3 that carries out a write and answers something else', () => {
  const verdicts: readonly [string, Verdict][] = [
    ['a 500', fail(500, 'InternalError')],
    ['a 503', fail(503, 'SlowDown')],
    ['nothing', drop],
  ];
  test.each(verdicts)('%s: no false conflict, no second file', async (_, verdict) => {
    tier.faults({ when: 'after', operation: 'PutObject', times: 1, verdict });
    expect(await tier.upload(0, rowsOfSlot(0, 4))).toMatchObject({ outcome: 'uploaded' });
    await fill(1, 7);
    await tier.compact(0);
    await tier.upload(7, rowsOfSlot(7, 4));
    // The merged file, then the manifest: both answers are lost, and lost again.
    tier.faults({ when: 'after', operation: 'PutObject', times: 4, verdict });
    const compacted = await tier.compact(7);
    expect(compacted).toMatchObject({ outcome: 'compacted', races: 0, levels: [0, 1] });
    expect(tier.watched.conflicts).toEqual([]);
    expect(await tier.warmKeys()).toEqual(namedKeys(await tier.manifest()));
    expect((await tier.manifest()).revision).toBe(8);
  });

  test('409: it is tried again; 412 of another writer: the month is planned anew', async () => {
    await tier.upload(0, rowsOfSlot(0, 4));
    const refusal = fail(409, 'ConditionalRequestConflict');
    tier.faults({ when: 'before', operation: 'PutObject', times: 2, verdict: refusal });
    expect(await tier.compact(0)).toMatchObject({ outcome: 'added', races: 0 });
    expect(tier.watched.conflicts).toEqual([]);

    await tier.upload(1, rowsOfSlot(1, 4));
    await tier.upload(2, rowsOfSlot(2, 4));
    let other: Promise<unknown> | undefined;
    const racing: Parameters<TierLake['faults']>[0]['verdict'] = async () => {
      other = tier.compact(2);
      await other;
      return undefined;
    };
    tier.faults({ when: 'before', operation: 'PutObject', times: 1, verdict: racing });
    expect(await tier.compact(1)).toMatchObject({ outcome: 'added', races: 1, levels: [3] });
    expect(tier.watched.conflicts).toEqual(['replace']);
    expect((await tier.manifest()).levels[0]!.map(({ file }) => file)).toEqual(
      [0, 2, 1].map((s) => hotKey(s)),
    );
  });
});

describe('another writer that is first', () => {
  test('has its file left alone; what was merged in vain goes through the pending deletions', async () => {
    await fill(0, 7);
    await tier.upload(7, rowsOfSlot(7, 4));
    await tier.upload(8, rowsOfSlot(8, 4));
    let isFirst = true;
    const merged = await tier.compact(7, {
      // The other compaction begins when this one has merged, and ends before it commits.
      store: {
        ...tier.store,
        async write(manifest, etag, signal) {
          if (isFirst) {
            isFirst = false;
            await tier.compact(8);
          }
          return await tier.store.write(manifest, etag, signal);
        },
      },
    });
    expect(merged).toMatchObject({ outcome: 'added', races: 1, levels: [1, 1] });
    const manifest = await tier.manifest();
    // Slot 8 found the name of slot 7's file taken, and passed it by.
    expect(manifest.levels[1]).toMatchObject([{ file: name(1, 0, 7), rows: 32 }]);
    expect(manifest.levels[0]).toMatchObject([{ file: hotKey(7), hotRange: [8, 8] }]);
    const lost = tier.store.keyOf(name(0, 0, 7));
    expect(manifest.pending.map(({ key }) => key)).toEqual([lost]);
    expect(await tier.warmKeys()).toContain(lost);
    await tier.upload(9, rowsOfSlot(9, 4));
    expect(await tier.compact(9)).toMatchObject({ deleted: [lost] });
    expect((await tier.manifest()).pending).toEqual([]);
    expect(await tier.warmKeys()).toEqual([tier.store.keyOf(name(1, 0, 7))]);
  });

  test('for ever: CONCURRENCY_CONFLICT, and nothing is left that no manifest lists', async () => {
    await fill(0, 7);
    await tier.upload(7, rowsOfSlot(7, 4));
    let writes = 0;
    const store = { ...tier.store, write: async () => ++writes > 100 };
    const failed = tier.compact(7, { store, maxRaces: 2, random: () => 0 });
    await expect(failed).rejects.toMatchObject({ kind: 'retryable', code: 'CONCURRENCY_CONFLICT' });
    // The stub refuses to bury too; a compaction that comes again passes by the names that are taken.
    expect(await tier.compact(7)).toMatchObject({ outcome: 'compacted', levels: [0, 1] });

    await fill(8, 15);
    await tier.upload(15, rowsOfSlot(15, 4));
    let refusals = 3;
    const second = {
      ...tier.store,
      write: async (...args: Parameters<typeof tier.store.write>) =>
        --refusals >= 0 ? false : await tier.store.write(...args),
    };
    const gone = tier.compact(15, { store: second, maxRaces: 2, random: () => 0 });
    await expect(gone).rejects.toMatchObject({ code: 'CONCURRENCY_CONFLICT' });
    const { pending, processed } = await tier.manifest();
    expect(pending.length).toBeGreaterThan(0);
    expect(processed).toEqual([[0, 14]]);
  });

  test('is a copy of the same request: both tell the same, and what was merged twice is to be deleted', async () => {
    await fill(0, 7);
    await tier.upload(7, rowsOfSlot(7, 4));
    const request = { requestId: 'twice' };
    let copy: Awaited<ReturnType<typeof tier.compact>> | undefined;
    const second = await tier.compact(7, {
      request,
      store: {
        ...tier.store,
        async write(manifest, etag, signal) {
          copy ??= await tier.compact(7, { request });
          return await tier.store.write(manifest, etag, signal);
        },
      },
    });
    expect(copy).toMatchObject({ outcome: 'compacted', races: 0 });
    expect(second).toMatchObject({ races: 1, written: [], result: copy?.result });
    const { pending, levels } = await tier.manifest();
    const left = [...pending.map(({ key }) => key), ...levels[1]!.map(({ file }) => tier.store.keyOf(file))];
    expect((await tier.warmKeys()).toSorted()).toEqual(left.toSorted());
  });

  test('a commit whose answer is lost and that another has overtaken keeps its file', async () => {
    await fill(0, 7);
    await tier.upload(7, rowsOfSlot(7, 4));
    await tier.upload(8, rowsOfSlot(8, 4));
    let isFirst = true;
    const result = await tier.compact(7, {
      store: {
        ...tier.store,
        async write(manifest, etag, signal) {
          const written = await tier.store.write(manifest, etag, signal);
          if (!isFirst) return written;
          isFirst = false;
          await tier.compact(8);
          return false;
        },
      },
    });
    expect(result).toMatchObject({ outcome: 'unchanged', races: 1, levels: [1, 1] });
    const manifest = await tier.manifest();
    expect(manifest.pending).toEqual([]);
    expect(await tier.warmKeys()).toEqual([tier.store.keyOf(name(0, 0, 7))]);
    expect(namedKeys(manifest)).toContain(tier.store.keyOf(name(0, 0, 7)));
  });
});

describe('superseded files', () => {
  test('are deleted when they are due and listed, never before; a deletion that fails stays listed', async () => {
    const soon = { readerGraceMs: 0 };
    const later = { readerGraceMs: 600_000 };
    for (let slot = 0; slot < 64; slot++) await tier.upload(slot, rowsOfSlot(slot, 2));
    await tier.compact({ mode: 'catch_up' }, later);
    await tier.upload(64, rowsOfSlot(64, 2));
    await tier.compact({ mode: 'full' }, soon);
    const { pending } = await tier.manifest();
    expect(pending.map(({ key }) => key)).toEqual([tier.store.keyOf(name(8, 0, 63, 2))]);
    tier.faults({ when: 'before', operation: 'DeleteObject', times: 3, verdict: fail(500, 'InternalError') });
    await tier.upload(65, rowsOfSlot(65, 2));
    expect(await tier.compact(65, soon)).toMatchObject({ outcome: 'added', deleted: [] });
    expect((await tier.manifest()).pending).toHaveLength(1);
    await tier.upload(66, rowsOfSlot(66, 2));
    expect(await tier.compact(66, soon)).toMatchObject({ deleted: [pending[0]!.key] });
    expect((await tier.manifest()).pending).toEqual([]);
    expect(await tier.warmKeys()).toEqual([tier.store.keyOf(name(9, 0, 64, 2))]);
  });

  test('of the month alone, by their names alone, and only what no level names', async () => {
    await fill(0, 8);
    const [kept] = await tier.warmKeys();
    const foreign = ['elsewhere/L1_0000_00000-00007.parquet', tier.store.key, hotKey(0), kept!];
    const manifest = await tier.manifest();
    await tier.putManifest({ ...manifest, pending: foreign.map((key) => ({ key, notBefore: 0 })) });
    await tier.upload(8, rowsOfSlot(8, 4));
    expect(await tier.compact(8)).toMatchObject({ deleted: [] });
    expect(await tier.warmKeys()).toEqual([kept]);
    expect(await bytesOf(tier, hotKey(0))).toBeDefined();
  });

  test('a sweep deletes what is due and does nothing else', async () => {
    expect(await tier.compact({ mode: 'sweep' })).toMatchObject({ outcome: 'unchanged', manifests: [] });
    await fill(0, 8);
    await tier.compact({ mode: 'full' });
    const orphan = { key: tier.store.keyOf(name(77, 0, 1)), notBefore: 0 };
    await tier.putManifest({ ...(await tier.manifest()), pending: [orphan] });
    expect(await tier.compact({ mode: 'sweep' })).toMatchObject({ deleted: [orphan.key] });
  });
});

describe('what is there already', () => {
  const old = (levels: Record<string, unknown>, more: object) =>
    JSON.stringify({
      m: 8,
      provider: 'aws',
      year: 2026,
      month: 1,
      pk_columns: aws.keyColumns,
      levels,
      ...more,
    });

  test.each([
    ['processed_keys', { processed_keys: [0, 1, 2].map((slot) => hotKey(slot)) }],
    ['last_processed_time', { last_processed_time: '2026-01-01T00:20:00+00:00' }],
  ])('a manifest of the original writers with %s is gone on from', async (_, more) => {
    for (let slot = 0; slot < 4; slot++) await tier.upload(slot, rowsOfSlot(slot, 4));
    const levels = { 0: [0, 1, 2].map((slot) => ({ file: hotKey(slot), hot_range: [slot, slot] })) };
    await tier.putManifest(old(levels, { ...more, next_file_id: 0, last_hot_idx: 2 }));
    expect(await tier.compact(1)).toMatchObject({ outcome: 'unchanged' });
    expect(await tier.compact(3)).toMatchObject({ outcome: 'added', levels: [4] });
    const manifest = await tier.manifest();
    expect(manifest).toMatchObject({ revision: 1, lastHotIndex: 3, processed: [[0, 3]] });
    expect(manifest.levels[0]![3]).toMatchObject({ hotRange: [3, 3], rows: 4 });
  });

  test('files of other writers are merged, their facts read from their footers', async () => {
    const sql = (slot: number) => `SELECT 'm${slot}' AS "InstanceType", 'r' AS "Region", 'z' AS "AZ",
      TIMESTAMPTZ '2026-01-01 00:00:00+00' + INTERVAL (${slot} * 10) MINUTE AS "Time", ${slot}::INTEGER AS "SPS"`;
    for (let slot = 0; slot < 8; slot++) {
      const location = { bucket: tier.bucket, key: hotKey(slot) };
      await tier.lake.writer.create(location, await parquetOf(sql(slot), 'COMPRESSION zstd'));
    }
    expect(await tier.compact({ mode: 'catch_up' })).toMatchObject({ outcome: 'compacted', levels: [0, 1] });
    const [file] = (await tier.manifest()).levels[1]!;
    const start = Date.UTC(2026, 0, 1) * 1_000;
    expect(file).toMatchObject({ rows: 8, minTime: start, maxTime: start + 7 * 600_000_000 });
    const rows = await queryParquet(
      await bytesOf(tier, tier.store.keyOf(file!.file)),
      'SELECT "InstanceType", "SPS"::INT AS sps FROM {file} ORDER BY 2',
    );
    expect(rows).toEqual(Array.from({ length: 8 }, (_, i) => ({ InstanceType: `m${i}`, sps: i })));
  });

  test('files that are out of order are sorted first', async () => {
    for (let slot = 0; slot < 8; slot++) {
      const sql = `SELECT 'm' || (i * 7 % 10) AS "InstanceType", 'r' || (i % 3) AS "Region", 'z' || i AS "AZ",
        TIMESTAMPTZ '2026-01-01 00:00:00+00' + INTERVAL (${slot} * 600 + 599 - i) SECOND AS "Time",
        (i + ${slot})::BIGINT AS "SPS", i % 5 = 0 AS "Ceased" FROM range(500) t(i)`;
      const location = { bucket: tier.bucket, key: hotKey(slot) };
      const order = slot % 2 === 0 ? ' ORDER BY 1, 2, 3, 4' : '';
      await tier.lake.writer.create(location, await parquetOf(sql + order, 'ROW_GROUP_SIZE 2048'));
    }
    const warnings: unknown[] = [];
    const warn = (_: string, fields: unknown) => warnings.push(fields);
    const compacted = await tier.compact({ mode: 'catch_up' }, { warn });
    expect(compacted).toMatchObject({ outcome: 'compacted', levels: [0, 1] });
    const astray = [1, 3, 5, 7].map((slot) => `s3://${tier.bucket}/${hotKey(slot)}`);
    expect(warnings).toEqual([{ unsorted: expect.arrayContaining(astray) }]);
    const [found] = await queryParquet(
      await bytesOf(tier, tier.store.keyOf(name(0, 0, 7))),
      `WITH n AS (SELECT *, row_number() OVER () AS n FROM {file}), o AS (
         SELECT *, row_number() OVER (ORDER BY "InstanceType", "Region", "AZ", "Time") AS o FROM n)
       SELECT count(*)::INT AS rows, sum("SPS")::INT AS sum, count(*) FILTER (n <> o)::INT AS astray,
              count(*) FILTER ("Ceased")::INT AS ceased FROM o`,
    );
    const sum = (8 * 500 * 499) / 2 + 500 * 28;
    expect(found).toEqual({ rows: 4_000, sum, astray: 0, ceased: 800 });
  });

  test('a manifest that sorts by other columns is refused', async () => {
    const manifest: WarmManifest = emptyManifest(8, 'aws', ['Region'], JANUARY);
    await tier.putManifest(manifest);
    await tier.upload(0, rowsOfSlot(0, 1));
    await expect(tier.compact(0)).rejects.toMatchObject({ code: 'MANIFEST_VALIDATION_ERROR' });
  });

  test('a named file that is gone fails the compaction, and the manifest stays', async () => {
    await fill(0, 7);
    await tier.upload(7, rowsOfSlot(7, 1));
    await tier.lake.store.delete({ bucket: tier.bucket, key: hotKey(3) });
    const before = await tier.manifest();
    await expect(tier.compact(7)).rejects.toMatchObject({ code: 'INPUT_READ_ERROR' });
    expect(await tier.manifest()).toEqual(before);
  });
});
