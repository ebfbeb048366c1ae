/**
 * Ingest runs while workers are killed, stall, and lose their database. CHAOS_FILES and CHAOS_WORKERS
 * make the first test as large as wanted (2000 and 6 in docs/INGEST.md's figures).
 */

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import type { Ledger } from '../../src/ledger/database.ts';
import { eventually } from '../support/eventually.ts';
import { completed, datasetRows, ingestRequest, lines } from '../support/ingest-scene.ts';
import { openPostgres, type TestPostgres } from '../support/postgres.ts';
import { openRig, type Rig } from '../support/rig.ts';
import type { WorkerProcess } from '../support/worker-process.ts';

const FILES = Number(process.env.CHAOS_FILES ?? 120);
const WORKERS = Number(process.env.CHAOS_WORKERS ?? 3);
const KILL_EVERY_MS = 800;
const LEASE = 3;
/** Several workers start at once, on a machine that may be busy. */
const PATIENT = { timeoutMs: 60_000 } as const;
const TIMEOUT_MS = 60_000 + FILES * 250;

let rig: Rig;
let postgres: TestPostgres;

beforeAll(async () => {
  [rig, postgres] = await Promise.all([openRig(), openPostgres()]);
});
afterAll(async () => {
  await rig.close();
  await postgres.close();
});

const SETTINGS = {
  WORKER_VISIBILITY_TIMEOUT_SECONDS: '4',
  INGEST_LEASE_SECONDS: String(LEASE),
  WORKER_CONCURRENCY: '2',
};
const MAPPING = { layout: 'wide', time: 'date', values: { v: 'V' } };
const day = (n: number) => new Date(Date.UTC(2020, 0, 1) + n * 86_400_000).toISOString().slice(0, 10);
const body = (n: number) => `date,v\n${day(n)},${n}\n`;

const statuses = async (ledger: Ledger) => {
  const rows = await ledger.run('count', (db) =>
    sql<{ status: string; n: number }>`select status, count(*) as n from processed_files group by 1`.execute(
      db,
    ),
  );
  return Object.fromEntries(rows.rows.map(({ status, n }) => [status, n]));
};

describe('killed workers', () => {
  test(
    `${FILES} files, ${WORKERS} workers, one killed every ${KILL_EVERY_MS} ms: each file once, none stuck`,
    async () => {
      const scene = await rig.scene({ maxReceiveCount: 1_000 });
      const { ledger, url } = await postgres.ledger();
      await Promise.all(Array.from({ length: FILES }, (_, n) => scene.put(`raw/${n}.csv`, body(n))));
      const start = () => scene.worker({ ...SETTINGS, DATABASE_URL: url });
      const workers: WorkerProcess[] = await Promise.all(Array.from({ length: WORKERS }, start));
      const requests = Array.from({ length: WORKERS }, (_, n) =>
        ingestRequest({ requestId: `run-${n}`, mapping: MAPPING }),
      );
      for (const request of requests)
        await scene.send(request, { group: request.requestId, deduplication: request.requestId });

      let kills = 0;
      let seed = 7;
      const killing = new AbortController();
      const killer = (async () => {
        while (!killing.signal.aborted) {
          await new Promise((resolve) => setTimeout(resolve, KILL_EVERY_MS));
          if (killing.signal.aborted) return;
          seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
          const at = seed % WORKERS;
          await workers[at]!.kill();
          kills++;
          workers[at] = await start();
        }
      })();
      const deadline = setTimeout(() => killing.abort(), TIMEOUT_MS / 2);
      await eventually(
        'most files are loaded',
        async () => ((await statuses(ledger)).SUCCESS ?? 0) >= FILES * 0.9,
        { timeoutMs: TIMEOUT_MS, everyMs: 200 },
      );
      killing.abort();
      clearTimeout(deadline);
      await killer;
      for (const { requestId } of requests) {
        expect(await completed(scene, requestId, TIMEOUT_MS)).toMatchObject({
          status: 'SUCCESS',
          files: { failed: 0 },
        });
      }
      expect(kills).toBeGreaterThan(0);
      expect(await statuses(ledger)).toEqual({ SUCCESS: FILES });
      const log = await ledger.run('read', (db) => db.selectFrom('load_log').select('status').execute());
      expect(log).toHaveLength(FILES);
      expect(new Set(log.map(({ status }) => status))).toEqual(new Set(['success']));
      const rows = lines(await datasetRows(scene));
      expect(rows).toEqual(Array.from({ length: FILES }, (_, n) => `V ${day(n)} ${n}`));
      await scene.close();
    },
    TIMEOUT_MS * 2,
  );
});

