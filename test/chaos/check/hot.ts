/**
 * Hot uploads. Rules:
 *
 * - `hot-content`: a slot's file holds exactly the rows of the upload whose name it bears, sorted, and
 *   its metadata say so;
 * - `hot-outcome`: each upload is told what became of it: uploaded, unchanged, skipped, empty, or refused.
 */

import type { Violation } from '../history.ts';
import type { Lake } from './duck.ts';
import { errorCode, type Facts, firstWrite, type Json, type Request, shown, violation } from './facts.ts';
import { hotKeyOf, parseHotKey } from './keys.ts';
import { isGivenUp } from './outcomes.ts';
import { BadRowError, castUpload, isSorted, readTier, type TierTable } from './tier-rows.ts';

/** What each slot's file holds, by key. */
export type HotTables = ReadonlyMap<string, TierTable>;

export async function readHot(
  facts: Facts,
  lake: Lake,
): Promise<{ tables: HotTables; violations: Violation[] }> {
  const tables = new Map<string, TierTable>();
  const violations: Violation[] = [];
  for (const { key, metadata, bytes } of facts.history.objects) {
    const place = parseHotKey(key);
    if (place === undefined) continue;
    const bad = (detail: string) => violations.push(violation('hot-content', `${key} ${detail}`));
    let table: TierTable;
    try {
      table = await readTier(lake, key, place.provider);
    } catch (error) {
      bad(`cannot be read: ${String(error)}`);
      continue;
    }
    tables.set(key, table);
    const request = facts.requests.get(metadata['tidemill-request-id'] ?? '');
    if (request?.kind !== 'upload' || hotKeyOf(request.body) !== key) {
      bad(`says that it was written for ${shown(metadata['tidemill-request-id'])}`);
      continue;
    }
    const cast = castOf(facts, request);
    if (cast === undefined) bad(`holds the rows of ${request.id}, which cannot be cast`);
    else if (!isSame(table, cast)) bad(`does not hold the rows of ${request.id}: ${difference(table, cast)}`);
    if (!isSorted(table.rows)) bad('is not sorted by key and time, each once');
    const times = table.rows.map(({ time }) => time);
    const facts_ = [table.rows.length, Math.min(...times), Math.max(...times)].map(String);
    const said = ['rows', 'min-time', 'max-time'].map((name) => metadata[`tidemill-${name}`]);
    if (shown(said) !== shown(facts_))
      bad(`(${bytes} bytes) says of itself ${shown(said)}, it holds ${shown(facts_)}`);
  }
  return { tables, violations };
}

function castOf(facts: Facts, { body }: Request): TierTable | undefined {
  try {
    return castUpload(facts, body);
  } catch (error) {
    if (error instanceof BadRowError) return undefined;
    throw error;
  }
}

const textsOf = ({ rows }: TierTable): string[] => rows.map(({ text }) => text).toSorted();

function isSame(a: TierTable, b: TierTable): boolean {
  return shown(a.columns) === shown(b.columns) && JSON.stringify(textsOf(a)) === JSON.stringify(textsOf(b));
}

function difference(stored: TierTable, wanted: TierTable): string {
  const [a, b] = [textsOf(stored), textsOf(wanted)];
  const extra = a.filter((text) => !b.includes(text));
  const lacking = b.filter((text) => !a.includes(text));
  return `beyond them ${shown(extra)}, without ${shown(lacking)}; columns ${shown(stored.columns)}, not ${shown(wanted.columns)}`;
}

export function checkUploads(facts: Facts, tables: HotTables): Violation[] {
  const found: Violation[] = [];
  for (const request of facts.requests.values()) {
    const event = facts.completed.get(request.id)?.[0]?.body;
    if (request.kind !== 'upload' || event === undefined) continue;
    if (isGivenUp(facts, request, event)) continue;
    const expected = expectedOf(facts, request, tables);
    const seen = event.status === 'FAILURE' ? errorCode(event) : event.outcome;
    if (!expected.includes(String(seen))) {
      found.push(
        violation(
          'hot-outcome',
          `upload ${request.id} to ${hotKeyOf(request.body) ?? 'no slot'} ended with ${shown(seen)} ${shown(event.error ?? '')}; expected ${expected.join(' or ')}`,
        ),
      );
      continue;
    }
    found.push(
      ...wrongFacts(facts, request, event, tables).map((detail) =>
        violation('hot-outcome', `upload ${request.id}: ${detail}`),
      ),
    );
  }
  return found;
}

/** What an upload may be told, by what lies in its slot. */
function expectedOf(facts: Facts, request: Request, tables: HotTables): string[] {
  const key = hotKeyOf(request.body);
  if (key === undefined) return ['CONFIG_ERROR'];
  const cast = castOf(facts, request);
  if (cast === undefined) return ['INPUT_READ_ERROR', 'CONFIG_ERROR'];
  if (cast.rows.length === 0) return ['empty'];
  const table = tables.get(key);
  if (table === undefined) return ['uploaded, and a file that can be read'];
  if (firstWrite(facts, key)?.call.headers['x-amz-meta-tidemill-request-id'] === request.id)
    return ['uploaded'];
  if (isSame(table, cast)) return ['unchanged'];
  return [request.body.onConflict === 'skip' ? 'skipped' : 'HOT_SLOT_CONFLICT'];
}

function wrongFacts(facts: Facts, request: Request, event: Json, tables: HotTables): string[] {
  if (event.status === 'FAILURE') return [];
  const key = hotKeyOf(request.body)!;
  const wrong: string[] = [];
  if (event.key !== key) wrong.push(`its event names ${shown(event.key)}`);
  const cast = castOf(facts, request);
  if (event.rows !== cast?.rows.length)
    wrong.push(`its event says ${shown(event.rows)} rows, it has ${cast?.rows.length}`);
  const stored = facts.history.objects.find((object) => object.key === key);
  const isStored = event.outcome === 'uploaded' || event.outcome === 'unchanged';
  if (isStored && tables.has(key) && event.bytes !== stored?.bytes) {
    wrong.push(`its event says ${shown(event.bytes)} bytes, the object has ${stored?.bytes}`);
  }
  return wrong;
}
