/**
 * The real Postgres of a test file: a server of its own, and a fresh database for each ledger. It is the
 * embedded one, or with TEST_POSTGRES_BIN (as /usr/lib/postgresql/15/bin) that of the binaries there.
 */

import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { type Ledger, openLedger } from '../../src/ledger/database.ts';
import { type LocalPostgres, startLocalPostgres } from '../../src/local/local-postgres.ts';

export interface TestPostgres {
  readonly server: LocalPostgres;
  /** A database of its own, migrated, and a ledger on it. */
  ledger(): Promise<{ readonly ledger: Ledger; readonly url: string }>;
  close(): Promise<void>;
}

export async function openPostgres(): Promise<TestPostgres> {
  const binaries = process.env.TEST_POSTGRES_BIN;
  const server = await (binaries ? startInstalledPostgres(binaries) : startLocalPostgres());
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

const SYSTEM_USER = 'postgres';

/** A cluster of the installed server whose binaries are in `bin`; as root, it runs as the user postgres. */
async function startInstalledPostgres(bin: string): Promise<LocalPostgres> {
  const directory = mkdtempSync(join(tmpdir(), 'tidemill-pg-'));
  const run = promisify(execFile);
  const isRoot = process.getuid?.() === 0;
  const command = (name: string, ...words: string[]) =>
    isRoot
      ? run('runuser', ['-u', SYSTEM_USER, '--', join(bin, name), ...words])
      : run(join(bin, name), words);
  if (isRoot) {
    const { stdout } = await run('id', ['-u', SYSTEM_USER]);
    chownSync(directory, Number(stdout), statSync(directory).gid);
  }
  chmodSync(directory, 0o700);
  const data = join(directory, 'data');
  const port = await freePort();
  const url = (database: string) => `postgres://tidemill:tidemill@127.0.0.1:${port}/${database}`;
  const flags = `-p ${port} -h 127.0.0.1 -k ${directory} -c fsync=off -c synchronous_commit=off`;
  let running = false;
  const start = async () => {
    await command('pg_ctl', '-D', data, '-l', join(directory, 'log'), '-o', flags, '-w', 'start');
    running = true;
  };
  const halt = async () => {
    if (running) await command('pg_ctl', '-D', data, '-m', 'fast', '-w', 'stop');
    running = false;
  };
  await command(
    'initdb',
    '-D',
    data,
    '-U',
    'tidemill',
    '-A',
    'trust',
    '-E',
    'UTF8',
    '--locale=C',
    '--no-sync',
  );
  await start();
  return {
    url,
    async createDatabase(name) {
      const client = new pg.Client({ connectionString: url('postgres') });
      await client.connect();
      await client.query(`create database ${pg.escapeIdentifier(name)}`).finally(() => client.end());
      return url(name);
    },
    halt,
    start,
    async stop() {
      await halt();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
