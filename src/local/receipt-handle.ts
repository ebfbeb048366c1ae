/**
 * Receipt handles that hold no more, as SQS answers them. fauxqs looks at visibility timeouts only
 * when somebody receives, so an expired handle still works; and it answers a stale one with an error
 * that SQS does not give, or on FIFO queues with success.
 *
 * What SQS answers: no handle at all, ReceiptHandleIsInvalid; an expired one on a FIFO queue,
 * InvalidParameterValue on delete and change; on a standard queue a delete succeeds, and a change is
 * InvalidParameterValue. A second delete succeeds. Batches keep fauxqs's answers.
 */

import { type AwsError, errorAnswer } from './aws-error.ts';
import type { FauxqsApp, SqsQueue, SqsStore } from './fauxqs.ts';
import { operationOf } from './operation.ts';

const HANDLE = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const DELETED_KEPT = 10_000;
const CLOCKED: ReadonlySet<string> = new Set([
  'DeleteMessage',
  'ChangeMessageVisibility',
  'GetQueueAttributes',
]);

export function installReceiptHandles(app: FauxqsApp, store: SqsStore): void {
  const deleted = new Set<string>();
  app.addHook('preHandler', (request, reply, done) => {
    const operation = operationOf(request);
    const { QueueUrl: url, ReceiptHandle: handle } = (request.body ?? {}) as Record<string, unknown>;
    const relevant = operation?.service === 'sqs' && CLOCKED.has(operation.name);
    const queue = relevant && typeof url === 'string' ? store.getQueue(url) : undefined;
    if (operation === undefined || queue === undefined) {
      done();
      return;
    }
    // A standard queue lets an expired handle delete, until the message is received again.
    if (queue.isFifo() || operation.name !== 'DeleteMessage') queue.processTimers();
    if (typeof handle !== 'string') {
      done();
      return;
    }
    const again = operation.name === 'DeleteMessage' && deleted.has(handle);
    const refusal = again ? undefined : refusalOf(queue, operation.name, handle);
    if (refusal !== undefined) {
      const answer = errorAnswer('sqs', refusal);
      reply.code(answer.status).headers(answer.headers).send(answer.body);
      return;
    }
    if (operation.name === 'DeleteMessage' && queue.inflightMessages.has(handle)) {
      deleted.add(handle);
      if (deleted.size > DELETED_KEPT) deleted.delete(deleted.values().next().value ?? '');
    }
    done();
  });
}

function refusalOf(queue: SqsQueue, operation: string, handle: string): AwsError | undefined {
  if (!HANDLE.test(handle)) {
    const message = `The input receipt handle "${handle}" is not a valid receipt handle.`;
    return { status: 400, code: 'ReceiptHandleIsInvalid', message };
  }
  if (queue.inflightMessages.has(handle)) return undefined;
  const invalid = (reason: string): AwsError => ({
    status: 400,
    code: 'InvalidParameterValue',
    message: `Value ${handle} for parameter ReceiptHandle is invalid. Reason: ${reason}`,
  });
  if (queue.isFifo()) return invalid('The receipt handle has expired.');
  if (operation !== 'ChangeMessageVisibility') return undefined;
  return invalid('Message does not exist or is not available for visibility timeout change.');
}
