import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import { systemClock } from '../../src/common/clock.ts';
import { type Ledger, openLedger } from '../../src/ledger/database.ts';
import { blake2Hex } from '../../src/ledger/idempotency-key.ts';
import { type OnceOptions, type OnceWork, processOnce } from '../../src/ledger/load-log.ts';
import { openPostgres, type TestPostgres } from '../support/postgres.ts';

let postgres: TestPostgres;
let ledger: Ledger;
let url: string;

beforeAll(async () => {
  postgres = await openPostgres();
});
afterAll(async () => {
  await postgres.close();
});
beforeEach(async () => {
  ({ ledger, url } = await postgres.ledger());
  await ledger.run('make a table', (db) => sql`create table made (text text not null)`.execute(db));
});

const KEY = blake2Hex('a');

function options(more: Partial<OnceOptions> = {}): OnceOptions {
  return {
    source: 'test',
    key: KEY,
    payloadMeta: { n: 1 },
    processedBy: 'tests',
    leaseSeconds: 30,
    clock: systemClock,
    signal: new AbortController().signal,
    ...more,
  };
}

/** Work that writes one row, after `before`. */
function writing(text: string, before: () => Promise<void> | void = () => {}): OnceWork<string> {
  return {
    async work() {
      await before();
      return {
        value: text,
        write: async (tx) => {
          await sql`insert into made values (${text})`.execute(tx);
          return true;
        },
      };
    },
  };
}

const rows = async () =>
  (
    await ledger.run('read', (db) => sql<{ text: string }>`select text from made order by text`.execute(db))
  ).rows.map(({ text }) => text);
const entry = async () =>
  await ledger.run('read', (db) => db.selectFrom('load_log').selectAll().executeTakeFirstOrThrow());

describe('migrations', () => {
  test('are applied once, by however many workers start at once', async () => {
    const fresh = await postgres.server.createDatabase(`m${Date.now()}`);
    const ledgers = Array.from({ length: 6 }, () => openLedger({ url: fresh, connections: 2 }));
    const applied = await Promise.all(ledgers.map((one) => one.migrate()));
    expect(applied.flat()).toEqual(['0001_ledger']);
    expect(await ledgers[0]!.migrate()).toEqual(await ledgers[0]!.migrate());
    await Promise.all(ledgers.map((one) => one.close()));
  });
});

