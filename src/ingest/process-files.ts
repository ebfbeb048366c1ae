/**
 * Processing a run's files: claimed one at a time by each lane, loaded in a thread, settled in the
 * ledger. A file's own fault is recorded and the run goes on; what is not the file's fault ends the run
 * as it is, its claims given back, to be tried again.
 */

import { hostname } from 'node:os';
import type { Logger } from 'pino';
import type { Clock } from '../common/clock.ts';
import { codeOf, InvalidRequestError, messageOf, RetryableError, TidemillError } from '../common/errors.ts';
import { freshId } from '../common/ids.ts';
import type { IngestRunRequest } from '../contract/ingest-run.ts';
import type { ObjectLocation } from '../contract/object-location.ts';
import type { Lake } from '../lake/lake.ts';
import type { LakeObserver } from '../lake/request-observer.ts';
import type { ThreadPool } from '../lake/thread-pool.ts';
import type { Ledger } from '../ledger/database.ts';
import {
  type ClaimedFile,
  claimFile,
  type FileScope,
  writeLoad,
  writeReleased,
  writeRenewed,
  writeUnloaded,
} from '../ledger/file-ledger.ts';
import { idempotencyKey } from '../ledger/idempotency-key.ts';
import { processOnce } from '../ledger/load-log.ts';
import { countRun } from '../ledger/run-ledger.ts';
import { badRowsOf, type Dataset, projectionsOf } from './dataset-store.ts';
import type { Loaded, LoadInput } from './load-file.ts';
import { outputDigest } from './series-path.ts';
import type { IngestSettings } from './settings.ts';

export interface ProcessObserver extends LakeObserver {
  fileLoaded(job: string, rows: number, outputs: number, seconds: number): void;
  badRows(job: string, reason: string, count: number): void;
  fileFailed(): void;
}

export interface ProcessParts {
  readonly lake: Lake;
  readonly ledger: Ledger;
  readonly pool: ThreadPool;
  readonly clock: Clock;
  readonly observer: ProcessObserver;
  readonly logger: Logger;
  readonly settings: IngestSettings;
}

export interface ProcessRun {
  readonly request: IngestRunRequest;
  readonly scope: FileScope;
  readonly dataset: Dataset;
  /** Column -> kind, as earlier files had them; learned columns are added as files succeed. */
  readonly knownColumns: Record<string, string>;
  /** How many files there are to process, for the progress. */
  readonly expected: number;
  readonly progress: (fraction: number) => void;
  readonly signal: AbortSignal;
}

const EXTENSION = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
const THREAD_MODULE = new URL(`./thread.${EXTENSION}`, import.meta.url);
/** Why a file could not be loaded, where that is the file's own affair. */
class FileError extends Error {
  readonly type: string;
  readonly status: 'FAILED' | 'SKIPPED';

  constructor(type: string, message: string, status: 'FAILED' | 'SKIPPED', cause: unknown) {
    super(message, { cause });
    this.name = 'FileError';
    this.type = type;
    this.status = status;
  }
}

function locationOf(path: string): ObjectLocation {
  const slash = path.indexOf('/', 5);
  return { bucket: path.slice(5, slash), key: path.slice(slash + 1) };
}

/** Who this process is, in the ledger. */
export function workerName(): string {
  return `${hostname()}:${process.pid}`.slice(0, 128);
}

