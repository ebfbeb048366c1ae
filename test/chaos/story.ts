/** A history told for people: what was done, sent, written, said and logged, in the order of time. */

import type { Call, History } from './history.ts';

interface Line {
  readonly at: number;
  readonly text: string;
}

const TOLD: ReadonlySet<string> = new Set([
  'PutObject',
  'DeleteObject',
  'DeleteObjects',
  'CompleteMultipartUpload',
  'DeleteMessage',
  'SendMessage',
  'Publish',
]);

function receivedBy({ answer = '' }: Call): string | undefined {
  const messages = /"Messages":\[\{/.test(answer)
    ? (JSON.parse(answer) as { Messages: { MessageId: string; Attributes?: Record<string, string> }[] })
        .Messages
    : [];
  return messages
    .map(
      ({ MessageId, Attributes = {} }) => `${MessageId} attempt ${Attributes.ApproximateReceiveCount ?? '?'}`,
    )
    .join(', ');
}

function callLine(call: Call): Line | undefined {
  const { operation, worker, key, status, fault, body = '' } = call;
  const received = operation === 'ReceiveMessage' ? receivedBy(call) : '';
  if (!TOLD.has(operation) && fault === undefined && !received) return undefined;
  const conditions = ['if-match', 'if-none-match'].flatMap((name) =>
    call.headers[name] === undefined ? [] : [`${name} ${call.headers[name]}`],
  );
  const about = operation === 'Publish' ? body.slice(0, 240) : (key ?? received);
  const took = call.endedAt - call.at > 1_000 ? ` (until ${(call.endedAt / 1_000).toFixed(3)})` : '';
  const words = [worker, operation, about, ...conditions, `-> ${status}`, fault && `[${fault}]`];
  return { at: call.carriedOut ? call.carriedOutAt : call.at, text: words.filter(Boolean).join(' ') + took };
}

/** The lines, each with its time in seconds since the start. */
export function storyOf(history: History): string[] {
  const lines: Line[] = [
    ...history.timeline.map((line) => ({
      at: Number(line.slice(0, 8)) * 1_000,
      text: `# ${line.slice(8).trim()}`,
    })),
    ...history.sent.map(({ at, kind, id, groupId, messageId }) => ({
      at,
      text: `> ${kind} ${id} in ${groupId} as ${messageId}`,
    })),
    ...history.calls.flatMap((call) => callLine(call) ?? []),
    ...history.processes.flatMap(({ name, log }) =>
      log
        .filter(({ level }) => level !== 'info' && level !== 'debug')
        .map(({ time, level, msg, cause, error, request_id, run_id }) => ({
          at: Date.parse(String(time)) - history.startedWall,
          text: `! ${name} ${level}: ${[msg, cause, error, request_id ?? run_id].filter(Boolean).map(String).join('; ')}`,
        })),
    ),
  ];
  return lines
    .toSorted((a, b) => a.at - b.at)
    .map(({ at, text }) => `${(at / 1_000).toFixed(3).padStart(8)} ${text}`);
}
