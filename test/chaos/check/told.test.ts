/** Proves the rules on what was told and done, in which order, and on processes and queues. */

import { hotKey, INGEST, MARKER, METRIC, WARM } from './made-history.ts';
import {
  before,
  find,
  forget,
  heard,
  isCall,
  isEvent,
  isRevision,
  set,
  tell,
  testPlants,
} from './planting.ts';

testPlants([
  [
    'a request without a completed event',
    'lost-request',
    ({ history }) => {
      history.events = history.events.filter(({ body }) => body.requestId !== 'upload-1');
      forget(history, isEvent('_completed', 'upload-1'));
    },
  ],
  [
    'a request told twice, and differently',
    'agreement',
    (scribe) => {
      scribe.publish({ ...heard(scribe.history, 'upload-0').body, rows: 7 });
    },
  ],
  [
    'a failure that may pass, told with deliveries left',
    'agreement',
    (scribe) => {
      scribe.publish({
        type: 'metric_run_completed',
        runId: METRIC,
        status: 'FAILURE',
        error: 'OUTPUT_WRITE_ERROR: no',
      });
    },
  ],
  [
    'a compaction that says it did two things',
    'agreement',
    (scribe) => {
      const manifests = [{ key: `${WARM}manifest.json`, revision: 4 }];
      scribe.publish({ ...heard(scribe.history, 'compaction-3').body, manifests });
    },
  ],
  ['an end without a start', 'started-first', ({ history }) => forget(history, isEvent('_started', METRIC))],
  [
    'a heartbeat before the start',
    'heartbeat-between',
    ({ history }) => {
      before(history, isEvent('_heartbeat', METRIC), isEvent('_started', METRIC));
    },
  ],
  [
    'heartbeats after the end',
    'heartbeat-between',
    (scribe) => {
      for (let i = 0; i < 2; i++) scribe.publish({ type: 'metric_run_heartbeat', runId: METRIC });
    },
  ],
  [
    'a run told before its marker',
    'early-completed',
    ({ history }) => {
      before(history, isEvent('_completed', METRIC), isCall('PutObject', MARKER));
    },
  ],
  [
    'an upload told before its file',
    'early-completed',
    ({ history }) => {
      before(history, isEvent('_completed', 'upload-1'), isCall('PutObject', hotKey(1)));
    },
  ],
  [
    'a compaction told before its manifest',
    'early-completed',
    ({ history }) => {
      before(history, isEvent('_completed', 'compaction-2'), isRevision(2));
    },
  ],
  [
    'an ingest run told before its manifest',
    'early-completed',
    ({ history }) => {
      before(history, isEvent('_completed', INGEST), isCall('PutObject', 'datasets/w/current'));
    },
  ],
  [
    'an acknowledgement before the event',
    'early-acknowledgement',
    ({ history }) => {
      before(history, isCall('DeleteMessage', 'message-1'), isEvent('_completed', 'upload-0'));
    },
  ],
  [
    'an acknowledgement without a dead letter',
    'early-acknowledgement',
    ({ history }) => {
      forget(history, isCall('SendMessage', 'no JSON'));
    },
  ],
  [
    'a message delivered while another of its group is there',
    'group-order',
    ({ history }) => {
      const receipt = (id: string) =>
        history.calls.find(
          ({ operation, answer }) => operation === 'ReceiveMessage' && answer!.includes(id),
        )!;
      set(receipt('message-3'), { carriedOutAt: receipt('message-1').carriedOutAt + 1 });
    },
  ],
  [
    'a request begun before the last of its group is told',
    'group-order',
    ({ history }) => {
      set(find(history, isEvent('_started', 'upload-1')), {
        at: find(history, isEvent('_completed', 'upload-0')).at - 1,
      });
    },
  ],
  ['a poison message that is lost', 'dead-letters', ({ history }) => set(history, { deadLetters: [] })],
  [
    'a dead letter with another reason',
    'dead-letters',
    ({ history }) => {
      set(history.deadLetters[0]!.attributes, { reason: 'no_type' });
    },
  ],
  [
    'a dead letter that is changed',
    'dead-letters',
    ({ history }) => set(history.deadLetters[0]!, { body: 'no' }),
  ],
  [
    'a dead letter that does not belong there',
    'dead-letters',
    ({ history }) => {
      history.deadLetters.push({ messageId: 'x', body: '{}', attributes: {} });
    },
  ],
  [
    'a job that outlasts its lease unrenewed',
    'lease',
    ({ history }) => {
      const beat = find(history, isEvent('_heartbeat', METRIC));
      const { at } = find(history, isCall('DeleteMessage', 'message-0'));
      set(find(history, isCall('DeleteMessage', 'message-0')), {
        at: at + 60_000,
        carriedOutAt: at + 60_001,
      });
      for (let i = 1; i < 8; i++)
        history.calls.push({ ...beat, at: at + i * 500, carriedOutAt: at + i * 500 + 1 });
    },
  ],
  [
    'a job that outlasts its lease unrenewed and can not delete its message any more',
    'lease',
    ({ history }) => {
      const beat = find(history, isEvent('_heartbeat', METRIC));
      const remove = find(history, isCall('DeleteMessage', 'message-0'));
      const { at } = remove;
      history.calls.splice(history.calls.indexOf(remove), 1);
      for (let i = 1; i < 8; i++)
        history.calls.push({ ...beat, at: at + i * 500, carriedOutAt: at + i * 500 + 1 });
    },
  ],
  [
    'an end in spite of a lost lease',
    'lease',
    ({ history }) => {
      const attempt = { message_id: 'message-0', attempt: 1 };
      history.processes[0]!.log.push(
        { ...attempt, time: '2026-01-02T00:00:00.000Z', msg: 'the lease is lost: another worker has it' },
        { ...attempt, time: '2026-01-02T00:00:02.000Z', msg: 'request succeeded', outcome: 'succeeded' },
      );
    },
  ],
  ['a run that does not settle', 'settled', ({ history }) => set(history.settled, { inTime: false })],
  ['a message that waits at the end', 'settled', ({ history }) => set(history.settled, { waiting: 1 })],
  ['a message in flight at the end', 'settled', ({ history }) => set(history.settled, { inFlight: 1 })],
  ['a drained process that ends badly', 'exit', ({ history }) => set(history.processes[0]!, { exitCode: 1 })],
  [
    'a process drained once that ends as if twice',
    'exit',
    ({ history }) => set(history.processes[0]!, { exitCode: 130 }),
  ],
  [
    'a drained process that ends by the signal',
    'exit',
    ({ history }) => set(history.processes[0]!, { exitCode: null, exitSignal: 'SIGTERM' }),
  ],
  ['a process that ends on its own', 'exit', ({ history }) => set(history.processes[0]!, { deeds: [] })],
  [
    'an unhandled rejection',
    'log',
    ({ history }) => {
      history.processes[0]!.log.push({ level: 50, msg: 'unhandled rejection' });
    },
  ],
  ['a fatal line', 'log', ({ history }) => void history.processes[0]!.log.push({ level: 60, msg: 'no' })],
  [
    'words on standard error',
    'log',
    ({ history }) => set(history.processes[0]!, { complaints: 'Warning: x' }),
  ],
  ['a process that grows', 'memory', ({ history }) => set(history.processes[0]!, { peakKiB: 600_000 })],
  ['a temporary file', 'leftovers', ({ history }) => void history.processes[0]!.leftovers.push('x.tmp')],
  ['a half-written object', 'leftovers', (scribe) => scribe.store('metrics/m/x.tmp', 'x')],
  [
    'a request that was told another end than the right one',
    'hot-outcome',
    ({ history }) => {
      tell(history, 'upload-1', { outcome: 'unchanged' });
    },
  ],
]);