export async function processFiles(
  run: ProcessRun,
  parts: ProcessParts,
): Promise<{ newColumns: readonly string[] }> {
  const { request, scope, dataset, knownColumns, signal } = run;
  const { lake, ledger, pool, clock, observer, settings } = parts;
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const newColumns = new Set<string>();
  const fractions = new Map<number, number>();
  let begun = (await countRun(ledger, scope, signal)).succeeded;
  let finished = begun;

  const tell = () => {
    let sum = finished;
    for (const fraction of fractions.values()) sum += fraction;
    run.progress(Math.min(1, sum / Math.max(1, run.expected)));
  };

  function inputOf(file: ClaimedFile): LoadInput {
    const location = locationOf(file.path);
    const digest = outputDigest({ uri: file.path, etag: file.etag, load: freshId() });
    return {
      file: { location, size: file.size, etag: file.etag },
      format: request.format,
      read: request.read,
      mapping: request.mapping,
      maxBadRows: request.options.maxBadRows,
      digest,
      projections: projectionsOf(dataset),
      badRows: badRowsOf(dataset, digest),
      knownColumns,
      compression: settings.compression,
      streamingBytes: settings.streamingBytes,
      budgetBytes: settings.budgetBytes,
    };
  }

  /** What a failure of a file means: the file's own affair as `FileError`, anything else unchanged. */
  async function judged(error: unknown, file: ClaimedFile): Promise<unknown> {
    if (either.aborted) return error;
    if (error instanceof TidemillError && error.code !== 'INPUT_READ_ERROR') return error;
    const facts = await lake.store
      .head(locationOf(file.path), { signal: either })
      .catch(() => 'unknown' as const);
    if (facts === undefined && error instanceof RetryableError) return error;
    if (facts === undefined && error instanceof InvalidRequestError) {
      return new FileError('GONE', 'it was gone before it could be read', 'SKIPPED', error);
    }
    if (facts !== undefined && facts !== 'unknown' && facts.etag !== file.etag) {
      return new FileError(
        'CHANGED',
        'it changed since it was listed; the next run reads it',
        'FAILED',
        error,
      );
    }
    if (error instanceof RetryableError) return error;
    const type = error instanceof InvalidRequestError ? codeOf(error) : 'INTERNAL_ERROR';
    return new FileError(type, messageOf(error), 'FAILED', error);
  }

  async function load(file: ClaimedFile): Promise<void> {
    const started = clock.monotonic();
    const elapsed = () => clock.monotonic() - started;
    const input = inputOf(file);
    const { digest } = input;
    const key = idempotencyKey({
      remote: { uri: file.path, etag: file.etag, lastModified: file.modified, contentLength: file.size },
    });
    const logger = parts.logger.child({ file: file.path });
    const outcome = await processOnce<Loaded>(
      ledger,
      {
        source: scope.ingestionId,
        key,
        payloadMeta: { run_id: scope.runId, file: file.path, etag: file.etag, size: file.size, digest },
        processedBy: settings.workerName,
        leaseSeconds: scope.leaseSeconds,
        again: true,
        clock,
        signal: either,
      },
      {
        async work({ signal: claimed }) {
          const progress = (fraction: number) => {
            fractions.set(file.id, fraction);
            tell();
          };
          let loaded: Loaded;
          try {
            loaded = await pool.run<Loaded>(THREAD_MODULE, input, { signal: claimed, progress, observer });
          } catch (error) {
            throw await judged(error, file);
          }
          const { rows, records, duplicates, badRows, format, outputs } = loaded;
          return {
            value: loaded,
            meta: { format, rows, records, duplicates, bad_rows: badRows, outputs: outputs.length },
            write: (tx) =>
              writeLoad(tx, scope, file, {
                digest,
                records,
                bytesRead: loaded.bytesRead,
                durationMs: elapsed(),
                outputs,
                columns: loaded.learnedColumns,
              }),
          };
        },
        isFailure: (error) => error instanceof FileError,
        async onFailed(tx, error) {
          const { type, message, status } = error as FileError;
          await writeUnloaded(tx, scope, file, status, { type, message }, elapsed());
        },
        onReleased: (tx) => writeReleased(tx, scope, file),
        onRenewed: (tx) => writeRenewed(tx, scope, file),
      },
    ).catch((error: unknown) => {
      if (!(error instanceof FileError)) throw error;
      observer.fileFailed();
      logger.warn({ error_type: error.type, error: error.message }, 'file failed');
      return undefined;
    });
    fractions.delete(file.id);
    if (outcome === undefined) return;
    if (outcome.outcome !== 'done') {
      // Its holder settles it, or its lease ends: `waitForOthers` comes back to it.
      logger.warn({ outcome: outcome.outcome }, 'file is in the hands of another');
      return;
    }
    const loaded = outcome.value;
    Object.assign(knownColumns, loaded.learnedColumns);
    for (const name of loaded.newColumns) newColumns.add(name);
    const job = `ingest_${loaded.format}`;
    observer.fileLoaded(job, loaded.rows, loaded.outputs.length, elapsed() / 1000);
    for (const [reason, count] of Object.entries(loaded.badRows)) observer.badRows(job, reason, count);
    logger.debug(
      { rows: loaded.rows, outputs: loaded.outputs.length, ms: Math.round(elapsed()) },
      'file loaded',
    );
  }

  async function lane(): Promise<void> {
    while (begun < request.options.maxFiles) {
      begun++;
      const file = await claimFile(ledger, scope, either);
      if (file === undefined) {
        begun--;
        return;
      }
      await load(file);
      finished++;
      tell();
    }
  }

  async function lanes(): Promise<void> {
    const count = request.options.concurrency ?? settings.concurrency;
    const done = await Promise.allSettled(
      Array.from({ length: count }, () =>
        lane().catch((error: unknown) => {
          stop.abort(error);
          throw error;
        }),
      ),
    );
    signal.throwIfAborted();
    const failed = done.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw stop.signal.reason ?? failed.reason;
  }

  // Files that an earlier attempt of this run holds, dead or stalled, are this run's to see done: they
  // are settled by who holds them, or free when the lease ends, or given back, after the lanes have looked.
  for (;;) {
    await lanes();
    const { inWork, claimable } = await countRun(ledger, scope, signal);
    if (inWork + claimable === 0 || begun >= request.options.maxFiles) break;
    await clock.sleep(Math.min(1000, (scope.leaseSeconds * 1000) / 4), signal);
  }
  return { newColumns: [...newColumns] };
}
