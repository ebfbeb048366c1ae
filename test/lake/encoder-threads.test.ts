import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createEncoderThreads, type EncoderThreads } from '../../src/lake/encoder-threads.ts';
import { columnMessage } from '../../src/lake/tier-table/column-message.ts';
import { tableOf } from './tier-table/tables.ts';

function message(value: bigint) {
  const table = tableOf([{ name: 'v', kind: 'int64' }], Array(100).fill([value]));
  return columnMessage(table.columns[0]!, table.rows);
}

/** A column of a kind that no encoder knows. */
const broken = () => ({ ...message(0n), kind: 'color' }) as unknown as ReturnType<typeof message>;

describe('encoder threads', () => {
  let threads: EncoderThreads;

  beforeEach(() => {
    threads = createEncoderThreads(2);
  });

  afterEach(async () => {
    await threads.close();
  });

  test('give each answer to who asked, whatever the order in which they are done', async () => {
    const values = Array.from({ length: 20 }, (_, i) => BigInt(i) + 2n ** 56n);
    const chunks = await Promise.all(values.map((value) => threads.encode(message(value))));
    expect(chunks.map(({ meta }) => meta.statistics?.min_value)).toEqual(values);
  });

  test('tell of what cannot be encoded, and go on', async () => {
    const results = await Promise.allSettled(
      [broken(), message(1n), broken(), message(2n)].map(threads.encode),
    );
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'rejected', 'fulfilled']);
  });

  test('fail what waits when they are closed, and what comes later', async () => {
    const waiting = Array.from({ length: 6 }, () => threads.encode(message(1n)));
    const settled = Promise.allSettled(waiting);
    await threads.close();
    expect((await settled).every(({ status }) => status === 'rejected')).toBe(true);
    await expect(threads.encode(message(1n))).rejects.toThrow('closed');
  });
});
