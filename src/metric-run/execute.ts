/**
 * One metric run, from request to marker (docs/ARCHITECTURE.md, "The metric run"). Thread-only.
 *
 *   parse -> open inputs -> (pick a version -> evaluate and write data) -> read back -> manifest -> marker -> current
 *
 * Data first, manifest second, marker last: a crash at any point leaves nothing that a reader of
 * manifests can see half of. The marker's creator wins; another attempt removes its own version.
 */

import { breather, type Clock, isoSeconds, versionStamp } from '../common/clock.ts';
import { InvalidRequestError, messageOf, RetryableError } from '../common/errors.ts';
import {
  decodeMetricManifest,
  encodeJson,
  type MetricManifest,
  type RunMarker,
} from '../contract/metric-manifest.ts';
import type { MetricRunRequest } from '../contract/metric-run.ts';
import { type BucketPolicy, type ObjectLocation, uriOf } from '../contract/object-location.ts';
import type { Lake } from '../lake/lake.ts';
import { readFooter } from '../lake/parquet-footer.ts';
import { openObject } from '../lake/random-access.ts';
import { encodeSeries } from '../lake/series-encoder.ts';
import { evaluate } from './expression/evaluate.ts';
import { type Expression, seriesCodesOf } from './expression/expression.ts';
import { parseExpression } from './expression/parse.ts';
import type { Quality } from './expression/quality.ts';
import { dataLocation, dataPrefix, freeVersion, manifestLocation, parseBase } from './output-keys.ts';
import {
  createMarker,
  RUN_ID_METADATA,
  readMarker,
  refuseDataset,
  removeVersion,
  settleAfterMarker,
  versionsFrom,
} from './run-store.ts';
import type { RunInput } from './series-inputs.ts';
import type { MetricRunSettings } from './settings.ts';

export interface ExecuteParts {
  readonly lake: Lake;
  readonly clock: Clock;
  readonly settings: MetricRunSettings;
  readonly policy: BucketPolicy;
  readonly openInput: (code: string) => Promise<RunInput>;
  readonly signal: AbortSignal;
  readonly progress: (fraction: number) => void;
}

export interface ExecuteInput {
  readonly request: MetricRunRequest;
  readonly attempt: number;
  /** When the message was first delivered, in milliseconds: no version of this run is older. */
  readonly firstReceivedAt: number;
}

export interface Executed {
  /** The run's marker, ours or that of another attempt that was first. */
  readonly marker: RunMarker;
  /** Whether it is ours: the version that stands is the one that this attempt made. */
  readonly won: boolean;
  readonly quality: Readonly<Quality>;
}

interface WrittenData {
  readonly version: string;
  readonly location: ObjectLocation;
  readonly rows: number;
  readonly bytes: number;
  readonly etag: string;
  readonly quality: Readonly<Quality>;
}

/** Another run of the metric may take a version between listing and writing, but not for ever. */
const MAX_VERSION_RACES = 20;
/** How much of the progress is evaluation; the rest is validation and manifests. */
const EVALUATION_SHARE = 0.95;

async function openInputs(codes: readonly string[], parts: ExecuteParts): Promise<RunInput[]> {
  const opened = await Promise.allSettled(codes.map((code) => parts.openInput(code)));
  const inputs = opened.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const failed = opened.find((result) => result.status === 'rejected');
  if (failed === undefined) return inputs;
  for (const input of inputs) await input.close();
  throw failed.reason;
}

/** Evaluates into the next free version; a version that another run took meanwhile is passed by. */
async function writeData(
  expression: Expression,
  inputs: ReadonlyMap<string, RunInput>,
  base: ObjectLocation,
  runId: string,
  parts: ExecuteParts,
): Promise<WrittenData> {
  const { lake, clock, settings, signal, progress } = parts;
  const total = [...inputs.values()].reduce((sum, { rows }) => sum + rows, 0);
  const taken = new Set<string>();
  for (let race = 0; race < MAX_VERSION_RACES; race++) {
    const now = clock.now();
    for (const version of await versionsFrom(lake, base, versionStamp(now), signal)) taken.add(version);
    const version = freeVersion(now, taken);
    const location = dataLocation(base, version);
    const metadata = { [RUN_ID_METADATA]: runId };
    const upload = lake.openUpload(location, {
      contentType: 'application/vnd.apache.parquet',
      metadata,
      signal,
    });
    let pulled = 0;
    const breathe = breather(clock);
    const evaluation = evaluate(expression, (code) => {
      const source = inputs.get(code)!.open();
      return {
        async next() {
          await breathe();
          signal.throwIfAborted();
          const batch = await source.next();
          pulled += batch?.times.length ?? 0;
          if (total > 0) progress((pulled / total) * EVALUATION_SHARE);
          return batch;
        },
        close: () => source.close(),
      };
    });
    try {
      const rows = await encodeSeries(
        evaluation,
        settings.compression,
        (bytes) => upload.write(bytes),
        signal,
      );
      const outcome = await upload.finish();
      if (outcome.outcome === 'written') {
        const { etag, size } = outcome;
        return { version, location, rows, bytes: size, etag, quality: { ...evaluation.quality() } };
      }
      taken.add(version);
    } finally {
      await upload.abort();
      await evaluation.close();
    }
  }
  throw new RetryableError('CONCURRENCY_CONFLICT', `other runs kept taking the versions of ${uriOf(base)}`);
}

