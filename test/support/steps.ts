/**
 * The steps of a run: the requests that a worker sends while it carries it out, from the look for its
 * marker to the acknowledgement, each by a name that is the same in every run. Recorded from a run in
 * peace, so that a new step is a new case by itself. Workers must do one job at a time.
 */

import type { LocalRequest } from '../../src/local/request-hooks.ts';
import type { Step } from './traffic.ts';

/** Sent by the clock and not by the run's course. */
const ASIDE = new Set(['ReceiveMessage', 'ChangeMessageVisibility', 'GetQueueAttributes', 'HeadBucket']);

/** What a request is for in any run: its operation, and the key or event type without what differs. */
function labelOf({ operation, key, body }: LocalRequest, runId: string): string {
  if (operation === 'Publish') {
    return `Publish ${(JSON.parse(body?.message ?? '{}') as { type?: string }).type}`;
  }
  const general = (key ?? '')
    .replaceAll(runId, '<run>')
    .replaceAll(/\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d/g, '<version>');
  return `${operation} ${general}`.trim();
}

/** Tells which run each worker is at, and the name of each request of it. */
export class StepReader {
  readonly #runs = new Map<
    string,
    { runId: string; seen: Map<string, number>; names: Map<number, string> }
  >();

  /** The run that the step belongs to and its name, as `PutObject metrics/<run>/runs/<run>.ok #1`. */
  read({ when, request, worker = '' }: Step): { runId: string; name: string } | undefined {
    const marker = /runs\/([^/]+)\.ok$/.exec(request.key ?? '')?.[1];
    const at = this.#runs.get(worker);
    if (when === 'before' && request.operation === 'GetObject' && marker && marker !== at?.runId) {
      this.#runs.set(worker, { runId: marker, seen: new Map(), names: new Map() });
    }
    const run = this.#runs.get(worker);
    if (run === undefined || ASIDE.has(request.operation)) return undefined;
    if (when === 'before') {
      const label = labelOf(request, run.runId);
      const count = (run.seen.get(label) ?? 0) + 1;
      run.seen.set(label, count);
      run.names.set(request.seq, `${label} #${count}`);
    }
    const name = run.names.get(request.seq);
    if (request.operation === 'DeleteMessage' && when === 'after') this.#runs.delete(worker);
    return name === undefined ? undefined : { runId: run.runId, name };
  }
}
