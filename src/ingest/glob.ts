/**
 * Glob patterns over keys: `*` and `?` within a segment, `**` over segments, `[a-z]`, `[!a]`, `{a,b}`,
 * `\` to escape. Compiled once to a regular expression that can not backtrack without bound: segments
 * hold no nested repetition but that of `**`, of which neighbours are joined.
 */

import { InvalidRequestError } from '../common/errors.ts';

const LITERAL = /[\\^$.*+?()[\]{}|/]/;
const MAX_STARS = 32;

function quote(char: string): string {
  return LITERAL.test(char) ? `\\${char}` : char;
}

/** A test of paths relative to the source's folder. A pattern that is none is CONFIG_ERROR. */
export function compileGlob(pattern: string): (path: string) => boolean {
  const refuse = (why: string): never => {
    throw new InvalidRequestError('CONFIG_ERROR', `source.glob: ${why}`);
  };
  const normal = pattern.replace(/\*\*(?:\/\*\*)+/g, '**').replace(/\*{3,}/g, '**');
  if ((normal.match(/\*/g)?.length ?? 0) > MAX_STARS) refuse(`has more than ${MAX_STARS} stars`);
  let source = '';
  let depth = 0;
  for (let i = 0; i < normal.length; i++) {
    const char = normal[i]!;
    if (char === '\\') {
      i++;
      if (i >= normal.length) refuse('ends with a backslash');
      source += quote(normal[i]!);
    } else if (char === '*' && normal[i + 1] === '*') {
      const startsSegment = i === 0 || normal[i - 1] === '/';
      const next = normal[i + 2];
      if (startsSegment && next === '/') {
        source += '(?:[^/]*/)*?';
        i += 2;
      } else {
        source += startsSegment && next === undefined ? '.*' : '[^/]*';
        i++;
      }
    } else if (char === '*') source += '[^/]*';
    else if (char === '?') source += '[^/]';
    else if (char === '[') {
      const end = normal.indexOf(']', i + 2);
      if (end < 0) refuse('has a [ without its ]');
      const body = normal.slice(i + 1, end);
      const negated = body[0] === '!' || body[0] === '^';
      const members = (negated ? body.slice(1) : body).replace(/[\\\][^/]/g, '\\$&');
      source += `(?!/)[${negated ? '^' : ''}${members}]`;
      i = end;
    } else if (char === '{') {
      depth++;
      source += '(?:';
    } else if (char === '}' && depth > 0) {
      depth--;
      source += ')';
    } else if (char === ',' && depth > 0) source += '|';
    else source += quote(char);
  }
  if (depth > 0) refuse('has a { without its }');
  let expression: RegExp;
  try {
    expression = new RegExp(`^(?:${source})$`, 's');
  } catch (cause) {
    throw new InvalidRequestError('CONFIG_ERROR', `source.glob: is no pattern`, { cause });
  }
  return (path) => expression.test(path);
}
