/**
 * The requests that workers send to the embedded AWS, as seen from the services: watched, recorded, and
 * made to fail. Requests of the tests' own clients (`TEST_APP`) are let through unseen.
 */

import type { LocalRequest, Verdict } from '../../src/local/request-hooks.ts';
import { eventually, type Patience } from './eventually.ts';

/** One request on its way in (`before` it is carried out) or its answer on its way out (`after`). */
export interface Step {
  readonly when: 'before' | 'after';
  readonly request: LocalRequest;
  /** The name of the worker process that sent it. */
  readonly worker: string | undefined;
  /** The answer's HTTP status, once there is one. */
  readonly status?: number | undefined;
}

// biome-ignore lint/suspicious/noConfusingVoidType: a rule that returns nothing has nothing to say
export type Rule = (step: Step) => Verdict | undefined | void | Promise<Verdict | undefined | void>;

/** Which requests are meant: all that fit every field given. */
export interface Which {
  readonly operation?: string | readonly string[];
  readonly key?: RegExp;
  readonly worker?: string;
  /** Of an SNS or SQS body: the message. */
  readonly message?: RegExp;
  readonly when?: Step['when'];
}

export const TEST_APP = 'test';

/** The `AWS_SDK_UA_APP_ID` of the client that sent a request. */
export function appOf(request: LocalRequest): string | undefined {
  return /\bapp\/(\S+)/.exec(request.headers['user-agent'] ?? '')?.[1];
}

export function fits({ request, worker, when }: Step, which: Which): boolean {
  const { operation } = which;
  const operations = typeof operation === 'string' ? [operation] : operation;
  if (operations !== undefined && !operations.includes(request.operation)) return false;
  if (which.when !== undefined && which.when !== when) return false;
  if (which.worker !== undefined && which.worker !== worker) return false;
  if (which.key !== undefined && !which.key.test(request.key ?? '')) return false;
  const message = request.body?.message ?? request.body?.messageBody ?? '';
  return which.message === undefined || which.message.test(String(message));
}

export class Traffic {
  readonly #rules: Rule[] = [];
  /** Every request of a worker, in order of arrival. */
  readonly requests: { readonly request: LocalRequest; readonly worker: string | undefined }[] = [];

  /** Adds a rule; the first rule with a verdict decides. Returns what takes the rule away. */
  add(rule: Rule): () => void {
    this.#rules.push(rule);
    return () => {
      const at = this.#rules.indexOf(rule);
      if (at >= 0) this.#rules.splice(at, 1);
    };
  }

  /** Gives `verdict` to the first `times` requests that fit (default: to all, before they are carried out). */
  fault(which: Which, verdict: Verdict, times = Number.POSITIVE_INFINITY): Fault {
    let count = 0;
    const remove = this.add((step) => {
      if (count >= times || !fits(step, { when: 'before', ...which })) return undefined;
      count++;
      return verdict;
    });
    return {
      remove,
      get count() {
        return count;
      },
    };
  }

  /** Holds back requests that fit (default: before they are carried out) until they are released. */
  hold(which: Which): Hold {
    const held: Step[] = [];
    let release: (verdict: Verdict | undefined) => void = () => {};
    const released = new Promise<Verdict | undefined>((resolve) => {
      release = resolve;
    });
    const remove = this.add(async (step) => {
      if (!fits(step, { when: 'before', ...which })) return undefined;
      held.push(step);
      return await released;
    });
    return {
      held,
      come: (count, patience) =>
        eventually(
          () => `${count} held requests; there are ${held.length}`,
          () => held.length >= count,
          patience,
        ).then(() => {}),
      release(verdict) {
        remove();
        release(verdict);
      },
    };
  }

  /** How many requests of workers fit. */
  count(which: Which): number {
    return this.requests.filter((sent) => fits({ when: 'before', ...sent }, which)).length;
  }

  async judge(step: Step): Promise<Verdict | undefined> {
    if (step.when === 'before') this.requests.push({ request: step.request, worker: step.worker });
    for (const rule of [...this.#rules]) {
      const verdict = await rule(step);
      if (verdict) return verdict;
    }
    return undefined;
  }
}

export interface Hold {
  /** What is or was held, in order of arrival. */
  readonly held: readonly Step[];
  /** Waits until so many have come. */
  come(count: number, patience?: Patience): Promise<void>;
  /** Lets all go on, or gives them a verdict (`DROPPED` after a kill), and holds no more. */
  release(verdict?: Verdict): void;
}

export interface Fault {
  remove(): void;
  /** How often it struck. */
  readonly count: number;
}

/** Faults as the services give them. */
export const SLOW_DOWN: Verdict = { kind: 'fail', status: 503, code: 'SlowDown' };
export const INTERNAL: Verdict = { kind: 'fail', status: 500, code: 'InternalError' };
export const DROPPED: Verdict = { kind: 'drop' };
