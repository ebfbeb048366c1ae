/**
 * A stack of things to close. Whatever is opened is pushed here and released in reverse order, each
 * once, also when an earlier one fails; the first failure is thrown at the end.
 */

export type Release = () => Promise<void> | void;

export class Releasers {
  readonly #stack: Release[] = [];

  push(release: Release): void {
    this.#stack.push(release);
  }

  /** Releases all, last opened first. Safe to call twice. */
  async release(): Promise<void> {
    const failures: unknown[] = [];
    for (let next = this.#stack.pop(); next !== undefined; next = this.#stack.pop()) {
      try {
        await next();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length === 1) throw failures[0];
    if (failures.length > 1) throw new AggregateError(failures, 'several resources failed to close');
  }
}
