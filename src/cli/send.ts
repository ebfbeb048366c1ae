/** `tidemill send`: puts a request on the queue, and on wish waits for its events. */

import { freshId } from '../common/ids.ts';
import { VARIABLES } from '../config.ts';
import type { BucketPolicy } from '../contract/object-location.ts';
import { CommandFailure, type CommandModule, prose, UsageError, wholeNumber } from './command.ts';
import type { SeenRequest } from './request-kinds.ts';
import type { Target } from './target.ts';
import type { Terminal } from './terminal.ts';

const ABOUT =
  prose(`Sends a request to the queue of the environment, else of a running \`demo --keep\`, else of
.env. It is validated first. On a FIFO queue the message group is the metric code (or
hot:<provider>, warm:<provider>:<month>, ingest:<ingestion>) and the deduplication id is
the request's own, so that sending the same request again within five minutes has no
effect; --resend has it delivered again.`);

const FOLLOW_SECONDS = 300;
/** After so long without an event a person wonders why. */
const HINT_AFTER_MS = 5_000;

interface SendOptions {
  readonly env?: string;
  readonly group?: string;
  readonly resend?: boolean;
  readonly force?: boolean;
  readonly follow?: boolean;
  readonly timeout: number;
}

function refuseInvalid(terminal: Terminal, path: string, seen: SeenRequest, { force }: SendOptions): void {
  if (seen.problems.length === 0 || force) return;
  terminal.complain(`error: ${path} is not valid, so it was not sent; --force sends it all the same.`);
  for (const problem of seen.problems) terminal.complain(`  ${problem}`);
  throw new CommandFailure();
}

/** Which buckets the worker would allow, where the target tells. */
function policyOf({ environment }: Target): BucketPolicy | undefined {
  const { bucket, allowedBuckets } = VARIABLES;
  const defaultBucket = environment[bucket.name];
  if (!defaultBucket) return undefined;
  return {
    defaultBucket,
    allowedBuckets: new Set(allowedBuckets.schema.parse(environment[allowedBuckets.name] ?? '')),
  };
}

function describe(
  terminal: Terminal,
  target: Target,
  queueUrl: string,
  rows: readonly [string, string][],
): void {
  const { paint } = terminal;
  const all = [['queue', queueUrl] as const, ['found in', target.from] as const, ...rows];
  for (const [name, value] of all) terminal.line(`  ${paint('faint', name.padEnd(14))} ${value}`);
}

async function send(terminal: Terminal, path: string, options: SendOptions): Promise<void> {
  const { readText } = await import('./document.ts');
  const { seeRequest } = await import('./request-kinds.ts');
  const { findTarget } = await import('./target.ts');
  const { EVENTS_QUEUE } = await import('./state-directory.ts');
  const { createRequestQueue } = await import('../worker/queue.ts');

  const text = readText(path);
  refuseInvalid(terminal, path, seeRequest(text), options);
  const target = findTarget(options.env);
  const { environment } = target;
  const eventsQueue = environment[EVENTS_QUEUE];
  if (options.follow && !eventsQueue) {
    throw new UsageError(
      `--follow needs ${EVENTS_QUEUE}, the URL of a queue that is subscribed to the events topic`,
    );
  }
  const queueUrl = environment[VARIABLES.queueUrl.name] ?? '';
  const region = environment[VARIABLES.region.name] || VARIABLES.region.fallback || '';
  const seen = seeRequest(text, policyOf(target));
  refuseInvalid(terminal, path, seen, options);
  const id = seen.ids?.id ?? freshId();
  const group = options.group ?? seen.ids?.group ?? 'tidemill-send';
  const deduplication = options.resend ? `${id}:${freshId()}` : id;
  const queue = createRequestQueue({ region, url: queueUrl, deadLetterUrl: undefined });
  try {
    await queue.send(text, group, deduplication);
    terminal.line(
      `${terminal.paint('good', '✓')} sent ${terminal.paint('strong', seen.type ?? 'a message')} ${id}`,
    );
    const ids: [string, string][] = [
      ['group', group],
      ['deduplication', deduplication],
    ];
    describe(terminal, target, queueUrl, queueUrl.endsWith('.fifo') ? ids : []);
    if (options.follow) {
      const { follow } = await import('./follow.ts');
      await follow(terminal, queue.client, {
        queueUrl: eventsQueue ?? '',
        id,
        seconds: options.timeout,
        hintAfterMs: HINT_AFTER_MS,
      });
    }
  } finally {
    queue.close();
  }
}

export const addSend: CommandModule = (program, terminal) => {
  program
    .command('send')
    .summary('send a request to the queue')
    .description(ABOUT)
    .argument('<file>', 'the request, as JSON; - reads standard input')
    .option('-f, --follow', 'wait for its events and print them; exit code 1 when it fails')
    .option('--timeout <seconds>', 'how long to follow', wholeNumber('--timeout', 1, 86_400), FOLLOW_SECONDS)
    .option('--resend', 'have it delivered again, though the queue has seen it already')
    .option('--group <id>', 'another message group')
    .option('--env <file>', 'settings (.env or JSON) that name queue, bucket and region')
    .option('--force', 'send it even if it is not valid')
    .action(async (path: string, options: SendOptions) => {
      await send(terminal, path, options);
    });
};
