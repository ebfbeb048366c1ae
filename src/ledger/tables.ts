/**
 * The ledger's tables as types. Times are `timestamptz`, as Date; bigint columns fit a double and are
 * read as numbers (database.ts). Who changes which table: load-log.ts, file-ledger.ts, run-ledger.ts.
 */

import type { ColumnType, Generated, JSONColumnType } from 'kysely';

export const LOAD_STATUSES = ['pending', 'success', 'skipped', 'failed'] as const;
export type LoadStatus = (typeof LOAD_STATUSES)[number];

export const FILE_STATUSES = ['DISCOVERED', 'PROCESSING', 'SUCCESS', 'FAILED', 'SKIPPED'] as const;
export type FileStatus = (typeof FILE_STATUSES)[number];

export const RUN_STATUSES = ['RUNNING', 'SUCCESS', 'PARTIAL', 'FAILURE'] as const;
export type RunStatus = (typeof RUN_STATUSES)[number];

type Json = Readonly<Record<string, unknown>>;
type JsonColumn = JSONColumnType<Json, string, string>;
/** Set by the database unless said otherwise. */
type Stamp = ColumnType<Date, Date | undefined, Date>;

export interface LoadLogTable {
  id: Generated<number>;
  source: string;
  idempotency_key: string;
  status: LoadStatus;
  payload_meta: JsonColumn;
  processed_by: string | null;
  /** The claim's fencing token: whoever completes or fails the entry must hold it. */
  task_id: string | null;
  duration_ms: number | null;
  error_message: string | null;
  created_at: Stamp;
  /** Of a pending entry also the sign of life of who claimed it: the lease runs from here. */
  updated_at: Stamp;
}

export interface IngestionsTable {
  id: string;
  dataset_id: string;
  base_uri: string;
  /** Column -> kind, as its files had them so far (ingest/schema-check.ts). */
  known_columns: JsonColumn;
  created_at: Stamp;
  updated_at: Stamp;
}

export interface RunsTable {
  id: string;
  ingestion_id: string;
  /** Digest of how files are read and mapped; files are read again when it changes. */
  interpretation: string;
  status: RunStatus;
  request: JsonColumn;
  attempts: number;
  files_discovered: number | null;
  files_succeeded: number | null;
  files_failed: number | null;
  files_skipped: number | null;
  records_ingested: number | null;
  bytes_read: number | null;
  dataset_manifest: string | null;
  /** The completed event's body, once the run is done. */
  result: JSONColumnType<Json> | null;
  started_at: Stamp;
  finished_at: Date | null;
  created_at: Stamp;
  updated_at: Stamp;
}

export interface ProcessedFilesTable {
  id: Generated<number>;
  ingestion_id: string;
  run_id: string | null;
  file_path: string;
  file_size_bytes: number;
  file_modified_at: Date;
  file_etag: string;
  status: FileStatus;
  discovered_at: Stamp;
  processing_started_at: Date | null;
  processed_at: Date | null;
  records_ingested: number | null;
  bytes_read: number | null;
  processing_duration_ms: number | null;
  error_message: string | null;
  error_type: string | null;
  retry_count: Generated<number>;
  created_at: Stamp;
  updated_at: Stamp;
}

/** One row for each file whose rows are (to be) in the dataset: the version of it that they are from. */
export interface FileLoadsTable {
  file_id: number;
  ingestion_id: string;
  digest: string;
  file_etag: string;
  file_modified_at: Date;
  records_ingested: number;
}

/** The Parquet objects that hold the rows of a file's load. */
export interface FileOutputsTable {
  file_id: number;
  path: string;
  series_code: string;
  records: number;
  bytes: number;
}

export interface Tables {
  load_log: LoadLogTable;
  ingestions: IngestionsTable;
  runs: RunsTable;
  processed_files: ProcessedFilesTable;
  file_loads: FileLoadsTable;
  file_outputs: FileOutputsTable;
}