async function stalledWorker(): Promise<void> {
  const scene = await rig.scene({ maxReceiveCount: 100 });
  const { ledger, url } = await postgres.ledger();
  await scene.put('raw/a.csv', body(1));
  // One loop, or the stalled one's other poll would take the second request and sit on it.
  const more = { WORKER_VISIBILITY_TIMEOUT_SECONDS: '60', WORKER_CONCURRENCY: '1' };
  const settings = { ...SETTINGS, ...more, DATABASE_URL: url };
  const stalled = await scene.worker(settings);
  // It has read the old version and is about to write it.
  const hold = scene.traffic.hold({ operation: 'PutObject', key: /projections/, worker: stalled.name });
  const first = ingestRequest({ requestId: 'stalled', mapping: MAPPING });
  await scene.send(first, { group: 'stalled', deduplication: 'stalled' });
  await hold.come(1, PATIENT);
  stalled.signal('SIGSTOP');
  await new Promise((resolve) => setTimeout(resolve, (LEASE + 1) * 1000));
  await scene.put('raw/a.csv', body(2));
  const other = await scene.worker(settings);
  const second = ingestRequest({ requestId: 'second', mapping: MAPPING });
  await scene.send(second, { group: 'second', deduplication: 'second' });
  expect(await completed(scene, 'second', PATIENT.timeoutMs)).toMatchObject({
    status: 'SUCCESS',
    files: { succeeded: 1 },
  });
  const wanted = [`V ${day(2)} 2`];
  expect(lines(await datasetRows(scene))).toEqual(wanted);

  hold.release(undefined);
  stalled.signal('SIGCONT');
  await completed(scene, 'stalled', PATIENT.timeoutMs);
  expect(lines(await datasetRows(scene))).toEqual(wanted);
  const loads = await eventually(
    'both loads are settled',
    async () => {
      const rows = await ledger.run('read', (db) =>
        db.selectFrom('load_log').select(['status', 'payload_meta']).orderBy('id').execute(),
      );
      return rows.some(({ status }) => status === 'pending') ? undefined : rows;
    },
    PATIENT,
  );
  // Its own version of the file was never settled by it; the other's stands.
  expect(loads.map(({ status, payload_meta }) => [status, payload_meta.run_id])).toEqual([
    ['skipped', 'stalled'],
    ['success', 'second'],
  ]);
  const files = await ledger.run('read', (db) =>
    db.selectFrom('processed_files').select(['status', 'run_id']).execute(),
  );
  expect(files).toEqual([{ status: 'SUCCESS', run_id: 'second' }]);
  expect(other.isRunning() && stalled.isRunning()).toBe(true);
  await scene.close();
}

async function noConnectionsLeft(): Promise<void> {
  const { default: pg } = await import('pg');
  const scene = await rig.scene({ maxReceiveCount: 100 });
  const { ledger, url } = await postgres.ledger();
  const role = `limited_${new URL(url).pathname.slice(1)}`;
  // Not a superuser, which no limit holds for, but with the owner's rights.
  await ledger.run('make a role', async (db) => {
    await sql`create role ${sql.id(role)} login password 'tidemill'`.execute(db);
    await sql`grant tidemill to ${sql.id(role)}`.execute(db);
  });
  const limited = Object.assign(new URL(url), { username: role }).href;
  const holders = [1, 2].map(() => new pg.Client({ connectionString: limited }));
  try {
    await Promise.all(Array.from({ length: 12 }, (_, n) => scene.put(`raw/${n}.csv`, body(n))));
    const worker = await scene.worker({ ...SETTINGS, DATABASE_URL: limited });
    const hold = scene.traffic.hold({ operation: 'PutObject', key: /projections\/.*parquet/ });
    const request = ingestRequest({ requestId: 'exhausted', mapping: MAPPING });
    await scene.send(request, { group: 'g', deduplication: 'exhausted' });
    await hold.come(2, PATIENT);

    // The others take all that there are, and the worker's own are cut.
    await Promise.all(holders.map((holder) => holder.connect()));
    const held = await Promise.all(
      holders.map(async (one) => (await one.query('select pg_backend_pid() as pid')).rows[0].pid as number),
    );
    await ledger.run('use up', async (db) => {
      await sql`alter role ${sql.id(role)} connection limit 2`.execute(db);
      await sql`select pg_terminate_backend(pid) from pg_stat_activity
          where usename = ${role} and not (pid = any(${held}::int[]))`.execute(db);
    });
    hold.release(undefined);
    const entry = await worker.logged('request retry', { ...PATIENT });
    expect(JSON.stringify(entry)).toContain('53300');
    expect((await worker.get('/healthz')).status).toBe(200);
    expect((await statuses(ledger)).SUCCESS).toBeUndefined();
    const loaded = await ledger.run('read', (db) => db.selectFrom('file_loads').selectAll().execute());
    expect(loaded).toEqual([]);
    expect(await scene.keys('datasets/d/current/')).toEqual([]);

    await ledger.run('set free', (db) => sql`alter role ${sql.id(role)} connection limit -1`.execute(db));
    expect(await completed(scene, 'exhausted', 60_000)).toMatchObject({
      status: 'SUCCESS',
      files: { succeeded: 12, failed: 0 },
      rows: 12,
    });
    expect(await statuses(ledger)).toEqual({ SUCCESS: 12 });
    expect(lines(await datasetRows(scene))).toEqual(Array.from({ length: 12 }, (_, n) => `V ${day(n)} ${n}`));
    expect(worker.isRunning()).toBe(true);
  } finally {
    await scene.close();
    await Promise.all(holders.map((holder) => holder.end()));
  }
}

