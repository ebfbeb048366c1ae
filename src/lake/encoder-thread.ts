/** The thread of an encoder: makes each column that comes a chunk, in the order in which they come. */

import { parentPort } from 'node:worker_threads';
import { toErrorRecord } from '../common/errors.ts';
import { encodeColumn } from './column-encoder.ts';
import type { EncoderAnswer, EncoderOrder } from './encoder-protocol.ts';

parentPort?.on('message', ({ column }: EncoderOrder) => {
  let answer: EncoderAnswer;
  try {
    answer = { ok: true, chunk: encodeColumn(column) };
  } catch (error) {
    answer = { ok: false, error: toErrorRecord(error) };
  }
  parentPort?.postMessage(answer, answer.ok ? [answer.chunk.bytes.buffer as ArrayBuffer] : []);
});
