/**
 * The legacy error code in the header that the SDK takes `err.name` from, where an error is not in
 * SQS's model. fauxqs puts `AWS.SimpleQueueService.` before all of them; SQS does so only before
 * those of its model's `awsQueryError` traits that have it.
 */

import type { FauxqsApp } from './fauxqs.ts';

const HEADER = 'x-amzn-query-error';
const PREFIX = 'AWS.SimpleQueueService.';
const PREFIXED: ReadonlySet<string> = new Set([
  'BatchEntryIdsNotDistinct',
  'BatchRequestTooLong',
  'EmptyBatchRequest',
  'InvalidBatchEntryId',
  'MessageNotInflight',
  'NonExistentQueue',
  'PurgeQueueInProgress',
  'QueueDeletedRecently',
  'TooManyEntriesInBatchRequest',
  'UnsupportedOperation',
]);

export function installSqsErrorNames(app: FauxqsApp): void {
  app.addHook('onSend', (_request, reply, _payload, done) => {
    const header = reply.getHeader(HEADER);
    if (typeof header === 'string' && header.startsWith(PREFIX)) {
      const [code = '', fault] = header.slice(PREFIX.length).split(';');
      if (!PREFIXED.has(code)) reply.header(HEADER, `${code};${fault}`);
    }
    done();
  });
}
