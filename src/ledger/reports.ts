/** What people ask of the ledger: lists with filters, newest first, and freeing what hangs. */

import { sql } from 'kysely';
import type { Ledger } from './database.ts';
import type { FileStatus, LoadStatus, RunStatus } from './tables.ts';

export interface ReportFilter {
  readonly status?: string | undefined;
  /** The ingestion, or the load log's source. */
  readonly source?: string | undefined;
  /** Only what changed at this time or later, in milliseconds. */
  readonly since?: number | undefined;
  readonly limit: number;
}

export async function listRuns(ledger: Ledger, filter: ReportFilter, signal?: AbortSignal) {
  return await ledger.run(
    'list runs',
    (db) => {
      let query = db
        .selectFrom('runs')
        .select(['id', 'ingestion_id', 'status', 'attempts', 'files_discovered', 'files_succeeded'])
        .select([
          'files_failed',
          'files_skipped',
          'records_ingested',
          'bytes_read',
          'started_at',
          'finished_at',
        ])
        .orderBy('started_at', 'desc')
        .limit(filter.limit);
      if (filter.status !== undefined) query = query.where('status', '=', filter.status as RunStatus);
      if (filter.source !== undefined) query = query.where('ingestion_id', '=', filter.source);
      if (filter.since !== undefined) query = query.where('started_at', '>=', new Date(filter.since));
      return query.execute();
    },
    signal,
  );
}

export async function listFiles(ledger: Ledger, filter: ReportFilter, signal?: AbortSignal) {
  return await ledger.run(
    'list files',
    (db) => {
      let query = db
        .selectFrom('processed_files')
        .select(['file_path', 'ingestion_id', 'status', 'records_ingested', 'file_size_bytes', 'retry_count'])
        .select(['processing_duration_ms', 'error_type', 'error_message', 'updated_at'])
        .orderBy('updated_at', 'desc')
        .orderBy('id', 'desc')
        .limit(filter.limit);
      if (filter.status !== undefined) query = query.where('status', '=', filter.status as FileStatus);
      if (filter.source !== undefined) query = query.where('ingestion_id', '=', filter.source);
      if (filter.since !== undefined) query = query.where('updated_at', '>=', new Date(filter.since));
      return query.execute();
    },
    signal,
  );
}

export async function listLoads(ledger: Ledger, filter: ReportFilter, signal?: AbortSignal) {
  return await ledger.run(
    'list the load log',
    (db) => {
      let query = db
        .selectFrom('load_log')
        .select([
          'source',
          'idempotency_key',
          'status',
          'processed_by',
          'duration_ms',
          'error_message',
          'updated_at',
        ])
        .orderBy('created_at', 'desc')
        .orderBy('id', 'desc')
        .limit(filter.limit);
      if (filter.status !== undefined) query = query.where('status', '=', filter.status as LoadStatus);
      if (filter.source !== undefined) query = query.where('source', '=', filter.source);
      if (filter.since !== undefined) query = query.where('updated_at', '>=', new Date(filter.since));
      return query.execute();
    },
    signal,
  );
}

/**
 * Frees the files and loads in work that gave no sign of life for `olderThanSeconds`, for the next run to
 * take up at once. Whoever held them can not settle them any more.
 */
export async function unlockStale(ledger: Ledger, olderThanSeconds: number, signal?: AbortSignal) {
  return await ledger.transact(
    'unlock what is stale',
    async (tx) => {
      const files = await sql`update processed_files set status = 'DISCOVERED', processing_started_at = null,
        updated_at = now() where status = 'PROCESSING'
        and updated_at < now() - make_interval(secs => ${olderThanSeconds}) returning id`.execute(tx);
      const loads = await sql`update load_log set status = 'failed', task_id = null, updated_at = now(),
        error_message = 'unlocked by hand: no sign of life' where status = 'pending'
        and updated_at < now() - make_interval(secs => ${olderThanSeconds}) returning id`.execute(tx);
      return { files: files.rows.length, loads: loads.rows.length };
    },
    signal,
  );
}

/** The request of an ingestion's latest run, or undefined where it has none. */
export async function latestRequest(ledger: Ledger, ingestionId: string, signal?: AbortSignal) {
  return await ledger.run(
    'find the latest request',
    async (db) => {
      const row = await db
        .selectFrom('runs')
        .select('request')
        .where('ingestion_id', '=', ingestionId)
        .orderBy('started_at', 'desc')
        .limit(1)
        .executeTakeFirst();
      return row?.request;
    },
    signal,
  );
}

/** How far a run is, for a progress bar; undefined while no attempt of it has begun. */
export async function runProgress(ledger: Ledger, runId: string, signal?: AbortSignal) {
  return await ledger.run(
    'look at a run',
    async (db) => {
      const found = await sql<{
        status: RunStatus;
        result: Record<string, unknown> | null;
        done: number;
        open: number;
      }>`
        select r.status, r.result,
          count(f.id) filter (where f.status in ('SUCCESS', 'FAILED', 'SKIPPED')) as done,
          count(f.id) filter (where f.status in ('DISCOVERED', 'PROCESSING')) as open
        from runs r left join processed_files f on f.run_id = r.id where r.id = ${runId} group by r.id`.execute(
        db,
      );
      return found.rows[0];
    },
    signal,
  );
}

/** The datasets with this id that ingestions write, each by where it lies. */
export async function datasetPlaces(
  ledger: Ledger,
  datasetId: string,
  signal?: AbortSignal,
): Promise<string[]> {
  const rows = await ledger.run(
    'look for a dataset',
    (db) =>
      db
        .selectFrom('ingestions')
        .select('base_uri')
        .distinct()
        .where('dataset_id', '=', datasetId)
        .orderBy('base_uri')
        .execute(),
    signal,
  );
  return rows.map(({ base_uri }) => base_uri);
}

/** What names the outputs of every load that the dataset at `baseUri` stands on, whichever ingestion's. */
export async function loadedDigests(
  ledger: Ledger,
  baseUri: string,
  signal?: AbortSignal,
): Promise<Set<string>> {
  const rows = await ledger.run(
    'read the loads of a dataset',
    (db) =>
      db
        .selectFrom('file_loads as l')
        .innerJoin('ingestions as i', 'i.id', 'l.ingestion_id')
        .select('l.digest')
        .where('i.base_uri', '=', baseUri)
        .execute(),
    signal,
  );
  return new Set(rows.map(({ digest }) => digest));
}
