/** Sending an ingest request and watching its run in the ledger, with a bar, to its end. */

import { systemClock } from '../common/clock.ts';
import { VARIABLES } from '../config.ts';
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
  const { withLedger } = await import('./ledger-access.ts');
  const { runProgress } = await import('../ledger/reports.ts');
  const { bar } = await import('../demo/bar.ts');
  const { openLiveLine } = await import('../demo/live-line.ts');
  const region = environment[VARIABLES.region.name] || 'us-east-1';
  const url = environment[VARIABLES.queueUrl.name] ?? '';
  const queue = createRequestQueue({ region, url, deadLetterUrl: undefined });
  try {
    await queue.send(JSON.stringify(body), `ingest:${body.ingestionId}`, body.requestId);
  } finally {
    queue.close();
  }
  terminal.line(
    `${terminal.paint('good', '✓')} sent ${terminal.paint('strong', 'ingest_run_requested')} ${body.requestId}`,
  );
  const live = openLiveLine(terminal);
  const started = systemClock.monotonic();
  await withLedger(async (ledger) => {
    for (;;) {
      const run = await runProgress(ledger, body.requestId);
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
