/**
 * What processes and queues are like at the end. Rules: `settled` (all was done in time, the queues are
 * empty), `exit` (a drained process ends with 0), `log` (no unhandled rejection, no panic, nothing on
 * standard error), `memory` (below the limit), `leftovers` (no temporary files, nothing half uploaded).
 */

import type { ProcessLife, Violation } from '../history.ts';
import { type Facts, shown, violation } from './facts.ts';

/** The level of pino's `fatal`. */
const FATAL = 60;
const SHOCK = /unhandled|uncaught|panic|rust_panic|unreachable executed|out of memory|MaxListenersExceeded/i;

export function checkProcesses({ history }: Facts): Violation[] {
  const { settled, processes, settings } = history;
  const found: Violation[] = [];
  if (!settled.inTime) found.push(violation('settled', 'it did not settle in time'));
  if (settled.waiting > 0 || settled.inFlight > 0) {
    found.push(
      violation(
        'settled',
        `${settled.waiting} messages wait and ${settled.inFlight} are in flight at the end`,
      ),
    );
  }
  for (const life of processes) {
    const { name, peakKiB, leftovers } = life;
    found.push(...checkExit(life), ...checkLog(life));
    if (peakKiB > settings.memoryLimitKiB)
      found.push(violation('memory', `${name} had ${peakKiB} KiB, the limit is ${settings.memoryLimitKiB}`));
    if (leftovers.length > 0 && !wasKilled(life))
      found.push(violation('leftovers', `${name} left ${shown(leftovers)} in its temporary directory`));
  }
  for (const { key } of history.objects) {
    if (/\.(tmp|part|partial)$/.test(key)) found.push(violation('leftovers', `${key} lies in the bucket`));
  }
  return found;
}

const wasKilled = ({ deeds }: ProcessLife): boolean => deeds.some(({ deed }) => deed === 'kill');

function checkExit(life: ProcessLife): Violation[] {
  const { name, exitCode, exitSignal, deeds, log } = life;
  const ended = exitCode === null ? `by ${exitSignal ?? 'nothing known'}` : `with code ${exitCode}`;
  if (wasKilled(life)) return [];
  const drains = deeds.filter(({ deed }) => deed === 'drain').length;
  // A second signal ends it at once, with 130.
  if (drains > 1 && exitCode === 130) return [];
  const wasDrained = drains > 0;
  // Before its first line runs a program hears no signal, and Node ends by it.
  const hadBegun = exitSignal !== 'SIGTERM' || log.length > 0;
  if (wasDrained && (exitCode === 0 || !hadBegun)) return [];
  const why = wasDrained ? 'it was drained' : 'nobody told it to';
  return [violation('exit', `${name} ended ${ended}; ${why}`)];
}

function checkLog({ name, log, complaints }: ProcessLife): Violation[] {
  const found: Violation[] = [];
  for (const line of log) {
    const told = `${String(line.msg ?? '')} ${String(line.cause ?? '')} ${String(line.error ?? '')} ${String(line.stack ?? '')}`;
    if (Number(line.level) >= FATAL || line.level === 'fatal' || SHOCK.test(told))
      found.push(violation('log', `${name} logged ${shown(line)}`));
  }
  if (complaints.trim() !== '')
    found.push(violation('log', `${name} wrote to standard error: ${shown(complaints)}`));
  return found;
}
