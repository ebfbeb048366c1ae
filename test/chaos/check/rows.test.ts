/** Proves the rules on the rows of tiers and datasets, and on the ledger. */

import type { Json } from './facts.ts';
import { hotKey, L1, tierRows, WARM } from './made-history.ts';
import {
  find,
  isCall,
  isRevision,
  replaceHot,
  replaceOutput,
  replaceWarm,
  rewrite,
  row,
  set,
  tell,
  testPlants,
} from './planting.ts';

const DAYS = (value: number, second = 'NULL') =>
  `SELECT * FROM (VALUES (TIMESTAMPTZ '2024-01-01 00:00:00+00', ${value}::DOUBLE),
    (TIMESTAMPTZ '2024-01-02 00:00:00+00', ${second}::DOUBLE)) rows(obs_time, value)`;

testPlants([
  [
    'a hot file with other rows',
    'hot-content',
    (scribe, parquet) => replaceHot(scribe, parquet, 1, [['p', 1, 9]]),
  ],
  [
    'a hot file with a row less',
    'hot-content',
    (scribe, parquet) => replaceHot(scribe, parquet, 0, [['p', 0, 3]]),
  ],
  [
    'a hot file that is not sorted',
    'hot-content',
    async (scribe, parquet) => {
      const { metadata } = scribe.history.objects.find(({ key }) => key === hotKey(0))!;
      const select = tierRows([
        ['p', 0, 3],
        ['q', 0, 1],
      ]).replace('ORDER BY ALL', 'ORDER BY "SPS"');
      scribe.store(hotKey(0), await parquet.of(select), metadata);
    },
  ],
  [
    'a hot file of another schema',
    'hot-content',
    async (scribe, parquet) => {
      const { metadata } = scribe.history.objects.find(({ key }) => key === hotKey(1))!;
      scribe.store(hotKey(1), await parquet.of('SELECT 1 AS x'), metadata);
    },
  ],
  [
    'a hot file that names another request',
    'hot-content',
    ({ history }) => {
      set(history.objects.find(({ key }) => key === hotKey(1))!.metadata, {
        'tidemill-request-id': 'upload-0',
      });
    },
  ],
  [
    'an upload that is refused and need not be',
    'hot-outcome',
    ({ history }) => {
      tell(history, 'upload-1', { status: 'FAILURE', error: { code: 'HOT_SLOT_CONFLICT' } });
    },
  ],
  [
    'an upload that was accepted and cannot be cast',
    'hot-outcome',
    ({ history }) => {
      const request = history.sent.find(({ id }) => id === 'upload-1')!;
      set(request, { body: request.body.replace('2026-01-01 00:10:00', 'yesterday') });
    },
  ],
  ['an upload that says other rows', 'hot-outcome', ({ history }) => tell(history, 'upload-1', { rows: 2 })],
  [
    'a warm row that is lost',
    'tier-union',
    (scribe, parquet) =>
      replaceWarm(scribe, parquet, [
        ['p', 0, 3],
        ['q', 0, 1],
        ['p', 1, 4],
      ]),
  ],
  [
    'a warm row that was never uploaded',
    'tier-union',
    (scribe, parquet) =>
      replaceWarm(scribe, parquet, [
        ['p', 0, 3],
        ['q', 0, 1],
        ['p', 1, 4],
        ['p', 2, 5],
        ['z', 2, 5],
      ]),
  ],
  [
    'a warm row of another value',
    'tier-union',
    (scribe, parquet) =>
      replaceWarm(scribe, parquet, [
        ['p', 0, 3],
        ['q', 0, 1],
        ['p', 1, 4],
        ['p', 2, 6],
      ]),
  ],
  [
    'a file that is named and not there',
    'tier-union',
    ({ history }) => {
      set(history, { objects: history.objects.filter(({ key }) => !key.endsWith(L1[1])) });
    },
  ],
  [
    'a compaction that was told done and is not',
    'tier-union',
    ({ history }) => {
      const request = history.sent.find(({ id }) => id === 'compaction-1')!;
      set(request, { body: request.body.replace(hotKey(0), hotKey(5)) });
    },
  ],
  [
    'a compaction that fails and need not',
    'tier-union',
    ({ history }) => {
      tell(history, 'compaction-1', { status: 'FAILURE', error: { code: 'INPUT_READ_ERROR' } });
    },
  ],
  [
    'a manifest with other counts than its file',
    'warm-facts',
    (scribe) => {
      rewrite(scribe, isRevision(4), ({ levels }) =>
        set((levels as Record<string, Json[]>)['1']![0]!, { rows: 99 }),
      );
    },
  ],
  [
    'a manifest with other times than its file',
    'warm-facts',
    (scribe) => {
      rewrite(scribe, isRevision(4), ({ levels }) => {
        set((levels as Record<string, Json[]>)['1']![0]!, { max_time: '2026-01-01T00:30:00Z' });
      });
    },
  ],
  [
    'a warm file that is not sorted',
    'warm-facts',
    async (scribe, parquet) => {
      const rows = tierRows([
        ['p', 0, 3],
        ['p', 1, 4],
        ['p', 2, 5],
        ['q', 0, 1],
      ]);
      scribe.store(`${WARM}${L1[1]}`, await parquet.of(rows.replace('ORDER BY ALL', 'ORDER BY "SPS"')));
    },
  ],
  [
    'a revision that is skipped',
    'warm-steps',
    (scribe) => {
      rewrite(scribe, isRevision(4), (json) => set(json, { revision: 6 }));
    },
  ],
  [
    'a level with as many files as are merged',
    'warm-steps',
    (scribe) => {
      const file = (i: number) => ({ file: `L1_000${i}_0-0.parquet`, hot_range: [i, i] });
      rewrite(scribe, isRevision(4), (json) =>
        set(json, { levels: { 1: Array.from({ length: 8 }, (_, i) => file(i)) } }),
      );
    },
  ],
  [
    'a slot that is processed no more',
    'warm-steps',
    (scribe) => {
      rewrite(scribe, isRevision(4), (json) => set(json, { processed_slots: [[0, 1]] }));
    },
  ],
  [
    'a file id that goes back',
    'warm-steps',
    (scribe) => {
      rewrite(scribe, isRevision(4), (json) => set(json, { next_file_id: 1 }));
    },
  ],
  [
    'a superseded file that is not listed',
    'warm-steps',
    (scribe) => {
      rewrite(scribe, isRevision(3), (json) => set(json, { pending_deletions: [] }));
    },
  ],
  [
    'a superseded file that may be deleted at once',
    'warm-steps',
    (scribe) => {
      rewrite(scribe, isRevision(3), (json) =>
        set((json.pending_deletions as Json[])[0]!, { not_before: '2026-01-01T23:59:59Z' }),
      );
    },
  ],
  [
    'a deletion at once',
    'early-deletion',
    ({ history }) => {
      const { endedAt, wall } = find(history, isRevision(3));
      set(find(history, isCall('DeleteObject', L1[0])), {
        at: endedAt + 1,
        carriedOutAt: endedAt + 2,
        wall: wall + 3,
      });
    },
  ],
  ['a deletion of what is named', 'early-deletion', (scribe) => scribe.remove(`${WARM}${L1[1]}`)],
  [
    'a deletion of what no manifest lists',
    'early-deletion',
    (scribe) => {
      scribe.remove(`${WARM}L1_0007_00000-00007.parquet`);
    },
  ],
  [
    'a dataset row that is missing',
    'ingest-rows',
    (scribe, parquet) => replaceOutput(scribe, parquet, `${DAYS(1.5)} LIMIT 1`, 1),
  ],
  [
    'a dataset row that is there twice',
    'ingest-rows',
    (scribe, parquet) => replaceOutput(scribe, parquet, `${DAYS(1.5)} UNION ALL ${DAYS(1.5)}`, 4),
  ],
  [
    'a dataset value that is not the file’s',
    'ingest-rows',
    (scribe, parquet) => replaceOutput(scribe, parquet, DAYS(2.5), 2),
  ],
  [
    'a dataset null that is not the file’s',
    'ingest-rows',
    (scribe, parquet) => replaceOutput(scribe, parquet, DAYS(1.5, '0'), 2),
  ],
  [
    'a dataset file that no manifest names',
    'ingest-rows',
    ({ history }) => {
      const outputs = history.ledger.file_outputs as Json[];
      outputs.push({ ...outputs[0], path: 'T/year=2024/month=02/abc.parquet' });
    },
  ],
  [
    'a manifest that names what no load made',
    'ingest-rows',
    ({ history }) => set(history.ledger, { file_outputs: [] }),
  ],
  [
    'a bad file that is called good',
    'ingest-files',
    ({ history }) => {
      set(row(history, 'processed_files', 1), { status: 'SUCCESS' });
    },
  ],
  [
    'a bad file without its row',
    'ingest-files',
    ({ history }) => {
      set(row(history, 'processed_files', 1), { error_message: 'it is bad' });
    },
  ],
  [
    'a good file that is called bad',
    'ingest-files',
    ({ history }) => {
      set(row(history, 'processed_files'), { status: 'FAILED' });
    },
  ],
  [
    'a file that is left in work',
    'ingest-ledger',
    ({ history }) => {
      set(row(history, 'processed_files'), { status: 'PROCESSING' });
    },
  ],
  [
    'a claim that is left pending',
    'ingest-ledger',
    ({ history }) => set(row(history, 'load_log'), { status: 'pending' }),
  ],
  [
    'a run whose counts are not its event’s',
    'ingest-ledger',
    ({ history }) => set(row(history, 'runs'), { files_failed: 0 }),
  ],
  [
    'a run that the ledger calls otherwise',
    'ingest-ledger',
    ({ history }) => set(row(history, 'runs'), { status: 'SUCCESS' }),
  ],
  [
    'a stored answer that is not its event',
    'ingest-ledger',
    ({ history }) => {
      const { result } = row(history, 'runs');
      set(row(history, 'runs'), { result: { ...(result as Json), files: {} } });
    },
  ],
]);
