/**
 * The files of ingestions: found, claimed by one worker each, settled, and whose rows are in the dataset.
 *
 * Invariants: one row for each file of an ingestion; a file in work (PROCESSING) whose row was not
 * renewed for the lease may be claimed by another; settling is fenced by the load log (load-log.ts), in
 * the same transaction. What a file wrote before stays its load until a newer version of it succeeds.
 */

import { sql, type Updateable } from 'kysely';
import type { Ledger, LedgerTransaction } from './database.ts';
import { storableText } from './ledger-failure.ts';
import type { ProcessedFilesTable } from './tables.ts';

export interface FoundFile {
  /** `s3://bucket/key`. */
  readonly path: string;
  readonly size: number;
  /** Milliseconds since the epoch. */
  readonly modified: number;
  readonly etag: string;
}

export interface ClaimedFile extends FoundFile {
  readonly id: number;
  readonly retryCount: number;
}

/** The run on whose behalf files are found and claimed. */
export interface FileScope {
  readonly ingestionId: string;
  readonly runId: string;
  /** Runs of one interpretation share their files; another interpretation has them read again. */
  readonly interpretation: string;
  readonly leaseSeconds: number;
  /** Claim only what this run itself has put up, not what others left. */
  readonly ownOnly?: boolean;
}

export interface FindOptions {
  /** Take up what failed in another run. */
  readonly retryFailed: boolean;
  /** Take up everything, but what this run has done already. */
  readonly force: boolean;
  /** Take up what failed, changed since or not, and nothing else. */
  readonly failedOnly?: boolean;
}

/** Takes down a page of found files; returns how many of them are to be processed because of it. */
export async function recordFound(
  ledger: Ledger,
  scope: FileScope,
  files: readonly FoundFile[],
  options: FindOptions,
  signal?: AbortSignal,
): Promise<number> {
  if (files.length === 0) return 0;
  const { ingestionId, runId, interpretation, leaseSeconds } = scope;
  const paths = files.map(({ path }) => path);
  const sizes = files.map(({ size }) => size);
  const times = files.map(({ modified }) => modified / 1000);
  const etags = files.map(({ etag }) => etag);
  const { retryFailed, force, failedOnly = false } = options;
  return await ledger.run(
    'record found files',
    async (db) => {
      const taken = await sql<{ id: number }>`
        insert into processed_files as f
          (ingestion_id, run_id, file_path, file_size_bytes, file_modified_at, file_etag, status)
        select ${ingestionId}, ${runId}, path, size, to_timestamp(seconds), etag, 'DISCOVERED'
          from unnest(${paths}::text[], ${sizes}::bigint[], ${times}::double precision[], ${etags}::text[])
            as found (path, size, seconds, etag)
          where not ${failedOnly}::boolean or exists (select 1 from processed_files p
            where p.ingestion_id = ${ingestionId} and p.file_path = path and p.status = 'FAILED')
        on conflict (ingestion_id, file_path) do update set
          run_id = excluded.run_id, file_size_bytes = excluded.file_size_bytes,
          file_modified_at = excluded.file_modified_at, file_etag = excluded.file_etag,
          status = 'DISCOVERED', discovered_at = now(), updated_at = now(), processing_started_at = null,
          error_message = null, error_type = null,
          retry_count = case when f.status = 'FAILED' and f.file_etag = excluded.file_etag
            then f.retry_count + 1 else 0 end
        where not (f.status = 'PROCESSING' and f.updated_at >= now() - make_interval(secs => ${leaseSeconds}))
          and (f.status = 'FAILED' or not ${failedOnly}::boolean)
          and (f.file_etag <> excluded.file_etag or f.file_modified_at <> excluded.file_modified_at
            or f.file_size_bytes <> excluded.file_size_bytes
            or (select r.interpretation from runs r where r.id = f.run_id) is distinct from ${interpretation}
            or (f.run_id is distinct from ${runId}
              and ((f.status = 'FAILED' and ${retryFailed}::boolean)
                or (f.status in ('SUCCESS', 'FAILED', 'SKIPPED') and ${force}::boolean))))
        returning id`.execute(db);
      return taken.rows.length;
    },
    signal,
  );
}

/** Most files that `loadedButNot` tells of at once. */
export const GONE_AT_ONCE = 1_000;

/**
 * Files that the ledger has loaded, after `after` and up to `through` in byte order (undefined: no
 * bound), that are not among `present`: they are gone from the bucket, and their data stays. The first
 * `GONE_AT_ONCE` of them.
 */
