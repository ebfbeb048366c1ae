/** Proves the rules on writes, and on the versions and outputs of metric runs. */

import { CURRENT, DATA, hotKey, L1, MANIFEST, MARKER, METRIC, series, WARM } from './made-history.ts';
import {
  before,
  find,
  forget,
  isCall,
  isRevision,
  replaceData,
  rewrite,
  set,
  tell,
  testPlants,
} from './planting.ts';

const OTHER = '2026-01-02T00-00-05';

testPlants([
  [
    'a manifest written without a condition',
    'compare-and-set',
    ({ history }) => {
      set(find(history, isRevision(3)), { headers: {} });
    },
  ],
  [
    'a manifest that replaces another than the last',
    'compare-and-set',
    ({ history }) => {
      set(find(history, isRevision(3)).headers, { 'if-match': find(history, isRevision(1)).etag });
    },
  ],
  [
    'a manifest that is not what was written last',
    'compare-and-set',
    (scribe) => scribe.store(CURRENT, '{}'),
  ],
  [
    'an object written over',
    'written-once',
    (scribe) => {
      const headers = { 'if-none-match': '*', 'x-amz-meta-tidemill-put-id': 'other' };
      scribe.call({ service: 's3', operation: 'PutObject', key: hotKey(0), headers });
    },
  ],
  [
    'an object created without a condition',
    'written-once',
    ({ history }) => {
      set(find(history, isCall('PutObject', hotKey(0))), { headers: {} });
    },
  ],
  ['a name used again', 'written-once', (scribe) => scribe.put(`${WARM}${L1[0]}`, 'x')],
  [
    'a marker before its manifest',
    'data-first',
    ({ history }) => {
      before(history, isCall('PutObject', MARKER), isCall('PutObject', MANIFEST));
    },
  ],
  [
    'a manifest before its data',
    'data-first',
    ({ history }) => {
      before(history, isCall('PutObject', MANIFEST), isCall('PutObject', DATA));
    },
  ],
  [
    'a warm manifest before its file',
    'data-first',
    ({ history }) => {
      before(history, isRevision(2), isCall('PutObject', L1[0]));
    },
  ],
  [
    'a 409 that was taken for an answer',
    'unsettled-409',
    (scribe) => {
      const headers = { 'if-none-match': '*', 'x-amz-meta-tidemill-put-id': 'p' };
      scribe.call({
        service: 's3',
        operation: 'PutObject',
        key: hotKey(5),
        headers,
        carriedOut: false,
        status: 409,
      });
    },
  ],
  [
    'a run that fails and need not',
    'metric-outcome',
    ({ history }) => {
      tell(history, METRIC, { status: 'FAILURE', error: 'INPUT_READ_ERROR: no' });
    },
  ],
  [
    'a run that succeeds and cannot',
    'metric-outcome',
    ({ history }) => {
      const request = history.sent[0]!;
      set(request, { body: request.body.replace('"op":"ratio"', '"op":"power"') });
    },
  ],
  [
    'a value that is not the oracle’s',
    'metric-oracle',
    async (scribe, parquet) => {
      await replaceData(scribe, await parquet.of(series([2, 2.00001, null, null])));
    },
  ],
  [
    'a null that is not the oracle’s',
    'metric-oracle',
    async (scribe, parquet) => {
      await replaceData(scribe, await parquet.of(series([2, 2, 0, null])));
    },
  ],
  [
    'a row that is missing',
    'metric-oracle',
    async (scribe, parquet) => {
      await replaceData(scribe, await parquet.of(series([2, 2, null])));
    },
  ],
  [
    'rows out of order',
    'metric-oracle',
    async (scribe, parquet) => {
      await replaceData(scribe, await parquet.of(`${series([2, 2, null, null])} ORDER BY obs_time DESC`));
    },
  ],
  [
    'a column of another type',
    'metric-oracle',
    async (scribe, parquet) => {
      const select = `SELECT obs_time, value::FLOAT AS value FROM (${series([2, 2, null, null])})`;
      await replaceData(scribe, await parquet.of(select));
    },
  ],
  [
    'a count of divisions by zero that is wrong',
    'metric-oracle',
    (scribe) => {
      rewrite(scribe, isCall('PutObject', MANIFEST), (json) =>
        set(json, { quality: { nulls: 2, divisions_by_zero: 0 } }),
      );
    },
  ],
  [
    'a manifest whose bytes are not the file’s',
    'metric-facts',
    async (scribe, parquet) => {
      scribe.store(DATA, await parquet.of(`${series([2, 2, null, null])} LIMIT 3`));
    },
  ],
  [
    'an event whose count is not the marker’s',
    'metric-facts',
    ({ history }) => tell(history, METRIC, { rowCount: 5 }),
  ],
  [
    'an event of the other form',
    'metric-facts',
    ({ history }) => {
      tell(history, METRIC, { outputManifest: `s3://lake/${MANIFEST}` });
    },
  ],
  [
    'a marker that is not there',
    'metric-facts',
    ({ history }) => {
      set(history, { objects: history.objects.filter(({ key }) => key !== MARKER) });
    },
  ],
  [
    'a second version of a run that nothing disturbed',
    'one-version',
    (scribe) => {
      set(scribe.history.processes[0]!, { deeds: [] });
      scribe.put(`metrics/m/${OTHER}/data/metrics.parquet`, 'x');
    },
  ],
  [
    'a run whose data one delivery wrote twice',
    'one-version',
    (scribe) => {
      scribe.put(`metrics/m/${OTHER}/data/metrics.parquet`, 'x', { 'tidemill-run-id': METRIC });
    },
  ],
  [
    'a version that is named and has no marker',
    'one-version',
    (scribe) => {
      scribe.put(`metrics/m/${OTHER}/data/metrics.parquet`, 'x');
      scribe.put(CURRENT, JSON.stringify({ version_ts: OTHER, run_id: 'other' }));
    },
  ],
  [
    'an alias that goes back',
    'current',
    (scribe) => {
      scribe.put(CURRENT, JSON.stringify({ version_ts: '2026-01-01T00-00-00', run_id: METRIC }));
    },
  ],
  [
    'an alias before its marker',
    'current',
    ({ history }) => {
      before(history, isCall('PutObject', CURRENT), isCall('PutObject', MARKER));
    },
  ],
  [
    'an alias that does not follow',
    'current',
    ({ history }) => {
      forget(history, isCall('PutObject', CURRENT));
      set(history, { objects: history.objects.filter(({ key }) => key !== CURRENT) });
    },
  ],
  ['an output that is no Parquet', 'unreadable', async (scribe) => await replaceData(scribe, 'no Parquet')],
]);
