/** A wrong value in a few words, whatever its size: for errors that say what was got. */

/** Characters of a text that are shown. */
const SHOWN_TEXT = 40;

/** `nothing`, `null`, `a list`, `an object`, `number 5`, `text "the first forty characters…"`. */
export function described(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'an object';
  if (typeof value !== 'string') return `${typeof value} ${String(value)}`;
  const shown = value.length > SHOWN_TEXT ? `${value.slice(0, SHOWN_TEXT)}…` : value;
  return `text ${JSON.stringify(shown)}`;
}