/** The output as S3 gives it; that it cannot be read is a fault of the writing, and of this attempt alone. */
async function readBack(lake: Lake, location: ObjectLocation, signal: AbortSignal) {
  try {
    const file = await openObject(lake.store, location, { signal });
    return { file, footer: await readFooter(file) };
  } catch (error) {
    if (signal.aborted) throw error;
    const what = `Failed to read back what was written: ${messageOf(error)}`;
    throw new RetryableError('OUTPUT_WRITE_ERROR', what, { cause: error });
  }
}

/** Reads back what was written: size, ETag and row count must be what we believe. */
async function validateData(lake: Lake, written: WrittenData, signal: AbortSignal): Promise<void> {
  const { file, footer } = await readBack(lake, written.location, signal);
  const same = file.etag === written.etag && file.size === written.bytes && footer.rows === written.rows;
  if (same) return;
  const found = `${footer.rows} rows, ${file.size} bytes, ETag ${file.etag}`;
  const wanted = `${written.rows} rows, ${written.bytes} bytes, ETag ${written.etag}`;
  throw new RetryableError(
    'OUTPUT_WRITE_ERROR',
    `${file.name} is not what was written: ${found}, not ${wanted}`,
  );
}

/** Creates the version's manifest and reads it back. */
async function writeManifest(
  lake: Lake,
  base: ObjectLocation,
  manifest: MetricManifest,
  signal: AbortSignal,
): Promise<void> {
  const location = manifestLocation(base, manifest.version_ts);
  const bytes = encodeJson(manifest);
  const outcome = await lake.writer.create(location, bytes, { contentType: 'application/json', signal });
  if (outcome.outcome === 'conflict') {
    throw new RetryableError('OUTPUT_WRITE_ERROR', `${uriOf(location)} is there already, made by another`);
  }
  const stored = await lake.store.get(location, { signal });
  const read = stored === undefined ? undefined : decodeMetricManifest(stored.bytes);
  if (read?.run_id !== manifest.run_id || read.row_count !== manifest.row_count) {
    throw new RetryableError('MANIFEST_VALIDATION_ERROR', `${uriOf(location)} is not what was written`);
  }
}

export async function executeRun(input: ExecuteInput, parts: ExecuteParts): Promise<Executed> {
  const { request, attempt, firstReceivedAt } = input;
  const { lake, clock, settings, policy, signal } = parts;
  const expression = parseExpression(request.expressionType, request.expressionJson, settings.limits);
  const base = parseBase(request.output.basePath, request.runId, policy);
  const allowed = refuseDataset(lake, base, signal);
  allowed.catch(() => {}); // Heard below, once there are inputs to close.
  const inputs = await openInputs(seriesCodesOf(expression), parts);
  try {
    await allowed;
    const rows = inputs.reduce((sum, opened) => sum + opened.rows, 0);
    if (rows > settings.maxInputRows) {
      const limit = `METRIC_MAX_INPUT_ROWS allows ${settings.maxInputRows}`;
      throw new InvalidRequestError('CONFIG_ERROR', `The inputs have up to ${rows} rows; ${limit}`);
    }
    const byCode = new Map(inputs.map((opened) => [opened.code, opened]));
    const written = await writeData(expression, byCode, base, request.runId, parts);
    const { version, quality } = written;
    const facts = {
      run_id: request.runId,
      metric_code: request.metricCode,
      version_ts: version,
      created_at: isoSeconds(clock.now()),
      row_count: written.rows,
    };
    const settle = (marker: RunMarker) =>
      settleAfterMarker(lake, base, marker, attempt > 1 ? firstReceivedAt : undefined, signal);
    // Whether the version is surely of no use: no marker names it, and none will.
    let useless = true;
    try {
      await validateData(lake, written, signal);
      await writeManifest(
        lake,
        base,
        {
          ...facts,
          outputs: {
            data_prefix: dataPrefix(base, version).key,
            files: [
              { path: 'metrics.parquet', rows: written.rows, bytes: written.bytes, etag: written.etag },
            ],
          },
          inputs: inputs.map((opened) => opened.facts),
          expression: { type: request.expressionType, json: request.expressionJson },
          quality: { nulls: quality.nulls, divisions_by_zero: quality.divisionsByZero },
        },
        signal,
      );
      const marker: RunMarker = { ...facts, output_manifest: manifestLocation(base, version).key };
      useless = false; // From here on the marker may be there, whatever we hear.
      const winner = await createMarker(lake, base, marker, signal);
      useless = winner !== undefined;
      const decided = winner ?? marker;
      // Also where another made the marker: it may be gone, and who answers for the run sees to the rest.
      await settle(decided);
      return { marker: decided, won: winner === undefined, quality };
    } catch (error) {
      if (signal.aborted) throw error;
      const found = await readMarker(lake, base, request.runId, signal).catch(() => 'unknown' as const);
      // Another attempt may have finished meanwhile and swept our version: its result is the run's.
      if (useless && found !== undefined && found !== 'unknown') {
        await settle(found);
        return { marker: found, won: false, quality };
      }
      // A marker refused for good, that is not there either: no attempt will come to make it.
      if (found === undefined && error instanceof InvalidRequestError) useless = true;
      throw error;
    } finally {
      if (useless) await removeVersion(lake, base, version).catch(() => {});
    }
  } finally {
    for (const opened of inputs) await opened.close();
  }
}
