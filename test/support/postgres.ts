/** The real Postgres of a test file: a server of its own, and a fresh database for each ledger. */

import { randomBytes } from 'node:crypto';
import { type Ledger, openLedger } from '../../src/ledger/database.ts';
import { type LocalPostgres, startLocalPostgres } from '../../src/local/local-postgres.ts';

export interface TestPostgres {
  readonly server: LocalPostgres;
  /** A database of its own, migrated, and a ledger on it. */
  ledger(): Promise<{ readonly ledger: Ledger; readonly url: string }>;
  close(): Promise<void>;
}

export async function openPostgres(): Promise<TestPostgres> {
  const server = await startLocalPostgres();
  const ledgers: Ledger[] = [];
  return {
    server,
    async ledger() {
      const url = await server.createDatabase(`t${randomBytes(6).toString('hex')}`);
      const ledger = openLedger({ url, connections: 8 });
      ledgers.push(ledger);
      await ledger.migrate();
      return { ledger, url };
    },
    async close() {
      await Promise.all(ledgers.map((ledger) => ledger.close()));
      await server.stop();
    },
  };
}
