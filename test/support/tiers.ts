/** Requests of the tiers, rows for them, and what lies in a scene's tiers, by DuckDB. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  hotKeyOf,
  manifestKey,
  slotStart,
  type TierMonth,
  warmFolder,
} from '../../src/contract/tier-keys.ts';
import { parseManifest, type WarmManifest } from '../../src/contract/warm-manifest.ts';
import { duckDb } from './parquet.ts';
import type { Scene } from './scene.ts';

export type JsonRow = Readonly<Record<string, unknown>>;

export const JANUARY: TierMonth = { year: 2026, month: 1 };

export function hotKey(slot: number, month = JANUARY, provider = 'aws'): string {
  return hotKeyOf('', provider, { ...month, slot });
}

/** The beginning of a slot, as a request says it. */
export function slotTime(slot: number, month = JANUARY): string {
  return new Date(slotStart({ ...month, slot })).toISOString();
}

/** `2026-01-01 00:10:07`: second `second` of a slot, as rows say it. */
export function rowTime(slot: number, second = 0, month = JANUARY): string {
  const ms = slotStart({ ...month, slot }) + second * 1_000;
  return new Date(ms).toISOString().slice(0, 19).replace('T', ' ');
}

/** `count` rows of a slot, each of a key of its own; the same ones every time. */
export function rowsOfSlot(slot: number, count: number, month = JANUARY): JsonRow[] {
  return Array.from({ length: count }, (_, i) => ({
    InstanceType: `m${(i * 7 + slot) % 97}.large`,
    Region: `region-${i % 5}`,
    AZ: `az${i}`,
    Time: rowTime(slot, i % 600, month),
    SPS: (i + slot) % 10,
    SpotPrice: (i + 1) / 100,
  }));
}

export function uploadRequest(requestId: string, slot: number, more: JsonRow = {}): Record<string, unknown> {
  return {
    type: 'hot_upload_requested',
    requestId,
    provider: 'aws',
    timestamp: slotTime(slot),
    changed: { rows: rowsOfSlot(slot, 3) },
    ...more,
  };
}

export function compactionRequest(requestId: string, more: JsonRow): Record<string, unknown> {
  return { type: 'compaction_requested', requestId, provider: 'aws', ...more };
}

/** The month's manifest; undefined where there is none. */
export async function readWarm(
  scene: Scene,
  month = JANUARY,
  provider = 'aws',
): Promise<WarmManifest | undefined> {
  const key = manifestKey('', provider, month);
  const keys = await scene.keys(key);
  if (!keys.includes(key)) return undefined;
  return parseManifest(Buffer.from(await scene.get(key)).toString(), key, provider, month);
}

/** The keys of all files that a manifest names. */
export function namedKeys(manifest: WarmManifest): string[] {
  const folder = warmFolder('', manifest.provider, manifest);
  return manifest.levels.flatMap((files, level) =>
    files.map(({ file }) => (level === 0 ? file : `${folder}/${file}`)),
  );
}

/** What DuckDB says to a query over files of the scene, `{files}` in the query. */
export async function queryFiles(
  scene: Scene,
  keys: readonly string[],
  query: string,
): Promise<Record<string, unknown>[]> {
  return await queryBytes(await Promise.all(keys.map((key) => scene.get(key))), query);
}

/** What DuckDB says to a query over files, `{files}` in the query. */
export async function queryBytes(
  files: readonly Uint8Array[],
  query: string,
): Promise<Record<string, unknown>[]> {
  const directory = await mkdtemp(join(tmpdir(), 'tidemill-tiers-'));
  try {
    const paths = await Promise.all(
      files.map(async (bytes, i) => {
        const path = join(directory, `${i}.parquet`);
        await writeFile(path, bytes);
        return `'${path}'`;
      }),
    );
    const connection = await duckDb();
    const all = `read_parquet([${paths.join(', ')}], union_by_name = true)`;
    const result = await connection.runAndReadAll(query.replaceAll('{files}', all));
    return result.getRowObjectsJS();
  } finally {
    await rm(directory, { recursive: true });
  }
}
