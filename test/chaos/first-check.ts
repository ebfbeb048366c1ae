/** The least that a history must hold, until the checker proper is there. */

import type { History, Violation } from './history.ts';

export async function check(history: History): Promise<Violation[]> {
  const found: Violation[] = [];
  const add = (rule: string, detail: string) => found.push({ rule, detail });
  const { settled, sent, events, processes } = history;
  if (!settled.inTime || settled.waiting + settled.inFlight > 0) add('settled', JSON.stringify(settled));
  for (const { id, kind } of sent) {
    if (kind === 'poison') continue;
    const ends = events.filter(
      ({ body }) => body.type.endsWith('_completed') && (body.runId === id || body.requestId === id),
    );
    if (ends.length === 0) add('completed', `${kind} ${id} has no completed event`);
    const bodies = new Set(ends.map(({ body }) => JSON.stringify({ ...body, durationMs: 0 })));
    if (bodies.size > 1) add('completed-agree', `${kind} ${id}: ${[...bodies].join(' | ')}`);
  }
  for (const { name, exitCode, exitSignal, complaints, leftovers, log } of processes) {
    if (exitSignal === null && exitCode !== 0) add('exit', `${name} ended with ${exitCode}: ${complaints}`);
    if (complaints !== '') add('complaints', `${name}: ${complaints.slice(0, 400)}`);
    if (exitSignal === null && leftovers.length > 0) add('leftovers', `${name}: ${leftovers.join(', ')}`);
    for (const line of log) if (line.level === 'fatal') add('fatal', `${name}: ${JSON.stringify(line)}`);
  }
  return found;
}
