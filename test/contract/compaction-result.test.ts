import { describe, expect, test } from '@jest/globals';
import {
  type AnsweredRequest,
  compactionResult,
  compactionResultOf,
  NO_CHANGES,
  remember,
} from '../../src/contract/compaction-result.ts';

const key = (i: number) => `parquet_cp_hot/aws/2026/01/23/${i}.parquet`;
const answer = (requestId: string, added = 1): AnsweredRequest => ({
  requestId,
  result: compactionResultOf({ ...NO_CHANGES, added: Array.from({ length: added }, (_, i) => key(i)) }, [1]),
});

describe('the result of a compaction', () => {
  test.each([
    [{}, 'unchanged'],
    [{ deleted: ['a'] }, 'unchanged'],
    [{ added: ['a'] }, 'added'],
    [{ added: ['a'], written: [{ key: 'b', level: 1, rows: 2, bytes: 3 }] }, 'compacted'],
  ])('%j is called %s', (changes, outcome) => {
    const result = compactionResultOf({ ...NO_CHANGES, ...changes }, [1]);
    expect(result.outcome).toBe(outcome);
    expect(compactionResult.parse(JSON.parse(JSON.stringify(result)))).toEqual(result);
  });

  test('tells what was done to the month before, too', () => {
    const swept = { ...NO_CHANGES, manifests: [{ key: 'm12', revision: 9 }], deleted: ['old'] };
    const changes = { ...NO_CHANGES, manifests: [{ key: 'm1', revision: 2 }], deleted: ['new'] };
    expect(compactionResultOf(changes, [0, 1], swept)).toMatchObject({
      manifests: [
        { key: 'm1', revision: 2 },
        { key: 'm12', revision: 9 },
      ],
      deleted: ['new', 'old'],
      counts: { added: 0, written: 0, deleted: 2 },
    });
  });

  test('of a whole month fits into a message of SNS, and tells how much there was', () => {
    const all = Array.from({ length: 4_464 }, (_, i) => key(i));
    const written = all.map((one) => ({ key: one, level: 1, rows: 1, bytes: 1 }));
    const result = compactionResultOf({ manifests: [], added: all, written, deleted: all }, [0]);
    expect(result.added).toEqual(all.slice(0, 100));
    expect(result.counts).toEqual({ added: 4_464, written: 4_464, deleted: 4_464 });
    expect(JSON.stringify(result).length).toBeLessThan(40_000);
  });
});

describe('the answers that a manifest remembers', () => {
  const ids = (answers: readonly AnsweredRequest[]) => answers.map(({ requestId }) => requestId);

  test('are the last sixteen, oldest first, each request once', () => {
    let answers: AnsweredRequest[] = [];
    for (let i = 0; i < 20; i++) answers = remember(answers, answer(`r${i}`));
    expect(ids(answers)).toEqual(Array.from({ length: 16 }, (_, i) => `r${i + 4}`));
    expect(ids(remember(answers, answer('r10')))).toEqual([
      ...ids(answers).filter((id) => id !== 'r10'),
      'r10',
    ]);
  });

  test('are fewer where they are long, but the newest is among them', () => {
    let answers: AnsweredRequest[] = [];
    for (let i = 0; i < 20; i++) answers = remember(answers, answer(`r${i}`, 100));
    expect(ids(answers).at(-1)).toBe('r19');
    expect(answers.length).toBeGreaterThan(1);
    expect(JSON.stringify(answers).length).toBeLessThan(24_000);
  });
});
