import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Flow, Frame } from '../../../src/metric-run/expression/frame.ts';
import { tee } from '../../../src/metric-run/expression/tee.ts';

/** A flow of `count` frames of one row, at times 0, 1, 2; then the end, or `failure`. */
function counting(count: number, failure?: Error): Flow & { readonly pulls: () => number } {
  let pulls = 0;
  return {
    pulls: () => pulls,
    async next(): Promise<Frame | undefined> {
      const at = pulls++;
      await Promise.resolve();
      if (at < count) return { times: Float64Array.of(at), values: Float64Array.of(at), ownsValues: true };
      if (failure !== undefined) throw failure;
      return undefined;
    },
  };
}

describe('a tee', () => {
  test('gives each consumer every frame in order, at whatever pace, and pulls each once', async () => {
    const pace = fc.array(fc.integer({ min: 0, max: 2 }), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(pace, fc.integer({ min: 0, max: 6 }), async (order, count) => {
        const input = counting(count);
        const branches = tee(input, 3);
        const seen: number[][] = [[], [], []];
        const ended = [false, false, false];
        const pull = async (consumer: number) => {
          const frame = await branches[consumer]!.next();
          if (frame === undefined) ended[consumer] = true;
          else seen[consumer]!.push(frame.times[0]!);
        };
        for (const consumer of order) if (!ended[consumer]) await pull(consumer);
        for (const consumer of [0, 1, 2]) while (!ended[consumer]) await pull(consumer);
        const all = Array.from({ length: count }, (_, i) => i);
        expect(seen).toEqual([all, all, all]);
        expect(input.pulls()).toBe(count + 1);
      }),
    );
  });

  test('serves consumers that pull at the same time from one pull', async () => {
    const input = counting(1);
    const branches = tee(input, 4);
    const frames = await Promise.all(branches.map((branch) => branch.next()));
    expect(frames.map((frame) => frame?.times[0])).toEqual([0, 0, 0, 0]);
    expect(input.pulls()).toBe(1);
    expect(await Promise.all(branches.map((branch) => branch.next()))).toEqual(new Array(4).fill(undefined));
    expect(input.pulls()).toBe(2);
  });

  test('lends its frames: nobody owns their values', async () => {
    for (const branch of tee(counting(1), 2)) expect((await branch.next())?.ownsValues).toBe(false);
  });

  test('passes an error on to every consumer, after the frames before it', async () => {
    const failure = new Error('connection lost');
    const input = counting(2, failure);
    for (const branch of tee(input, 2)) {
      expect((await branch.next())?.times[0]).toBe(0);
      expect((await branch.next())?.times[0]).toBe(1);
      await expect(branch.next()).rejects.toBe(failure);
    }
    expect(input.pulls()).toBe(3);
  });
});
