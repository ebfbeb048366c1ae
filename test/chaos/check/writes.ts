/**
 * How objects are written: the ground of every protocol of the lake. Rules:
 *
 * - `compare-and-set`: each write of a manifest that is replaced follows from its predecessor by If-Match,
 *   the first by If-None-Match; what lies there at the end is the last of that chain;
 * - `written-once`: every other object is created under the condition that none is there, and its name is
 *   not used again (but for versions that nobody had named, and warm files that no manifest ever names);
 * - `data-first`: what a manifest or marker names was carried out before it;
 * - `unsettled-409`: a 409 settles nothing: its writer asks again, and does not take it for an answer.
 */

import type { Call, ProcessLife, Violation } from '../history.ts';
import { type Facts, firstWrite, type Json, textOf, unquoted, violation, type Write } from './facts.ts';
import { isReplaced, locationOf, parseWarmKey, VERSION } from './keys.ts';

export function checkWrites(facts: Facts): Violation[] {
  const found: Violation[] = [];
  for (const [key, writes] of facts.writes) {
    if (isReplaced(key)) found.push(...checkChain(facts, key, writes));
    else found.push(...checkOnce(facts, key, writes));
    for (const write of writes) found.push(...checkNamed(facts, write));
  }
  return [...found, ...checkConflicts(facts)];
}

/** The writes of a replaced object in the order in which each replaced the one before, as far as they do. */
export function chainOf(writes: readonly Write[]): Write[] {
  const chain: Write[] = [];
  const left = new Set(writes);
  for (let next = writes.find(({ creates }) => creates); next !== undefined; ) {
    const last: Write = next;
    chain.push(last);
    left.delete(last);
    next = [...left].find(({ ifMatch }) => ifMatch !== undefined && ifMatch === last.etag);
  }
  return chain;
}

/** The chain, and behind it what is in none, in the order of time: for rules that go on in spite of it. */
export function sequenceOf(writes: readonly Write[]): Write[] {
  const chain = chainOf(writes);
  return chain.length === writes.length ? chain : [...writes];
}

function checkChain({ history }: Facts, key: string, writes: readonly Write[]): Violation[] {
  const chain = chainOf(writes);
  const found = writes
    .filter((write) => !chain.includes(write))
    .map(({ worker, at, ifMatch, creates }) => {
      const condition =
        ifMatch === undefined ? (creates ? 'If-None-Match' : 'no condition') : `If-Match ${ifMatch}`;
      return violation(
        'compare-and-set',
        `${key} was written by ${worker} at ${at} with ${condition}, which follows from no write before it`,
      );
    });
  const stored = history.objects.find((object) => object.key === key);
  const last = chain.at(-1);
  if (last !== undefined && found.length === 0 && unquoted(stored?.etag) !== last.etag) {
    const detail = `${key} ends as ${stored?.etag ?? 'nothing'}, not as the last write of ${last.worker}, ${last.etag}`;
    found.push(violation('compare-and-set', detail));
  }
  return found;
}

function checkOnce(facts: Facts, key: string, writes: readonly Write[]): Violation[] {
  const found: Violation[] = [];
  const first = writes[0]!;
  for (const write of writes) {
    const multipart = write.call.operation === 'CompleteMultipartUpload';
    if (!write.creates && !multipart)
      found.push(
        violation(
          'written-once',
          `${key} was written by ${write.worker} at ${write.at} without If-None-Match`,
        ),
      );
  }
  for (const [i, again] of writes.entries()) {
    if (i === 0 || (again.putId !== undefined && again.putId === first.putId)) continue;
    const removed = facts.removals.get(key)?.some(({ at }) => at >= first.at && at <= again.at) ?? false;
    if (removed && (isUnnamedVersion(facts, key, again) || isUnnamedFile(facts, key))) continue;
    const what = removed ? 'was removed and its name used again' : 'was written over';
    found.push(
      violation(
        'written-once',
        `${key}, written by ${first.worker} at ${first.at}, ${what} by ${again.worker} at ${again.at}`,
      ),
    );
  }
  return found;
}