export async function loadedButNot(
  ledger: Ledger,
  ingestionId: string,
  range: { readonly after: string; readonly through: string | undefined },
  present: readonly string[],
  signal?: AbortSignal,
): Promise<string[]> {
  return await ledger.run(
    'look for files that are gone',
    async (db) => {
      let query = db
        .selectFrom('processed_files as f')
        .innerJoin('file_loads as l', 'l.file_id', 'f.id')
        .select('f.file_path')
        .where('f.ingestion_id', '=', ingestionId)
        .where('f.file_path', '>', range.after);
      if (range.through !== undefined) query = query.where('f.file_path', '<=', range.through);
      const rows = await query
        .where(sql<boolean>`not (f.file_path = any(${present}::text[]))`)
        .orderBy('f.file_path')
        .limit(GONE_AT_ONCE)
        .execute();
      return rows.map((row) => row.file_path);
    },
    signal,
  );
}

interface ClaimRow {
  readonly id: number;
  readonly file_path: string;
  readonly file_size_bytes: number;
  readonly file_modified_at: Date;
  readonly file_etag: string;
  readonly retry_count: number;
}

/** Claims the next file that waits, or whose claim is past its lease; undefined where there is none. */
export async function claimFile(
  ledger: Ledger,
  scope: FileScope,
  signal?: AbortSignal,
): Promise<ClaimedFile | undefined> {
  const { ingestionId, runId, interpretation, leaseSeconds, ownOnly = false } = scope;
  const open = [
    sql`p.status = 'DISCOVERED'`,
    sql`p.status = 'PROCESSING' and p.updated_at < now() - make_interval(secs => ${leaseSeconds})`,
  ];
  return await ledger.run(
    'claim a file',
    async (db) => {
      for (const state of open) {
        const claimed = await sql<ClaimRow>`
          update processed_files f
          set status = 'PROCESSING', run_id = ${runId}, processing_started_at = now(), updated_at = now()
          where f.id = (
            select p.id from processed_files p
            where p.ingestion_id = ${ingestionId} and ${state}
              and (p.run_id = ${runId} or not ${ownOnly}::boolean)
              and p.run_id in (select r.id from runs r
                where r.ingestion_id = ${ingestionId} and r.interpretation = ${interpretation})
            order by p.id limit 1 for update skip locked)
          returning f.id, f.file_path, f.file_size_bytes, f.file_modified_at, f.file_etag, f.retry_count`.execute(
          db,
        );
        const [row] = claimed.rows;
        if (row === undefined) continue;
        return {
          id: row.id,
          path: row.file_path,
          size: row.file_size_bytes,
          modified: row.file_modified_at.getTime(),
          etag: row.file_etag,
          retryCount: row.retry_count,
        };
      }
      return undefined;
    },
    signal,
  );
}

export interface FileOutput {
  /** Below the dataset's projections folder. */
  readonly path: string;
  readonly series: string;
  readonly records: number;
  readonly bytes: number;
}

export interface FileLoad {
  /** What names the outputs of this load, and of no other. */
  readonly digest: string;
  readonly records: number;
  readonly bytesRead: number;
  readonly durationMs: number;
  readonly outputs: readonly FileOutput[];
  /** Column -> kind, to be added to what the ingestion knows. */
  readonly columns: Readonly<Record<string, string>>;
}

/**
 * Changes the row of a file in work, if it still is in work for this run and in this version: another
 * may have taken it over, or taken up a newer version, whose claim has another key in the load log.
 */
async function updateInWork(
  tx: LedgerTransaction,
  scope: FileScope,
  file: ClaimedFile,
  values: Updateable<ProcessedFilesTable>,
): Promise<boolean> {
  const updated = await tx
    .updateTable('processed_files')
    .set({ ...values, updated_at: sql`now()` })
    .where('id', '=', file.id)
    .where('status', '=', 'PROCESSING')
    .where('run_id', '=', scope.runId)
    .where('file_etag', '=', file.etag)
    .executeTakeFirst();
  return updated.numUpdatedRows > 0n;
}

