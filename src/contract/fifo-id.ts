/** Group and deduplication ids of FIFO queues and topics. */

import { createHash } from 'node:crypto';

/** `id` where SQS and SNS take it as it is (1 to 128 printable ASCII characters), else its SHA-256 in hex. */
export function fifoId(id: string): string {
  return /^[\x21-\x7e]{1,128}$/.test(id) ? id : createHash('sha256').update(id).digest('hex');
}
