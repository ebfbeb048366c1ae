/** Ingestions and their runs: one row for each request, from its first attempt to its stored answer. */

import { sql } from 'kysely';
import { InvalidRequestError } from '../common/errors.ts';
import type { Ledger } from './database.ts';
import type { FileScope } from './file-ledger.ts';
import { digestOfJson } from './idempotency-key.ts';
import { storableText } from './ledger-failure.ts';
import type { RunStatus } from './tables.ts';

type Json = Readonly<Record<string, unknown>>;

export interface RunStart {
  readonly runId: string;
  readonly ingestionId: string;
  readonly interpretation: string;
  readonly datasetId: string;
  readonly baseUri: string;
  readonly request: Json;
}

/** Takes down that an attempt begins; returns the columns that the ingestion's files had so far. */
export async function beginRun(
  ledger: Ledger,
  run: RunStart,
  signal?: AbortSignal,
): Promise<Record<string, string>> {
  const { runId, ingestionId, interpretation, datasetId, baseUri, request } = run;
  return await ledger.transact(
    'begin a run',
    async (tx) => {
      await sql`insert into ingestions as i (id, dataset_id, base_uri) values (${ingestionId}, ${datasetId}, ${baseUri})
        on conflict (id) do nothing`.execute(tx);
      // What columns files had is known by how they were read: read otherwise, it is learned anew.
      await sql`update ingestions set known_columns = '{}', updated_at = now() where id = ${ingestionId}
        and (select r.interpretation from runs r where r.ingestion_id = ${ingestionId}
          order by r.started_at desc limit 1) <> ${interpretation}`.execute(tx);
      const ingestion = await tx
        .selectFrom('ingestions')
        .select(['dataset_id', 'base_uri', 'known_columns'])
        .where('id', '=', ingestionId)
        .executeTakeFirstOrThrow();
      if (ingestion.dataset_id !== datasetId || ingestion.base_uri !== baseUri) {
        throw new InvalidRequestError(
          'CONFIG_ERROR',
          `ingestionId: "${ingestionId}" writes to dataset "${ingestion.dataset_id}" at ${ingestion.base_uri}; ` +
            'another target needs an ingestionId of its own',
        );
      }
      await sql`insert into runs as r (id, ingestion_id, interpretation, status, request)
        values (${runId}, ${ingestionId}, ${interpretation}, 'RUNNING', ${JSON.stringify(request)}::jsonb)
        on conflict (id) do update set attempts = r.attempts + 1,
          -- A copy of the request may have ended it since this attempt looked for its answer.
          status = case when r.result is null then 'RUNNING' else r.status end,
          interpretation = excluded.interpretation, request = excluded.request, updated_at = now()`.execute(
        tx,
      );
      return ingestion.known_columns as Record<string, string>;
    },
    signal,
  );
}

/** The stored answer of a run, or undefined where it is not done. */
export async function storedResult(
  ledger: Ledger,
  runId: string,
  signal?: AbortSignal,
): Promise<Json | undefined> {
  return await ledger.run(
    'look for a stored answer',
    async (db) => {
      const row = await db
        .selectFrom('runs')
        .select(['status', 'result'])
        .where('id', '=', runId)
        .where('status', '<>', 'RUNNING')
        .executeTakeFirst();
      return row?.result ?? undefined;
    },
    signal,
  );
}

export interface RunCounts {
  readonly succeeded: number;
  readonly failed: number;
  /** Done by this run as SKIPPED: the file was gone before it could be read. */
  readonly vanished: number;
  /** Still in work by this run, in whatever process. */
  readonly inWork: number;
  /** Waiting, for runs of this interpretation. */
  readonly waiting: number;
  /** Of these, those that this run may claim. */
  readonly claimable: number;
  readonly rows: number;
  readonly bytes: number;
}

