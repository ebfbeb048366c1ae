/**
 * Long polls of ReceiveMessage. fauxqs hands a message that arrives to whoever waits first, also when
 * that client has hung up, and the message is lost until its visibility timeout; and each arrival
 * wakes all waiters, of which all but one are answered early with nothing.
 *
 * Here the wait is over only when there is a message for this very waiter, the time is up, the queue
 * is gone or the server stops; a waiter whose client has hung up never takes a message. The check
 * and fauxqs's receive that follows it share one tick.
 */

import { systemClock } from '../common/clock.ts';
import type { FauxqsApp, SqsQueue, SqsStore } from './fauxqs.ts';
import { operationOf } from './operation.ts';

interface ReceiveBody {
  readonly QueueUrl?: string;
  WaitTimeSeconds?: number;
}

const MAX_WAIT_SECONDS = 20;

export function installLongPolls(app: FauxqsApp, store: SqsStore): void {
  let stopping = false;
  app.addHook('preClose', (done) => {
    stopping = true;
    store.shutdown();
    done();
  });
  app.addHook('preHandler', (request, reply, done) => {
    const body = request.body as ReceiveBody;
    const queue =
      operationOf(request)?.name === 'ReceiveMessage' && typeof body.QueueUrl === 'string'
        ? store.getQueue(body.QueueUrl)
        : undefined;
    if (queue === undefined) {
      done();
      return;
    }
    const seconds = body.WaitTimeSeconds ?? Number(queue.attributes.ReceiveMessageWaitTimeSeconds);
    if (seconds > MAX_WAIT_SECONDS || seconds < 0) {
      done(); // fauxqs says what is wrong with it
      return;
    }
    const deadline = systemClock.monotonic() + seconds * 1000;
    body.WaitTimeSeconds = 0;
    const attempt = () => {
      if (request.raw.socket.destroyed || reply.raw.destroyed) {
        reply.hijack();
        return;
      }
      queue.processTimers();
      const left = deadline - systemClock.monotonic();
      const gone = store.getQueueByArn(queue.arn) !== queue;
      if (left <= 0 || stopping || gone || hasDeliverable(queue)) {
        done();
        return;
      }
      queue.waitForMessages(left / 1000).then(attempt);
    };
    attempt();
  });
}

/** Whether a receive now would find a message; on a FIFO queue, one whose group has none in flight. */
function hasDeliverable(queue: SqsQueue): boolean {
  if (!queue.isFifo()) return queue.messages.length > 0;
  for (const [group, messages] of queue.fifoMessages) {
    if (messages.length > 0 && !queue.fifoLockedGroups.has(group)) return true;
  }
  return false;
}
