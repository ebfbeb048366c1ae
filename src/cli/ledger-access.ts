/** The ledger as commands reach it: DATABASE_URL of the environment, of a running demo, or of .env. */

import { existsSync, readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { systemClock } from '../common/clock.ts';
import { VARIABLES } from '../config.ts';
import type { Ledger } from '../ledger/database.ts';
import { CommandFailure, UsageError } from './command.ts';
import { instantOf } from './instant.ts';
import { findRunningDemo } from './state-directory.ts';

/** The URL, or undefined where nothing names one. It is a secret: never shown. */
export function findDatabaseUrl(): string | undefined {
  const { name } = VARIABLES.databaseUrl;
  const dotenv = existsSync('.env') ? parseEnv(readFileSync('.env', 'utf8')) : {};
  return process.env[name] || findRunningDemo()?.values[name] || dotenv[name];
}

/** Opens the ledger, its schema up to date, and closes it when `work` is done. */
export async function withLedger<T>(
  work: (ledger: Ledger, applied: readonly string[]) => Promise<T>,
): Promise<T> {
  const url = findDatabaseUrl();
  if (url === undefined) {
    const { name } = VARIABLES.databaseUrl;
    throw new CommandFailure(
      `error: no ledger: ${name} is neither in the environment nor in .env, and no demo with one runs here`,
    );
  }
  const { openLedger } = await import('../ledger/database.ts');
  const ledger = openLedger({ url, connections: 2 });
  try {
    return await work(ledger, await ledger.migrate());
  } finally {
    await ledger.close();
  }
}

/** A time option: as `instantOf` has it, or an age as `90m`, `24h`, `7d`; in milliseconds since the epoch. */
export function timeOption(name: string): (text: string) => number {
  return (text) => {
    const age = /^(\d+)([mhd])$/.exec(text);
    if (age !== null) {
      const unit = { m: 60_000, h: 3_600_000, d: 86_400_000 }[age[2] as 'm' | 'h' | 'd'];
      return systemClock.now() - Number(age[1]) * unit;
    }
    const at = instantOf(text);
    if (at === undefined)
      throw new UsageError(`${name} must be a time or an age, as 2026-01-31 or 24h, got "${text}"`);
    return at;
  };
}
