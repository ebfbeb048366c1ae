/** What zod finds wrong, as sentences that name the path, what would be right and what was given. */

import type { z } from 'zod';
import { described } from '../common/described.ts';
import { InvalidRequestError } from '../common/errors.ts';
import { shortened } from '../common/tellable.ts';

type Issue = z.core.$ZodIssue;

/** Characters of a path that are shown: names of fields may come from a request. */
const SHOWN_PATH = 200;
const SHOWN_NAME = 64;
const SHOWN_ISSUES = 20;

const NOUNS: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  tuple: 'a list',
  object: 'an object',
  record: 'an object',
};

/** `a.b[0]`, or `the document` for the root. */
export function pathText(path: readonly PropertyKey[]): string {
  if (path.length === 0) return 'the document';
  const parts = path.map((part, i) => {
    if (typeof part === 'number') return `[${part}]`;
    const name = shortened(String(part), SHOWN_NAME);
    return i === 0 ? name : `.${name}`;
  });
  return shortened(parts.join(''), SHOWN_PATH);
}

function oneOf(values: readonly unknown[]): string {
  const texts = values.map((value) => JSON.stringify(value));
  return texts.length === 1 ? `must be ${texts[0]}` : `must be one of ${texts.join(', ')}`;
}

/** `at least 1 character`, `at most 10,000 entries`. */
function bound(issue: Extract<Issue, { code: 'too_small' | 'too_big' }>): string {
  const { origin } = issue;
  const limit = Number(issue.code === 'too_small' ? issue.minimum : issue.maximum);
  const count = `${issue.code === 'too_small' ? 'at least' : 'at most'} ${limit.toLocaleString('en')}`;
  const many = limit === 1 ? 'y' : 'ies';
  if (origin === 'string') {
    return limit === 1 && issue.code === 'too_small'
      ? 'must not be empty'
      : `must have ${count} character${limit === 1 ? '' : 's'}`;
  }
  return origin === 'array' || origin === 'set' ? `must have ${count} entr${many}` : `must be ${count}`;
}

/** What would be right, in zod's stead; a schema's own words where it has some (they begin with a verb). */
function rule(issue: Issue): string {
  if (!/^(?:Invalid|Too (?:small|big)|Unrecognized)/.test(issue.message)) return issue.message;
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${NOUNS[issue.expected] ?? issue.expected}`;
    case 'invalid_value':
      return oneOf(issue.values);
    case 'too_small':
    case 'too_big':
      return bound(issue);
    case 'invalid_union':
      return unionRule(issue);
    case 'invalid_key':
      return `is a name that ${issue.issues.map(rule).join(' and ')}`;
    case 'unrecognized_keys':
      return `has fields that are not known: ${issue.keys.map((key) => shortened(key, SHOWN_NAME)).join(', ')}`;
    default:
      return issue.message;
  }
}

function unionRule(issue: Extract<Issue, { code: 'invalid_union' }>): string {
  if (issue.errors.length === 0) return oneOf((issue as { options?: unknown[] }).options ?? []);
  const rules = issue.errors.flatMap(([first]) => (first === undefined ? [] : [first])).map(rule);
  return `must be ${rules.map((text) => text.replace(/^must be /, '')).join(', or ')}`;
}

/** What was given, where that tells more than the rule does: not of a whole object, nor twice. */
function given(issue: Issue, told: string): string {
  if (/, got /.test(told) || issue.code === 'unrecognized_keys' || issue.code === 'invalid_key') return '';
  const { input } = issue;
  if (issue.code === 'invalid_union' && issue.errors.length === 0) {
    const { discriminator } = issue as { discriminator?: string };
    return `, got ${described((input as Record<string, unknown> | undefined)?.[discriminator ?? ''])}`;
  }
  if (issue.code === 'invalid_type' && 'received' in issue) return `, got ${String(issue.received)}`;
  if (issue.code === 'too_small' || issue.code === 'too_big') {
    if (Array.isArray(input)) return `, got ${input.length.toLocaleString('en')}`;
    if (typeof input === 'string') return input === '' ? '' : `, got ${input.length.toLocaleString('en')}`;
  }
  const isWhole = typeof input === 'object' && input !== null;
  return isWhole && told === issue.message ? '' : `, got ${described(input)}`;
}

function issueText(issue: Issue): string {
  const told = rule(issue);
  return `${pathText(issue.path)}: ${told}${given(issue, told)}`;
}

export type Checked<T> =
  | { readonly ok: true; readonly value: T }
  /** `problems`: each as `path: what would be right, got what was given`; the first twenty. */
  | { readonly ok: false; readonly problems: readonly string[] };

/** Holds a value against a schema. */
export function check<S extends z.ZodType>(schema: S, value: unknown): Checked<z.output<S>> {
  const parsed = schema.safeParse(value, { reportInput: true });
  if (parsed.success) return { ok: true, value: parsed.data };
  const { issues } = parsed.error;
  const problems = issues.slice(0, SHOWN_ISSUES).map(issueText);
  const more = issues.length - SHOWN_ISSUES;
  return {
    ok: false,
    problems: more > 0 ? [...problems, `and ${more.toLocaleString('en')} more`] : problems,
  };
}

/** A request's body, held against its schema; CONFIG_ERROR names every field that is wrong. */
export function checkRequest<S extends z.ZodType>(schema: S, body: unknown): z.output<S> {
  const checked = check(schema, body);
  if (checked.ok) return checked.value;
  const { problems } = checked;
  throw new InvalidRequestError('CONFIG_ERROR', `The request is invalid: ${problems.join('; ')}`, {
    problems,
  });
}
