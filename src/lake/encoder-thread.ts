/** The thread of an encoder: makes each column that comes a file, in the order in which they come. */

import { parentPort } from 'node:worker_threads';
import { discard } from '../common/discard.ts';
import { toErrorRecord } from '../common/errors.ts';
import { encodeColumn } from './column-encoder.ts';
import type { EncoderAnswer, EncoderOrder } from './encoder-protocol.ts';

parentPort?.on('message', ({ parts }: EncoderOrder) => {
  let answer: EncoderAnswer;
  try {
    answer = { ok: true, file: encodeColumn(parts) };
  } catch (error) {
    answer = { ok: false, error: toErrorRecord(error) };
  }
  parentPort?.postMessage(answer, answer.ok ? [answer.file.buffer as ArrayBuffer] : []);
  // Megabytes that only small handles hold: the collector would see no hurry.
  if (parts.values instanceof Uint8Array) discard(parts.values);
  else discard(new Uint8Array(parts.values.buffer));
});
