/** A listing taken down in the ledger by a process of its own, so that its heap can be bounded. */

import { systemClock } from '../../../src/common/clock.ts';
import { type Discovery, discover } from '../../../src/ingest/discover.ts';
import { openLake } from '../../../src/lake/lake.ts';
import { silentObserver } from '../../../src/lake/request-observer.ts';
import { openLedger } from '../../../src/ledger/database.ts';
import { beginRun } from '../../../src/ledger/run-ledger.ts';

export interface DiscoveryInput {
  readonly url: string;
  readonly runId: string;
  readonly prefix: string;
}

export async function discovered({ url, runId, prefix }: DiscoveryInput): Promise<Discovery> {
  const s3 = { region: 'us-east-1', forcePathStyle: true, connectTimeoutMs: 5_000, idleTimeoutMs: 20_000 };
  const lake = openLake(s3, systemClock, silentObserver);
  const ledger = openLedger({ url, connections: 2 });
  const scope = { ingestionId: 'i', runId, interpretation: 'a'.repeat(64), leaseSeconds: 60 };
  try {
    await beginRun(ledger, { ...scope, datasetId: 'd', baseUri: 's3://lake/d/', request: {} });
    return await discover(
      lake.store,
      ledger,
      scope,
      {
        prefix: { bucket: 'lake', key: prefix },
        glob: '**/*.csv',
        since: undefined,
        target: { bucket: 'lake', key: 'd/' },
      },
      { retryFailed: true, force: false },
      systemClock,
      new AbortController().signal,
    );
  } finally {
    await ledger.close();
    lake.close();
  }
}
