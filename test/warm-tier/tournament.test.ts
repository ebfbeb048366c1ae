import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Tournament } from '../../src/warm-tier/tournament.ts';

test('a tournament of any number of lanes takes numbers in order, and knows the runner-up', () => {
  fc.assert(
    fc.property(fc.array(fc.array(fc.nat(50)), { minLength: 1, maxLength: 12 }), (all) => {
      const lanes = all.map((numbers) => [...numbers.toSorted((a, b) => a - b), Number.POSITIVE_INFINITY]);
      const at = lanes.map(() => 0);
      const next = (lane: number) => lanes[lane]![at[lane]!]!;
      const compare = (a: number, b: number) => (next(a) === next(b) ? 0 : next(a) < next(b) ? -1 : 1);
      const tournament = new Tournament(lanes.length, compare);
      tournament.start();
      const taken: number[] = [];
      while (next(tournament.winner) !== Number.POSITIVE_INFINITY) {
        const others = lanes.map((_, lane) => next(lane)).filter((_, lane) => lane !== tournament.winner);
        const runnerUp = tournament.runnerUp();
        expect(runnerUp < 0 ? Number.POSITIVE_INFINITY : next(runnerUp)).toBe(Math.min(...others));
        taken.push(next(tournament.winner));
        at[tournament.winner]!++;
        tournament.replay();
      }
      expect(taken).toEqual(all.flat().sort((a, b) => a - b));
    }),
  );
});
