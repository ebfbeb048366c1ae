/**
 * The ledger's schema, step by step. A step that was released is never changed: a new one follows it.
 * They are applied in order under Postgres's advisory lock (kysely's Migrator), so that any number of
 * workers may start at once. Postgres 14 and later.
 */

import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';

async function ledger(db: Kysely<unknown>): Promise<void> {
  const statements = [
    sql`create table load_log (
      id bigint generated always as identity primary key,
      source varchar(128) not null,
      idempotency_key char(64) not null check (idempotency_key ~ '^[0-9a-f]{64}$'),
      status text not null check (status in ('pending', 'success', 'skipped', 'failed')),
      payload_meta jsonb not null default '{}',
      processed_by text,
      task_id text,
      duration_ms bigint,
      error_message varchar(1024),
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now(),
      unique (source, idempotency_key))`,
    sql`create index load_log_recent on load_log (created_at desc, id desc)`,
    sql`create index load_log_unsettled on load_log (updated_at) where status in ('pending', 'failed')`,
    sql`create table ingestions (
      id varchar(128) primary key,
      dataset_id text not null,
      base_uri text not null,
      known_columns jsonb not null default '{}',
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now())`,
    sql`create table runs (
      id varchar(128) primary key,
      ingestion_id varchar(128) not null references ingestions (id),
      interpretation char(64) not null,
      status text not null check (status in ('RUNNING', 'SUCCESS', 'PARTIAL', 'FAILURE')),
      request jsonb not null,
      attempts integer not null default 1,
      files_discovered bigint, files_succeeded bigint, files_failed bigint, files_skipped bigint,
      records_ingested bigint,
      bytes_read bigint,
      dataset_manifest text,
      result jsonb,
      started_at timestamptz not null default now(),
      finished_at timestamptz,
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now())`,
    sql`create index runs_by_ingestion on runs (ingestion_id, started_at desc)`,
    sql`create index runs_recent on runs (started_at desc)`,
    sql`create table processed_files (
      id bigint generated always as identity primary key,
      ingestion_id varchar(128) not null references ingestions (id),
      run_id varchar(128) references runs (id),
      file_path text collate "C" not null,
      file_size_bytes bigint not null,
      file_modified_at timestamptz not null,
      file_etag text not null,
      status text not null check (status in ('DISCOVERED', 'PROCESSING', 'SUCCESS', 'FAILED', 'SKIPPED')),
      discovered_at timestamptz not null default now(),
      processing_started_at timestamptz,
      processed_at timestamptz,
      records_ingested bigint,
      bytes_read bigint,
      processing_duration_ms bigint,
      error_message varchar(1024),
      error_type text,
      retry_count integer not null default 0,
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now(),
      unique (ingestion_id, file_path))`,
    // Claims look for what waits, oldest first, and for claims past their lease.
    sql`create index processed_files_open on processed_files (ingestion_id, status, id)
      where status in ('DISCOVERED', 'PROCESSING')`,
    sql`create index processed_files_by_run on processed_files (run_id, status)`,
    sql`create index processed_files_by_status on processed_files (status, updated_at desc)`,
    sql`create table file_loads (
      file_id bigint primary key references processed_files (id) on delete cascade,
      ingestion_id varchar(128) not null references ingestions (id),
      digest text not null,
      file_etag text not null,
      file_modified_at timestamptz not null,
      records_ingested bigint not null)`,
    sql`create index file_loads_by_ingestion on file_loads (ingestion_id)`,
    sql`create table file_outputs (
      file_id bigint not null references file_loads (file_id) on delete cascade,
      path text not null,
      series_code text not null,
      records bigint not null,
      bytes bigint not null,
      primary key (file_id, path))`,
  ];
  for (const statement of statements) await statement.execute(db);
}

export const MIGRATIONS: Readonly<Record<string, Migration>> = {
  '0001_ledger': { up: ledger },
};