/** A version of a metric or dataset that nobody had named when it was removed: no reader knows it. */
function isUnnamedVersion(facts: Facts, key: string, again: Write): boolean {
  const match = /^(.*\/)?(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d)\//.exec(key);
  if (match === null || !VERSION.test(match[2]!)) return false;
  const [, base = '', version] = match;
  for (const [other, writes] of facts.writes) {
    const names = other.startsWith(`${base}runs/`) || other === `${base}current/manifest.json`;
    if (
      names &&
      writes.some(({ json, at }) => at < again.at && (json?.version_ts ?? json?.version_id) === version)
    ) {
      return false;
    }
  }
  return true;
}

/**
 * A warm file that no manifest has in a level, before or after: it was written for plans that came to nothing.
 * A worker that read the month before it was given up may write one of its name, and then loses.
 */
function isUnnamedFile(facts: Facts, key: string): boolean {
  const warm = parseWarmKey(key);
  if (warm === undefined) return false;
  const manifests = facts.writes.get(`${warm.folder}manifest.json`) ?? [];
  return !manifests.some((write) => namedBy(write, facts.history.bucket).includes(key));
}

/** The keys that an object's text names; each must have been there before it. */
export function namedBy({ key, json }: Write, bucket: string): string[] {
  if (json === undefined) return [];
  const warm = parseWarmKey(key);
  if (warm?.name === 'manifest.json') {
    return Object.entries((json.levels ?? {}) as Record<string, readonly Json[]>).flatMap(([level, files]) =>
      files.map(({ file }) => (level === '0' ? String(file) : `${warm.folder}${String(file)}`)),
    );
  }
  const marker = textOf(json.output_manifest);
  if (marker !== undefined) return [locationOf(marker, bucket).key];
  const outputs = json.outputs as Json | undefined;
  if (outputs !== undefined) {
    const prefix = String(outputs.data_prefix);
    return (outputs.files as readonly Json[]).map(({ path }) => `${prefix}${String(path)}`);
  }
  const files = json.parquet_files;
  if (!Array.isArray(files)) return [];
  const base = key.replace(/[^/]+\/manifest\.json$/, '');
  return files.map((path) => `${base}projections/${String(path)}`);
}

function checkNamed(facts: Facts, write: Write): Violation[] {
  const given = new Set(facts.history.given.map(({ key }) => key));
  return namedBy(write, facts.history.bucket).flatMap((key) => {
    const named = firstWrite(facts, key);
    if (given.has(key) || (named !== undefined && named.at <= write.at)) return [];
    const when = named === undefined ? 'was never written' : `was written at ${named.at}`;
    return [
      violation(
        'data-first',
        `${write.key}, written by ${write.worker} at ${write.at}, names ${key}, which ${when}`,
      ),
    ];
  });
}

/** Tries of one conditional write, the SDK's own among them: whoever had fewer was not done. */
const FEW_TRIES = 4;
/** So soon after it, what is done to a process may end a write, in milliseconds. */
const SOON_MS = 5_000;

/**
 * After a 409 its writer looks at the object or sends the write again. Who does neither took it for an
 * answer, unless its process or its lease ended the job.
 */
function checkConflicts(facts: Facts): Violation[] {
  const { calls, processes } = facts.history;
  const lives = new Map(processes.map((life) => [life.name, life]));
  const putIdOf = ({ headers }: Call) => headers['x-amz-meta-tidemill-put-id'];
  const s3 = calls.filter(({ service, key }) => service === 's3' && key !== undefined);
  return s3.flatMap((call) => {
    const isConflict = call.status === 409 || call.fault === 'conflict';
    const putId = putIdOf(call);
    const life = lives.get(call.worker);
    if (!isConflict || putId === undefined || life === undefined || isDisturbed(life, call)) return [];
    if (s3.filter((put) => putIdOf(put) === putId).length >= FEW_TRIES) return [];
    const settles = (next: Call) =>
      next.worker === call.worker &&
      next.key === call.key &&
      next.seq > call.seq &&
      (next.operation === 'HeadObject' || putIdOf(next) === putId);
    if (s3.some(settles)) return [];
    const detail = `${call.worker} was told 409 for ${call.key} at ${call.endedAt} (call ${call.seq}), and neither looked nor asked again; nothing was settled`;
    return [violation('unsettled-409', detail)];
  });
}

function isDisturbed({ deeds, log }: ProcessLife, { at, endedAt }: Call): boolean {
  if (deeds.some((deed) => deed.at > at - SOON_MS && deed.at < endedAt + SOON_MS)) return true;
  return log.some(({ msg }) => String(msg).startsWith('the lease is lost'));
}