type Loss = 'is stopped' | 'cuts its connections' | 'turns read-only';

async function databaseThat(how: Loss): Promise<void> {
  const own = await openPostgres();
  const scene = await rig.scene({ maxReceiveCount: 100 });
  try {
    const { ledger, url } = await own.ledger();
    await Promise.all(Array.from({ length: 12 }, (_, n) => scene.put(`raw/${n}.csv`, body(n))));
    const worker = await scene.worker({ ...SETTINGS, DATABASE_URL: url });
    const hold = scene.traffic.hold({ operation: 'PutObject', key: /projections\/.*parquet/ });
    await scene.send(ingestRequest({ requestId: how.replaceAll(' ', '-'), mapping: MAPPING }), {
      group: 'g',
      deduplication: how,
    });
    await hold.come(2, PATIENT);
    const name = new URL(url).pathname.slice(1);
    if (how === 'is stopped') await own.server.halt();
    if (how === 'turns read-only') {
      await ledger.run('lock', (db) =>
        sql`alter database ${sql.id(name)} set default_transaction_read_only = on`.execute(db),
      );
    }
    if (how !== 'is stopped') {
      await ledger
        .run('cut', (db) =>
          sql`select pg_terminate_backend(pid) from pg_stat_activity where datname = ${name} and pid <> pg_backend_pid()`.execute(
            db,
          ),
        )
        .catch(() => {});
    }
    hold.release(undefined);
    if (how !== 'cuts its connections') {
      await worker.logged('request retry', { ...PATIENT });
      expect((await worker.get('/healthz')).status).toBe(200);
      if (how === 'is stopped') await own.server.start();
      else {
        const { default: pg } = await import('pg');
        const client = new pg.Client({ connectionString: url });
        await client.connect();
        await client.query('set default_transaction_read_only = off');
        await client.query(`alter database "${name}" reset default_transaction_read_only`);
        await client.query(
          'select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and pid <> pg_backend_pid()',
          [name],
        );
        await client.end();
      }
    }
    expect(await completed(scene, how.replaceAll(' ', '-'), 60_000)).toMatchObject({
      status: 'SUCCESS',
      files: { succeeded: 12, failed: 0 },
      rows: 12,
    });
    expect(await statuses(ledger)).toEqual({ SUCCESS: 12 });
    expect(lines(await datasetRows(scene))).toEqual(Array.from({ length: 12 }, (_, n) => `V ${day(n)} ${n}`));
    expect(JSON.stringify(worker.log)).not.toContain('tidemill:tidemill@');
  } finally {
    await scene.close().finally(() => own.close());
  }
}

/** These wait far more than they compute: they begin together, each in a scene of its own. */
describe('side by side:', () => {
  const cases = {
    'a worker that stalls past its lease can not complete what another has taken over': stalledWorker,
    'a database without connections left fails the attempt as retryable, and the run ends well':
      noConnectionsLeft,
    'a database that is stopped: nothing is half done, and the run ends well': () =>
      databaseThat('is stopped'),
    'a database that cuts its connections: the same': () => databaseThat('cuts its connections'),
    'a database that turns read-only: the same': () => databaseThat('turns read-only'),
  } as const;
  let outcomes: readonly PromiseSettledResult<void>[] = [];

  beforeAll(async () => {
    outcomes = await Promise.allSettled(Object.values(cases).map((run) => run()));
  }, 240_000);

  test.each(Object.keys(cases))('%s', (name) => {
    const outcome = outcomes[Object.keys(cases).indexOf(name)];
    if (outcome?.status !== 'fulfilled') throw outcome?.reason ?? new Error('it did not begin');
  });
});
