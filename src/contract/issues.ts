/** What zod finds wrong, as sentences that name the path, the kind of what was given and what would be right. */

import type { z } from 'zod';

/** `a.b[0]`, or `the document` for the root. */
export function pathText(path: readonly PropertyKey[]): string {
  if (path.length === 0) return 'the document';
  return path
    .map((part, i) => (typeof part === 'number' ? `[${part}]` : i === 0 ? String(part) : `.${String(part)}`))
    .join('');
}

/** Every issue as `path: what is wrong`, at most `limit` of them. */
export function issueTexts(error: z.ZodError, limit = 20): string[] {
  const texts = error.issues.slice(0, limit).map((issue) => `${pathText(issue.path)}: ${issue.message}`);
  const more = error.issues.length - limit;
  return more > 0 ? [...texts, `and ${more} more`] : texts;
}
