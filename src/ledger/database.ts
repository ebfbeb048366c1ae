/**
 * The ledger's database: one pool of Postgres connections and Kysely over it, migrations, and failures
 * as domain errors. Every statement is parameterised; the URL, which holds the password, is shown nowhere.
 */

import { Kysely, PostgresDialect, type Transaction } from 'kysely';
import { type Migration, type MigrationProvider, Migrator } from 'kysely/migration';
import pg from 'pg';
import { type RetryObserver, retry } from '../common/retry.ts';
import { isPassingLedgerFailure, ledgerFailure } from './ledger-failure.ts';
import { MIGRATIONS } from './migrations.ts';
import type { Tables } from './tables.ts';

export interface LedgerSettings {
  /** `postgres://user:password@host:port/database`: a secret. */
  readonly url: string;
  /** Most connections of this process. */
  readonly connections: number;
}

export type LedgerTransaction = Transaction<Tables>;
export type LedgerDatabase = Kysely<Tables>;

export interface Ledger {
  /**
   * Runs statements that may be repeated: lost connections and deadlocks are tried again a few times.
   * @throws RetryableError, `The ledger failed to <what>: <SQLSTATE>`
   */
  run<T>(what: string, work: (db: LedgerDatabase) => Promise<T>, signal?: AbortSignal): Promise<T>;
  /** The same, in one transaction. `work` may run more than once, each time from the beginning. */
  transact<T>(what: string, work: (tx: LedgerTransaction) => Promise<T>, signal?: AbortSignal): Promise<T>;
  /** Brings the schema up to date, once for this process; returns the names of the steps applied now. */
  migrate(signal?: AbortSignal): Promise<readonly string[]>;
  close(): Promise<void>;
}

const POLICY = { attempts: 4, firstDelayMs: 50, maxDelayMs: 1_000 } as const;
const INT8 = 20;
const CONNECT_MS = 5_000;
const STATEMENT_MS = 60_000;
const IDLE_MS = 30_000;
/** A process that stalls in the middle of a transaction holds its locks no longer than this. */
const IDLE_IN_TRANSACTION_MS = 5_000;

/** bigint as a number: counts, bytes and ids are far below 2^53. */
const types = {
  getTypeParser(oid: number, format?: 'text' | 'binary') {
    return oid === INT8 ? Number : pg.types.getTypeParser(oid, format as 'text');
  },
} as pg.CustomTypesConfig;

/** Opens no connection yet: the first statement does. */
export function openLedger(settings: LedgerSettings, observe?: RetryObserver): Ledger {
  const pool = new pg.Pool({
    connectionString: settings.url,
    max: settings.connections,
    application_name: 'tidemill',
    connectionTimeoutMillis: CONNECT_MS,
    statement_timeout: STATEMENT_MS,
    query_timeout: STATEMENT_MS + CONNECT_MS,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
    idleTimeoutMillis: IDLE_MS,
    keepAlive: true,
    types,
  });
  // A connection that breaks, idle or in use, is replaced at its next use, and a statement under way fails;
  // without listeners either would end the process.
  pool.on('error', () => {});
  pool.on('connect', (client) => client.on('error', () => {}));
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }), log: [] });
  let migrated: Promise<readonly string[]> | undefined;

  async function guarded<T>(
    what: string,
    work: () => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const attempt = async () => {
      signal?.throwIfAborted();
      try {
        return await work();
      } catch (error) {
        signal?.throwIfAborted();
        throw ledgerFailure(error, what);
      }
    };
    return await retry(attempt, {
      operation: 'ledger',
      policy: POLICY,
      signal,
      observe,
      shouldRetry: (error) => !signal?.aborted && isPassingLedgerFailure(error),
    });
  }

  return {
    run: (what, work, signal) => guarded(what, () => work(db), signal),
    transact: (what, work, signal) => guarded(what, () => db.transaction().execute(work), signal),
    async migrate(signal) {
      migrated ??= guarded('apply its migrations', () => applyMigrations(db), signal).catch((error) => {
        migrated = undefined;
        throw error;
      });
      return await migrated;
    },
    close: () => db.destroy(),
  };
}

async function applyMigrations(db: LedgerDatabase): Promise<readonly string[]> {
  const provider: MigrationProvider = {
    getMigrations: async () => ({ ...MIGRATIONS }) as Record<string, Migration>,
  };
  const migrator = new Migrator({
    db,
    provider,
    migrationTableName: 'tidemill_migrations',
    migrationLockTableName: 'tidemill_migrations_lock',
  });
  const { error, results = [] } = await migrator.migrateToLatest();
  if (error !== undefined) throw error;
  return results.map(({ migrationName }) => migrationName);
}
