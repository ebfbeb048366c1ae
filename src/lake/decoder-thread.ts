/** The decoder thread: opens its own lake, reads one series at a time, sends its batches as credits allow. */

import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../common/clock.ts';
import { toErrorRecord } from '../common/errors.ts';
import type { DecoderAnswer, DecoderNews, DecoderOrder, RemoteFile } from './decoder-protocol.ts';
import type { Lake } from './lake.ts';
import { openLocalFile, type RandomAccess, reopenObject } from './random-access.ts';
import { noteTaker } from './request-observer.ts';
import { openSeries } from './series-reader.ts';
import type { ThreadSettings } from './thread-task.ts';

/** Serves orders from `port` until the thread is ended. */
function serve(port: MessagePort, settings: ThreadSettings): void {
  const heard = noteTaker();
  // Opened for the first object: who reads local files alone needs no SDK.
  let lake: Lake | undefined;
  let credits = 0;
  let wake: () => void = () => {};
  let cancel = new AbortController();

  function answer(news: DecoderNews, transfer: ArrayBuffer[] = []): void {
    port.postMessage({ news, notes: heard.take() } satisfies DecoderAnswer, transfer);
  }

  async function opened(file: RemoteFile, signal: AbortSignal): Promise<RandomAccess> {
    if (file.kind === 'local') return await openLocalFile(file.path);
    lake ??= (await import('./lake.ts')).openLake(settings.s3, systemClock, heard.observer);
    return reopenObject(lake.store, file, signal);
  }

  async function read(order: DecoderOrder & { kind: 'open' }): Promise<void> {
    const { signal } = cancel;
    const inputs = [];
    for (const { file, named } of order.files) inputs.push({ access: await opened(file, signal), named });
    const reader = await openSeries(inputs, order.code);
    try {
      const source = await reader.open();
      for (let batch = await source.next(); batch !== undefined; batch = await source.next()) {
        while (credits === 0 && !signal.aborted) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
        if (signal.aborted) return;
        credits--;
        const own = { times: whole(batch.times), values: whole(batch.values) };
        const transfer = [own.times.buffer, own.values.buffer] as ArrayBuffer[];
        answer({ kind: 'batch', batch: own }, transfer);
      }
    } finally {
      await reader.close();
    }
  }

  port.on('message', (order: DecoderOrder) => {
    if (order.kind === 'credit') {
      credits += order.batches;
      wake();
    } else if (order.kind === 'cancel') {
      cancel.abort(new Error('cancelled'));
      wake();
    } else {
      cancel = new AbortController();
      credits = order.credits;
      const { signal } = cancel;
      read(order).then(
        () => answer({ kind: 'end', error: undefined }),
        (error: unknown) => answer({ kind: 'end', error: signal.aborted ? undefined : toErrorRecord(error) }),
      );
    }
  });
}

/** An array that owns its buffer whole, so that it can be transferred. */
function whole(array: Float64Array): Float64Array {
  return array.byteLength === array.buffer.byteLength ? array : array.slice();
}

if (parentPort !== null) serve(parentPort, workerData as ThreadSettings);
