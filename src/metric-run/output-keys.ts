/**
 * Where things lie below a metric's base path, and how versions are named (docs/CONTRACT.md). Pure.
 *
 *   <base>/<version>/data/metrics.parquet, <base>/<version>/manifest.json,
 *   <base>/current/manifest.json, <base>/runs/<runId>.ok
 */

import { versionStamp } from '../common/clock.ts';
import {
  type BucketPolicy,
  checkKey,
  type ObjectLocation,
  parsePrefix,
} from '../contract/object-location.ts';

const VERSION = /^\d{4}-\d{2}-\d{2}T\d{2}-\d{2}-\d{2}$/;

/** `base` ends with a slash. */
function below(base: ObjectLocation, rest: string): ObjectLocation {
  return { bucket: base.bucket, key: `${base.key}${rest}` };
}

export const dataPrefix = (base: ObjectLocation, version: string) => below(base, `${version}/data/`);
export const dataLocation = (base: ObjectLocation, version: string) =>
  below(base, `${version}/data/metrics.parquet`);
export const manifestLocation = (base: ObjectLocation, version: string) =>
  below(base, `${version}/manifest.json`);
export const aliasLocation = (base: ObjectLocation) => below(base, 'current/manifest.json');
export const markerLocation = (base: ObjectLocation, runId: string) => below(base, `runs/${runId}.ok`);

/** A request's base path; CONFIG_ERROR also where the keys below it would be longer than S3 takes. */
export function parseBase(basePath: string, runId: string, policy: BucketPolicy): ObjectLocation {
  const path = 'output.basePath';
  const base = parsePrefix(basePath, path, policy);
  for (const { key } of [dataLocation(base, versionStamp(0)), markerLocation(base, runId)])
    checkKey(key, path);
  return base;
}

/** The version that a key or folder below `base` belongs to, or undefined where it belongs to none. */
export function versionOfKey(base: ObjectLocation, key: string): string | undefined {
  const segment = key.slice(base.key.length).split('/', 1)[0] ?? '';
  return VERSION.test(segment) ? segment : undefined;
}

/** The first free version from `ms` on: the next second that is not taken. */
export function freeVersion(ms: number, taken: ReadonlySet<string>): string {
  for (let at = ms; ; at += 1000) {
    const version = versionStamp(at);
    if (!taken.has(version)) return version;
  }
}
