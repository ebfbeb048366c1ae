/** Manifests, as their readers take them in, and what is decided from them. */

import { type DatasetManifest, parseDatasetManifest } from '../../../src/contract/dataset-manifest.ts';
import { parseIngestManifest } from '../../../src/contract/ingest-manifest.ts';
import {
  decodeMetricManifest,
  decodeRunMarker,
  versionOfAlias,
} from '../../../src/contract/metric-manifest.ts';
import { parseManifest, serializeManifest, type WarmManifest } from '../../../src/contract/warm-manifest.ts';
import { planManifest } from '../../../src/ingest/manifest-plan.ts';
import type { LoadedFile } from '../../../src/ledger/file-ledger.ts';
import { chooseFiles, filesBySeries } from '../../../src/metric-run/dataset-files.ts';
import { changesAnything, commit, dueDeletions, propose } from '../../../src/warm-tier/plan.ts';
import { hotKey, JANUARY } from '../../support/tiers.ts';
import { hold, type OpenTarget, outcomeOf } from '../target.ts';

const POLICY = { defaultBucket: 'lake', allowedBuckets: new Set(['other']) };
const PROJECTIONS = { bucket: 'lake', key: 'datasets/d/projections/' };
const FOLDER = 'parquet_warm/aws/m8/2026/01';
const WHERE = 's3://lake/datasets/d/current/manifest.json';

function target(work: (input: Uint8Array) => string): OpenTarget {
  return { run: (input) => outcomeOf(() => work(input)), close: async () => {} };
}

function chooseAll(manifest: DatasetManifest): void {
  const sorted = filesBySeries(manifest, PROJECTIONS, POLICY, WHERE);
  for (const choices of sorted.files.values()) {
    for (const { location } of choices) {
      hold(
        location.bucket === 'lake' || location.bucket === 'other',
        'a file of a bucket that is not allowed',
      );
      hold(!location.key.split('/').includes('..'), 'a file whose key climbs', location.key);
    }
  }
  chooseFiles(manifest, sorted, 'A', 'd');
}

/** The dataset manifest, as metric runs read it and as ingest takes it over. */
export async function openDatasetManifests(): Promise<OpenTarget> {
  const loaded: LoadedFile = {
    path: 's3://lake/raw/a.csv',
    digest: 'a'.repeat(40),
    etag: '"e"',
    modified: 1,
    records: 1,
    outputs: [{ path: `A/year=2026/month=01/${'a'.repeat(40)}.parquet`, series: 'A', records: 1, bytes: 1 }],
  };
  return target((input) => {
    const current = parseIngestManifest(input, WHERE);
    const plan = planManifest(current, 'weather', [loaded]);
    hold(new Set(plan.parquetFiles).size === plan.parquetFiles.length, 'a plan that names a file twice');
    chooseAll(parseDatasetManifest(input, WHERE));
    return 'read';
  });
}

/** The warm tier's manifest: opened, planned upon, committed, stored, and opened again. */
export async function openWarmManifests(): Promise<OpenTarget> {
  const open = (text: string) => parseManifest(text, `${FOLDER}/manifest.json`, 'aws', JANUARY);
  const arriving = [100, 101, 4_463].map((slot) => {
    return { key: hotKey(slot), slot, rows: 1, bytes: 1, minTime: null, maxTime: null };
  });
  const now = Date.UTC(2026, 1, 1);
  const again = (manifest: WarmManifest) => {
    const text = serializeManifest(manifest);
    hold(
      serializeManifest(open(text)) === text,
      'a manifest that is another one when it is opened again',
      text,
    );
  };
  return target((input) => {
    const manifest = open(Buffer.from(input).toString());
    again(manifest);
    for (const options of [{}, { full: true }]) {
      const proposal = propose(manifest, arriving, options);
      if (!changesAnything(proposal)) continue;
      const facts = { rows: 1, bytes: 1, minTime: 0, maxTime: 0 };
      const merged = new Map(proposal.merges.map(({ name }) => [name, facts] as const));
      again(
        commit(manifest, proposal, {
          outputs: merged,
          deleted: new Set(dueDeletions(manifest, now)),
          keyOf: (name) => `${FOLDER}/${name}`,
          now,
          readerGraceMs: 1_000,
        }),
      );
    }
    return 'planned';
  });
}

/** A metric's manifest, marker and alias. Who reads them is content with undefined. */
export async function openMetricManifests(): Promise<OpenTarget> {
  return target((input) => {
    const read = [decodeMetricManifest(input), decodeRunMarker(input), versionOfAlias(input)];
    return read.some((each) => each !== undefined) ? 'read' : 'not read';
  });
}
