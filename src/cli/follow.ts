/** Printing the events of one request until it is completed. */

import type { SQSClient } from '@aws-sdk/client-sqs';
import { systemClock } from '../common/clock.ts';
import { CommandFailure } from './command.ts';
import { eventLine, isCompleted, isFailure } from './event-line.ts';
import { tailEvents } from './event-tail.ts';
import { plural, type Terminal } from './terminal.ts';

export interface Followed {
  /** A queue that is subscribed to the events topic; the events of other requests are left in it. */
  readonly queueUrl: string;
  /** `runId` or `requestId`. */
  readonly id: string;
  readonly seconds: number;
  /** When to say why there may be no event. */
  readonly hintAfterMs: number;
}

const HINT = `  No event yet. A busy worker takes it later; and a request that was sent in the
  last five minutes already is not delivered again, unless with --resend.`;

/**
 * Resolves when the completed event is there and says success.
 * @throws CommandFailure when it says failure, or does not come in time
 */
export async function follow(terminal: Terminal, client: SQSClient, followed: Followed): Promise<void> {
  const { queueUrl, id, seconds, hintAfterMs } = followed;
  const time = systemClock.timeout(seconds * 1000, () => new Error('no completed event in time'));
  const hint = systemClock.timeout(hintAfterMs, () => new Error('no event'));
  hint.signal.addEventListener('abort', () => terminal.line(terminal.paint('faint', HINT)), { once: true });
  try {
    for await (const event of tailEvents(client, queueUrl, time.signal, id)) {
      hint.clear();
      terminal.line(eventLine(terminal, event, '  '));
      if (!isCompleted(event)) continue;
      if (isFailure(event)) throw new CommandFailure();
      const { outputManifest } = event.body;
      if (typeof outputManifest === 'string')
        terminal.line(`  ${terminal.paint('faint', 'manifest'.padEnd(14))} ${outputManifest}`);
      return;
    }
  } finally {
    time.clear();
    hint.clear();
  }
  throw new CommandFailure(`error: no completed event of ${id} within ${plural(seconds, 'second')}`);
}
