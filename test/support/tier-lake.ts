/** The tiers in one process: uploads and compactions as the workers' threads do them, on an embedded S3. */

import { systemClock } from '../../src/common/clock.ts';
import { systemRandom } from '../../src/common/ids.ts';
import { manifestKey, type TierMonth, warmFolder } from '../../src/contract/tier-keys.ts';
import { findProvider, tierProviders } from '../../src/contract/tier-provider.ts';
import { type HotUploadResult, parseHotUploadRequest } from '../../src/contract/tier-requests.ts';
import { serializeManifest, type WarmManifest } from '../../src/contract/warm-manifest.ts';
import { type UploadInput, uploadHotFile } from '../../src/hot-tier/upload.ts';
import { listAll } from '../../src/lake/object-store.ts';
import { type Compacted, type CompactParts, compact, type Wanted } from '../../src/warm-tier/compact.ts';
import { openHotFiles } from '../../src/warm-tier/hot-files.ts';
import { mergeFiles, readFileFacts } from '../../src/warm-tier/merge-files.ts';
import { type MonthStore, openMonthStore } from '../../src/warm-tier/month-store.ts';
import { type FaultLake, type FaultLakeOptions, openFaultLake } from '../lake/fault-lake.ts';
import { hotKey, JANUARY, type JsonRow, uploadRequest } from './tiers.ts';

export const aws = findProvider(tierProviders(), 'aws');
export const CREATED_BY = 'tidemill test';
const LIMITS = { maxRows: 1_000_000, maxDecodedBytes: 64 << 20 };

export interface TierLake extends FaultLake {
  readonly store: MonthStore;
  readonly folder: string;
  /** Carries out an upload of a slot of the month. */
  upload(slot: number, rows: readonly JsonRow[], more?: JsonRow): Promise<HotUploadResult>;
  /** Compacts the month, as one worker would. */
  compact(wanted: Wanted | number, parts?: Partial<CompactParts>): Promise<Compacted>;
  manifest(): Promise<WarmManifest>;
  /** Puts a manifest over whatever is there. */
  putManifest(manifest: WarmManifest | string): Promise<void>;
  /** All keys of the month's warm folder but the manifest. */
  warmKeys(): Promise<string[]>;
}

export async function openTierLake(
  month: TierMonth = JANUARY,
  options: FaultLakeOptions = {},
): Promise<TierLake> {
  const faultLake = await openFaultLake(options);
  const { lake, bucket } = faultLake;
  const place = { bucket, root: '' as const };
  const store = openMonthStore(lake, place, aws, month);
  const folder = warmFolder('', 'aws', month);
  let requests = 0;

  function partsOf(over: Partial<CompactParts>): CompactParts {
    const signal = over.signal ?? new AbortController().signal;
    const context = { lake, signal, progress: () => {} };
    const readFacts = (keys: readonly string[]) =>
      Promise.all(keys.map((key) => readFileFacts(bucket, key, 'Time', context)));
    return {
      store,
      hotFiles: openHotFiles(lake, place, 'aws', month, readFacts),
      merge: (key, inputs, progress) =>
        mergeFiles({ bucket, key, inputs, provider: aws, createdBy: CREATED_BY }, { ...context, progress }),
      readerGraceMs: 600_000,
      maxRaces: 20,
      clock: systemClock,
      random: systemRandom,
      signal,
      progress: () => {},
      warn: () => {},
      ...over,
    };
  }

  return {
    ...faultLake,
    store,
    folder,
    async upload(slot, rows, more = {}) {
      const body = uploadRequest(`in-process-${++requests}`, slot, { changed: { rows }, ...more });
      const input: UploadInput = {
        request: parseHotUploadRequest(body),
        requestDigest: `digest-${JSON.stringify(body).length}-${requests}`,
        provider: aws,
        settings: { ...place, allowedBuckets: [], limits: LIMITS, createdBy: CREATED_BY },
      };
      return await uploadHotFile(input, {
        lake,
        signal: new AbortController().signal,
        progress: () => {},
      });
    },
    compact(wanted, over = {}) {
      const what =
        typeof wanted === 'number' ? { hot: { key: hotKey(wanted, month), slot: wanted } } : wanted;
      return compact(what, partsOf(over));
    },
    manifest: async () => (await store.read()).manifest,
    async putManifest(manifest) {
      const text = typeof manifest === 'string' ? manifest : serializeManifest(manifest);
      const location = { bucket, key: manifestKey('', 'aws', month) };
      const found = await lake.store.head(location);
      const body = Buffer.from(text);
      if (found === undefined) await lake.writer.create(location, body);
      else await lake.writer.replace(location, body, found.etag);
    },
    async warmKeys() {
      const keys: string[] = [];
      for await (const { key } of listAll(lake.store, { bucket, key: `${folder}/` })) keys.push(key);
      return keys.filter((key) => key.endsWith('.parquet'));
    },
  };
}

/** A row's identity, as text, by its key and time. */
export function identityOf({ InstanceType, Region, AZ, Time }: JsonRow): string {
  return [InstanceType, Region, AZ, Time].join('|');
}

/** The bytes of an object of a lake. */
export async function bytesOf({ lake, bucket }: FaultLake, key: string): Promise<Uint8Array> {
  const stored = await lake.store.get({ bucket, key });
  if (stored === undefined) throw new Error(`${key} is not there`);
  return stored.bytes;
}
