/**
 * A tree of losers: which of several lanes' next rows comes first, at a cost of log2(lanes) comparisons
 * for each row taken. A leaf is a lane; an inner node remembers the lane that lost there.
 */

/** Less than 0 when the next row of lane `a` comes before that of lane `b`. */
export type CompareLanes = (a: number, b: number) => number;

export class Tournament {
  readonly #lanes: number;
  readonly #compare: CompareLanes;
  readonly #losers: Int32Array;
  #winner = 0;

  /** @param lanes 1 or more; call `start` before anything else */
  constructor(lanes: number, compare: CompareLanes) {
    this.#lanes = lanes;
    this.#compare = compare;
    this.#losers = new Int32Array(lanes);
  }

  /** The lane whose next row comes first. */
  get winner(): number {
    return this.#winner;
  }

  /** Plays all matches. */
  start(): void {
    this.#winner = this.#play(1);
  }

  #play(node: number): number {
    if (node >= this.#lanes) return node - this.#lanes;
    const left = this.#play(node * 2);
    const right = this.#play(node * 2 + 1);
    const leftWins = this.#compare(left, right) <= 0;
    this.#losers[node] = leftWins ? right : left;
    return leftWins ? left : right;
  }

  /** Plays the winner's matches again, after its next row has become a later one. */
  replay(): void {
    const losers = this.#losers;
    let winner = this.#winner;
    for (let node = (winner + this.#lanes) >>> 1; node > 0; node >>>= 1) {
      const other = losers[node]!;
      if (this.#compare(other, winner) < 0) {
        losers[node] = winner;
        winner = other;
      }
    }
    this.#winner = winner;
  }

  /** The lane that comes first but for the winner, or -1 when there is no other. */
  runnerUp(): number {
    let best = -1;
    for (let node = (this.#winner + this.#lanes) >>> 1; node > 0; node >>>= 1) {
      const other = this.#losers[node]!;
      if (best < 0 || this.#compare(other, best) < 0) best = other;
    }
    return best;
  }
}