describe('processOnce', () => {
  test('does the work once and commits its rows with the status', async () => {
    expect(await processOnce(ledger, options(), writing('a'))).toEqual({ outcome: 'done', value: 'a' });
    expect(await rows()).toEqual(['a']);
    expect(await entry()).toMatchObject({
      source: 'test',
      idempotency_key: KEY,
      status: 'success',
      processed_by: 'tests',
    });
    expect(await processOnce(ledger, options(), writing('b'))).toEqual({
      outcome: 'duplicate',
      status: 'success',
    });
    expect(await rows()).toEqual(['a']);
    expect((await entry()).payload_meta).toEqual({ n: 1 });
  });

  test('merges the meta of a duplicate when it is to', async () => {
    await processOnce(ledger, options(), writing('a'));
    const again = options({ onDuplicate: 'update_meta', payloadMeta: { seen: 'twice' } });
    expect(await processOnce(ledger, again, writing('b'))).toMatchObject({ outcome: 'duplicate' });
    expect((await entry()).payload_meta).toEqual({ n: 1, seen: 'twice' });
    expect(await rows()).toEqual(['a']);
  });

  test('lets one of twenty at once do the work', async () => {
    let works = 0;
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, () =>
        processOnce(
          ledger,
          options(),
          writing('a', async () => {
            works++;
            await systemClock.sleep(100);
          }),
        ),
      ),
    );
    expect(works).toBe(1);
    expect(outcomes.filter(({ outcome }) => outcome === 'done')).toHaveLength(1);
    expect(await rows()).toEqual(['a']);
  });

  test('marks a failure with its message, cut and clean, and lets the next one try again', async () => {
    const message = `bad \u0000 thing ${'x'.repeat(5_000)}\ud83d`;
    const failing: OnceWork<string> = {
      work: async () => {
        throw new Error(message);
      },
    };
    await expect(processOnce(ledger, options(), failing)).rejects.toThrow('bad');
    const failed = await entry();
    expect(failed.status).toBe('failed');
    expect(failed.error_message).toMatch(/^bad {2,3}thing x+…$/);
    expect(failed.error_message!.length).toBeLessThanOrEqual(1024);
    expect(await processOnce(ledger, options(), writing('b'))).toEqual({ outcome: 'done', value: 'b' });
    expect((await entry()).error_message).toBeNull();
  });

  test('commits nothing of work whose rows can not be written', async () => {
    const broken: OnceWork<string> = {
      work: async () => ({
        value: 'a',
        async write(tx) {
          await sql`insert into made values ('half')`.execute(tx);
          await sql`insert into made values (null)`.execute(tx);
          return true;
        },
      }),
    };
    await expect(processOnce(ledger, options(), broken)).rejects.toMatchObject({
      kind: 'retryable',
      fields: { sql_state: '23502' },
    });
    expect(await rows()).toEqual([]);
    expect((await entry()).status).toBe('pending');
  });

  test('fences: who stalls past the lease can neither complete nor fail what was taken over', async () => {
    for (const end of ['complete', 'fail'] as const) {
      const key = blake2Hex(end);
      let wake = () => {};
      const stalled = new Promise<void>((resolve) => {
        wake = resolve;
      });
      // A lease so long that nothing is renewed while it stalls: made stale by hand.
      const first = processOnce(
        ledger,
        options({ key }),
        writing(`stalled ${end}`, async () => {
          await stalled;
          if (end === 'fail') throw new Error('stalled and failed');
        }),
      );
      await systemClock.sleep(50);
      expect(await processOnce(ledger, options({ key }), writing('too early'))).toEqual({ outcome: 'busy' });
      await ledger.run('age', (db) =>
        sql`update load_log set updated_at = now() - interval '31 seconds' where idempotency_key = ${key}`.execute(
          db,
        ),
      );
      expect(await processOnce(ledger, options({ key }), writing(`second ${end}`))).toMatchObject({
        outcome: 'done',
      });
      wake();
      expect(await first).toEqual({ outcome: 'lost' });
    }
    expect(await rows()).toEqual(['second complete', 'second fail']);
    const statuses = await ledger.run('read', (db) =>
      db.selectFrom('load_log').select(['status', 'error_message']).execute(),
    );
    expect(statuses).toEqual([
      { status: 'success', error_message: null },
      { status: 'success', error_message: null },
    ]);
  });

  test('renews its claim while it works, and tells the work when the claim is lost', async () => {
    const short = options({ leaseSeconds: 1 });
    const working = processOnce(
      ledger,
      short,
      writing('a', () => systemClock.sleep(1_700)),
    );
    await systemClock.sleep(1_400);
    expect(await processOnce(ledger, short, writing('b'))).toEqual({ outcome: 'busy' });
    expect(await working).toMatchObject({ outcome: 'done' });

    const other = options({ key: blake2Hex('other'), leaseSeconds: 1 });
    const losing = processOnce(ledger, other, {
      work: ({ signal }) => systemClock.sleep(20_000, signal).then(() => ({ value: 'never' })),
    });
    await systemClock.sleep(50);
    await ledger.run('steal', (db) =>
      sql`update load_log set task_id = 'thief' where idempotency_key = ${other.key}`.execute(db),
    );
    expect(await losing).toEqual({ outcome: 'lost' });
  });

  test('gives the claim back when it is told to stop, so that the next need not wait', async () => {
    const stop = new AbortController();
    const begun = Promise.withResolvers<void>();
    const working = processOnce(ledger, options({ signal: stop.signal }), {
      async work({ signal }) {
        begun.resolve();
        await systemClock.sleep(20_000, signal);
        return { value: 'never' };
      },
    });
    await begun.promise;
    stop.abort(new Error('stop'));
    await expect(working).rejects.toThrow('stop');
    expect((await entry()).status).toBe('pending');
    expect(await processOnce(ledger, options(), writing('next'))).toEqual({ outcome: 'done', value: 'next' });
  });

  test.each<[when: string, work: Partial<OnceWork<string>>]>([
    ['it renews the claim', { onRenewed: async () => false }],
    ['it gives the claim back', { onReleased: async () => false, isFailure: () => false }],
  ])('ends the entry of who finds, as %s, that its matter has passed to another', async (_, more) => {
    const work: OnceWork<string> = {
      ...writing('never'),
      async work({ signal }) {
        if (more.onRenewed === undefined) throw new Error('S3 is away');
        await systemClock.sleep(20_000, signal);
        throw new Error('nobody told');
      },
      ...more,
    };
    const ended = processOnce(ledger, options({ leaseSeconds: 0.3 }), work);
    if (more.onRenewed === undefined) await expect(ended).rejects.toThrow('S3 is away');
    else expect(await ended).toEqual({ outcome: 'lost' });
    expect(await entry()).toMatchObject({ status: 'skipped', payload_meta: { superseded: true } });
    expect(await rows()).toEqual([]);
  });

  test('keeps hostile texts as data', async () => {
    const source = `'; drop table load_log; --`;
    const meta = { file: `x'); delete from made; --`, quote: '"\\' };
    await processOnce(
      ledger,
      options({ source, payloadMeta: meta }),
      writing(`robert'); drop table made; --`),
    );
    expect(await rows()).toEqual([`robert'); drop table made; --`]);
    expect(await entry()).toMatchObject({ source, payload_meta: meta });
  });
});

describe('a ledger that is away', () => {
  test('fails as retryable within seconds, without the password, and recovers', async () => {
    const own = await openPostgres();
    const { ledger: lonely, url: itsUrl } = await own.ledger();
    await own.server.halt();
    const failure = await lonely
      .run('read', (db) => db.selectFrom('load_log').selectAll().execute())
      .catch((e: unknown) => e);
    expect(failure).toMatchObject({ kind: 'retryable', code: 'INTERNAL_ERROR' });
    expect(JSON.stringify(failure)).not.toContain(
      new URL(itsUrl).password === '' ? '?' : `:${new URL(itsUrl).password}@`,
    );
    await own.server.start();
    expect(await lonely.run('read', (db) => db.selectFrom('load_log').selectAll().execute())).toEqual([]);
    await own.close();
  });

  test('a read-only database fails as retryable, and nothing is written', async () => {
    const name = new URL(url).pathname.slice(1);
    await ledger.run('lock', (db) =>
      sql`alter database ${sql.id(name)} set default_transaction_read_only = on`.execute(db),
    );
    const readOnly = openLedger({ url, connections: 1 });
    await expect(processOnce(readOnly, options(), writing('a'))).rejects.toMatchObject({
      kind: 'retryable',
      fields: { sql_state: '25006' },
    });
    await readOnly.close();
    expect(await rows()).toEqual([]);
  });
});
