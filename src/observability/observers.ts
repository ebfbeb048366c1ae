/** What the parts tell while they work, as metrics. Each observer fits the port of the part it is for. */

import type { Metrics } from './metrics.ts';

interface RequestFacts {
  readonly operation: string;
  readonly status: string;
  readonly seconds: number;
  readonly bytesOut: number;
  readonly bytesIn: number;
}

export function observeWorker(metrics: Metrics) {
  return {
    received: (type: string) => metrics.received.inc({ type }),
    started: (type: string) => metrics.inFlight.inc({ type }),
    finished(type: string, outcome: string, seconds: number) {
      metrics.inFlight.dec({ type });
      metrics.finished.inc({ type, outcome });
      metrics.duration.observe({ type }, seconds);
    },
    rejected: (reason: string) => metrics.rejected.inc({ reason }),
    retry: observeRetry(metrics),
    published: (type: string) => metrics.published.inc({ type }),
  };
}

function observeRetry(metrics: Metrics) {
  return (operation: string, sleepSeconds: number) => {
    metrics.retries.inc({ operation });
    metrics.retrySleep.observe({ operation }, sleepSeconds);
  };
}

export function observeLake(metrics: Metrics) {
  return {
    request({ operation, status, seconds, bytesOut, bytesIn }: RequestFacts) {
      metrics.s3Requests.inc({ operation, status });
      metrics.s3Latency.observe({ operation }, seconds);
      metrics.s3ReadBytes.inc(bytesIn);
      metrics.s3WriteBytes.inc(bytesOut);
    },
    conflict: (operation: string) => metrics.conflicts.inc({ operation }),
    retry: observeRetry(metrics),
  };
}

export function observeMetricRuns(metrics: Metrics) {
  return {
    ...observeLake(metrics),
    runStarted: () => metrics.metricRunsStarted.inc(),
    runSucceeded(seconds: number, rows: number, divisionsByZero: number) {
      metrics.metricRunsSucceeded.inc();
      metrics.metricRunDuration.observe(seconds);
      metrics.rowsWritten.inc({ output: 'metric' }, rows);
      metrics.filesWritten.inc({ output: 'metric' });
      metrics.divisionsByZero.inc(divisionsByZero);
    },
    runFailed: (code: string) => metrics.metricRunsFailed.inc({ error_code: code }),
    jobBytes(readMb: number, writtenMb: number) {
      metrics.s3ReadMb.observe(readMb);
      metrics.s3WriteMb.observe(writtenMb);
    },
  };
}

export function observeIngest(metrics: Metrics) {
  return {
    ...observeLake(metrics),
    fileLoaded(job: string, rows: number, outputs: number, seconds: number) {
      metrics.etlRows.inc({ job }, rows);
      metrics.ingestedFiles.inc({ outcome: 'loaded' });
      metrics.ingestFileDuration.observe(seconds);
      metrics.rowsWritten.inc({ output: 'projection' }, rows);
      metrics.filesWritten.inc({ output: 'projection' }, outputs);
    },
    badRows: (job: string, reason: string, count: number) => metrics.etlErrors.inc({ job, reason }, count),
    fileFailed: () => metrics.ingestedFiles.inc({ outcome: 'failed' }),
    published: (type: string) => metrics.published.inc({ type }),
  };
}

export function observeTiers(metrics: Metrics) {
  return {
    ...observeLake(metrics),
    wrote(output: string, files: number, rows: number) {
      metrics.rowsWritten.inc({ output }, rows);
      metrics.filesWritten.inc({ output }, files);
    },
    replanned: (times: number) => metrics.compactionReplans.inc(times),
    deleted: (files: number) => metrics.warmDeletions.inc(files),
  };
}
