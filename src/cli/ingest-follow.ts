/** Sending an ingest request and watching its run in the ledger, with a bar, to its end. */

import type { SQSClient } from '@aws-sdk/client-sqs';
import { systemClock } from '../common/clock.ts';
import { VARIABLES } from '../config.ts';
import { INGEST_RUN_COMPLETED } from '../contract/ingest-run.ts';
import { CommandFailure } from './command.ts';
import { count, type Terminal } from './terminal.ts';

export type IngestBody = Readonly<Record<string, unknown>> & {
  readonly requestId: string;
  readonly ingestionId: string;
};

const LOOK_EVERY_MS = 200;
const BAR_WIDTH = 36;

/** @throws CommandFailure when the run fails, or no worker carries it out within `seconds` */
export async function sendAndWatch(
  terminal: Terminal,
  body: IngestBody,
  environment: NodeJS.ProcessEnv,
  seconds: number,
): Promise<void> {
  const { createRequestQueue } = await import('../worker/queue.ts');
  const { EVENTS_QUEUE } = await import('./state-directory.ts');
  const region = environment[VARIABLES.region.name] || 'us-east-1';
  const url = environment[VARIABLES.queueUrl.name] ?? '';
  const queue = createRequestQueue({ region, url, deadLetterUrl: undefined });
  try {
    await queue.send(JSON.stringify(body), `ingest:${body.ingestionId}`, body.requestId);
  } catch (error) {
    queue.close();
    throw error;
  }
  terminal.line(
    `${terminal.paint('good', '✓')} sent ${terminal.paint('strong', 'ingest_run_requested')} ${body.requestId}`,
  );
  const events = listen(queue.client, environment[EVENTS_QUEUE], body.requestId);
  try {
    await watch(terminal, body, seconds, events);
  } finally {
    events.stop();
    queue.close();
  }
}

interface Listener {
  /** What the completed event says of a run that was refused, once it is there. */
  refusal(): string | undefined;
  stop(): void;
}

/** Hears of a refusal by a worker without a ledger, where the target has a queue of events. */
function listen(client: SQSClient, queueUrl: string | undefined, id: string): Listener {
  const abort = new AbortController();
  let refusal: string | undefined;
  const hear = async (url: string) => {
    const { tailEvents } = await import('./event-tail.ts');
    for await (const { type, body } of tailEvents(client, url, abort.signal, id)) {
      // One with counts is of a run that was carried out: the ledger has it.
      if (type !== INGEST_RUN_COMPLETED || body.status !== 'FAILURE' || 'files' in body) continue;
      const { code, message } = (body.error ?? {}) as { code?: unknown; message?: unknown };
      refusal = `${String(code)}: ${String(message)}`;
    }
  };
  if (queueUrl) hear(queueUrl).catch(() => {}); // The ledger is watched all the same.
  return { refusal: () => refusal, stop: () => abort.abort() };
}

async function watch(terminal: Terminal, body: IngestBody, seconds: number, events: Listener): Promise<void> {
  const { withLedger } = await import('./ledger-access.ts');
  const { runProgress } = await import('../ledger/reports.ts');
  const { refusalOf } = await import('../ledger/run-ledger.ts');
  const { bar } = await import('../demo/bar.ts');
  const { openLiveLine } = await import('../demo/live-line.ts');
  const live = openLiveLine(terminal);
  const started = systemClock.monotonic();
  await withLedger(async (ledger) => {
    for (;;) {
      const run = await runProgress(ledger, body.requestId);
      const asked = { runId: body.requestId, ingestionId: body.ingestionId };
      const refusal = (await refusalOf(ledger, asked)) ?? events.refusal();
      if (refusal !== undefined && run?.status !== 'RUNNING') {
        live.settle();
        throw new CommandFailure(`error: the run was refused: ${showable(refusal)}`);
      }
      const done = run?.done ?? 0;
      const all = done + (run?.open ?? 0);
      const fraction = all === 0 ? 0 : done / all;
      live.show(
        `  ${bar(terminal, run?.status === 'RUNNING' || run === undefined ? fraction : 1, BAR_WIDTH)} ${count(done)} of ${count(all)} files`,
      );
      if (run?.result !== undefined && run.result !== null && run.status !== 'RUNNING') {
        live.settle();
        tell(terminal, run.result);
        return;
      }
      if (run?.status === 'FAILURE') {
        live.settle();
        throw new CommandFailure(
          "error: the run was refused; its completed event and the worker's log say why",
        );
      }
      if (systemClock.monotonic() - started > seconds * 1000) {
        live.settle();
        throw new CommandFailure(
          `error: not done after ${seconds} seconds; \`tidemill ledger runs\` tells when it is`,
        );
      }
      await systemClock.sleep(LOOK_EVERY_MS);
    }
  });
}

/** What is of a request may be anybody's: it can not colour the terminal. */
const showable = (text: string) => JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"');

function tell(terminal: Terminal, result: Readonly<Record<string, unknown>>): void {
  const files = (result.files ?? {}) as Record<string, number>;
  const told = Object.entries(files).map(([name, value]) => `${name} ${count(value)}`);
  const status = String(result.status);
  const tone = status === 'SUCCESS' ? 'good' : status === 'PARTIAL' ? 'warn' : 'bad';
  terminal.line(
    `  ${terminal.paint(tone, status)}  ${count(Number(result.rows ?? 0))} rows  ${told.join('  ')}`,
  );
  for (const { file, error } of (result.failures ?? []) as { file: string; error: string }[]) {
    terminal.line(`  ${terminal.paint('bad', '✗')} ${JSON.stringify(file).slice(1, -1)}: ${error}`);
  }
  if (typeof result.datasetManifest === 'string')
    terminal.line(`  ${terminal.paint('faint', 'manifest'.padEnd(14))} ${result.datasetManifest}`);
  if (status === 'FAILURE') throw new CommandFailure();
}
