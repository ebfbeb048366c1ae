/**
 * The load log: each piece of input of a source, once. `processOnce` is the whole protocol.
 *
 * Terms: a *claim* is a pending entry with a fencing token (`task_id`), alive as long as `updated_at` is
 * younger than the lease. Invariants:
 * - an entry is claimed by one conditional insert; two claimants never both get it;
 * - only the holder of the token completes, fails or releases the entry; what has been taken over can
 *   not be touched by its former owner, nor can a duplicate touch the owner's claim;
 * - the work's rows and the status `success` are committed in one transaction, or neither is.
 */

import { sql } from 'kysely';
import type { Clock } from '../common/clock.ts';
import { messageOf } from '../common/errors.ts';
import { freshId } from '../common/ids.ts';
import type { Ledger, LedgerTransaction } from './database.ts';
import { storableText } from './ledger-failure.ts';
import type { LoadStatus } from './tables.ts';

export interface OnceOptions {
  /** At most 128 characters. */
  readonly source: string;
  /** 64 hex digits; see idempotency-key.ts. */
  readonly key: string;
  readonly payloadMeta: Readonly<Record<string, unknown>>;
  /** Who processes, for people. */
  readonly processedBy: string;
  /** A claim without a sign of life for this long may be taken over. */
  readonly leaseSeconds: number;
  /** What a duplicate of a settled entry does: nothing, or merges its meta into the entry's. Default: skip. */
  readonly onDuplicate?: 'skip' | 'update_meta';
  /** Process again what was processed already (a replay). Never what another holds. */
  readonly again?: boolean;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** What work gives back: its value, and its rows, written in the transaction that settles the entry. */
export interface Worked<T> {
  readonly value: T;
  /** `skipped`: there was nothing to load. Default: success. */
  readonly status?: 'success' | 'skipped';
  /** Merged into the entry's meta. */
  readonly meta?: Readonly<Record<string, unknown>>;
  /** False: what it is about has passed to another meanwhile. Then it must have written nothing. */
  readonly write?: (tx: LedgerTransaction) => Promise<boolean>;
}

export interface OnceWork<T> {
  /** Does the work, outside of any transaction. Its signal aborts when the claim is lost. */
  work(claim: { readonly token: string; readonly signal: AbortSignal }): Promise<Worked<T>>;
  /** Rows about a failure, in the transaction that marks it. */
  onFailed?(tx: LedgerTransaction, error: unknown): Promise<void>;
  /** Rows about a claim given back unfinished, in the transaction that releases it; false: they are another's now. */
  onReleased?(tx: LedgerTransaction): Promise<boolean>;
  /** Rows to renew beside the claim; false: they are another's now. */
  onRenewed?(tx: LedgerTransaction): Promise<boolean>;
  /** Whether `error` is to be recorded as a failure; otherwise the claim is released. Default: yes. */
  isFailure?(error: unknown): boolean;
}

export type OnceOutcome<T> =
  | { readonly outcome: 'done'; readonly value: T }
  /** Settled before, by anyone. */
  | { readonly outcome: 'duplicate'; readonly status: LoadStatus }
  /** Another holds a living claim. */
  | { readonly outcome: 'busy' }
  /** Our claim was taken over while we worked; nothing was written. */
  | { readonly outcome: 'lost' };

/** The reason of a claim's signal: another has taken it over. */
class ClaimLostError extends Error {
  constructor() {
    super('the claim was taken over by another');
    this.name = 'ClaimLostError';
  }
}

async function claim(ledger: Ledger, options: OnceOptions, token: string): Promise<LoadStatus | 'claimed'> {
  const {
    source,
    key,
    payloadMeta,
    processedBy,
    leaseSeconds,
    onDuplicate = 'skip',
    again = false,
  } = options;
  const meta = JSON.stringify(payloadMeta);
  return await ledger.transact(
    'claim a load',
    async (tx) => {
      const claimed = await sql<{ id: number }>`
        insert into load_log as entry (source, idempotency_key, status, payload_meta, processed_by, task_id)
        values (${source}, ${key}, 'pending', ${meta}::jsonb, ${processedBy}, ${token})
        on conflict (source, idempotency_key) do update set
          status = 'pending', payload_meta = excluded.payload_meta, processed_by = excluded.processed_by,
          task_id = excluded.task_id, duration_ms = null, error_message = null, updated_at = now()
        where entry.status = 'failed' or entry.task_id = excluded.task_id
          or (entry.status = 'pending' and entry.updated_at < now() - make_interval(secs => ${leaseSeconds}))
          or (${again}::boolean and entry.status in ('success', 'skipped'))
        returning id`.execute(tx);
      if (claimed.rows.length > 0) return 'claimed';
      if (onDuplicate === 'update_meta') {
        await sql`update load_log set payload_meta = payload_meta || ${meta}::jsonb, updated_at = now()
          where source = ${source} and idempotency_key = ${key} and status in ('success', 'skipped')`.execute(
          tx,
        );
      }
      const found = await tx
        .selectFrom('load_log')
        .select('status')
        .where('source', '=', source)
        .where('idempotency_key', '=', key)
        .executeTakeFirst();
      return found?.status ?? 'pending';
    },
    options.signal,
  );
}

/** Whether the entry was still ours to settle; also true when we have settled it so already. */
async function settle(
  tx: LedgerTransaction,
  options: OnceOptions,
  token: string,
  to: { status: LoadStatus; durationMs: number; error?: string; meta?: Readonly<Record<string, unknown>> },
): Promise<'settled' | 'before' | 'lost'> {
  const { source, key } = options;
  const settled = await sql`
    update load_log set status = ${to.status}, duration_ms = ${Math.round(to.durationMs)}, updated_at = now(),
      error_message = ${to.error ?? null}, payload_meta = payload_meta || ${JSON.stringify(to.meta ?? {})}::jsonb
    where source = ${source} and idempotency_key = ${key} and status = 'pending' and task_id = ${token}
    returning id`.execute(tx);
  if (settled.rows.length > 0) return 'settled';
  // The commit may have been carried out though its answer was lost, and this is the second try.
  const same = await tx
    .selectFrom('load_log')
    .select('id')
    .where('source', '=', source)
    .where('idempotency_key', '=', key)
    .where('task_id', '=', token)
    .where('status', '=', to.status)
    .executeTakeFirst();
  return same === undefined ? 'lost' : 'before';
}

/** Ends an entry of ours whose matter has passed to another: nobody would come back to it. */
async function supersede(tx: LedgerTransaction, options: OnceOptions, token: string): Promise<void> {
  await sql`update load_log set status = 'skipped', updated_at = now(),
      payload_meta = payload_meta || '{"superseded": true}'
    where source = ${options.source} and idempotency_key = ${options.key} and task_id = ${token}`.execute(tx);
}

/** Renews the claim; false where it is no longer ours. */
async function renew<T>(
  ledger: Ledger,
  options: OnceOptions,
  token: string,
  work: OnceWork<T>,
): Promise<boolean> {
  return await ledger.transact('renew a claim', async (tx) => {
    const renewed = await sql`update load_log set updated_at = now()
      where source = ${options.source} and idempotency_key = ${options.key}
        and status = 'pending' and task_id = ${token} returning id`.execute(tx);
    if (renewed.rows.length === 0) return false;
    const ours = (await work.onRenewed?.(tx)) ?? true;
    if (!ours) await supersede(tx, options, token);
    return ours;
  });
}

/** Lets go of a claim that will not be finished: the next claimant need not wait for the lease. */
async function release<T>(
  ledger: Ledger,
  options: OnceOptions,
  token: string,
  work: OnceWork<T>,
): Promise<void> {
  await ledger.transact('release a claim', async (tx) => {
    const released = await sql`update load_log set updated_at = to_timestamp(0)
      where source = ${options.source} and idempotency_key = ${options.key}
        and status = 'pending' and task_id = ${token} returning id`.execute(tx);
    if (released.rows.length === 0) return;
    if ((await work.onReleased?.(tx)) === false) await supersede(tx, options, token);
  });
}

/**
 * Processes a piece of input of a source, unless it was processed before or is being processed.
 * @throws what `work` throws (recorded as failed with its message, cut to 1,024 characters, or released),
 *   and RetryableError where the ledger does not answer; then the claim stays until its lease is over
 */
export async function processOnce<T>(
  ledger: Ledger,
  options: OnceOptions,
  work: OnceWork<T>,
): Promise<OnceOutcome<T>> {
  const { clock, signal } = options;
  const token = freshId();
  const status = await claim(ledger, options, token);
  if (status === 'pending') return { outcome: 'busy' };
  if (status !== 'claimed') return { outcome: 'duplicate', status };

  const started = clock.monotonic();
  const durationMs = () => clock.monotonic() - started;
  const lost = new AbortController();
  const stopRenewing = clock.every((options.leaseSeconds * 1000) / 3, async () => {
    try {
      if (!(await renew(ledger, options, token, work))) lost.abort(new ClaimLostError());
    } catch {
      // The lease is longer than three of these: the next one may get through.
    }
  });
  let worked: Worked<T>;
  try {
    worked = await work.work({ token, signal: AbortSignal.any([signal, lost.signal]) });
  } catch (error) {
    stopRenewing();
    if (lost.signal.aborted) return { outcome: 'lost' };
    const isFailure = !signal.aborted && (work.isFailure?.(error) ?? true);
    if (!isFailure) {
      await release(ledger, options, token, work).catch(() => {}); // The lease ends it all the same.
      throw error;
    }
    const settled = await ledger.transact('record a failure', async (tx) => {
      const to = {
        status: 'failed',
        durationMs: durationMs(),
        error: storableText(messageOf(error)),
      } as const;
      const result = await settle(tx, options, token, to);
      if (result === 'settled') await work.onFailed?.(tx, error);
      return result;
    });
    if (settled === 'lost') return { outcome: 'lost' };
    throw error;
  }
  stopRenewing();
  const settled = await ledger.transact('complete a load', async (tx) => {
    const { status: to = 'success', meta = {} } = worked;
    const result = await settle(tx, options, token, { status: to, durationMs: durationMs(), meta });
    if (result !== 'settled' || worked.write === undefined || (await worked.write(tx))) return result;
    await supersede(tx, options, token);
    return 'lost';
  });
  return settled === 'lost' ? { outcome: 'lost' } : { outcome: 'done', value: worked.value };
}
