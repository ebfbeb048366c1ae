/**
 * Glob patterns over keys: `*` and `?` within a segment, `**` over segments, `[a-z]`, `[!a]`, `{a,b}`,
 * `\` to escape.
 *
 * A pattern comes from a message and keys from whoever may put files, and both are tried on the main
 * thread. So it is no regular expression, which could be made to backtrack for hours (`*a*a*a…`, or
 * `{a,a}{a,a}…`), but an automaton all of whose states are followed at once: a key takes time in
 * proportion to its length times the pattern's at most, whatever they are. What was found is kept, so that
 * the next key takes a look-up for each character.
 */

import { InvalidRequestError } from '../common/errors.ts';

const MAX_STARS = 32;

/** Whether a UTF-16 unit of the path is accepted. */
type Accepts = (char: string) => boolean;

interface State {
  /** States that are reached without taking a character. */
  readonly free: number[];
  readonly steps: (readonly [accepts: Accepts, to: number])[];
}

const inSegment: Accepts = (char) => char !== '/';
const anything: Accepts = () => true;

function refuse(why: string, cause?: unknown): never {
  const options = cause === undefined ? {} : { cause };
  throw new InvalidRequestError('CONFIG_ERROR', `source.glob: ${why}`, options);
}

/** The automaton as it grows: `at` is the state that what comes next begins in. */
class Builder {
  readonly states: State[] = [{ free: [], steps: [] }];
  at = 0;

  fresh(...from: readonly number[]): number {
    this.states.push({ free: [], steps: [] });
    const made = this.states.length - 1;
    for (const state of from) this.states[state]!.free.push(made);
    return made;
  }

  take(accepts: Accepts): void {
    const next = this.fresh();
    this.states[this.at]!.steps.push([accepts, next]);
    this.at = next;
  }

  /** Any number of what is accepted. */
  repeat(accepts: Accepts): void {
    this.at = this.fresh(this.at);
    this.states[this.at]!.steps.push([accepts, this.at]);
  }

  /** Any number of whole segments, each with its slash. */
  segments(): void {
    const slash: Accepts = (char) => char === '/';
    const start = this.fresh(this.at);
    const inside = this.fresh(start);
    this.states[inside]!.steps.push([inSegment, inside], [slash, start]);
    this.at = start;
  }
}

/** The test of `[…]`, whose `body` is what stands between the brackets; a slash is never a member. */
function classOf(body: string): Accepts {
  const negated = body[0] === '!' || body[0] === '^';
  const members = (negated ? body.slice(1) : body).replace(/[\\\][^/]/g, '\\$&');
  try {
    const one = new RegExp(`^[${negated ? '^' : ''}${members}]$`, 's');
    return (char) => char !== '/' && one.test(char);
  } catch (cause) {
    return refuse('is no pattern', cause);
  }
}

function automatonOf(pattern: string): { readonly states: readonly State[]; readonly end: number } {
  const builder = new Builder();
  const braces: { readonly start: number; readonly end: number }[] = [];
  const literally = (literal: string) => builder.take((char) => char === literal);
  for (let i = 0; i < pattern.length; i++) {
    const char = pattern[i]!;
    const brace = braces.at(-1);
    if (char === '\\') {
      i++;
      if (i >= pattern.length) refuse('ends with a backslash');
      literally(pattern[i]!);
    } else if (char === '*' && pattern[i + 1] === '*') {
      const startsSegment = i === 0 || pattern[i - 1] === '/';
      const next = pattern[i + 2];
      if (startsSegment && next === '/') {
        builder.segments();
        i += 2;
      } else {
        builder.repeat(startsSegment && next === undefined ? anything : inSegment);
        i++;
      }
    } else if (char === '*') builder.repeat(inSegment);
    else if (char === '?') builder.take(inSegment);
    else if (char === '[') {
      const end = pattern.indexOf(']', i + 2);
      if (end < 0) refuse('has a [ without its ]');
      builder.take(classOf(pattern.slice(i + 1, end)));
      i = end;
    } else if (char === '{') {
      const start = builder.at;
      braces.push({ start, end: builder.fresh() });
      builder.at = builder.fresh(start);
    } else if (brace !== undefined && (char === '}' || char === ',')) {
      builder.states[builder.at]!.free.push(brace.end);
      if (char === '}') braces.pop();
      builder.at = char === '}' ? brace.end : builder.fresh(brace.start);
    } else literally(char);
  }
  if (braces.length > 0) refuse('has a { without its }');
  return { states: builder.states, end: builder.at };
}

/** The states that a path's beginning may have led to, and by which character to which next. */
interface Stand {
  readonly states: readonly number[];
  readonly isEnd: boolean;
  readonly next: Map<string, Stand>;
}

/** Stands that are kept at most: patterns exist that have no end of them. */
const MAX_STANDS = 2_000;

/** A test of paths relative to the source's folder. A pattern that is none is CONFIG_ERROR. */
export function compileGlob(pattern: string): (path: string) => boolean {
  const normal = pattern.replace(/\*\*(?:\/\*\*)+/g, '**').replace(/\*{3,}/g, '**');
  if ((normal.match(/\*/g)?.length ?? 0) > MAX_STARS) refuse(`has more than ${MAX_STARS} stars`);
  const { states, end } = automatonOf(normal);

  const enter = (state: number, into: Set<number>): void => {
    if (into.has(state)) return;
    into.add(state);
    for (const next of states[state]!.free) enter(next, into);
  };

  let known = new Map<string, Stand>();
  const standOf = (entered: ReadonlySet<number>): Stand => {
    const sorted = [...entered].sort((a, b) => a - b);
    const key = sorted.join();
    const found = known.get(key);
    if (found !== undefined) return found;
    const made: Stand = { states: sorted, isEnd: entered.has(end), next: new Map() };
    known.set(key, made);
    return made;
  };
  const follow = (stand: Stand, char: string): Stand => {
    const entered = new Set<number>();
    for (const state of stand.states) {
      for (const [accepts, to] of states[state]!.steps) if (accepts(char)) enter(to, entered);
    }
    return standOf(entered);
  };
  const first = new Set<number>();
  enter(0, first);
  let start = standOf(first);

  return (path) => {
    if (known.size > MAX_STANDS) {
      known = new Map();
      start = standOf(first);
    }
    let stand = start;
    for (let i = 0; i < path.length && stand.states.length > 0; i++) {
      const char = path[i]!;
      let next = stand.next.get(char);
      if (next === undefined) {
        next = follow(stand, char);
        stand.next.set(char, next);
      }
      stand = next;
    }
    return stand.isEnd;
  };
}