/** The rows of a file that was processed: its state, and its outputs in place of those it had before. */
export async function writeLoad(
  tx: LedgerTransaction,
  scope: FileScope,
  file: ClaimedFile,
  load: FileLoad,
): Promise<boolean> {
  const { ingestionId } = scope;
  const ours = await updateInWork(tx, scope, file, {
    status: 'SUCCESS',
    processed_at: await transactionTime(tx),
    records_ingested: load.records,
    bytes_read: load.bytesRead,
    processing_duration_ms: Math.round(load.durationMs),
    error_message: null,
    error_type: null,
  });
  if (!ours) return false;
  await tx.deleteFrom('file_loads').where('file_id', '=', file.id).execute();
  await tx
    .insertInto('file_loads')
    .values({
      file_id: file.id,
      ingestion_id: ingestionId,
      digest: load.digest,
      file_etag: file.etag,
      file_modified_at: new Date(file.modified),
      records_ingested: load.records,
    })
    .execute();
  const { outputs } = load;
  await sql`
    insert into file_outputs (file_id, path, series_code, records, bytes)
    select ${file.id}, path, series, records, bytes
      from unnest(${outputs.map(({ path }) => path)}::text[], ${outputs.map(({ series }) => series)}::text[],
        ${outputs.map(({ records }) => records)}::bigint[], ${outputs.map(({ bytes }) => bytes)}::bigint[])
        as made (path, series, records, bytes)`.execute(tx);
  if (Object.keys(load.columns).length === 0) return true;
  const columns = JSON.stringify(load.columns);
  // Only where it changes something: this row is shared by all workers of the ingestion.
  await sql`update ingestions set known_columns = known_columns || ${columns}::jsonb, updated_at = now()
    where id = ${ingestionId} and not known_columns @> ${columns}::jsonb`.execute(tx);
  return true;
}

async function transactionTime(tx: LedgerTransaction): Promise<Date> {
  const { rows } = await sql<{ now: Date }>`select now() as now`.execute(tx);
  return rows[0]!.now;
}

/** The row of a file that failed, or of one that holds nothing to load. */
export async function writeUnloaded(
  tx: LedgerTransaction,
  scope: FileScope,
  file: ClaimedFile,
  status: 'FAILED' | 'SKIPPED',
  error: { readonly type: string; readonly message: string },
  durationMs: number,
): Promise<boolean> {
  return await updateInWork(tx, scope, file, {
    status,
    processed_at: await transactionTime(tx),
    processing_duration_ms: Math.round(durationMs),
    error_type: error.type,
    error_message: storableText(error.message),
  });
}

/** Gives a file in work back, to be claimed by anyone at once; false where it is not ours any more. */
export async function writeReleased(
  tx: LedgerTransaction,
  scope: FileScope,
  file: ClaimedFile,
): Promise<boolean> {
  return await updateInWork(tx, scope, file, { status: 'DISCOVERED', processing_started_at: null });
}

/** A sign of life for a file in work; false where it is not ours any more. */
export async function writeRenewed(
  tx: LedgerTransaction,
  scope: FileScope,
  file: ClaimedFile,
): Promise<boolean> {
  return await updateInWork(tx, scope, file, {});
}

export interface LoadedFile {
  readonly path: string;
  readonly digest: string;
  readonly etag: string;
  readonly modified: number;
  readonly records: number;
  readonly outputs: readonly FileOutput[];
}

/** Everything of the ingestion that is to be in its dataset, in order of file path. */
export async function loadedFiles(
  ledger: Ledger,
  ingestionId: string,
  signal?: AbortSignal,
): Promise<LoadedFile[]> {
  return await ledger.transact(
    'read what is loaded',
    async (tx) => {
      // One snapshot for both: a load is committed as a whole.
      await sql`set transaction isolation level repeatable read, read only`.execute(tx);
      const loads = await tx
        .selectFrom('file_loads as l')
        .innerJoin('processed_files as f', 'f.id', 'l.file_id')
        .select([
          'l.file_id',
          'f.file_path',
          'l.digest',
          'l.file_etag',
          'l.file_modified_at',
          'l.records_ingested',
        ])
        .where('l.ingestion_id', '=', ingestionId)
        .orderBy('f.file_path')
        .execute();
      const outputs = await tx
        .selectFrom('file_outputs as o')
        .innerJoin('file_loads as l', 'l.file_id', 'o.file_id')
        .select(['o.file_id', 'o.path', 'o.series_code', 'o.records', 'o.bytes'])
        .where('l.ingestion_id', '=', ingestionId)
        .execute();
      const byFile = new Map<number, FileOutput[]>();
      for (const { file_id, path, series_code, records, bytes } of outputs) {
        const output = { path, series: series_code, records, bytes };
        const group = byFile.get(file_id);
        if (group === undefined) byFile.set(file_id, [output]);
        else group.push(output);
      }
      return loads.map((load) => ({
        path: load.file_path,
        digest: load.digest,
        etag: load.file_etag,
        modified: load.file_modified_at.getTime(),
        records: load.records_ingested,
        outputs: byFile.get(load.file_id) ?? [],
      }));
    },
    signal,
  );
}
