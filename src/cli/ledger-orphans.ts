/** `tidemill ledger orphans`: what ingest wrote into a dataset and no reader needs any more. */

import { systemClock } from '../common/clock.ts';
import { VARIABLES } from '../config.ts';
import { uriOf } from '../contract/object-location.ts';
import { CommandFailure, UsageError } from './command.ts';
import { withLedger } from './ledger-access.ts';
import { findTarget } from './target.ts';
import { bytesText, count, plural, type Terminal } from './terminal.ts';

export interface OrphanOptions {
  readonly delete?: boolean;
  readonly olderThan: number;
  readonly env?: string;
}

const A_BUCKET = { name: VARIABLES.bucket.name, what: 'no lake to look at' };

export async function orphans(terminal: Terminal, datasetId: string, options: OrphanOptions): Promise<void> {
  const { environment } = findTarget(options.env, A_BUCKET);
  const setting = ({ name, fallback }: { name: string; fallback: string | undefined }) =>
    environment[name] || fallback || '';
  const deadline = Number(setting(VARIABLES.deadlineSeconds));
  if (options.olderThan < deadline) {
    const { name } = VARIABLES.deadlineSeconds;
    throw new UsageError(
      `--older-than must be at least ${count(deadline)} seconds, which a job may take (${name})`,
    );
  }
  const { DEFAULT_S3_TIMEOUTS } = await import('../lake/s3-client.ts');
  const { openLake } = await import('../lake/lake.ts');
  const { silentObserver } = await import('../lake/request-observer.ts');
  const { findOrphans, removeOrphans } = await import('../ingest/orphans.ts');
  const { datasetPlaces } = await import('../ledger/reports.ts');
  const region = setting(VARIABLES.region);
  const forcePathStyle = VARIABLES.forcePathStyle.schema.parse(setting(VARIABLES.forcePathStyle));
  const lake = openLake({ region, forcePathStyle, ...DEFAULT_S3_TIMEOUTS }, systemClock, silentObserver);
  try {
    await withLedger(async (ledger) => {
      const places = await datasetPlaces(ledger, datasetId);
      if (places.length === 0) throw new CommandFailure(`error: the ledger knows no dataset "${datasetId}"`);
      for (const uri of places) {
        const [, bucket = '', key = ''] = /^s3:\/\/([^/]+)\/(.*)$/s.exec(uri) ?? [];
        const parts = {
          lake,
          ledger,
          dataset: { datasetId, base: { bucket, key } },
          clock: systemClock,
          olderThanMs: options.olderThan * 1_000,
          signal: new AbortController().signal,
        };
        const found = await findOrphans(parts);
        for (const manifest of found.versions) terminal.line(`${uriOf(manifest)}  a former version`);
        for (const { key: name, size, lastModified } of found.objects) {
          const written = new Date(lastModified).toISOString().slice(0, 16).replace('T', ' ');
          terminal.line(`${uriOf({ bucket, key: name })}  ${bytesText(size).padStart(8)}  ${written} UTC`);
        }
        const bytes = bytesText(found.objects.reduce((sum, { size }) => sum + size, 0));
        const all = `${plural(found.objects.length, 'orphan')} below ${uri}, ${bytes}`;
        if (found.objects.length === 0 || !options.delete) {
          const hint = found.objects.length === 0 ? '' : ' Nothing was deleted; --delete does it.';
          terminal.line(`${all}.${hint}`);
          continue;
        }
        const gone = await removeOrphans(found, parts);
        terminal.line(`${all}: ${gone} deleted.`);
        const left = found.objects.length - gone;
        if (left > 0)
          throw new CommandFailure(`error: ${plural(left, 'object')} came to be needed, and stayed`);
      }
    });
  } finally {
    lake.close();
  }
}
