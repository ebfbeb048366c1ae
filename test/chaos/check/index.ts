/**
 * The checker of simulated runs: holds what a run left behind against what the product promises
 * (docs/RELIABILITY.md). It shares no code with the product; biome.json holds that.
 */

import type { History, Violation } from '../history.ts';
import { checkDeadLetters } from './dead-letters.ts';
import { type Lake, openLake } from './duck.ts';
import { type Facts, readFacts, violation } from './facts.ts';
import { checkUploads, readHot } from './hot.ts';
import { checkIngest } from './ingest.ts';
import { checkLeases } from './leases.ts';
import { checkMetrics } from './metrics.ts';
import { checkOrder } from './order.ts';
import { checkOutcomes } from './outcomes.ts';
import { checkProcesses } from './processes.ts';
import { checkWarm } from './warm.ts';
import { checkWrites } from './writes.ts';

type Family = (facts: Facts, lake: Lake) => Violation[] | Promise<Violation[]>;

/** A family of rules each; those that read what others found wrong may fail on it, and say so. */
const FAMILIES: readonly (readonly [name: string, family: Family])[] = [
  ['processes', checkProcesses],
  ['outcomes', checkOutcomes],
  ['order', checkOrder],
  ['leases', checkLeases],
  ['dead letters', checkDeadLetters],
  ['writes', checkWrites],
  ['metrics', checkMetrics],
  ['tiers', checkTiers],
  ['ingest', checkIngest],
];

async function checkTiers(facts: Facts, lake: Lake): Promise<Violation[]> {
  const { tables, violations } = await readHot(facts, lake);
  return [...violations, ...checkUploads(facts, tables), ...(await checkWarm(facts, lake, tables))];
}

/** All that is wrong with a run; none of it is thrown. */
export async function check(history: History): Promise<Violation[]> {
  const facts = readFacts(history);
  const lake = await openLake(history);
  const found: Violation[] = [];
  try {
    for (const [name, family] of FAMILIES) {
      try {
        found.push(...(await family(facts, lake)));
      } catch (error) {
        // What is so wrong that it cannot be read is a finding, and hides none of the others.
        found.push(
          violation(
            'unreadable',
            `${name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
          ),
        );
      }
    }
  } finally {
    lake.close();
  }
  return found;
}