/** How the files of a run stand now. */
export async function countRun(ledger: Ledger, scope: FileScope, signal?: AbortSignal): Promise<RunCounts> {
  const { ingestionId, runId, interpretation, ownOnly = false } = scope;
  return await ledger.run(
    'count the files of a run',
    async (db) => {
      const counted = await sql<RunCounts>`
        with waiting as (select p.run_id from processed_files p
          where p.ingestion_id = ${ingestionId} and p.status = 'DISCOVERED'
            and p.run_id in (select r.id from runs r
              where r.ingestion_id = ${ingestionId} and r.interpretation = ${interpretation}))
        select count(*) filter (where status = 'SUCCESS') as succeeded,
          count(*) filter (where status = 'FAILED') as failed,
          count(*) filter (where status = 'SKIPPED') as vanished,
          count(*) filter (where status = 'PROCESSING') as "inWork",
          (select count(*) from waiting) as waiting,
          (select count(*) from waiting w where w.run_id = ${runId} or not ${ownOnly}::boolean) as claimable,
          coalesce(sum(records_ingested) filter (where status = 'SUCCESS'), 0)::bigint as rows,
          coalesce(sum(bytes_read) filter (where status = 'SUCCESS'), 0)::bigint as bytes
        from processed_files where run_id = ${runId}`.execute(db);
      return counted.rows[0]!;
    },
    signal,
  );
}

/** The first few failures of a run, each as `file: what is wrong`. */
export async function failuresOf(ledger: Ledger, runId: string, limit: number, signal?: AbortSignal) {
  return await ledger.run(
    'read the failures of a run',
    (db) =>
      db
        .selectFrom('processed_files')
        .select(['file_path as path', 'error_type as type', 'error_message as message'])
        .where('run_id', '=', runId)
        .where('status', '=', 'FAILED')
        .orderBy('id')
        .limit(limit)
        .execute(),
    signal,
  );
}

export interface RunEnd {
  readonly status: Exclude<RunStatus, 'RUNNING'>;
  readonly discovered: number;
  readonly skipped: number;
  readonly counts: Pick<RunCounts, 'succeeded' | 'failed' | 'rows' | 'bytes'>;
  readonly datasetManifest: string | null;
  /** The completed event's body. */
  readonly result: Json;
}

export interface Refusal {
  readonly runId: string;
  readonly ingestionId: string;
  readonly code: string;
  readonly message: string;
}

/** A refused run may have no row of its own, as its ingestion may have none: the load log keeps the reason. */
const refusalKey = (runId: string) => digestOfJson({ refused_run: runId });

/** Takes down that a run was refused, and why; it has no stored answer, so that it may be asked for again. */
export async function refuseRun(ledger: Ledger, refusal: Refusal, signal?: AbortSignal): Promise<void> {
  const { runId, ingestionId, code } = refusal;
  const message = storableText(`${code}: ${refusal.message}`);
  await ledger.transact(
    'refuse a run',
    async (tx) => {
      await sql`update runs set status = 'FAILURE', finished_at = now(), updated_at = now()
        where id = ${runId} and status = 'RUNNING'`.execute(tx);
      await sql`insert into load_log (source, idempotency_key, status, payload_meta, error_message)
        values (${ingestionId}, ${refusalKey(runId)}, 'failed', ${JSON.stringify({ refused_run: runId })}::jsonb,
          ${message})
        on conflict (source, idempotency_key) do update set error_message = excluded.error_message,
          updated_at = now()`.execute(tx);
    },
    signal,
  );
}

/** Why a run was refused, or undefined where it was not. */
export async function refusalOf(
  ledger: Ledger,
  run: Pick<Refusal, 'runId' | 'ingestionId'>,
  signal?: AbortSignal,
): Promise<string | undefined> {
  return await ledger.run(
    'look for a refusal',
    async (db) => {
      const row = await db
        .selectFrom('load_log')
        .select('error_message')
        .where('source', '=', run.ingestionId)
        .where('idempotency_key', '=', refusalKey(run.runId))
        .executeTakeFirst();
      return row?.error_message ?? undefined;
    },
    signal,
  );
}

/**
 * Stores the answer, and gives the one that is stored: of two attempts that race, or of two copies of a
 * request, the first one's stays, and both must tell it.
 */
export async function endRun(
  ledger: Ledger,
  runId: string,
  end: RunEnd,
  signal?: AbortSignal,
): Promise<Json> {
  const { status, discovered, skipped, counts, datasetManifest, result } = end;
  await ledger.run(
    'end a run',
    (db) =>
      sql`update runs set status = ${status}, files_discovered = ${discovered}, files_skipped = ${skipped},
        files_succeeded = ${counts.succeeded}, files_failed = ${counts.failed},
        records_ingested = ${counts.rows}, bytes_read = ${counts.bytes}, dataset_manifest = ${datasetManifest},
        result = ${JSON.stringify(result)}::jsonb, finished_at = now(), updated_at = now()
        where id = ${runId} and status = 'RUNNING' and result is null`.execute(db),
    signal,
  );
  return (await storedResult(ledger, runId, signal)) ?? result;
}
