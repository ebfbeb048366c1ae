/** What a campaign amounts to: faults by kind, requests by kind and outcome. */

import type { History } from './history.ts';

export interface Tally {
  add(history: History): void;
  /** Two tables, as text. */
  tables(): string;
}

/** How a request ended, by its completed event: its outcome, or status and error code. */
function outcomeOf(history: History, id: string): string {
  const event = history.events.find(
    ({ body }) => body.type.endsWith('_completed') && (body.runId === id || body.requestId === id),
  );
  if (event === undefined) return 'none';
  const { status, outcome, error } = event.body;
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return String(
    code ?? (typeof error === 'string' ? error.split(':', 1)[0] : undefined) ?? outcome ?? status,
  );
}

export function createTally(): Tally {
  const faults = new Map<string, number>();
  const requests = new Map<string, number>();
  let seeds = 0;
  let calls = 0;
  let messages = 0;
  let processes = 0;
  const add = (counts: Map<string, number>, name: string, count = 1) =>
    counts.set(name, (counts.get(name) ?? 0) + count);
  const rows = (counts: Map<string, number>) =>
    [...counts]
      .toSorted(([a], [b]) => a.localeCompare(b))
      .map(([name, count]) => `${name.padEnd(40)} ${String(count).padStart(8)}`);
  return {
    add(history) {
      seeds++;
      calls += history.calls.length;
      messages += history.sent.length;
      processes += history.processes.length;
      for (const [name, count] of Object.entries(history.faults)) add(faults, name, count);
      const kinds = new Map(history.sent.map(({ id, kind }) => [id, kind]));
      for (const [id, kind] of kinds) {
        add(requests, `${kind} ${kind === 'poison' ? 'dead-lettered' : outcomeOf(history, id)}`);
      }
    },
    tables: () =>
      [
        `${seeds} seeds, ${messages} messages, ${calls} calls, ${processes} worker processes`,
        '',
        'faults and deeds',
        ...rows(faults),
        '',
        'requests by outcome',
        ...rows(requests),
      ].join('\n'),
  };
}
