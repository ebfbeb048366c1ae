/**
 * One ingest run, from request to stored answer (docs/INGEST.md). On the main thread; the heavy part is
 * in process-files.ts's threads.
 *
 *   begin -> discover -> process files -> commit the dataset -> tell readers -> store the answer
 *
 * Each step can be done again: a redelivered run goes on where the last attempt left off.
 */

import { RetryableError } from '../common/errors.ts';
import type { IngestResult, IngestRunRequest } from '../contract/ingest-run.ts';
import { type ObjectLocation, uriOf } from '../contract/object-location.ts';
import { type FileScope, loadedFiles } from '../ledger/file-ledger.ts';
import { digestOfJson } from '../ledger/idempotency-key.ts';
import { beginRun, countRun, failuresOf } from '../ledger/run-ledger.ts';
import { commitDataset, type Dataset, projectionsOf } from './dataset-store.ts';
import { discover, type SourceQuery } from './discover.ts';
import { type ProcessParts, processFiles } from './process-files.ts';

export interface RunPlaces {
  readonly source: SourceQuery;
  readonly dataset: Dataset;
  /** Only files that failed before are taken up. */
  readonly failedOnly: boolean;
}

export interface RunHooks {
  readonly progress: (fraction: number) => void;
  readonly signal: AbortSignal;
  /** Tells readers of a new version; called again when it is not known whether they were told. */
  readonly announce: (version: ObjectLocation, projections: ObjectLocation) => Promise<void>;
}

const FAILURES_TOLD = 10;
const NAMES_TOLD = 100;
const PROCESSING_SHARE = 0.95;

/** What decides the rows of a file: files are read again when it changes. */
export function interpretationOf(request: IngestRunRequest): string {
  const { format, read, mapping } = request;
  return digestOfJson({ format, read, mapping });
}

export async function executeRun(
  request: IngestRunRequest,
  places: RunPlaces,
  parts: ProcessParts,
  hooks: RunHooks,
): Promise<IngestResult> {
  const { ledger, lake, clock, settings, logger } = parts;
  const { requestId: runId, ingestionId, options } = request;
  const { signal } = hooks;
  const { dataset, failedOnly } = places;
  const started = clock.monotonic();
  const interpretation = interpretationOf(request);
  const scope: FileScope = {
    ingestionId,
    runId,
    interpretation,
    leaseSeconds: settings.leaseSeconds,
    ownOnly: failedOnly,
  };

  await ledger.migrate(signal);
  const knownColumns = await beginRun(
    ledger,
    {
      runId,
      ingestionId,
      interpretation,
      datasetId: dataset.datasetId,
      baseUri: uriOf(dataset.base),
      request,
    },
    signal,
  );
  const found = await discover(
    lake.store,
    ledger,
    scope,
    places.source,
    { ...options, failedOnly },
    clock,
    signal,
  );
  const { taken, discovered, missing, missingFiles } = found;
  if (missing > 0) {
    logger.warn({ missing, files: missingFiles }, 'files that were loaded are gone; their data stays');
  }
  logger.info({ discovered, to_process: taken }, 'files discovered');

  const { waiting, inWork, succeeded } = await countRun(ledger, scope, signal);
  const expected = Math.min(options.maxFiles, waiting + inWork + succeeded);
  const { newColumns } = await processFiles(
    {
      request,
      scope,
      dataset,
      knownColumns,
      expected,
      progress: (fraction) => hooks.progress(fraction * PROCESSING_SHARE),
      signal,
    },
    parts,
  );
  if (newColumns.length > 0) logger.info({ columns: newColumns.slice(0, NAMES_TOLD) }, 'new columns');

  const committed = await commitDataset(
    lake,
    clock,
    dataset,
    { ingestionId, runId },
    () => loadedFiles(ledger, ingestionId, signal),
    signal,
  );
  if (committed.version !== undefined) await hooks.announce(committed.version, projectionsOf(dataset));

  const counts = await countRun(ledger, scope, signal);
  if (counts.inWork > 0 && counts.waiting === 0 && counts.succeeded + counts.failed < options.maxFiles) {
    throw new RetryableError('INTERNAL_ERROR', 'another attempt of this run took files over; trying again');
  }
  const failures = await failuresOf(ledger, runId, FAILURES_TOLD, signal);
  const status =
    counts.failed === 0
      ? 'SUCCESS'
      : counts.succeeded > 0 || discovered > counts.failed
        ? 'PARTIAL'
        : 'FAILURE';
  return {
    status,
    datasetId: dataset.datasetId,
    files: {
      discovered,
      succeeded: counts.succeeded,
      failed: counts.failed,
      skipped: Math.max(0, discovered - counts.succeeded - counts.failed - counts.waiting),
      left: counts.waiting,
      missing,
    },
    rows: counts.rows,
    bytes: counts.bytes,
    durationMs: Math.round(clock.monotonic() - started),
    datasetManifest: committed.current?.key ?? null,
    newColumns: newColumns.slice(0, NAMES_TOLD),
    newSeries: committed.newSeries.slice(0, NAMES_TOLD),
    failures: failures.map(({ path, message }) => ({ file: path, error: message ?? '' })),
  };
}
