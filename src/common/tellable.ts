/**
 * What may be told of a text that comes from others: an error of AWS or Postgres, a URI or a name in a
 * request. It goes into events, logs, attributes and the ledger, so it holds no credentials and is bounded.
 *
 * The patterns take time in proportion to the text: none of them can begin anew within what it took.
 */

/** Characters of a text that are told, at most. */
export const TOLD_CHARACTERS = 4_096;

const REDACTED = '[redacted]';

/** Names of parameters and headers whose values are credentials. */
const SECRET_NAME =
  '(?:x-amz-(?:security-token|signature|credential)|awsaccesskeyid|signature|sig|(?:access_|session_?|id_)?token|' +
  'passw(?:or)?d|pwd|(?:client_|aws_)?secret(?:_?access_?key)?|secretaccesskey|authorization|api[_-]?key)';

const RULES: readonly (readonly [RegExp, string])[] = [
  // The user info of a URL: postgres://user:password@host. A password may hold @ and, badly written, more.
  [/:\/\/[^/\s"'<>\\]*@/g, `://${REDACTED}@`],
  // ?X-Amz-Signature=…, password=…, and the headers of a canonical request (x-amz-security-token:…).
  [
    new RegExp(`(?<![a-z0-9_-])(${SECRET_NAME})(\\s?[=:]\\s?)(?:bearer |basic )?[^&\\s"'<>\\\\,;]+`, 'gi'),
    `$1$2${REDACTED}`,
  ],
  // Ids of AWS access keys, lasting and temporary.
  [/(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{12,}/g, REDACTED],
];

/** `text` with what looks like a credential replaced by `[redacted]`. */
export function withoutSecrets(text: string): string {
  return RULES.reduce((told, [pattern, instead]) => told.replace(pattern, instead), text);
}

/** `text` at most `max` characters long; what was cut off stands as an ellipsis. */
export function shortened(text: string, max: number): string {
  if (text.length <= max) return text;
  // Half a surrogate pair at the end would be no text.
  return `${text.slice(0, max - 1).replace(/[\ud800-\udbff]$/, '')}…`;
}

/** `text` without secrets, at most `max` characters long (default `TOLD_CHARACTERS`). */
export function tellable(text: string, max = TOLD_CHARACTERS): string {
  // Room for what the replacements may save, and no more: a megabyte is not searched for a line of it.
  return shortened(withoutSecrets(text.length > 4 * max ? text.slice(0, 4 * max) : text), max);
}
